/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time. See clock.h.
 */
#include "probe/clock.h"

#include <time.h>

static int64_t clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return t.tv_sec * (int64_t)NS_PER_S + t.tv_nsec;
}

uint64_t clock_monotonic_ns(void)
{
	return (uint64_t)clock_read(CLOCK_MONOTONIC);
}

/* Of three tries the one with the least time between the two readings of monotonic. */
static int64_t offset_measure(void)
{
	int64_t best = INT64_MAX, offset = 0;

	for (int i = 0; i < 3; i++) {
		int64_t before = clock_read(CLOCK_MONOTONIC);
		int64_t real = clock_read(CLOCK_REALTIME);
		int64_t after = clock_read(CLOCK_MONOTONIC);

		if (after - before < best) {
			best = after - before;
			offset = real - (before + (after - before) / 2);
		}
	}
	return offset;
}

bool wall_clock_update(struct wall_clock *clock)
{
	int64_t offset = offset_measure();
	int64_t moved = offset - clock->offset_ns;
	bool is_first = clock->offset_ns == 0;
	bool is_step = !is_first && (moved > (int64_t)NS_PER_S || moved < -(int64_t)NS_PER_S);

	clock->offset_ns = offset;
	clock->steps += is_step;
	return is_step;
}

uint64_t clock_tick_ns(void)
{
	struct timespec t;

	if (clock_getres(CLOCK_MONOTONIC_COARSE, &t))
		return 4000000;
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}
