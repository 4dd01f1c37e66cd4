/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sweep: second stage of the Metering Process. Goes over the Flow Cache,
 * exports what the active timeout asks for, and removes what ended: marks it
 * RETIRING, and after a grace period reads the final counts and frees the place.
 *
 * One sweep is a series of slices, each of at most a thirtieth of the places
 * (successors of live Flows that retire need a second place):
 *
 *	sweep_begin(s, now);
 *	while (sweep_mark(s)) {
 *		grace period;
 *		sweep_harvest(s);
 *	}
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/clock.h"
#include "probe/expiry.h"
#include "probe/flow_cache.h"
#include "probe/obs_table.h"
#include "probe/record.h"
#include "probe/sweep_observer.h"

/* A slot on its way out. */
struct sweep_retired {
	uint32_t slot;
	uint32_t survivor; /* twin it is folded into; FLOW_NONE: a Flow of its own */
	uint32_t reverse; /* other direction, on its way out too; FLOW_NONE: none   */
	uint8_t family; /* enum flow_family */
	uint8_t end_reason;
};

/* What the sweeps of this run did, each monotone. */
struct sweep_stats {
	uint64_t exported_records;
	uint64_t exported_packets;
	uint64_t exported_octets;
	uint64_t retired; /* places freed                                        */
	uint64_t twins_folded; /* second slots of one Flow, created by two CPUs at once */
	uint64_t stranded; /* places found BUSY for ever, freed                   */
	uint64_t sweeps;
	uint64_t looked_at; /* slots read                                          */
	uint64_t by_reason[6]; /* records by flowEndReason                            */
	struct xfp_volume by_protocol[XFP_N_PROTOCOLS]; /* exported, IP octets        */
	struct xfp_volume duplicates; /* of twins seen at another Observation Point, IP octets */
};

#define SWEEP_MAX_SUSPECTS 64

struct sweep {
	struct flow_cache *cache;
	const struct wall_clock *clock;
	const struct obs_table *obs;
	struct expiry_timeouts timeouts;
	uint32_t high_water_pct;
	record_sink_fn sink;
	biflow_sink_fn biflow_sink; /* NULL: each direction goes to sink */
	void *sink_arg; /* of both sinks */
	uint32_t groups; /* of elements the sinks want, OR of GROUP_* */
	const struct sweep_observer *observer; /* NULL: none; else the cache is_watched */

	/* the slice in progress */
	uint64_t now_ns;
	uint64_t unseen_ns; /* what no Flow tells was taken then; 0: not yet */
	uint64_t horizon_ns; /* what is due by then without pressure may be due now */
	uint8_t family;
	uint32_t chunk;
	uint32_t n_retired;
	uint32_t slice_places; /* limit of places of this family in one slice */
	struct sweep_retired *retired;
	uint32_t n_retired_max;
	uint64_t earliest_due_ns; /* over everything looked at or skipped      */

	/* places met BUSY: still so after the grace period, their program died */
	uint8_t *suspect[SWEEP_MAX_SUSPECTS];
	uint32_t n_suspects;

	struct sweep_stats stats;
};

/* The details that a set of groups (GROUP_*) is made from: bits 1 << XFP_DETAIL_*. */
uint32_t sweep_details_of_groups(uint32_t groups);

/*
 * Prepare sweeping. cache, clock, obs, timeouts, high_water_pct, the sinks
 * and groups are set by the caller before and stay the caller's.
 * Returns 0 or -ENOMEM.
 */
int sweep_open(struct sweep *s);

/* The timeouts or high_water_pct were changed: what was put off by the old ones is looked at again. */
void sweep_look_again(struct sweep *s);

/* Start over at the first slot. now_ns: the clock of the slots' times. */
void sweep_begin(struct sweep *s, uint64_t now_ns);

/*
 * Go on marking until a slice is full or the table ends.
 * Returns true when places were marked or found BUSY, so a grace period and
 * sweep_harvest() are owed; false when the sweep is complete.
 */
bool sweep_mark(struct sweep *s);

/* Read, hand on and free what sweep_mark() marked. Only after a grace period. */
void sweep_harvest(struct sweep *s);

/*
 * Export and remove everything, with one end reason. Only when no program runs
 * any more (detached, and a grace period after).
 */
void sweep_flush(struct sweep *s, uint64_t now_ns, enum flow_end_reason reason);

/* When the next Flow can expire, by what the last sweep saw; UINT64_MAX: none. */
uint64_t sweep_next_due_ns(const struct sweep *s);

/* True above the high-water mark: sweep again soon. */
bool sweep_is_under_pressure(const struct sweep *s);

/*
 * The Flow Record that `slot` would give now with everything since its start,
 * but for connection_state: for xflowctl, not for export.
 */
void sweep_describe(const struct sweep *s, enum flow_family family, uint32_t slot,
		    struct flow_record *r);

/* Add connection_state to it. Cost for TCP: that of flow_cache_find(). */
void sweep_describe_state(const struct sweep *s, enum flow_family family, uint32_t slot,
			  struct flow_record *r);

/*
 * Call fn with the description of each Flow in the cache, with connection_state
 * of those that wants_state (NULL: none) says true to: it costs more than the
 * rest, 0.2 s for a million Flows.
 */
void sweep_each_flow(const struct sweep *s, record_test_fn wants_state, record_sink_fn fn,
		     void *arg);

/* Free what sweep_open() allocated; idempotent. */
void sweep_close(struct sweep *s);
