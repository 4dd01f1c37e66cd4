/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between sweep.c (which slots, when) and sweep_export.c (what a slot says).
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
