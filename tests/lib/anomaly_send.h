/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets of scans and of what looks like one, for the tests of detectors; and what
 * they are to raise. Included once in a test.
 */
#pragma once

#include <netinet/in.h>
#include <stdio.h>
#include <netinet/tcp.h>

#include "tests/lib/anomaly_case.h"

#define LOCAL  "10.0.0.1"
#define REMOTE "198.51.100.7"
#define TARGET "10.0.0.2"
#define CLIENT 40000

static inline void send_tcp(uint64_t ms, const char *from, uint16_t from_port, const char *to,
			    uint16_t to_port, uint8_t flags)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = from,
						       .to = to,
						       .from_port = from_port,
						       .to_port = to_port,
						       .flags = flags});
}

static inline void send_udp(uint64_t ms, const char *from, uint16_t from_port, const char *to,
			    uint16_t to_port)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = from,
						       .to = to,
						       .from_port = from_port,
						       .to_port = to_port,
						       .protocol = IPPROTO_UDP});
}

static inline void send_icmp(uint64_t ms, const char *from, const char *to, uint16_t type_code)
{
	anomaly_fixture_packet(
		&f, ms,
		(struct anomaly_packet){
			.from = from, .to = to, .from_port = type_code, .protocol = IPPROTO_ICMP});
}

/* A SYN that is refused. */
static inline void refuse(uint64_t ms, const char *from, const char *to, uint16_t port)
{
	send_tcp(ms, from, CLIENT, to, port, TH_SYN);
	send_tcp(ms, to, port, from, CLIENT, TH_RST | TH_ACK);
}

/* A connection with a handshake of three steps. */
static inline void connect_to(uint64_t ms, const char *from, const char *to, uint16_t port)
{
	send_tcp(ms, from, CLIENT, to, port, TH_SYN);
	send_tcp(ms, to, port, from, CLIENT, TH_SYN | TH_ACK);
	send_tcp(ms, from, CLIENT, to, port, TH_ACK);
}

static inline const char *host(uint32_t i)
{
	static char text[16];

	snprintf(text, sizeof(text), "10.1.%u.%u", i / 250, i % 250 + 1);
	return text;
}

/* The i-th of many addresses elsewhere. */
static inline const char *forged(uint32_t i)
{
	static char text[16];

	i = i * 2654435761U >> 8;
	snprintf(text, sizeof(text), "%u.%u.%u.%u", 20 + (i >> 16) % 64, i >> 8 & 255, i & 255,
		 1 + (i >> 22));
	return text;
}

/* An echo request, and its reply unless that has no octets. */
static inline void ping(uint64_t ms, const char *to, uint16_t asked, uint16_t answered)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = LOCAL,
						       .to = to,
						       .from_port = 0x0800,
						       .protocol = IPPROTO_ICMP,
						       .payload = asked});
	if (answered)
		anomaly_fixture_packet(&f, ms,
				       (struct anomaly_packet){.from = to,
							       .to = LOCAL,
							       .protocol = IPPROTO_ICMP,
							       .payload = answered});
}

static inline void assert_nothing(void)
{
	if (f.n_events)
		fail_msg("raised: %s", f.event[0].reason);
}

/* Exactly one start, of this kind, which *e is. */
static inline void assert_one(uint8_t class, uint8_t subclass, struct anomaly_event *e)
{
	struct anomaly_event any;

	e = e ? e : &any;
	if (anomaly_fixture_count(&f, class, ANOMALY_START, e) != 1)
		fail_msg("%u events, not one %s: %s", f.n_events, anomaly_class_name(class),
			 f.n_events ? f.event[0].reason : "");
	assert_string_equal(anomaly_subclass_name(e->subclass), anomaly_subclass_name(subclass));
	for (uint32_t i = 0; i < f.n_events; i++)
		assert_int_equal(f.event[i].event_id, e->event_id);
}

/* One start of this class, or more. */
static inline void assert_found(uint8_t class)
{
	if (!anomaly_fixture_count(&f, class, ANOMALY_START, NULL))
		fail_msg("no %s among %u events", anomaly_class_name(class), f.n_events);
}
