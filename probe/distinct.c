/* SPDX-License-Identifier: BSD-2-Clause */
/* Counting what is different. See distinct.h. */
#include "probe/distinct.h"

#include <math.h>
#include <string.h>

static uint32_t bit_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) % DISTINCT_BITS;
}

bool distinct_add(struct distinct *d, uint64_t hash)
{
	bool was_before = d->word[1][bit_of(hash) / 64] >> bit_of(hash) % 64 & 1;

	return distinct_add_current(d, hash) && !was_before;
}

bool distinct_add_current(struct distinct *d, uint64_t hash)
{
	uint64_t *word = &d->word[0][bit_of(hash) / 64], mask = 1ULL << bit_of(hash) % 64;
	bool is_new = !(*word & mask);

	*word |= mask;
	return is_new;
}

void distinct_turn(struct distinct *d)
{
	memcpy(d->word[1], d->word[0], sizeof(d->word[0]));
	memset(d->word[0], 0, sizeof(d->word[0]));
}

/* Source: K.-Y. Whang et al., "A linear-time probabilistic counting algorithm", 1990. */
static uint32_t linear_count(uint32_t n_bits, uint32_t n_zero)
{
	double m = n_bits;

	return (uint32_t)lround(m * log(m / (n_zero ? n_zero : 1)));
}

uint32_t distinct_estimate(const uint64_t *words, uint32_t n_words)
{
	uint32_t n_set = 0;

	for (uint32_t i = 0; i < n_words; i++)
		n_set += (uint32_t)__builtin_popcountll(words[i]);
	return linear_count(64 * n_words, 64 * n_words - n_set);
}

uint32_t distinct_count(const struct distinct *d)
{
	uint64_t either[DISTINCT_WORDS];

	for (int i = 0; i < DISTINCT_WORDS; i++)
		either[i] = d->word[0][i] | d->word[1][i];
	return distinct_estimate(either, DISTINCT_WORDS);
}

void distinct_many_add(struct distinct_many *d, uint64_t hash)
{
	uint8_t *rank = &d->rank[hash % DISTINCT_REGISTERS];
	uint64_t rest = hash / DISTINCT_REGISTERS;
	/* 56 bits are left: the place of the first that is set, from 1 */
	uint8_t r = rest ? (uint8_t)(__builtin_ctzll(rest) + 1) : 57;

	if (r > *rank)
		*rank = r;
}

void distinct_many_merge(struct distinct_many *into, const struct distinct_many *from)
{
	for (int i = 0; i < DISTINCT_REGISTERS; i++)
		if (from->rank[i] > into->rank[i])
			into->rank[i] = from->rank[i];
}

/* Source: P. Flajolet et al., "HyperLogLog", 2007; its correction for small numbers. */
uint32_t distinct_many_count(const struct distinct_many *d)
{
	const double m = DISTINCT_REGISTERS, alpha = 0.7213 / (1 + 1.079 / m);
	uint32_t n_zero = 0;
	double sum = 0, estimate;

	for (int i = 0; i < DISTINCT_REGISTERS; i++) {
		sum += ldexp(1, -d->rank[i]);
		n_zero += !d->rank[i];
	}
	estimate = alpha * m * m / sum;
	if (estimate <= 2.5 * m && n_zero)
		return linear_count(DISTINCT_REGISTERS, n_zero);
	return (uint32_t)lround(estimate);
}
