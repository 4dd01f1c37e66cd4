/* SPDX-License-Identifier: BSD-2-Clause */
/* One Observation Point of several. See anomaly_points.h. */
#include "probe/anomaly_points.h"

#include "probe/clock.h"
#include "probe/distinct.h"

bool point_counts(struct point *p, uint8_t obs_point, uint64_t now_ns, uint32_t silent_s)
{
	uint32_t now_s = (uint32_t)(now_ns / NS_PER_S);

	if (p->is_used && p->obs_point != obs_point && now_s - p->last_s <= silent_s)
		return false;
	p->is_used = true;
	p->obs_point = obs_point;
	p->last_s = now_s;
	return true;
}

bool points_count(struct points *all, uint64_t hash, uint8_t obs_point, uint64_t now_ns,
		  uint32_t silent_s)
{
	struct point *set = &all->point[hash % POINTS_SETS * POINTS_WAYS], *least = set;
	uint32_t name = distinct_name(hash);

	for (int i = 0; i < POINTS_WAYS; i++) {
		if (set[i].is_used && set[i].name == name)
			return point_counts(&set[i], obs_point, now_ns, silent_s);
		if (least->is_used && (!set[i].is_used || set[i].last_s < least->last_s))
			least = &set[i];
	}
	*least = (struct point){.name = name};
	return point_counts(least, obs_point, now_ns, silent_s);
}
