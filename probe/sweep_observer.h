/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who looks over the sweep's shoulder: at the begin of each sweep the observer is
 * told of every Flow that has counted packets since the last one, and then of the
 * sweep itself (before that, of what no Flow tells); during the sweep it is told of each Flow that ends. What it is told
 * of one Flow adds up to that Flow's counts, from its first call (is_new) to its
 * last (is_ended), each of which comes once. Twins are told of as one Flow.
 *
 * With an observer every active slot is read in every sweep, and each slot has a
 * struct flow_watch. Without one nothing is different.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/flow_cache.h"
#include "probe/unseen.h"

struct sweep;

/* Bits of *flow_delta.state that have a meaning here; the others are the observer's. */
#define SWEEP_KNOWN (1u << 31) /* was told of; stays set                             */
#define SWEEP_WATCH (1u << 30) /* tell of it in the next sweep, packets or not       */

/* News of one Flow, valid during the call only. */
struct flow_delta {
	const struct sweep *sweep;
	uint32_t slot;
	uint8_t family; /* enum flow_family */
	bool is_new;
	bool is_ended;
	uint8_t end_reason; /* enum flow_end_reason, if ended                      */
	uint8_t first_flags; /* low octet of tcpControlBits of the first packet     */
	uint16_t tcp_flags; /* union over the Flow so far                          */
	uint16_t length_min; /* IP octets of the smallest packet                    */
	uint16_t length_max;
	const void *key; /* struct xfp_key4 or xfp_key6                         */
	uint64_t now_ns; /* of the sweep                                        */
	uint64_t packets; /* since the last call                                 */
	uint64_t octets; /* IP octets since the last call                       */
	uint64_t total_packets; /* since the Flow's start, those of twins apart     */
	uint64_t total_octets;
	uint64_t first_ns; /* packet time, as sweep.now_ns                        */
	uint64_t last_ns;
	uint32_t *state; /* of the slot, zero in a new Flow                     */
};

struct sweep_observer {
	void *arg;
	void (*on_flow)(void *arg, const struct flow_delta *delta);
	/* What no Flow tells: after all Flows' news; NULL: not wanted. */
	void (*on_unseen)(void *arg, const struct unseen_news *news);
	void (*on_sweep)(void *arg, uint64_t now_ns); /* after all Flows' news, not their ends */
};

/* The other direction of a Flow. */
struct flow_reverse {
	uint64_t packets;
	uint64_t octets;
	uint64_t first_ns;
	uint16_t tcp_flags;
	uint8_t first_flags;
};

/*
 * Look for the other direction: the reversed key, of an ICMP query that of its
 * reply. Returns whether it is in the cache (or ending); *reverse is set then.
 * Cost: that of flow_cache_find().
 */
bool flow_delta_reverse(const struct flow_delta *delta, struct flow_reverse *reverse);

/* flowId of the Flow. */
uint64_t flow_delta_id(const struct flow_delta *delta);
