/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmocka checks on a Flow Cache as a Metering Process left it: one expected
 * Flow, the loss ledger, or a second cache that must hold the same.
 */
#pragma once

#include <stdint.h>

#include "bpf/flow_abi.h"
#include "probe/flow_cache.h"

/* Key and measurements of a Flow; host byte order, addresses are text. */
struct meter_flow {
	const char *source;
	const char *destination;
	uint16_t source_port;
	uint16_t destination_port; /* ICMP: type << 8 | code                */
	uint8_t protocol;
	uint16_t vlan;
	uint16_t inner_vlan;
	uint8_t tos;
	uint16_t tcp_flags;
	uint32_t flow_label;
	uint64_t octets;
	uint16_t length_min; /* 0, 0: every packet has octets / packets, */
	uint16_t length_max; /* less 40 in IPv6                          */
	uint8_t ttl_min; /* 0, 0: every packet has 64                */
	uint8_t ttl_max;
};

/* Open a native cache with room for one Flow of each family, and more as they come. 0 or -errno. */
int meter_cache_open(struct flow_cache *cache);

/* Empty the cache and its ledger, as if no packet had come. */
void meter_cache_clear(struct flow_cache *cache);

/*
 * Meter a frame natively, from memory that ends where its captured octets end.
 * wire_octets 0: all are captured.
 */
void meter_run_native(struct flow_cache *cache, const void *frame, uint32_t captured_octets,
		      uint32_t wire_octets);

/* Sum of the rows of all CPUs. */
void meter_ledger_sum(const struct flow_cache *cache, struct xfp_ledger_row *sum);

/* How many Flows *cache has. */
uint32_t meter_count_flows(const struct flow_cache *cache);

/* What *cache counted of the Flow with this key, seen at obs_point; fails without one. */
const struct xfp_counts *meter_find_flow(const struct flow_cache *cache,
					 const struct meter_flow *flow, uint8_t obs_point);

/* *cache has this Flow, of so many packets seen at obs_point, and no other. */
void meter_assert_flow(const struct flow_cache *cache, const struct meter_flow *flow,
		       uint64_t packets, uint8_t obs_point);

/* The ledger says exactly this; races while claiming a place apart. */
void meter_assert_ledger(const struct flow_cache *cache, const struct xfp_ledger_row *expected);

/*
 * Both caches hold the same Flows, to the last field but the times, and the
 * same ledger. Keys of `kernel` are those of Observation Point obs_point, keys
 * of `native` those of 0.
 */
void meter_assert_same(const struct flow_cache *native, const struct flow_cache *kernel,
		       uint8_t obs_point);
