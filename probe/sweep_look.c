/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One slot in a sweep: is its Flow due, does it end, alone or with its other
 * direction; and what to do about tags that no running program explains.
 */
#include <errno.h>
#include <string.h>

#include "probe/sweep_private.h"

#define STRANDED_TIMES 3 /* BUSY on both sides of so many grace periods: stranded */

static bool slot_retire(struct sweep *s, enum flow_family family, uint32_t slot, uint8_t reason,
			bool is_shadow)
{
	struct flow_table *t = &s->cache->table[family];
	uint32_t *tag = flow_tag_at(t, slot);
	uint32_t old = __atomic_load_n(tag, __ATOMIC_ACQUIRE);

	if (!(old & XFP_TAG_FLOW) ||
	    !__atomic_compare_exchange_n(tag, &old, XFP_TAG_RETIRING, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return false;
	t->due[slot] = DUE_RETIRED;
	s->retired[s->n_retired++] = (struct sweep_retired){
		.slot = slot,
		.family = family,
		.end_reason = reason,
		.is_shadow = is_shadow,
	};
	return true;
}

/* The slot that gets this Flow's packets: itself, or the twin it is a shadow of. */
static uint32_t slot_survivor(struct sweep *s, enum flow_family family, uint32_t slot)
{
	const struct flow_table *t = &s->cache->table[family];

	return flow_cache_find(s->cache, family, flow_key_at(t, slot), false, FLOW_NONE);
}

static uint32_t slot_reverse(struct sweep *s, enum flow_family family, uint32_t slot)
{
	const struct flow_table *t = &s->cache->table[family];
	struct xfp_key6 reversed;
	const void *key = flow_key_at(t, slot);
	uint8_t obs = family == FLOW_IPV4 ? ((const struct xfp_key4 *)key)->obs_point
					  : ((const struct xfp_key6 *)key)->obs_point;

	flow_key_reverse(family, key, &reversed, obs_other_direction(s->obs, obs));
	return flow_cache_find(s->cache, family, &reversed, false, slot);
}

/* Remove the Flow, its other direction and, found later by themselves, their twins. */
static void group_retire(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t reverse,
			 uint8_t reason)
{
	slot_retire(s, family, slot, reason, false);
	if (reverse != FLOW_NONE)
		slot_retire(s, family, reverse, reason, false);
}

uint64_t sweep_look(struct sweep *s, enum flow_family family, uint32_t slot)
{
	struct flow_table *t = &s->cache->table[family];
	struct expiry_flow flow, other;
	struct expiry_verdict verdict;
	uint32_t reverse = FLOW_NONE;
	bool is_first_export;

	s->stats.looked_at++;
	sweep_read(t, slot, &flow);
	if (expiry_is_candidate(&s->timeouts, &flow, s->now_ns)) {
		reverse = slot_reverse(s, family, slot);
		if (reverse != FLOW_NONE)
			sweep_read(t, reverse, &other);
	}
	verdict =
		expiry_judge(&s->timeouts, &flow, reverse != FLOW_NONE ? &other : NULL, s->now_ns);
	if (!verdict.end_reason)
		return verdict.due_ns;

	is_first_export = !t->marks[slot].packets;
	if (is_first_export || verdict.end_reason != FLOW_END_ACTIVE_TIMEOUT) {
		uint32_t survivor = slot_survivor(s, family, slot);

		if (survivor != slot && survivor != FLOW_NONE) {
			slot_retire(s, family, slot, verdict.end_reason, true);
			return UINT64_MAX;
		}
	}
	if (verdict.end_reason != FLOW_END_ACTIVE_TIMEOUT) {
		group_retire(s, family, slot, reverse, verdict.end_reason);
		return UINT64_MAX;
	}
	sweep_export(s, family, slot, FLOW_END_ACTIVE_TIMEOUT);
	sweep_read(t, slot, &flow);
	return expiry_judge(&s->timeouts, &flow, NULL, s->now_ns).due_ns;
}

/* BUSY lasts for nanoseconds. Seen again after grace periods, its program died. */
static void busy_suspect(struct sweep *s, enum flow_family family, uint32_t slot)
{
	uint32_t *tag = flow_tag_at(&s->cache->table[family], slot), busy = XFP_TAG_BUSY;
	int spare = -1;

	for (int i = 0; i < SWEEP_MAX_SUSPECTS; i++) {
		if (!s->suspect[i].times) {
			spare = i;
			continue;
		}
		if (s->suspect[i].slot != slot || s->suspect[i].family != family)
			continue;
		if (++s->suspect[i].times <= STRANDED_TIMES)
			return;
		s->suspect[i].times = 0;
		if (__atomic_compare_exchange_n(tag, &busy, XFP_TAG_FREE, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			s->stats.stranded++;
		return;
	}
	if (spare < 0)
		return;
	s->suspect[spare].slot = slot;
	s->suspect[spare].family = family;
	s->suspect[spare].times = 1;
}

void sweep_clear_suspects(struct sweep *s)
{
	for (int i = 0; i < SWEEP_MAX_SUSPECTS; i++) {
		const struct flow_table *t = &s->cache->table[s->suspect[i].family];

		if (s->suspect[i].times && __atomic_load_n(flow_tag_at(t, s->suspect[i].slot),
							   __ATOMIC_ACQUIRE) != XFP_TAG_BUSY)
			s->suspect[i].times = 0;
	}
}

void sweep_odd_tag(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t tag)
{
	struct flow_table *t = &s->cache->table[family];

	if (tag == XFP_TAG_BUSY)
		busy_suspect(s, family, slot);
	if (tag != XFP_TAG_RETIRING || t->due[slot] == DUE_RETIRED)
		return;
	/* left by a predecessor that was killed: nobody else would ever free it */
	t->due[slot] = DUE_RETIRED;
	s->retired[s->n_retired++] = (struct sweep_retired){
		.slot = slot,
		.family = family,
		.end_reason = FLOW_END_FORCED,
	};
}
