/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Centre and spread of small whole numbers that some odd ones among them do not move:
 * median, and median absolute deviation from it. Half of the numbers may be anything
 * before either is. Pure.
 */
#pragma once

#include <stdint.h>

#define ROBUST_MAX	128
#define ROBUST_TO_SIGMA 1.4826f /* MAD to the standard deviation of a normal distribution */

struct robust {
	float median; /* of an even number the mean of both in the middle */
	float mad;
};

/* n  1 .. ROBUST_MAX */
struct robust robust_of(const uint8_t *levels, uint32_t n);
