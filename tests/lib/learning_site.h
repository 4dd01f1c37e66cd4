/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A site of twenty servers, each of which does about the same every minute, for the
 * tests of the learning detector: what they exchange with others is all answered and
 * far below what any other detector looks at. Included once in a test.
 */
#pragma once

#include "tests/lib/anomaly_send.h"

#define SITE_MIN	60000ULL
#define SITE_FIRST	20000ULL /* a whole minute of Unix time, as the fixture has it */
#define SITE_AT(minute) (SITE_FIRST + (minute)*SITE_MIN)
#define SITE_HOSTS	20
#define SITE_TRAINED	64 /* minutes after which it is learned */
#define SITE_DATA	460 /* octets of a packet */

/* What one host does in a minute, give and take a fifth. */
struct site_minute {
	uint32_t peers; /* asked something, and answering */
	uint32_t out; /* packets of data to one of them */
	uint32_t in; /* ... from it */
};

static const struct site_minute site_usual = {.peers = 8, .out = 10, .in = 10};

static inline const char *site_host(uint32_t i)
{
	static char text[16];

	snprintf(text, sizeof(text), "10.0.1.%u", 1 + i);
	return text;
}

/* About n, the same in each run. */
static inline uint32_t site_about(uint32_t n)
{
	static uint32_t x = 1;

	x = x * 1664525 + 1013904223;
	return n * (800 + (x >> 8) % 400) / 1000;
}

static inline void site_data(uint64_t ms, const char *from, uint16_t from_port, const char *to,
			     uint16_t to_port)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = from,
						       .to = to,
						       .from_port = from_port,
						       .to_port = to_port,
						       .flags = TH_ACK,
						       .payload = SITE_DATA});
}

/* The minute of all hosts; `odd` does otherwise than the rest, SITE_HOSTS: none. */
static inline void site_minute(uint32_t minute, uint32_t odd, struct site_minute other)
{
	static uint32_t turn;
	uint64_t at = SITE_AT(minute);

	turn++;
	for (uint32_t step = 0; step < 10; step++)
		for (uint32_t i = 0; i < SITE_HOSTS; i++) {
			struct site_minute m = i == odd ? other : site_usual;
			uint64_t ms = at + 1000 + step * 5500 + i * 20;
			uint32_t peers = (site_about(m.peers) + step) / 10;
			const char *host = site_host(i);

			for (uint32_t k = 0; k < peers; k++) {
				char peer[24];

				snprintf(peer, sizeof(peer), "203.0.%u.%u", i, 1 + step * 20 + k);
				send_udp(ms, host, (uint16_t)(20000 + turn % 30000), peer, 4500);
				send_udp(ms, peer, 4500, host, (uint16_t)(20000 + turn % 30000));
			}
			for (uint32_t k = 0; k < (site_about(m.out) + step) / 10; k++)
				site_data(ms, host, 51000, "198.51.100.1", 443);
			for (uint32_t k = 0; k < (site_about(m.in) + step) / 10; k++)
				site_data(ms, "198.51.100.1", 443, host, 51000);
		}
}

static inline void site_usual_minutes(uint32_t from, uint32_t to)
{
	for (uint32_t minute = from; minute < to; minute++)
		site_minute(minute, SITE_HOSTS, site_usual);
}

static inline void site_odd_minutes(uint32_t from, uint32_t to, struct site_minute other)
{
	for (uint32_t minute = from; minute < to; minute++)
		site_minute(minute, 0, other);
}

static inline void site_open(void)
{
	anomaly_fixture_init(&f);
	f.cfg.anomaly.learning.training_s = 3600;
	anomaly_fixture_open(&f);
}
