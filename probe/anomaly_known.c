/* SPDX-License-Identifier: BSD-2-Clause */
/* Hosts elsewhere. See anomaly_known.h. */
#include "probe/anomaly_known.h"

#include <stdbool.h>
#include <stddef.h>

#include "probe/clock.h"
#include "probe/distinct.h"

#define MINUTE_NS  (60 * NS_PER_S)
#define FORGET_MIN (14 * 24 * 60)

static bool is_forgotten(const struct known_host *h, uint32_t now_min)
{
	return !h->name || (now_min > h->last_min && now_min - h->last_min > FORGET_MIN);
}

uint64_t known_since(struct known *k, uint64_t hash, uint64_t now_ns)
{
	uint32_t name = distinct_name(hash), now_min = (uint32_t)(now_ns / MINUTE_NS);
	struct known_host *set = &k->host[hash % KNOWN_SETS * KNOWN_WAYS], *least = set;

	for (int i = 0; i < KNOWN_WAYS; i++) {
		if (set[i].name == name && !is_forgotten(&set[i], now_min)) {
			/* time may run backwards */
			set[i].last_min = now_min > set[i].last_min ? now_min : set[i].last_min;
			set[i].first_min = now_min < set[i].first_min ? now_min : set[i].first_min;
			return set[i].first_min * MINUTE_NS;
		}
		if (is_forgotten(least, now_min))
			continue;
		if (is_forgotten(&set[i], now_min) || set[i].first_min > least->first_min)
			least = &set[i];
	}
	*least = (struct known_host){.name = name, .first_min = now_min, .last_min = now_min};
	return now_ns;
}
