/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many different things came by, in bounded memory: by a bitmap (linear
 * counting) up to a few times its bits, by HyperLogLog without a bound. What is
 * counted is a hash, evenly spread over its 64 bits.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bpf/flow_abi.h"

/* One more word into a hash; `seed` is a secret, so nobody can choose collisions. */
static inline uint64_t distinct_mix(uint64_t seed, uint64_t word)
{
	return xfp_mix(seed, word);
}

/* What a table keeps of a hash whose low bits choose the set, to tell its entries apart; not 0. */
static inline uint32_t distinct_name(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

/*
 * A bitmap in two generations, for a window that moves: what was added in the
 * current one or the one before counts. 512 bits tell 1000 to 4 %.
 */
#define DISTINCT_WORDS 8
#define DISTINCT_BITS  (64 * DISTINCT_WORDS)

struct distinct {
	uint64_t word[2][DISTINCT_WORDS]; /* [0] current, [1] before */
};

/* Add a hash; returns false when its bit was there before, in either generation. */
bool distinct_add(struct distinct *d, uint64_t hash);

/* The same; returns false when its bit was there in the current generation. */
bool distinct_add_current(struct distinct *d, uint64_t hash);

/* Start a generation; the one before is forgotten. */
void distinct_turn(struct distinct *d);

/* Different hashes of both generations; at most DISTINCT_BITS * ln(DISTINCT_BITS). */
uint32_t distinct_count(const struct distinct *d);

/* The same over words of any bitmap. */
uint32_t distinct_estimate(const uint64_t *words, uint32_t n_words);

/* HyperLogLog with 256 registers: 6.5 % standard error, small numbers by linear counting. */
#define DISTINCT_REGISTERS 256

struct distinct_many {
	uint8_t rank[DISTINCT_REGISTERS];
};

/* Add a hash. */
void distinct_many_add(struct distinct_many *d, uint64_t hash);

/* Make *into count what either of both does. */
void distinct_many_merge(struct distinct_many *into, const struct distinct_many *from);

/* Different hashes so far. */
uint32_t distinct_many_count(const struct distinct_many *d);
