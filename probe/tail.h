/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far the largest of many numbers go: peaks over a threshold, to which a generalised
 * Pareto distribution is fitted by probability-weighted moments. It gives the value that
 * one number in so many exceeds, however few were seen beyond it. Pure, bounded.
 * Source: J. Hosking, J. Wallis, "Parameter and quantile estimation for the generalized
 * Pareto distribution", 1987; A. Siffer et al., "Anomaly detection in streams with
 * extreme value theory", 2017.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TAIL_PEAKS 201 /* kept: so many excesses, and the level they are above */
#define TAIL_LEAST 500 /* numbers before there is anything to say */
#define TAIL_MOST  100000 /* from where on half of what was seen is forgotten */

/* Zeroed is empty. */
struct tail {
	uint32_t n; /* numbers seen, those forgotten left out */
	uint32_t n_peaks;
	uint32_t n_faded; /* times that half was forgotten */
	float peak[TAIL_PEAKS]; /* the largest, from the largest on */
};

/* One more number. */
void tail_add(struct tail *t, float x);

/* True when there were enough. */
bool tail_is_known(const struct tail *t);

/*
 * What a number exceeds with a probability of q at most. Shape from -0.5 to 0.9.
 * Needs tail_is_known(); 0 < q < 0.002.
 */
float tail_quantile(const struct tail *t, float q);
