/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Flow Cache filled by the native Metering Process and a sweep over it, on a
 * scripted clock: what the tests of expiry stand on. Records are kept as they
 * come.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/flow_cache.h"
#include "probe/sweep.h"

#define FIXTURE_MS 1000000ULL
#define FIXTURE_S  1000000000ULL

/* One packet of conversation `id`; addresses and ports follow from the id. */
struct fixture_packet {
	uint32_t id; /* below 2^24                             */
	bool is_reverse; /* from the responder                     */
	bool is_ipv6;
	uint8_t protocol; /* IPPROTO_UDP where 0                    */
	uint8_t tcp_flags;
	uint8_t ttl;
	uint8_t obs_point; /* that saw it, as in keys                 */
	uint16_t octets; /* IP octets, at least 60; 100 where 0    */
};

struct sweep_fixture {
	struct flow_cache cache;
	struct wall_clock clock;
	struct obs_table obs;
	struct sweep sweep;
	struct flow_record *record; /* [n_records] since fixture_forget() */
	uint32_t n_records;
	uint32_t n_slices; /* of the last sweep */
};

/* Active timeout 60 s, idle 15 s, high-water mark 100 %. */
void fixture_open(struct sweep_fixture *f, uint32_t max_flows);

/* The same with tables that grow. */
void fixture_open_small(struct sweep_fixture *f, uint32_t max_flows);

/* The same as fixture_open() with groups of elements, OR of GROUP_*, and their details. */
void fixture_open_groups(struct sweep_fixture *f, uint32_t max_flows, uint32_t groups);

/* The same with an observer of the sweep, which stays the caller's. */
void fixture_open_observed(struct sweep_fixture *f, uint32_t max_flows,
			   const struct sweep_observer *observer);

/* The same, deduplicating; observer may be NULL. Points 0 and 1 are interface 1, 2 and 3 interface 2. */
void fixture_open_joined(struct sweep_fixture *f, uint32_t max_flows,
			 const struct sweep_observer *observer);

/* Meter a packet that arrived at now_ns; fails the test if it overflows or is a duplicate. */
void fixture_meter(struct sweep_fixture *f, uint64_t now_ns, const struct fixture_packet *p);

/* The slot that gets the packet's Flow, FLOW_NONE for none. */
uint32_t fixture_slot(const struct sweep_fixture *f, const struct fixture_packet *p);

/* One complete sweep. */
void fixture_sweep(struct sweep_fixture *f, uint64_t now_ns);

/* Conversation of a record. */
uint32_t fixture_id(const struct flow_record *r);

/* Forget the records so far. */
void fixture_forget(struct sweep_fixture *f);

/* Flows in the cache. */
uint64_t fixture_flows(const struct sweep_fixture *f);

/*
 * Put a second slot with the packet's key where looking up finds it after the
 * Flow that is there: what another CPU's insertion at the same moment leaves.
 * Returns the shadow's slot.
 */
uint32_t fixture_twin(struct sweep_fixture *f, const struct fixture_packet *p,
		      const struct xfp_counts *counts);

/*
 * A conversation whose shadow the sweep meets before (or after) its survivor:
 * the smallest such id from `from` on.
 */
uint32_t fixture_twin_id(const struct sweep_fixture *f, uint32_t from, bool is_shadow_first);

void fixture_close(struct sweep_fixture *f);
