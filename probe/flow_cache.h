/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's side of the Flow Cache: geometry, the memory it shares with the
 * kernel (or owns, for the native Metering Process), and its own marks: what
 * was exported of each Flow, and when a slot must be looked at again.
 */
#pragma once

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/flow_abi.h"

enum flow_family {
	FLOW_IPV4,
	FLOW_IPV6,
	FLOW_FAMILIES,
};

/* What was exported of a Flow so far; all zero in a slot that is free. */
struct flow_mark {
	uint64_t packets;
	uint64_t octets;
};

/* What the sweep's observer was told of each Flow; all zero in a slot that is free. */
struct flow_watch {
	uint64_t octets;
	uint32_t packets; /* modulo 2^32                                        */
	uint32_t state; /* the observer's own, SWEEP_KNOWN apart              */
};

/* One family's table. Arrays run over n_slots, n_buckets or n_chunks. */
struct flow_table {
	struct xfp_bucket *tags; /* [n_buckets]  shared                                 */
	unsigned char *slots; /* [n_slots]    shared, xfp_slot4 or xfp_slot6         */
	uint64_t *hints; /* [n_buckets]  shared, bit per place: TCP end began   */
	uint64_t *news; /* [n_chunks]   shared, 1: look at this chunk          */
	unsigned char *details; /* [n_slots]    shared, params.detail.octets each; NULL: none  */
	unsigned char *detail_marks; /* [n_slots]    details when last exported; NULL: none    */
	struct flow_mark *marks; /* [n_slots]                                           */
	struct flow_watch *watch; /* [n_slots]    NULL: nobody observes the sweep          */
	uint32_t *end_ms; /* [n_slots]    end of the last exported interval, in ms after
			   *              the Flow's start, plus 1, modulo 2^32; 0: none */
	uint32_t *due; /* [n_slots]    DUE_* or a tick of 2^20 ns             */
	uint64_t *chunk_due_ns; /* [n_chunks]   earliest due in it, UINT64_MAX: none,
				 *              0: never looked at                     */
	uint16_t *chunk_live; /* [n_chunks]   Flows in it at the last look           */
	uint32_t n_buckets; /* even, a multiple of XFP_CHUNK_BUCKETS               */
	uint32_t n_slots;
	uint32_t n_chunks;
	uint32_t n_live; /* sum of chunk_live                                   */
	uint32_t max_flows; /* as configured                                       */
	uint32_t key_octets;
	uint32_t slot_octets;
	uint32_t detail_octets; /* of a slot's details, 0 = none                       */
	bool is_watched; /* has watch                                           */
};

/* Secrets and geometry: the same for the program in the kernel and the native one. */
struct flow_cache_params {
	uint32_t hash_words[10];
	uint64_t hash_spread; /* odd */
	uint32_t n_buckets[FLOW_FAMILIES];
	struct xfp_detail_layout detail; /* no details unless the caller lays some out */
	bool is_watched; /* keep a struct flow_watch for each slot */
	bool has_switches; /* protocols can be switched off           */
	bool joins_points; /* a Flow is one at all Observation Points */
	uint64_t unseen_seed; /* of hashes of what is counted beside Flows, while is_watched */
};

/* This CPU keeps the order of stores and that of loads: see xfp_is_ordered. */
#if defined(__x86_64__) || defined(__i386__)
#define FLOW_CACHE_ORDERED true
#else
#define FLOW_CACHE_ORDERED false
#endif

struct flow_cache {
	struct flow_table table[FLOW_FAMILIES];
	struct xfp_ledger_row *rows; /* [n_rows] shared, one per CPU id */
	uint32_t n_rows;
	struct xfp_fragment_bucket *fragments; /* [XFP_FRAGMENT_BUCKETS] native only */
	struct xfp_unseen_bucket
		*unseen; /* [XFP_UNSEEN_ALL] shared; NULL but with params.is_watched */
	struct xfp_switches *switches; /* shared; of no effect without params.has_switches */
	struct flow_cache_params params;
	bool is_native; /* all arrays are ours: may be opened smaller than max_flows, and grow */
};

/* Buckets for max_flows at load 0.75, where 0.001 % of inserts find no place. */
uint32_t flow_cache_buckets(uint32_t max_flows);

/* Buckets to open a table with that grows up to those for max_flows. */
uint32_t flow_cache_buckets_start(uint32_t max_flows);

/* Fill *params: geometry from the two limits, secrets from getrandom(). */
int flow_cache_params_init(struct flow_cache_params *params, uint32_t max_flows,
			   uint32_t max_flows_ipv6);

/*
 * Set up the daemon's own arrays, and with is_native the shared ones too.
 * Otherwise the caller fills tags, slots, hints, news, rows and switches with
 * mappings of the kernel's maps, which stay the caller's to unmap.
 *
 * Returns 0 or -ENOMEM.
 */
int flow_cache_open(struct flow_cache *cache, const struct flow_cache_params *params,
		    uint32_t max_flows, uint32_t max_flows_ipv6, bool is_native);

/*
 * Move a native family's Flows, with all that is known of them, to twice the
 * places, at most those of flow_cache_buckets(max_flows). Slot numbers change;
 * the next sweep looks at every Flow. Not between sweep_mark() and
 * sweep_harvest(): no place may be RETIRING.
 *
 * Returns false, with the table as it was, when it is as large as it may be or
 * memory does not suffice.
 */
bool flow_cache_grow(struct flow_cache *cache, enum flow_family family);

/* Free what flow_cache_open() allocated; idempotent. */
void flow_cache_close(struct flow_cache *cache);

static inline const void *flow_key_at(const struct flow_table *t, uint32_t slot)
{
	return t->slots + (size_t)slot * t->slot_octets;
}

/* The details of a slot, or NULL where none are kept. */
static inline void *flow_details_at(const struct flow_table *t, uint32_t slot)
{
	return t->detail_octets ? t->details + (size_t)slot * t->detail_octets : NULL;
}

static inline struct xfp_counts *flow_counts_at(const struct flow_table *t, uint32_t slot)
{
	return (struct xfp_counts *)(t->slots + (size_t)slot * t->slot_octets + t->key_octets);
}

/* flow_volume() of a Flow that is large enough for carries. */
struct xfp_volume flow_volume_carried(const struct xfp_counts *c);

/*
 * Packets and IP octets of a Flow so far, of one moment, while the kernel adds to them.
 * Never less than they were. Below 2^31 of both two loads: nothing had been carried
 * after `low` was read, and no bit is set that says that something had to be.
 */
static inline struct xfp_volume flow_volume(const struct xfp_counts *c)
{
	uint64_t low = __atomic_load_n(&c->sum.low, __ATOMIC_ACQUIRE);
	uint64_t carries = __atomic_load_n(&c->sum.carries, __ATOMIC_ACQUIRE);

	if (__builtin_expect(carries | xfp_sum_carry(low, 0), 0))
		return flow_volume_carried(c);
	return (struct xfp_volume){low >> 32, (uint32_t)low};
}

/* Where both families' keys hold Observation Point and protocol. */
#define FLOW_POINT_FROM_END    3
#define FLOW_PROTOCOL_FROM_END 4
_Static_assert(offsetof(struct xfp_key4, obs_point) == sizeof(struct xfp_key4) - 3, "IPv4 key");
_Static_assert(offsetof(struct xfp_key6, obs_point) == sizeof(struct xfp_key6) - 3, "IPv6 key");
_Static_assert(offsetof(struct xfp_key4, protocol) == sizeof(struct xfp_key4) - 4, "IPv4 key");
_Static_assert(offsetof(struct xfp_key6, protocol) == sizeof(struct xfp_key6) - 4, "IPv6 key");

static inline uint8_t flow_protocol_at(const struct flow_table *t, uint32_t slot)
{
	const uint8_t *key = flow_key_at(t, slot);

	return key[t->key_octets - FLOW_PROTOCOL_FROM_END];
}

static inline uint8_t *flow_tag_at(const struct flow_table *t, uint32_t slot)
{
	return &t->tags[slot / XFP_BUCKET_SLOTS].tag[slot % XFP_BUCKET_SLOTS];
}

/* The tags of a bucket as they are at one moment. */
static inline struct xfp_bucket flow_tags_load(const struct flow_table *t, uint32_t bucket)
{
	struct xfp_bucket tags;

	tags.eight[0] = __atomic_load_n(&t->tags[bucket].eight[0], __ATOMIC_ACQUIRE);
	tags.eight[1] = __atomic_load_n(&t->tags[bucket].eight[1], __ATOMIC_ACQUIRE);
	return tags;
}

/* The bits of a tag that only a Flow's has. */
#define FLOW_TAG_BITS (256 - XFP_TAG_FLOW)
_Static_assert(!(XFP_TAG_FLOW & (XFP_TAG_FLOW - 1)), "tags of Flows have a bit of their own");

/* All places of a bucket, a bit each. */
#define FLOW_PLACES_ALL ((1u << XFP_BUCKET_SLOTS) - 1)

/* The octets of a word that are zero, a bit each, that of the first octet lowest. */
static inline uint32_t flow_octets_zero(uint64_t word)
{
	const uint64_t low = 0x7f7f7f7f7f7f7f7fULL;
	uint64_t nonzero = (((word & low) + low) | word) & ~low;

	return (uint32_t)((((le64toh(nonzero) ^ ~low) >> 7) * 0x0102040810204080ULL) >> 56);
}

/* The places of a bucket where tag & mask == value, bit i for place i. */
static inline uint32_t flow_places(const struct xfp_bucket *tags, uint8_t value, uint8_t mask)
{
	const uint64_t each = 0x0101010101010101ULL;

	return flow_octets_zero((tags->eight[0] & mask * each) ^ value * each) |
	       flow_octets_zero((tags->eight[1] & mask * each) ^ value * each) << 8;
}

#define FLOW_NONE UINT32_MAX

/*
 * The slot that gets the packets of `key`: the first equal one in lookup order.
 * With params.joins_points keys are equal whatever their Observation Point.
 *
 * with_retiring  also match slots on their way out
 * not_slot       passed over; FLOW_NONE for none
 *
 * Returns its number or FLOW_NONE. Cost: two tag lines and a slot line.
 */
uint32_t flow_cache_find(const struct flow_cache *cache, enum flow_family family, const void *key,
			 bool with_retiring, uint32_t not_slot);

/*
 * Key of the other direction as seen at Observation Point `obs_point`.
 * key, reversed  xfp_key4 or xfp_key6; both may not overlap
 */
void flow_key_reverse(enum flow_family family, const void *key, void *reversed, uint8_t obs_point);

/* What is in the cache and not exported yet. Walks all slots: ~10 ms at 1 M Flows. */
struct flow_cache_content {
	uint64_t flows;
	uint64_t packets;
	uint64_t octets;
	struct xfp_volume protocol[XFP_N_PROTOCOLS]; /* the same by protocol */
};
void flow_cache_content(const struct flow_cache *cache, struct flow_cache_content *content);

/* Octets of memory: what the kernel holds, and with the daemon's marks. */
void flow_cache_memory(const struct flow_cache *cache, uint64_t *kernel, uint64_t *total);
