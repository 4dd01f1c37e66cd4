/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The form of the inputs that the Metering Process is fuzzed with: frames one
 * after another, numbers in network byte order.
 *	link type 1 (of enum capture_link) | octets cut off 4 | captured 2 | frame
 * Every input is one: a link type is taken modulo their number, and a frame that
 * claims to be longer than what is left is what is left.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "probe/capture.h"

#define FUZZ_HEAD_OCTETS 7
#define FUZZ_LINKS	 (CAPTURE_LOOP + 1)

/* What is left of an input. */
struct fuzz_frames {
	const uint8_t *at;
	size_t left;
};

static inline uint32_t fuzz_load_be(const uint8_t *at, int octets)
{
	uint32_t value = 0;

	for (int i = 0; i < octets; i++)
		value = value << 8 | at[i];
	return value;
}

static inline void fuzz_store_be(uint8_t *at, int octets, uint32_t value)
{
	for (int i = octets - 1; i >= 0; i--, value >>= 8)
		at[i] = (uint8_t)value;
}

/* Take the next frame; false at the end. p->data points into the input. */
static inline bool fuzz_frame_next(struct fuzz_frames *f, struct capture_packet *p)
{
	uint32_t cut, captured;

	if (f->left < FUZZ_HEAD_OCTETS)
		return false;
	cut = fuzz_load_be(f->at + 1, 4);
	captured = fuzz_load_be(f->at + 5, 2);
	p->link = (enum capture_link)(f->at[0] % FUZZ_LINKS);
	f->at += FUZZ_HEAD_OCTETS;
	f->left -= FUZZ_HEAD_OCTETS;
	if (captured > f->left)
		captured = (uint32_t)f->left;
	p->data = f->at;
	p->captured_octets = captured;
	p->wire_octets = cut > UINT32_MAX - captured ? UINT32_MAX : captured + cut;
	p->time_ns = 1;
	f->at += captured;
	f->left -= captured;
	return true;
}

/*
 * Write a frame of at most 65535 captured octets to the end of an input.
 * Returns the octets written: FUZZ_HEAD_OCTETS and those captured.
 */
static inline size_t fuzz_frame_put(uint8_t *to, const struct capture_packet *p)
{
	to[0] = (uint8_t)p->link;
	fuzz_store_be(to + 1, 4, p->wire_octets - p->captured_octets);
	fuzz_store_be(to + 5, 2, p->captured_octets);
	memcpy(to + FUZZ_HEAD_OCTETS, p->data, p->captured_octets);
	return FUZZ_HEAD_OCTETS + p->captured_octets;
}
