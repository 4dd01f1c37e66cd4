/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Metering Process of bpf/, compiled into the daemon: it reads capture
 * files, and it is where the daemon gets the placement of a Flow Key from, so
 * that both sides compute it with one source.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/flow_cache.h"

/* Take over secrets and geometry; later calls replace earlier ones. */
void native_meter_configure(const struct flow_cache_params *params);

/* Meter the inner Flow of tunnels (`tunnels: inner`), or the outer one: as at start. */
void native_meter_open_tunnels(bool opens_tunnels);

/* Where a key's Flow can be: two buckets, and its tag in either. */
struct native_place {
	uint32_t first;
	uint32_t second;
	uint32_t tag;
};

/* key  xfp_key4 or xfp_key6 */
struct native_place native_meter_place(enum flow_family family, const void *key,
				       uint32_t n_buckets);

/* How a capture file presents a packet. */
struct native_packet {
	const void *data;
	uint32_t captured_octets;
	uint32_t wire_octets;
	uint64_t time_ns;
	bool is_ethernet; /* else: network layer at `offset`, `ethertype` says which */
	uint16_t ethertype; /* host order */
	uint8_t obs_point; /* as in struct xfp_key4; that of a file is 0 */
	uint32_t offset;
};

/* Packets that wait together: their cache misses overlap. */
#define NATIVE_BATCH 32

/*
 * Meter packets into *cache (is_native). native_meter_add() reads the packet's headers at once, but up to
 * NATIVE_BATCH packets wait for native_meter_flush() to be accounted, in their
 * order; the result is as if one by one. Flush before anything reads the cache
 * or another cache is metered into. native_meter_packet() is both. A table
 * opened smaller than its max_flows grows where a Flow finds no place.
 */
void native_meter_add(struct flow_cache *cache, const struct native_packet *packet);
void native_meter_flush(struct flow_cache *cache);
void native_meter_packet(struct flow_cache *cache, const struct native_packet *packet);
