/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Observation Points by the number a Flow Key carries: index << 1 | egress.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define OBS_MAX 128

struct obs_entry {
	char name[64]; /* of the interface; empty = no such Observation Point */
	uint32_t ifindex;
	bool has_egress; /* both directions of this interface are observed      */
};

struct obs_table {
	struct obs_entry entry[OBS_MAX]; /* by index */
	uint32_t n;
};

static inline bool obs_is_egress(uint8_t obs_point)
{
	return obs_point & 1;
}

/* Where the other direction of a conversation is seen: the interface's other
 * hook where there is one, else (a mirror port) the same. */
static inline uint8_t obs_other_direction(const struct obs_table *obs, uint8_t obs_point)
{
	return obs->entry[obs_point >> 1].has_egress ? obs_point ^ 1 : obs_point;
}
