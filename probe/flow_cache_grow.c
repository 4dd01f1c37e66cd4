/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A native table that grows: a few Flows stay in memory that the processor
 * keeps near, however many max_flows allows. See flow_cache.h.
 */
#include <string.h>

#include "probe/flow_cache_private.h"
#include "probe/native_meter.h"

#define ROOMY 3 /* a first bucket with that many free places is taken at once */

/* 4096 places */
#define BUCKETS_START (16 * XFP_CHUNK_BUCKETS)

/*
 * The sizes of a table that grows are the full one, its half, its quarter and so
 * on, so that every step doubles it: the smallest of them with `at_least`
 * buckets, or the full one.
 */
static uint32_t buckets_step(uint32_t max_flows, uint32_t at_least)
{
	uint32_t n = flow_cache_buckets(max_flows), half = n;

	do {
		n = half;
		half = (n / XFP_CHUNK_BUCKETS + 1) / 2 * XFP_CHUNK_BUCKETS;
	} while (half >= at_least && half < n);
	return n;
}

uint32_t flow_cache_buckets_start(uint32_t max_flows)
{
	return buckets_step(max_flows, BUCKETS_START);
}

/* How many places of a bucket are free, and the first of them. */
static uint32_t bucket_free(const struct flow_table *t, uint32_t bucket, uint32_t *slot)
{
	uint32_t free = flow_places(&t->tags[bucket], XFP_TAG_FREE, 0xff);

	if (free)
		*slot = bucket * XFP_BUCKET_SLOTS + (uint32_t)__builtin_ctz(free);
	return (uint32_t)__builtin_popcount(free);
}

/* Where a Flow goes in a table it is not in; FLOW_NONE: both buckets are full. */
static uint32_t place_free(const struct flow_table *t, const struct native_place *place)
{
	uint32_t first = FLOW_NONE, second = FLOW_NONE;
	uint32_t n = bucket_free(t, place->first, &first);

	if (n >= ROOMY)
		return first;
	return bucket_free(t, place->second, &second) > n ? second : first;
}

/* Copy one Flow and all that is known of it. */
static bool flow_copy(enum flow_family family, const struct flow_table *from, uint32_t slot,
		      struct flow_table *to)
{
	struct native_place place =
		native_meter_place(family, flow_key_at(from, slot), to->n_buckets);
	uint64_t hint = from->hints[slot / XFP_BUCKET_SLOTS] >> slot % XFP_BUCKET_SLOTS & 1;
	uint32_t at = place_free(to, &place);

	if (at == FLOW_NONE)
		return false;
	memcpy(to->slots + (size_t)at * to->slot_octets, flow_key_at(from, slot), to->slot_octets);
	if (to->detail_octets) {
		memcpy(flow_details_at(to, at), flow_details_at(from, slot), to->detail_octets);
		memcpy(to->detail_marks + (size_t)at * to->detail_octets,
		       from->detail_marks + (size_t)slot * to->detail_octets, to->detail_octets);
	}
	*flow_tag_at(to, at) = *flow_tag_at(from, slot);
	to->hints[at / XFP_BUCKET_SLOTS] |= hint << at % XFP_BUCKET_SLOTS;
	to->marks[at] = from->marks[slot];
	if (to->is_watched)
		to->watch[at] = from->watch[slot];
	to->end_ms[at] = from->end_ms[slot];
	to->due[at] = from->due[slot];
	to->chunk_live[at / XFP_CHUNK_SLOTS]++;
	to->n_live++;
	return true;
}

/* A chunk of the new table was never looked at, so the next sweep will: no news needed. */
static bool table_copy(enum flow_family family, const struct flow_table *from,
		       struct flow_table *to)
{
	for (uint32_t slot = 0; slot < from->n_slots; slot++)
		if (*flow_tag_at(from, slot) != XFP_TAG_FREE && !flow_copy(family, from, slot, to))
			return false;
	return true;
}

bool flow_cache_grow(struct flow_cache *cache, enum flow_family family)
{
	struct flow_table *t = &cache->table[family];
	struct flow_table grown = {
		.max_flows = t->max_flows,
		.key_octets = t->key_octets,
		.slot_octets = t->slot_octets,
		.detail_octets = t->detail_octets,
		.is_watched = t->is_watched,
	};

	if (t->n_buckets >= flow_cache_buckets(t->max_flows))
		return false;
	if (flow_table_open(&grown, buckets_step(t->max_flows, t->n_buckets + 1), true) ||
	    !table_copy(family, t, &grown)) {
		flow_table_close(&grown, true);
		return false;
	}
	flow_table_close(t, true);
	*t = grown;
	cache->params.n_buckets[family] = t->n_buckets;
	native_meter_configure(&cache->params);
	return true;
}
