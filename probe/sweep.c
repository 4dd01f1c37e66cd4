/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sweep: which slots to look at, and when. See sweep.h.
 */
#include "probe/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/log.h"
#include "probe/sweep_private.h"

#define SLICE_SHARE   30 /* places retired per grace period: one in so many            */
#define GROUP_MAX     8 /* slots that one decision can retire: 2 directions x twins  */
#define SLICE_MIN     (2 * GROUP_MAX)
#define SLICE_OVERRUN (XFP_CHUNK_SLOTS * GROUP_MAX) /* of the chunk that fills a slice */

/* How far the table is above its high-water mark. */
static uint32_t pressure_permille(const struct sweep *s, const struct flow_table *t)
{
	uint64_t high = (uint64_t)t->max_flows * s->high_water_pct / 100;

	if (t->n_live <= high)
		return 0;
	if (t->n_live >= t->max_flows || high >= t->max_flows)
		return 1000;
	return (uint32_t)((t->n_live - high) * 1000 / (t->max_flows - high));
}

int sweep_open(struct sweep *s)
{
	uint32_t most = 0;

	for (int f = 0; f < FLOW_FAMILIES; f++)
		if (s->cache->table[f].n_slots > most)
			most = s->cache->table[f].n_slots;
	s->n_retired_max = most / SLICE_SHARE + SLICE_MIN + SLICE_OVERRUN;
	s->retired = calloc(s->n_retired_max, sizeof(*s->retired));
	if (!s->retired)
		return log_errno(-ENOMEM, "allocate the list of expiring Flows");
	s->earliest_due_ns = UINT64_MAX;
	return 0;
}

void sweep_close(struct sweep *s)
{
	free(s->retired);
	memset(s, 0, sizeof(*s));
}

static void family_begin(struct sweep *s, uint8_t family)
{
	s->family = family;
	s->chunk = 0;
	if (family >= FLOW_FAMILIES)
		return;
	s->timeouts.pressure_permille = pressure_permille(s, &s->cache->table[family]);
	s->horizon_ns = s->now_ns + expiry_cut_ns(&s->timeouts);
	s->slice_places = s->cache->table[family].n_slots / SLICE_SHARE;
	if (s->slice_places < SLICE_MIN)
		s->slice_places = SLICE_MIN;
	if (s->slice_places > s->n_retired_max - SLICE_OVERRUN) /* the table has grown */
		s->slice_places = s->n_retired_max - SLICE_OVERRUN;
}

/* Those that are retiring leave in the next harvest, before anybody looks at them. */
void sweep_look_again(struct sweep *s)
{
	for (int f = 0; f < FLOW_FAMILIES; f++) {
		struct flow_table *t = &s->cache->table[f];

		memset(t->chunk_due_ns, 0, t->n_chunks * sizeof(*t->chunk_due_ns));
		for (uint32_t slot = 0; slot < t->n_slots; slot++)
			t->due[slot] = DUE_NEW;
	}
}

void sweep_begin(struct sweep *s, uint64_t now_ns)
{
	s->now_ns = now_ns;
	s->earliest_due_ns = UINT64_MAX;
	s->stats.sweeps++;
	sweep_observe(s);
	family_begin(s, FLOW_IPV4);
}

bool sweep_mark(struct sweep *s)
{
	while (s->family < FLOW_FAMILIES) {
		struct flow_table *t = &s->cache->table[s->family];

		for (; s->chunk < t->n_chunks; s->chunk++) {
			if (s->n_retired >= s->slice_places)
				return true;
			sweep_chunk(s, t);
			if (t->chunk_due_ns[s->chunk] < s->earliest_due_ns)
				s->earliest_due_ns = t->chunk_due_ns[s->chunk];
		}
		if (s->n_retired || s->n_suspects)
			return true;
		family_begin(s, s->family + 1);
	}
	return false;
}

void sweep_harvest(struct sweep *s)
{
	sweep_free_suspects(s);
	for (uint32_t i = 0; i < s->n_retired; i++) {
		const struct sweep_retired *r = &s->retired[i];

		if (r->survivor == FLOW_NONE)
			continue;
		sweep_fold(s, r->family, r->slot, r->survivor);
		sweep_free(s, r->family, r->slot);
	}
	for (uint32_t i = 0; i < s->n_retired; i++) {
		const struct sweep_retired *r = &s->retired[i];

		if (r->survivor != FLOW_NONE)
			continue;
		sweep_observe_end(s, r->family, r->slot, r->end_reason);
		sweep_export(s, r->family, r->slot, r->reverse, r->end_reason);
	}
	/* behind all exports: a record tells of its other direction, too */
	for (uint32_t i = 0; i < s->n_retired; i++)
		if (s->retired[i].survivor == FLOW_NONE)
			sweep_free(s, s->retired[i].family, s->retired[i].slot);
	s->n_retired = 0;
}

static bool is_in_use(const struct flow_table *t, uint32_t slot)
{
	uint32_t tag = __atomic_load_n(flow_tag_at(t, slot), __ATOMIC_ACQUIRE);

	return tag != XFP_TAG_FREE && tag != XFP_TAG_BUSY;
}

/* Fold every twin into the Flow whose packets it took. */
static void table_fold(struct sweep *s, uint8_t family)
{
	const struct flow_table *t = &s->cache->table[family];

	for (uint32_t slot = 0; slot < t->n_slots; slot++) {
		uint32_t survivor;

		if (!is_in_use(t, slot))
			continue;
		survivor = flow_cache_find(s->cache, family, flow_key_at(t, slot), true, FLOW_NONE);
		if (survivor == slot || survivor == FLOW_NONE)
			continue;
		sweep_fold(s, family, slot, survivor);
		sweep_free(s, family, slot);
	}
}

static void flush_slot(struct sweep *s, uint8_t family, uint32_t slot, enum flow_end_reason reason)
{
	struct expiry_flow flow;
	uint32_t reverse = FLOW_NONE;

	sweep_read(&s->cache->table[family], slot, &flow);
	sweep_observe_end(s, family, slot, reason);
	if (flow.is_tcp)
		reverse = sweep_reverse(s, family, slot);
	sweep_export(s, family, slot, reverse, reason);
}

static void table_flush(struct sweep *s, uint8_t family, enum flow_end_reason reason)
{
	struct flow_table *t = &s->cache->table[family];

	for (uint32_t slot = 0; slot < t->n_slots; slot++)
		if (is_in_use(t, slot))
			flush_slot(s, family, slot, reason);
	for (uint32_t slot = 0; slot < t->n_slots; slot++)
		if (is_in_use(t, slot))
			sweep_free(s, family, slot);
	memset(t->chunk_live, 0, t->n_chunks * sizeof(*t->chunk_live));
	t->n_live = 0;
}

void sweep_flush(struct sweep *s, uint64_t now_ns, enum flow_end_reason reason)
{
	s->now_ns = now_ns;
	sweep_harvest(s);
	sweep_observe_unseen(s);
	for (int f = 0; f < FLOW_FAMILIES; f++) {
		table_fold(s, f);
		table_flush(s, f, reason);
	}
}

uint64_t sweep_next_due_ns(const struct sweep *s)
{
	return s->earliest_due_ns;
}

bool sweep_is_under_pressure(const struct sweep *s)
{
	return pressure_permille(s, &s->cache->table[FLOW_IPV4]) ||
	       pressure_permille(s, &s->cache->table[FLOW_IPV6]);
}

void sweep_each_flow(const struct sweep *s, record_test_fn wants_state, record_sink_fn fn,
		     void *arg)
{
	struct flow_record r = {0};

	for (int f = 0; f < FLOW_FAMILIES; f++) {
		const struct flow_table *t = &s->cache->table[f];

		for (uint32_t slot = 0; slot < t->n_slots; slot++) {
			if (__atomic_load_n(flow_tag_at(t, slot), __ATOMIC_ACQUIRE) < XFP_TAG_FLOW)
				continue;
			sweep_describe(s, f, slot, &r);
			if (wants_state && wants_state(arg, &r))
				sweep_describe_state(s, f, slot, &r);
			fn(arg, &r);
		}
	}
}
