/* SPDX-License-Identifier: BSD-2-Clause */
/* Handing Flow Records on, alone or with the other direction's; see biflow.h. */
#include <string.h>

#include "probe/biflow.h"
#include "probe/sweep_private.h"
#include "probe/template.h"

static struct biflow_side side_of(const struct flow_table *t, uint32_t slot,
				  const struct flow_record *r)
{
	const struct xfp_counts *c = flow_counts_at(t, slot);

	return (struct biflow_side){
		.first_ns = __atomic_load_n(&c->first_ns, __ATOMIC_RELAXED),
		.port = r->source_port,
		.protocol = r->protocol,
		.first_flags = c->first_flags,
	};
}

/* From an address and port to itself: there is no telling the directions apart. */
static bool is_to_itself(const struct flow_record *r)
{
	return r->source_port == r->destination_port && r->source4 == r->destination4 &&
	       !memcmp(r->source6, r->destination6, sizeof(r->source6));
}

/* The other direction's record; false: none, or nothing to tell. */
static bool reverse_take(struct sweep *s, enum flow_family family, uint32_t slot,
			 const struct flow_record *r, uint32_t *other, struct flow_record *reverse)
{
	enum template_kind kind = template_of_record(r);

	if (!s->biflow_sink || (kind != TEMPLATE_V4 && kind != TEMPLATE_V6) || is_to_itself(r))
		return false;
	/* what is RETIRING has its last packets only after the grace period */
	if (r->end_reason == FLOW_END_ACTIVE_TIMEOUT)
		*other = sweep_reverse(s, family, slot);
	else
		*other = sweep_reverse_any(s, family, slot);
	return *other != FLOW_NONE && sweep_take(s, family, *other, slot, r->end_reason, reverse);
}

void sweep_export(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t reverse_slot,
		  uint8_t end_reason)
{
	const struct flow_table *t = &s->cache->table[family];
	struct flow_record r, reverse;
	uint32_t other;

	if (!sweep_take(s, family, slot, reverse_slot, end_reason, &r))
		return;
	if (!reverse_take(s, family, slot, &r, &other, &reverse)) {
		s->sink(s->sink_arg, &r);
		return;
	}
	const struct biflow_side a = side_of(t, slot, &r), b = side_of(t, other, &reverse);
	enum biflow_direction who = biflow_judge(&a, &b);
	struct flow_record *forward = who == BIFLOW_REVERSE_INITIATOR ? &reverse : &r;

	forward->biflow_direction = who == BIFLOW_ARBITRARY ? who : BIFLOW_INITIATOR;
	s->biflow_sink(s->sink_arg, forward, forward == &r ? &reverse : &r);
}
