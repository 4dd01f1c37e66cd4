/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who connects to what, and when: the pairs of a host of ours and a service elsewhere,
 * with their latest beats. A pair gets a place with its third beat; until then eight
 * octets and its two times are kept. Places are in sets of eight: who shows no pattern
 * makes room, the one idle longest first, and who has one only when it stopped.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly_event.h"
#include "probe/anomaly_flow.h"
#include "probe/beats.h"

#define PAIRS_SETS	 4096
#define PAIRS_WAYS	 8
#define PAIRS_MAX	 (PAIRS_SETS * PAIRS_WAYS)
#define PAIRS_FIRST_SETS 32768
#define PAIRS_FIRST_WAYS 8

struct beacon_pair {
	struct host source;
	struct host destination;
	uint16_t port;
	uint16_t source_port; /* of its latest Flow */
	uint8_t protocol;
	uint8_t obs_point;
	bool is_used;
	uint8_t new_beats; /* since it was looked at; saturates */
	uint8_t stage; /* of the incident; 0: none */
	bool is_answered; /* the other direction of one of its Flows was seen */
	bool is_new; /* came up when the network was known for a day */
	uint64_t first_ns; /* of all its beats */
	uint64_t last_ns; /* latest start of a Flow */
	uint64_t packet_ns; /* latest packet */
	uint64_t regular_ns; /* regular since; 0: is not */
	uint32_t regular_beats; /* since then */
	uint32_t median_ms; /* between its beats; 0: not measured yet */
	uint32_t hours; /* of the day with a beat since it is regular, bit by bit */
	uint32_t n_flow_ids;
	uint64_t flow_id[ANOMALY_FLOW_IDS]; /* of its first beats */
	struct beats beats;
};

/* The first two beats of a pair. */
struct beacon_first {
	uint32_t name; /* from the pair's hash; 0: free */
	uint32_t n;
	uint64_t at_ns[2]; /* packet time */
};

struct beacon_pairs {
	uint32_t n_news; /* pairs with new beats */
	uint32_t name[PAIRS_MAX]; /* from their hash; close together for a fast search */
	struct beacon_pair pair[PAIRS_MAX];
	struct beacon_first first[PAIRS_FIRST_SETS * PAIRS_FIRST_WAYS];
};

/* The pair of that Flow's ends; NULL: it has no place. hash: of these. */
struct beacon_pair *pairs_find(struct beacon_pairs *t, uint64_t hash,
			       const struct anomaly_flow *flow);

/*
 * The same, and a place if this start is its third beat: with both earlier ones in it,
 * the start itself is not. NULL: too early, or all places of its set are in better use.
 */
struct beacon_pair *pairs_admit(struct beacon_pairs *t, uint64_t hash,
				const struct anomaly_flow *flow);
