/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which Observation Point counts, where the same packets pass several: of each pair of
 * hosts and each way the one that had them first. When it has had none for a while and
 * another one has, that one counts from then on: the interface went away, or the route
 * changed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define POINTS_SETS 16384
#define POINTS_WAYS 4

/* Zeroed: none so far. */
struct point {
	uint32_t name; /* of what passes, from its hash; for points_count() only */
	uint32_t last_s; /* packet time it counted last, in seconds */
	uint8_t obs_point;
	bool is_used;
};

/* Bounded; what was not seen for longest makes room. */
struct points {
	struct point point[POINTS_SETS * POINTS_WAYS];
};

/*
 * Packets were seen at an Observation Point. Returns whether they count; silent_s:
 * without any, after which another one may take over.
 */
bool point_counts(struct point *p, uint8_t obs_point, uint64_t now_ns, uint32_t silent_s);

/* The same for what has that hash. */
bool points_count(struct points *all, uint64_t hash, uint8_t obs_point, uint64_t now_ns,
		  uint32_t silent_s);
