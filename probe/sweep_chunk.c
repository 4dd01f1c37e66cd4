/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One chunk in a sweep: which places to look at, and what a glance at a Flow
 * tells. With every Flow due this is nearly all that a sweep costs, so a Flow
 * that just goes on costs its own cache line and no call.
 */
#include "probe/sweep_private.h"

#define TICK_SHIFT 20 /* due[] counts 2^20 ns: 52 days before it wraps           */

/* The earliest due of a chunk. */
struct earliest {
	uint64_t looked_ns; /* of the Flows looked at, UINT64_MAX: none           */
	uint32_t passed_ticks; /* of those passed over, from now on, UINT32_MAX: none */
};

static uint32_t due_tick(uint64_t ns)
{
	uint32_t tick = (uint32_t)((ns + (1ULL << TICK_SHIFT) - 1) >> TICK_SHIFT);

	return tick < DUE_FIRST ? DUE_FIRST : tick;
}

static bool due_is_past(uint32_t due, uint32_t now_tick)
{
	return (int32_t)(due - now_tick) <= 0;
}

/* Those of the places `odd` that have a tag no Flow has. */
static void odd_look(struct sweep *s, uint32_t first, const struct xfp_bucket *tags, uint32_t odd)
{
	for (; odd; odd &= odd - 1) {
		uint32_t place = (uint32_t)__builtin_ctz(odd);

		sweep_odd_tag(s, s->family, first + place, tags->tag[place]);
	}
}

/*
 * Glance at the Flows of `places` that are due, new, or hinted at. Returns the
 * places of those that may end or have something to report. No call in here, and
 * no store the compiler could take for one to what it keeps in registers.
 */
static uint32_t flows_glance(struct sweep *s, const struct flow_table *table, uint32_t first,
			     uint32_t places, uint32_t hints, struct earliest *earliest)
{
	const struct flow_table t = *table;
	const struct expiry_timeouts timeouts = s->timeouts;
	const uint64_t now_ns = s->now_ns;
	const uint32_t now_tick = (uint32_t)(now_ns >> TICK_SHIFT);
	const uint32_t horizon_tick = due_tick(s->horizon_ns);
	struct earliest e = *earliest;
	uint32_t n_looked = 0, rest = 0;

	for (; places; places &= places - 1) {
		uint32_t place = (uint32_t)__builtin_ctz(places), slot = first + place;
		uint32_t due = t.due[slot];
		struct expiry_flow flow;
		uint64_t due_ns;

		if (due >= DUE_FIRST && !due_is_past(due, horizon_tick) && !(hints >> place & 1)) {
			if (due - now_tick < e.passed_ticks)
				e.passed_ticks = due - now_tick;
			continue;
		}
		n_looked++;
		__builtin_prefetch(t.slots + (size_t)(slot + SLOTS_AHEAD) * t.slot_octets);
		__builtin_prefetch(t.slots + (size_t)(slot + SLOTS_AHEAD + 1) * t.slot_octets - 1);
		sweep_read_course(&t, slot, &flow);
		if (!expiry_goes_on(&timeouts, &flow, now_ns, &due_ns)) {
			rest |= 1u << place;
			continue;
		}
		t.due[slot] = due_tick(due_ns);
		if (due_ns < e.looked_ns)
			e.looked_ns = due_ns;
	}
	s->stats.looked_at += n_looked;
	*earliest = e;
	return rest;
}

/* The Flows of `places`, one by one. */
static void flows_look(struct sweep *s, struct flow_table *t, uint32_t first, uint32_t places,
		       struct earliest *earliest)
{
	for (; places; places &= places - 1) {
		uint32_t slot = first + (uint32_t)__builtin_ctz(places);
		uint64_t due_ns;

		if (t->due[slot] == DUE_RETIRED) /* with one before it */
			continue;
		due_ns = sweep_look(s, s->family, slot);
		if (due_ns == UINT64_MAX)
			continue;
		t->due[slot] = due_tick(due_ns);
		if (due_ns < earliest->looked_ns)
			earliest->looked_ns = due_ns;
	}
}

static void bucket_look(struct sweep *s, struct flow_table *t, uint32_t bucket,
			struct earliest *earliest)
{
	uint32_t first = bucket * XFP_BUCKET_SLOTS, taken, flows;
	struct xfp_bucket tags;
	uint64_t hints = 0;

	if (__atomic_load_n(&t->hints[bucket], __ATOMIC_RELAXED))
		hints = __atomic_exchange_n(&t->hints[bucket], 0, __ATOMIC_SEQ_CST);
	tags = flow_tags_load(t, bucket);
	taken = ~flow_places(&tags, XFP_TAG_FREE, 0xff) & FLOW_PLACES_ALL;
	flows = ~flow_places(&tags, 0, FLOW_TAG_BITS) & FLOW_PLACES_ALL;
	t->chunk_live[s->chunk] += (uint16_t)__builtin_popcount(taken);
	odd_look(s, first, &tags, taken & ~flows);
	flows = flows_glance(s, t, first, flows, (uint32_t)hints, earliest);
	flows_look(s, t, first, flows, earliest);
}

void sweep_chunk(struct sweep *s, struct flow_table *t)
{
	struct earliest earliest = {UINT64_MAX, UINT32_MAX};
	uint64_t *due_ns = &t->chunk_due_ns[s->chunk];
	bool has_news = __atomic_load_n(&t->news[s->chunk], __ATOMIC_RELAXED) &&
			__atomic_exchange_n(&t->news[s->chunk], 0, __ATOMIC_SEQ_CST);

	if (!has_news && *due_ns > s->horizon_ns)
		return;
	t->n_live -= t->chunk_live[s->chunk];
	t->chunk_live[s->chunk] = 0;
	for (uint32_t i = 0; i < XFP_CHUNK_BUCKETS; i++)
		bucket_look(s, t, s->chunk * XFP_CHUNK_BUCKETS + i, &earliest);
	t->n_live += t->chunk_live[s->chunk];
	*due_ns = earliest.looked_ns;
	if (earliest.passed_ticks != UINT32_MAX) {
		/* the tick it is due in, from its begin: a tick is more than some wait */
		uint64_t tick = (s->now_ns >> TICK_SHIFT) + earliest.passed_ticks - 1;
		uint64_t passed_ns = tick << TICK_SHIFT;

		if (passed_ns < *due_ns)
			*due_ns = passed_ns;
	}
}
