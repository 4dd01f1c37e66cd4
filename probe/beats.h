/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether connections come like clockwork: statistics of when they start and of how
 * much they send, over the latest of them. Pure, and in integers of milliseconds.
 *
 * The spread is that of the median absolute deviation, which a pause or a beat too many
 * does not move; the coefficient of variation without the outermost twentieths tells
 * apart what the former cannot: two paces in turn. Source: E. Leys et al., "Detecting
 * outliers", 2013 (MAD).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BEATS_MAX   64
#define BEATS_SIZES 32
#define BEATS_LEAST 4 /* below there is nothing to measure */

/* The latest beats of one series. Zeroed is empty. */
struct beats {
	uint64_t base_ns; /* at_ms counts from here */
	uint32_t at_ms[BEATS_MAX]; /* ascending */
	uint32_t size[BEATS_SIZES]; /* octets, the latest, in no order */
	uint8_t n;
	uint8_t n_sizes;
	uint8_t next_size;
};

struct beats_pattern {
	uint32_t n; /* beats, a burst of them being one                     */
	uint32_t median_ms; /* between two                                          */
	uint32_t mad_ms; /* median absolute deviation from that                  */
	float cv; /* standard deviation to mean, outermost twentieths off */
	float size_spread; /* MAD to median of the sizes; 1 where none are known   */
	uint32_t missed; /* intervals that are two or three, for beats not seen  */
};

/*
 * A connection started at start_ns. Starts within a second of the one before are one
 * beat, and so are those that are told of late. Returns how many beats there are more:
 * 1, 0, or -1 where one told of late makes two of them one burst.
 * last_ns  in and out: the latest start of the series, 0 before the first
 */
int beats_add(struct beats *b, uint64_t start_ns, uint64_t *last_ns);

/* A connection of so many octets is over. */
void beats_add_size(struct beats *b, uint64_t octets);

/* Time of beat i, below b->n. */
static inline uint64_t beats_at_ns(const struct beats *b, uint32_t i)
{
	return b->base_ns + (uint64_t)b->at_ms[i] * 1000000;
}

/*
 * Measure what is known. Where connections come in bursts with long pauses, their
 * first ones are the beats. False: too few.
 */
bool beats_measure(const struct beats *b, struct beats_pattern *p);

/*
 * How much a pattern looks like a program's that calls home, 0 .. 1: evenness of the
 * intervals by MAD (weight 0.35) and by CV (0.2), of the sizes (0.2), and how long it
 * has gone on (0.25; six hours are all).
 */
float beats_score(const struct beats_pattern *p, uint64_t span_ns);
