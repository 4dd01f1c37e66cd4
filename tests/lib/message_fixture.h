/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages composed octet by octet and the test Collector's walk over them.
 * Included once in a test that is linked with the Collector.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "collector-test/message.h"

#define EXPORT_TIME_S 1700000000u
#define DOMAIN	      7u
#define TEMPLATE_ID   300

/* A Message under construction; the open Set begins at set_at. */
struct builder {
	uint8_t octets[2048];
	size_t len;
	size_t set_at;
};

static struct counts counts;
static struct walk walk;

/* Append a number in network byte order. */
static inline void put(struct builder *b, uint64_t value, size_t octets)
{
	for (size_t i = octets; i > 0; i--)
		b->octets[b->len++] = (uint8_t)(value >> (8 * (i - 1)));
}

/* Begin a Message of the Observation Domain DOMAIN. */
static inline void begin_message(struct builder *b, uint32_t sequence)
{
	memset(b, 0, sizeof(*b));
	put(b, MESSAGE_VERSION, 2);
	put(b, 0, 2);
	put(b, EXPORT_TIME_S, 4);
	put(b, sequence, 4);
	put(b, DOMAIN, 4);
}

static inline void begin_set(struct builder *b, uint16_t id)
{
	b->set_at = b->len;
	put(b, id, 2);
	put(b, 0, 2);
}

/* Overwrite the two octets at `at`. */
static inline void patch_length(struct builder *b, size_t at, size_t length)
{
	b->octets[at] = (uint8_t)(length >> 8);
	b->octets[at + 1] = (uint8_t)length;
}

/* Fill in the length of the open Set. */
static inline void end_set(struct builder *b)
{
	patch_length(b, b->set_at + 2, b->len - b->set_at);
}

/* Fill in the length and let the Collector walk the Message. Returns what that returns. */
static inline int send_message(struct builder *b)
{
	patch_length(b, 2, b->len);
	return walk_message(&walk, b->octets, b->len, (struct set_sink){0});
}

/* flowStart/EndMilliseconds, octetDeltaCount (8), packetDeltaCount reduced to 2. */
static inline void add_template(struct builder *b)
{
	begin_set(b, 2);
	put(b, TEMPLATE_ID, 2);
	put(b, 4, 2);
	put(b, 152 << 16 | 8, 4);
	put(b, 153 << 16 | 8, 4);
	put(b, 1 << 16 | 8, 4);
	put(b, 2 << 16 | 2, 4);
	end_set(b);
}

/* One record of that Template: 1500 octets in 3 packets. */
static inline void put_record(struct builder *b, uint64_t start_ms, uint64_t end_ms)
{
	put(b, start_ms, 8);
	put(b, end_ms, 8);
	put(b, 1500, 8);
	put(b, 3, 2);
}

/* A Data Set of n good records. */
static inline void add_records(struct builder *b, unsigned int n)
{
	begin_set(b, TEMPLATE_ID);
	while (n-- > 0)
		put_record(b, EXPORT_TIME_S * 1000ull, EXPORT_TIME_S * 1000ull + 999);
	end_set(b);
}

/* A Message with the Template and n good records is accepted. */
static inline void send_records(uint32_t sequence, unsigned int n)
{
	struct builder b;

	begin_message(&b, sequence);
	add_template(&b);
	add_records(&b, n);
	assert_int_equal(send_message(&b), 0);
}

/* Setup and teardown of a test; see UDP and TCP. */
static inline int open_udp(void **state)
{
	(void)state;
	memset(&counts, 0, sizeof(counts));
	walk_open(&walk, TRANSPORT_UDP, &counts);
	return 0;
}

static inline int open_tcp(void **state)
{
	open_udp(state);
	walk.transport = TRANSPORT_TCP;
	return 0;
}

static inline int close_walk(void **state)
{
	(void)state;
	walk_close(&walk);
	return 0;
}

#define UDP(test) cmocka_unit_test_setup_teardown(test, open_udp, close_walk)
#define TCP(test) cmocka_unit_test_setup_teardown(test, open_tcp, close_walk)
