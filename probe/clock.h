/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time: the only place that knows both CLOCK_MONOTONIC, which the kernel stamps
 * packets with, and Unix time, which records carry.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL

/* CLOCK_MONOTONIC + offset_ns = Unix time. A capture's packet clock has offset 0. */
struct wall_clock {
	int64_t offset_ns;
	uint64_t steps; /* times the offset jumped by more than a second */
};

uint64_t clock_monotonic_ns(void);

/*
 * Read the offset anew. Returns true when Unix time was stepped by more than a
 * second since the last call (not on the first).
 */
bool wall_clock_update(struct wall_clock *clock);

static inline uint64_t wall_clock_ns(const struct wall_clock *clock, uint64_t monotonic_ns)
{
	return monotonic_ns + (uint64_t)clock->offset_ns;
}

/* A length of time in whole seconds, the nearest. */
static inline uint32_t clock_round_s(uint64_t ns)
{
	return (uint32_t)((ns + NS_PER_S / 2) / NS_PER_S);
}

/* Length of a kernel tick in ns: the resolution of the coarse clock is one jiffy. */
uint64_t clock_tick_ns(void);
