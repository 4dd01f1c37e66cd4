/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Integers in network order, read octet by octet as a collector may, for tests that
 * look at Messages themselves.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static inline uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static inline uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

/* Octets of a string of variable length, its length in one octet (RFC 7011 7). */
static inline size_t text_octets(const uint8_t *p)
{
	return 1 + p[0];
}

/* Octets of the options record at p, by its Template ID; fails the test for an unknown one. */
static inline size_t options_record_octets(uint32_t id, const uint8_t *p)
{
	switch (id) {
	case 320:
	case 321:
		return 28;
	case 322:
		return 36;
	case 323:
		return 10;
	case 324:
		return 4 + text_octets(p + 4);
	case 325:
		return 4 + text_octets(p + 4) + text_octets(p + 4 + text_octets(p + 4));
	default:
		assert_int_equal(id, 340);
		return 10 + text_octets(p + 10);
	}
}
