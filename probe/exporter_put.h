/* SPDX-License-Identifier: BSD-2-Clause */
/* Integers in network order, for the encoders. */
#pragma once

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The low 1 .. 8 octets of an integer; a shift, a swap and a store for a constant number
 * of them. Returns their end.
 */
static inline __attribute__((always_inline)) uint8_t *put(uint8_t *p, uint64_t value, size_t octets)
{
	uint64_t be = htobe64(value << 8 * (8 - octets));

	memcpy(p, &be, octets);
	return p + octets;
}

/* An integer of 1 .. 8 octets. */
static inline uint64_t get(const uint8_t *p, size_t octets)
{
	uint64_t value = 0;

	for (size_t i = 0; i < octets; i++)
		value = value << 8 | p[i];
	return value;
}
