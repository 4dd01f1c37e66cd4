/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One slot in a sweep: is its Flow due, does it end, alone or with its other
 * direction; and what to do about tags that no running program explains.
 */
#include "probe/sweep_private.h"

static bool slot_retire(struct sweep *s, struct sweep_retired retired)
{
	struct flow_table *t = &s->cache->table[retired.family];
	uint8_t *tag = flow_tag_at(t, retired.slot);
	uint8_t old = __atomic_load_n(tag, __ATOMIC_ACQUIRE);

	if (old < XFP_TAG_FLOW || !__atomic_compare_exchange_n(tag, &old, XFP_TAG_RETIRING, false,
							       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		return false;
	t->due[retired.slot] = DUE_RETIRED;
	s->retired[s->n_retired++] = retired;
	return true;
}

/* The slot that gets this Flow's packets: itself, or the twin it is a shadow of. */
static uint32_t slot_survivor(struct sweep *s, enum flow_family family, uint32_t slot)
{
	const struct flow_table *t = &s->cache->table[family];

	return flow_cache_find(s->cache, family, flow_key_at(t, slot), false, FLOW_NONE);
}

static uint32_t reverse_find(const struct sweep *s, enum flow_family family, uint32_t slot,
			     bool with_retiring)
{
	const struct flow_table *t = &s->cache->table[family];
	struct xfp_key6 reversed;
	const void *key = flow_key_at(t, slot);
	uint8_t obs = family == FLOW_IPV4 ? ((const struct xfp_key4 *)key)->obs_point
					  : ((const struct xfp_key6 *)key)->obs_point;

	flow_key_reverse(family, key, &reversed, obs_other_direction(s->obs, obs));
	return flow_cache_find(s->cache, family, &reversed, with_retiring, slot);
}

uint32_t sweep_reverse(const struct sweep *s, enum flow_family family, uint32_t slot)
{
	return reverse_find(s, family, slot, false);
}

uint32_t sweep_reverse_any(const struct sweep *s, enum flow_family family, uint32_t slot)
{
	return reverse_find(s, family, slot, true);
}

/*
 * Remove a Flow and its twins. reverse: FLOW_NONE, or what is removed with it.
 * The twins go first: as long as the Flow itself
 * can be found, its packets make no new one that would look like a twin.
 */
static void flow_retire(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t reverse,
			uint8_t reason)
{
	const void *key = flow_key_at(&s->cache->table[family], slot);
	struct sweep_retired retired = {
		.survivor = slot,
		.reverse = FLOW_NONE,
		.family = family,
		.end_reason = reason,
	};

	do {
		retired.slot = flow_cache_find(s->cache, family, key, false, slot);
	} while (retired.slot != FLOW_NONE && slot_retire(s, retired));
	retired.slot = slot;
	retired.survivor = FLOW_NONE;
	retired.reverse = reverse;
	slot_retire(s, retired);
}

uint64_t sweep_look(struct sweep *s, enum flow_family family, uint32_t slot)
{
	struct flow_table *t = &s->cache->table[family];
	struct expiry_flow flow, other;
	struct expiry_verdict verdict;
	uint32_t reverse = FLOW_NONE;

	sweep_read(t, slot, &flow);
	if (expiry_is_candidate(&s->timeouts, &flow, s->now_ns)) {
		reverse = sweep_reverse(s, family, slot);
		if (reverse != FLOW_NONE)
			sweep_read(t, reverse, &other);
	}
	verdict =
		expiry_judge(&s->timeouts, &flow, reverse != FLOW_NONE ? &other : NULL, s->now_ns);
	if (!verdict.end_reason)
		return verdict.due_ns;

	if (!flow.exported_ns || verdict.end_reason != FLOW_END_ACTIVE_TIMEOUT) {
		uint32_t survivor = slot_survivor(s, family, slot);

		if (survivor != slot && survivor != FLOW_NONE) {
			slot_retire(s, (struct sweep_retired){
					       .slot = slot,
					       .survivor = survivor,
					       .reverse = FLOW_NONE,
					       .family = family,
					       .end_reason = verdict.end_reason,
				       });
			return UINT64_MAX;
		}
	}
	if (verdict.end_reason != FLOW_END_ACTIVE_TIMEOUT) {
		flow_retire(s, family, slot, reverse, verdict.end_reason);
		if (reverse != FLOW_NONE)
			flow_retire(s, family, reverse, slot, verdict.end_reason);
		return UINT64_MAX;
	}
	sweep_export(s, family, slot, reverse, FLOW_END_ACTIVE_TIMEOUT);
	sweep_read(t, slot, &flow);
	verdict =
		expiry_judge(&s->timeouts, &flow, reverse != FLOW_NONE ? &other : NULL, s->now_ns);
	return verdict.end_reason ? s->now_ns : verdict.due_ns;
}

/*
 * BUSY lasts for nanoseconds. The places of a slice are freed after it only, so
 * one that is BUSY before and after its grace period was so all the time.
 */
static void busy_suspect(struct sweep *s, struct flow_table *t, uint32_t slot)
{
	__atomic_store_n(&t->news[slot / XFP_CHUNK_SLOTS], 1, __ATOMIC_RELAXED); /* look again */
	if (s->n_suspects < SWEEP_MAX_SUSPECTS)
		s->suspect[s->n_suspects++] = flow_tag_at(t, slot);
}

void sweep_free_suspects(struct sweep *s)
{
	for (uint32_t i = 0; i < s->n_suspects; i++) {
		uint8_t busy = XFP_TAG_BUSY;

		if (__atomic_compare_exchange_n(s->suspect[i], &busy, XFP_TAG_FREE, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			s->stats.stranded++;
	}
	s->n_suspects = 0;
}

void sweep_odd_tag(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t tag)
{
	struct flow_table *t = &s->cache->table[family];

	if (tag == XFP_TAG_BUSY)
		busy_suspect(s, t, slot);
	if (tag != XFP_TAG_RETIRING || t->due[slot] == DUE_RETIRED)
		return;
	/* left by a predecessor that was killed: nobody else would ever free it */
	t->due[slot] = DUE_RETIRED;
	s->retired[s->n_retired++] = (struct sweep_retired){
		.slot = slot,
		.survivor = FLOW_NONE,
		.reverse = FLOW_NONE,
		.family = family,
		.end_reason = FLOW_END_FORCED,
	};
}
