/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between sweep.c (which slots, when), sweep_look.c (what happens to one) and
 * sweep_export.c (what it says).
 */
#pragma once

#include "probe/sweep.h"

/* due[] of a slot: not looked at yet; being retired by us; else a tick. */
#define DUE_NEW	    0u
#define DUE_RETIRED 1u
#define DUE_FIRST   2u

/* Read a slot as expiry sees it. */
void sweep_read(const struct flow_table *t, uint32_t slot, struct expiry_flow *flow);

/*
 * Hand on what is not exported of a slot and move its mark. A difference of no
 * packets is no record and leaves the mark.
 */
void sweep_export(struct sweep *s, enum flow_family family, uint32_t slot, uint8_t end_reason);

/* Give the shadow's unexported rest to the survivor: its mark moves back by it. */
void sweep_fold(struct sweep *s, enum flow_family family, uint32_t shadow, uint32_t survivor);

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
