/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks on a Flow Cache. See meter_check.h.
 */
#include "tests/lib/meter_check.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/native_meter.h"
#include "tests/lib/meter_details.h"

/* A key of either family; zeroed, as keys are compared octet by octet. */
union key {
	struct xfp_key4 v4;
	struct xfp_key6 v6;
};

int meter_cache_open(struct flow_cache *cache)
{
	struct flow_cache_params params;
	int err = flow_cache_params_init(&params, 1, 1);

	return err ? err : flow_cache_open(cache, &params, 1, 1, true);
}

void meter_cache_clear(struct flow_cache *cache)
{
	for (int f = 0; f < FLOW_FAMILIES; f++) {
		struct flow_table *t = &cache->table[f];

		memset(t->tags, 0, t->n_buckets * sizeof(*t->tags));
		memset(t->slots, 0, (size_t)t->n_slots * t->slot_octets);
		memset(t->hints, 0, t->n_buckets * sizeof(*t->hints));
		memset(t->news, 0, t->n_chunks * sizeof(*t->news));
		if (t->detail_octets)
			memset(t->details, 0, (size_t)t->n_slots * t->detail_octets);
	}
	memset(cache->rows, 0, cache->n_rows * sizeof(*cache->rows));
	memset(cache->switches, 0, sizeof(*cache->switches));
	if (cache->unseen)
		memset(cache->unseen, 0, XFP_UNSEEN_ALL * sizeof(*cache->unseen));
	if (cache->fragments)
		memset(cache->fragments, 0, XFP_FRAGMENT_BUCKETS * sizeof(*cache->fragments));
}

void meter_run_native(struct flow_cache *cache, const void *frame, uint32_t captured_octets,
		      uint32_t wire_octets)
{
	void *copy = malloc(captured_octets);
	struct native_packet p = {
		.data = copy,
		.captured_octets = captured_octets,
		.wire_octets = wire_octets ? wire_octets : captured_octets,
		.time_ns = 1,
		.is_ethernet = true,
	};

	assert_non_null(copy);
	memcpy(copy, frame, captured_octets);
	native_meter_packet(cache, &p);
	free(copy);
}

void meter_ledger_sum(const struct flow_cache *cache, struct xfp_ledger_row *sum)
{
	uint64_t *to = (uint64_t *)sum;

	memset(sum, 0, sizeof(*sum));
	for (uint32_t i = 0; i < cache->n_rows; i++) {
		const uint64_t *from = (const uint64_t *)&cache->rows[i];

		for (size_t n = 0; n < sizeof(*sum) / sizeof(*to); n++)
			to[n] += from[n];
	}
}

static uint32_t count_flows(const struct flow_cache *cache, enum flow_family family)
{
	const struct flow_table *t = &cache->table[family];
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < t->n_slots; slot++)
		n += *flow_tag_at(t, slot) != XFP_TAG_FREE;
	return n;
}

static void key4_fill(struct xfp_key4 *key, const struct meter_flow *f, uint8_t obs_point)
{
	assert_int_equal(inet_pton(AF_INET, f->source, &key->source), 1);
	assert_int_equal(inet_pton(AF_INET, f->destination, &key->destination), 1);
	key->source_port = htons(f->source_port);
	key->destination_port = htons(f->destination_port);
	key->protocol = f->protocol;
	key->obs_point = obs_point;
	key->vlan = f->vlan;
}

static void key6_fill(struct xfp_key6 *key, const struct meter_flow *f, uint8_t obs_point)
{
	assert_int_equal(inet_pton(AF_INET6, f->source, key->source), 1);
	assert_int_equal(inet_pton(AF_INET6, f->destination, key->destination), 1);
	key->source_port = htons(f->source_port);
	key->destination_port = htons(f->destination_port);
	key->protocol = f->protocol;
	key->obs_point = obs_point;
	key->vlan = f->vlan;
}

static uint32_t slot_find(const struct flow_cache *cache, enum flow_family family,
			  const union key *key)
{
	uint32_t slot = flow_cache_find(cache, family, key, false, FLOW_NONE);

	if (slot == FLOW_NONE)
		fail_msg("no Flow of the expected key");
	return slot;
}

static void assert_extremes(const struct xfp_counts *c, const struct meter_flow *flow,
			    enum flow_family family)
{
	uint64_t packets = flow_volume(c).packets;
	uint32_t each = (uint32_t)(flow->octets / packets) - (family == FLOW_IPV6 ? 40 : 0);
	bool has_lengths = flow->length_max != 0, has_ttl = flow->ttl_max != 0;

	assert_int_equal(c->lengths & 0xffff, has_lengths ? flow->length_min : each);
	assert_int_equal(c->lengths >> 16, has_lengths ? flow->length_max : each);
	assert_int_equal(c->ttl_flags >> 16 & 0xff, has_ttl ? flow->ttl_min : 64);
	assert_int_equal(c->ttl_flags >> 24, has_ttl ? flow->ttl_max : 64);
}

static enum flow_family family_of(const struct meter_flow *flow)
{
	return strchr(flow->source, ':') ? FLOW_IPV6 : FLOW_IPV4;
}

uint32_t meter_count_flows(const struct flow_cache *cache)
{
	return count_flows(cache, FLOW_IPV4) + count_flows(cache, FLOW_IPV6);
}

const struct xfp_counts *meter_find_flow(const struct flow_cache *cache,
					 const struct meter_flow *flow, uint8_t obs_point)
{
	union key key = {};

	if (family_of(flow) == FLOW_IPV6)
		key6_fill(&key.v6, flow, obs_point);
	else
		key4_fill(&key.v4, flow, obs_point);
	return flow_counts_at(&cache->table[family_of(flow)],
			      slot_find(cache, family_of(flow), &key));
}

void meter_assert_flow(const struct flow_cache *cache, const struct meter_flow *flow,
		       uint64_t packets, uint8_t obs_point)
{
	enum flow_family family = family_of(flow);
	const struct xfp_counts *c = meter_find_flow(cache, flow, obs_point);

	assert_int_equal(meter_count_flows(cache), 1);
	assert_int_equal(flow_volume(c).packets, packets);
	assert_int_equal(flow_volume(c).octets, flow->octets);
	assert_extremes(c, flow, family);
	assert_int_equal(c->ttl_flags & 0xffff, flow->tcp_flags);
	assert_int_equal(c->inner_vlan, flow->inner_vlan);
	assert_int_equal(c->tos, flow->tos);
	assert_int_equal(c->flow_label, flow->flow_label);
	assert_true(c->first_ns <= c->last_ns);
}

static void assert_volume(const struct xfp_volume *is, const struct xfp_volume *expected)
{
	assert_int_equal(is->packets, expected->packets);
	assert_int_equal(is->octets, expected->octets);
}

void meter_assert_ledger(const struct flow_cache *cache, const struct xfp_ledger_row *expected)
{
	struct xfp_ledger_row is;

	meter_ledger_sum(cache, &is);
	assert_volume(&is.seen, &expected->seen);
	for (int i = 0; i < XFP_N_REASONS; i++)
		assert_volume(&is.reason[i], &expected->reason[i]);
	assert_volume(&is.accounted, &expected->accounted);
	assert_int_equal(is.accounted_ip_octets, expected->accounted_ip_octets);
	assert_int_equal(is.inserts, expected->inserts);
	for (int i = 0; i < XFP_N_PROTOCOLS; i++)
		assert_volume(&is.overflow[i], &expected->overflow[i]);
	for (int i = 0; i < XFP_N_PROTOCOLS; i++)
		assert_volume(&is.off[i], &expected->off[i]);
	for (int i = 0; i < XFP_N_NOTICES; i++)
		assert_int_equal(is.notice[i], expected->notice[i]);
}

static void assert_same_counts(const struct xfp_counts *a, const struct xfp_counts *b)
{
	assert_int_equal(flow_volume(a).packets, flow_volume(b).packets);
	assert_int_equal(flow_volume(a).octets, flow_volume(b).octets);
	assert_int_equal(a->lengths, b->lengths);
	assert_int_equal(a->ttl_flags, b->ttl_flags);
	assert_int_equal(a->inner_vlan, b->inner_vlan);
	assert_int_equal(a->tos, b->tos);
	assert_int_equal(a->flow_label, b->flow_label);
}

/* How many packets' hints of an end the cache holds, whatever their places. */
static uint32_t count_hints(const struct flow_table *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n_buckets; i++)
		n += (uint32_t)__builtin_popcountll(t->hints[i]);
	return n;
}

void meter_assert_same(const struct flow_cache *native, const struct flow_cache *kernel,
		       uint8_t obs_point)
{
	struct xfp_ledger_row row;

	for (int f = 0; f < FLOW_FAMILIES; f++) {
		const struct flow_table *t = &native->table[f];

		assert_int_equal(count_flows(native, f), count_flows(kernel, f));
		assert_int_equal(count_hints(t), count_hints(&kernel->table[f]));
		for (uint32_t slot = 0; slot < t->n_slots; slot++) {
			union key key = {};
			uint32_t same;

			if (*flow_tag_at(t, slot) == XFP_TAG_FREE)
				continue;
			memcpy(&key, flow_key_at(t, slot), t->key_octets);
			if (f == FLOW_IPV6)
				key.v6.obs_point = obs_point;
			else
				key.v4.obs_point = obs_point;
			same = slot_find(kernel, f, &key);
			assert_same_counts(flow_counts_at(t, slot),
					   flow_counts_at(&kernel->table[f], same));
			if (t->detail_octets)
				meter_assert_same_details(native, slot, kernel, same, f);
		}
	}
	meter_ledger_sum(native, &row);
	meter_assert_ledger(kernel, &row);
}
