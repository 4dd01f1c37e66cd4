/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is usual of a volume: its hours of the last week, an octet each (to 6 %), and how
 * a new hour compares. Robust: by percentile and by median and MAD, so that a few odd
 * hours move nothing. Pure; hours are numbers counted from any begin.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define USUAL_HOURS 168

/* Zeroed, with `hour` and `since` set to the hour it begins in. */
struct usual {
	uint32_t hour; /* that goes on */
	uint32_t since; /* the first one known */
	uint64_t octets; /* in this hour, so far */
	bool is_odd; /* this hour is not to be learned from */
	uint8_t past[USUAL_HOURS]; /* by hour modulo USUAL_HOURS */
};

struct usual_compared {
	uint32_t n_hours; /* known */
	uint64_t most; /* 95 of 100 hours were not above it, octets */
	uint64_t middle; /* median of what z compares with, octets */
	bool has_z;
	float z; /* robust z-score, of the logarithm */
};

/* Time moves on to an hour; back to an earlier one it does not. */
void usual_turn(struct usual *u, uint32_t hour);

/*
 * Compare `octets` in an hour with the past: with the same hour of each day once three
 * days are known, before with all hours in which there was anything, six at least.
 * Source: B. Iglewicz, D. Hoaglin, "How to detect and handle outliers", 1993 (3.5).
 */
void usual_compare(const struct usual *u, uint64_t octets, struct usual_compared *c);
