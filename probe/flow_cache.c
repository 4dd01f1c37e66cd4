/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Geometry, memory and look-up of the Flow Cache. See flow_cache.h.
 */
#include "probe/flow_cache_private.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "probe/detail_layout.h"
#include "probe/log.h"
#include "probe/native_meter.h"

uint32_t flow_cache_buckets(uint32_t max_flows)
{
	uint64_t slots = ((uint64_t)max_flows * 4 + 2) / 3;
	uint64_t chunks = (slots + XFP_CHUNK_SLOTS - 1) / XFP_CHUNK_SLOTS;

	return (uint32_t)(chunks * XFP_CHUNK_BUCKETS);
}

int flow_cache_params_init(struct flow_cache_params *params, uint32_t max_flows,
			   uint32_t max_flows_ipv6)
{
	struct flow_cache_params p;

	if (getrandom(&p, sizeof(p), 0) != sizeof(p))
		return log_errno(-errno, "draw the secrets of the Flow Cache from getrandom()");
	p.hash_spread |= 1;
	p.detail = detail_layout(0);
	p.is_watched = false;
	p.has_switches = false;
	p.joins_points = false;
	p.n_buckets[FLOW_IPV4] = flow_cache_buckets(max_flows);
	p.n_buckets[FLOW_IPV6] = flow_cache_buckets(max_flows_ipv6);
	*params = p;
	return 0;
}

/* Zeroed pages that cost nothing until touched; huge where the kernel has them. */
static void *array_alloc(size_t n, size_t octets)
{
	void *array = mmap(NULL, n * octets, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (array == MAP_FAILED)
		return NULL;
	(void)madvise(array, n * octets, MADV_HUGEPAGE);
	return array;
}

static void array_free(void *array, size_t n, size_t octets)
{
	if (array)
		munmap(array, n * octets);
}

static int table_open_shared(struct flow_table *t)
{
	t->tags = array_alloc(t->n_buckets, sizeof(*t->tags));
	t->slots = array_alloc(t->n_slots, t->slot_octets);
	t->hints = array_alloc(t->n_buckets, sizeof(*t->hints));
	t->news = array_alloc(t->n_chunks, sizeof(*t->news));
	if (t->detail_octets && !(t->details = array_alloc(t->n_slots, t->detail_octets)))
		return -ENOMEM;
	return t->tags && t->slots && t->hints && t->news ? 0 : -ENOMEM;
}

int flow_table_open(struct flow_table *t, uint32_t n_buckets, bool is_native)
{
	t->n_buckets = n_buckets;
	t->n_slots = n_buckets * XFP_BUCKET_SLOTS;
	t->n_chunks = n_buckets / XFP_CHUNK_BUCKETS;
	t->marks = array_alloc(t->n_slots, sizeof(*t->marks));
	t->end_ms = array_alloc(t->n_slots, sizeof(*t->end_ms));
	t->due = array_alloc(t->n_slots, sizeof(*t->due));
	t->chunk_due_ns = array_alloc(t->n_chunks, sizeof(*t->chunk_due_ns));
	t->chunk_live = array_alloc(t->n_chunks, sizeof(*t->chunk_live));
	if (!t->marks || !t->end_ms || !t->due || !t->chunk_due_ns || !t->chunk_live)
		return -ENOMEM;
	if (t->is_watched && !(t->watch = array_alloc(t->n_slots, sizeof(*t->watch))))
		return -ENOMEM;
	if (t->detail_octets && !(t->detail_marks = array_alloc(t->n_slots, t->detail_octets)))
		return -ENOMEM;
	return is_native ? table_open_shared(t) : 0;
}

void flow_table_close(struct flow_table *t, bool is_native)
{
	if (is_native) {
		array_free(t->tags, t->n_buckets, sizeof(*t->tags));
		array_free(t->slots, t->n_slots, t->slot_octets);
		array_free(t->hints, t->n_buckets, sizeof(*t->hints));
		array_free(t->news, t->n_chunks, sizeof(*t->news));
		array_free(t->details, t->n_slots, t->detail_octets);
	}
	array_free(t->detail_marks, t->n_slots, t->detail_octets);
	array_free(t->marks, t->n_slots, sizeof(*t->marks));
	array_free(t->watch, t->n_slots, sizeof(*t->watch));
	array_free(t->end_ms, t->n_slots, sizeof(*t->end_ms));
	array_free(t->due, t->n_slots, sizeof(*t->due));
	array_free(t->chunk_due_ns, t->n_chunks, sizeof(*t->chunk_due_ns));
	array_free(t->chunk_live, t->n_chunks, sizeof(*t->chunk_live));
	memset(t, 0, sizeof(*t));
}

int flow_cache_open(struct flow_cache *cache, const struct flow_cache_params *params,
		    uint32_t max_flows, uint32_t max_flows_ipv6, bool is_native)
{
	struct flow_table *t = cache->table;
	int err = 0;

	cache->params = *params;
	cache->is_native = is_native;
	t[FLOW_IPV4].max_flows = max_flows;
	t[FLOW_IPV4].key_octets = sizeof(struct xfp_key4);
	t[FLOW_IPV4].slot_octets = sizeof(struct xfp_slot4);
	t[FLOW_IPV6].max_flows = max_flows_ipv6;
	t[FLOW_IPV6].key_octets = sizeof(struct xfp_key6);
	t[FLOW_IPV6].slot_octets = sizeof(struct xfp_slot6);
	for (int f = 0; f < FLOW_FAMILIES && !err; f++) {
		t[f].detail_octets = params->detail.octets;
		t[f].is_watched = params->is_watched;
		err = flow_table_open(&t[f], params->n_buckets[f], is_native);
	}
	if (!err && is_native) {
		cache->n_rows = 1;
		cache->rows = array_alloc(1, sizeof(*cache->rows));
		cache->fragments = array_alloc(XFP_FRAGMENT_BUCKETS, sizeof(*cache->fragments));
		cache->switches = array_alloc(1, sizeof(*cache->switches));
		if (params->is_watched)
			cache->unseen = array_alloc(XFP_UNSEEN_ALL, sizeof(*cache->unseen));
		if (!cache->rows || !cache->fragments || !cache->switches ||
		    (params->is_watched && !cache->unseen))
			err = -ENOMEM;
	}
	if (err) {
		flow_cache_close(cache);
		return log_errno(err, "allocate the Flow Cache for %u IPv4 and %u IPv6 Flows",
				 max_flows, max_flows_ipv6);
	}
	native_meter_configure(params);
	return 0;
}

void flow_cache_close(struct flow_cache *cache)
{
	for (int f = 0; f < FLOW_FAMILIES; f++)
		flow_table_close(&cache->table[f], cache->is_native);
	if (cache->is_native) {
		array_free(cache->rows, cache->n_rows, sizeof(*cache->rows));
		array_free(cache->fragments, XFP_FRAGMENT_BUCKETS, sizeof(*cache->fragments));
		array_free(cache->unseen, XFP_UNSEEN_ALL, sizeof(*cache->unseen));
		array_free(cache->switches, 1, sizeof(*cache->switches));
	}
	memset(cache, 0, sizeof(*cache));
}

static bool key_equal(const struct flow_table *t, const unsigned char *a, const unsigned char *b,
		      bool joins_points)
{
	const size_t n = t->key_octets - FLOW_POINT_FROM_END;

	if (!joins_points)
		return !memcmp(a, b, t->key_octets);
	return !memcmp(a, b, n) && !memcmp(a + n + 1, b + n + 1, FLOW_POINT_FROM_END - 1);
}

/* The first slot in one bucket that matches; see flow_cache_find(). */
static uint32_t bucket_find(const struct flow_cache *cache, enum flow_family family,
			    uint32_t bucket, uint32_t tag, const void *key, bool with_retiring,
			    uint32_t not_slot)
{
	const struct flow_table *t = &cache->table[family];
	const struct xfp_bucket tags = flow_tags_load(t, bucket);
	uint32_t places = flow_places(&tags, (uint8_t)tag, 0xff);

	if (with_retiring)
		places |= flow_places(&tags, XFP_TAG_RETIRING, 0xff);
	for (; places; places &= places - 1) {
		uint32_t slot = bucket * XFP_BUCKET_SLOTS + (uint32_t)__builtin_ctz(places);

		if (slot != not_slot &&
		    key_equal(t, flow_key_at(t, slot), key, cache->params.joins_points))
			return slot;
	}
	return FLOW_NONE;
}

uint32_t flow_cache_find(const struct flow_cache *cache, enum flow_family family, const void *key,
			 bool with_retiring, uint32_t not_slot)
{
	const struct flow_table *t = &cache->table[family];
	struct native_place place = native_meter_place(family, key, t->n_buckets);
	uint32_t slot;

	__builtin_prefetch(&t->tags[place.second]);
	slot = bucket_find(cache, family, place.first, place.tag, key, with_retiring, not_slot);
	if (slot == FLOW_NONE)
		slot = bucket_find(cache, family, place.second, place.tag, key, with_retiring,
				   not_slot);
	return slot;
}

void flow_key_reverse(enum flow_family family, const void *key, void *reversed, uint8_t obs_point)
{
	if (family == FLOW_IPV4) {
		const struct xfp_key4 *k = key;
		struct xfp_key4 *r = reversed;

		*r = *k;
		r->source = k->destination;
		r->destination = k->source;
		r->source_port = k->destination_port;
		r->destination_port = k->source_port;
		r->obs_point = obs_point;
	} else {
		const struct xfp_key6 *k = key;
		struct xfp_key6 *r = reversed;

		*r = *k;
		memcpy(r->source, k->destination, sizeof(r->source));
		memcpy(r->destination, k->source, sizeof(r->destination));
		r->source_port = k->destination_port;
		r->destination_port = k->source_port;
		r->obs_point = obs_point;
	}
}

/* Again if it was held up for so long that there was a carry between the reads. */
struct xfp_volume flow_volume_carried(const struct xfp_counts *c)
{
	uint64_t carries, low;

	do {
		carries = __atomic_load_n(&c->sum.carries, __ATOMIC_ACQUIRE);
		low = __atomic_load_n(&c->sum.low, __ATOMIC_ACQUIRE);
	} while (carries != __atomic_load_n(&c->sum.carries, __ATOMIC_RELAXED));
	return xfp_sum_volume(low, carries);
}

static void table_content(const struct flow_table *t, struct flow_cache_content *content)
{
	for (uint32_t slot = 0; slot < t->n_slots; slot++) {
		uint32_t tag = __atomic_load_n(flow_tag_at(t, slot), __ATOMIC_ACQUIRE);
		struct xfp_volume *of_protocol, rest;

		if (tag < XFP_TAG_FLOW && tag != XFP_TAG_RETIRING)
			continue;
		rest = flow_volume(flow_counts_at(t, slot));
		rest.packets -= t->marks[slot].packets;
		rest.octets -= t->marks[slot].octets;
		of_protocol = &content->protocol[flow_protocol_at(t, slot)];
		of_protocol->packets += rest.packets;
		of_protocol->octets += rest.octets;
		content->flows++;
		content->packets += rest.packets;
		content->octets += rest.octets;
	}
}

void flow_cache_content(const struct flow_cache *cache, struct flow_cache_content *content)
{
	memset(content, 0, sizeof(*content));
	for (int f = 0; f < FLOW_FAMILIES; f++)
		table_content(&cache->table[f], content);
}

void flow_cache_memory(const struct flow_cache *cache, uint64_t *kernel, uint64_t *total)
{
	uint64_t shared = (uint64_t)cache->n_rows * sizeof(*cache->rows) +
			  XFP_FRAGMENT_BUCKETS * sizeof(*cache->fragments) +
			  (cache->unseen ? XFP_UNSEEN_ALL * sizeof(*cache->unseen) : 0) +
			  sizeof(*cache->switches);
	uint64_t own = 0;

	for (int f = 0; f < FLOW_FAMILIES; f++) {
		const struct flow_table *t = &cache->table[f];

		shared += t->n_buckets * (sizeof(*t->tags) + sizeof(*t->hints)) +
			  (uint64_t)t->n_slots * (t->slot_octets + t->detail_octets) +
			  t->n_chunks * sizeof(*t->news);
		own += (uint64_t)t->n_slots *
			       (sizeof(*t->marks) + t->detail_octets + sizeof(*t->end_ms) +
				sizeof(*t->due) + (t->is_watched ? sizeof(*t->watch) : 0)) +
		       t->n_chunks * (sizeof(*t->chunk_due_ns) + sizeof(*t->chunk_live));
	}
	*kernel = shared;
	*total = shared + own;
}
