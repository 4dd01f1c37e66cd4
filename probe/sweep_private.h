/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between sweep.c (which chunks, when), sweep_chunk.c (which slots), sweep_look.c
 * (what happens to one), sweep_biflow.c (whether its other direction goes along),
 * sweep_export.c (what it says) and sweep_observe.c (who else is told).
 */
#pragma once

#include <netinet/in.h>

#include "probe/sweep.h"

#define SLOTS_AHEAD 32 /* fetched early: by itself the processor stops at a page's end */

/* due[] of a slot: not looked at yet; being retired by us; else a tick. */
#define DUE_NEW	    0u
#define DUE_RETIRED 1u
#define DUE_FIRST   2u

/*
 * End of the last exported interval, 0 for none; kept as its low 32 bits in ms,
 * plus 1. The mark cannot tell: folding a twin moves it back, perhaps to 0.
 */
static inline uint64_t sweep_exported_end_ns(const struct flow_table *t, uint32_t slot,
					     uint64_t first, uint64_t last)
{
	uint64_t end_ms = t->end_ms[slot], elapsed, end;

	if (!end_ms)
		return 0;
	elapsed = (last - first) / NS_PER_MS + 1; /* wall clock ms round either way */
	end = (elapsed & ~0xffffffffULL) | (end_ms - 1);
	if (end > elapsed + 0x80000000ULL) /* no less: `last` may have gone back a little */
		end -= 0x100000000ULL;
	return first + end * NS_PER_MS;
}

/*
 * Read a slot as expiry_goes_on() sees it: without `unexported`, which is in the marks,
 * and `packets` as they are below 2^32, where it asks for those of a single one.
 */
static inline void sweep_read_course(const struct flow_table *t, uint32_t slot,
				     struct expiry_flow *flow)
{
	const struct xfp_counts *c = flow_counts_at(t, slot);

	flow->packets = __atomic_load_n(&c->sum.low, __ATOMIC_RELAXED) >> 32;
	flow->first_ns = __atomic_load_n(&c->first_ns, __ATOMIC_RELAXED);
	flow->last_ns = __atomic_load_n(&c->last_ns, __ATOMIC_RELAXED);
	if (flow->last_ns < flow->first_ns)
		flow->last_ns = flow->first_ns;
	flow->exported_ns = sweep_exported_end_ns(t, slot, flow->first_ns, flow->last_ns);
	flow->tcp_flags = __atomic_load_n(&c->ttl_flags, __ATOMIC_RELAXED) & 0xffff;
	flow->is_tcp = flow_protocol_at(t, slot) == IPPROTO_TCP;
}

/* All of it. */
static inline void sweep_read(const struct flow_table *t, uint32_t slot, struct expiry_flow *flow)
{
	sweep_read_course(t, slot, flow);
	flow->packets = flow_volume(flow_counts_at(t, slot)).packets;
	flow->unexported = flow->packets - t->marks[slot].packets;
}

/* Look at the chunk s->chunk unless nothing happened in it and nothing is due. */
void sweep_chunk(struct sweep *s, struct flow_table *t);

/*
 * Make the record of what is not exported of a slot, and move its mark.
 *
 * reverse  slot of its other direction, FLOW_NONE for none; needed of TCP only
 * r        filled when there is any; of s->groups only
 *
 * Returns false, and leaves all as it is, for a difference of no packets.
 */
bool sweep_take(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t reverse,
		uint8_t end_reason, struct flow_record *r);

/*
 * Hand on what is not exported of a slot and move its mark. A difference of no
 * packets is no record and leaves the mark. With a biflow_sink, what is not exported
 * of the other direction goes along, and its mark moves too.
 *
 * reverse  slot of its other direction, FLOW_NONE for none; needed of TCP only
 */
void sweep_export(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t reverse,
		  uint8_t end_reason);

/*
 * Give the shadow's unexported rest to the survivor: its mark moves back by it. Seen at
 * another Observation Point it is no packets of the survivor's, but duplicates.
 */
void sweep_fold(struct sweep *s, enum flow_family family, uint32_t shadow, uint32_t survivor);

/* The slot of a Flow's other direction, FLOW_NONE for none. Cost as flow_cache_find(). */
uint32_t sweep_reverse(const struct sweep *s, enum flow_family family, uint32_t slot);

/* The same, also one on its way out. */
uint32_t sweep_reverse_any(const struct sweep *s, enum flow_family family, uint32_t slot);

/* flowId of the Flow in a slot. first_ns: of its counts. */
uint64_t sweep_flow_id(const struct flow_table *t, uint32_t slot, uint64_t first_ns);

/* Tell the observer, if there is one, of every Flow that has news, and of the sweep. */
void sweep_observe(struct sweep *s);

/* Tell it of what no Flow tells. */
void sweep_observe_unseen(const struct sweep *s);

/* Tell it of a Flow's end. The counts are final, and no Flow of the slice is freed yet. */
void sweep_observe_end(struct sweep *s, enum flow_family family, uint32_t slot, uint8_t end_reason);

/* Zero the daemon's state of a slot and set it FREE. */
void sweep_free(struct sweep *s, enum flow_family family, uint32_t slot);

/*
 * Decide about the Flow in one slot. Returns when to look again; UINT64_MAX
 * when it is on its way out.
 */
uint64_t sweep_look(struct sweep *s, enum flow_family family, uint32_t slot);

/* A tag that is neither FREE nor a Flow's: perhaps stranded, perhaps left behind. */
void sweep_odd_tag(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t tag);

/* After a grace period: free the places that are BUSY still, and count them. */
void sweep_free_suspects(struct sweep *s);

/*
 * Fill the groups of a record that are kept as details.
 *
 * reverse    slot of the other direction, FLOW_NONE: not known
 * flow       of sweep_read()
 * is_export  counts are those since the last export, which this one is then;
 *            otherwise since the start of the Flow
 */
void sweep_details_record(const struct sweep *s, enum flow_family family, uint32_t slot,
			  uint32_t reverse, const struct expiry_flow *flow, bool is_export,
			  struct flow_record *r);

/* Make *into, which the kernel writes too, merge(*into, from); no update is lost. */
void sweep_word_merge(uint32_t *into, uint32_t from, uint32_t (*merge)(uint32_t, uint32_t));

/* Add the details of a twin that goes to those of the one that stays. */
void sweep_details_fold(struct sweep *s, enum flow_family family, uint32_t shadow,
			uint32_t survivor);

/* As of a Flow without packets. */
void sweep_details_free(struct sweep *s, enum flow_family family, uint32_t slot);
