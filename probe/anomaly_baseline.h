/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is usual of a rate, learned from the rate itself: the means of ten minutes over
 * the last week, of which 95 in 100 are not above it. Robust against who wants it high:
 * it moves only once more than a twentieth of the time known was higher (90 minutes of a
 * day, 8.7 hours of a week), and ten minutes with anything above the threshold are not
 * learned from; so a threshold of `times` the usual can be raised to `times` itself, no
 * more, by what stays below it for as long. Until `learn_s` is known it is learned only.
 *
 * Bounded: a rate gets a place once it is worth one. Of eight the one that was above zero
 * least often makes room, unless it was for half a day.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/clock.h"

#define BASELINE_BINS	1008 /* a week */
#define BASELINE_BIN_S	600
#define BASELINE_BIN_NS (BASELINE_BIN_S * NS_PER_S)
#define BASELINE_SETS	512
#define BASELINE_WAYS	8

struct baseline {
	uint32_t bin; /* number of the one that goes on */
	uint16_t n_active; /* of the past ones: above zero */
	uint16_t n_known; /* ... learned from, zero or not */
	uint8_t usual; /* as a level */
	bool is_odd; /* the one that goes on is not to be learned from */
	float sum; /* of it, so far */
	uint8_t past[BASELINE_BINS]; /* levels, by number modulo BASELINE_BINS */
};

/* Zeroed is empty. */
struct baselines {
	uint32_t first_bin; /* that anything is known of; 0: none */
	uint64_t name[BASELINE_SETS * BASELINE_WAYS]; /* 0: free */
	struct baseline of[BASELINE_SETS * BASELINE_WAYS];
};

struct baseline_usual {
	float rate; /* a second, 0 for what was never worth a place */
	bool is_learning;
};

/* Rates can be known from now_ns on; later calls do nothing. */
void baselines_begin(struct baselines *t, uint64_t now_ns);

/* The rate of a name (a hash, not 0) at now_ns of packet time; time moves on to it. */
struct baseline_usual baselines_usual(struct baselines *t, uint64_t name, uint64_t now_ns,
				      uint32_t learn_s);

/*
 * Learn from some time that is over.
 *
 * amount    in it: rate times seconds
 * is_odd    it was above the threshold
 * is_worth  a place, if it has none
 */
void baselines_note(struct baselines *t, uint64_t name, uint64_t now_ns, float amount, bool is_odd,
		    bool is_worth);

/* Whether anything can be known yet. */
bool baselines_are_learning(const struct baselines *t, uint64_t now_ns, uint32_t learn_s);
