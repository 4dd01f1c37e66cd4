/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every map, with who writes and who reads it. All but two are mmapable arrays
 * that the daemon maps; natively the same accessors index plain memory.
 */
#pragma once

#include "bpf/flow_abi.h"
#include "bpf/parse.bpf.h"
#include "bpf/target.bpf.h"

enum family {
	FAMILY_IPV4,
	FAMILY_IPV6,
};

/* Buckets per family; the daemon sizes the maps to match. Even, at least 2. */
TUNABLE __u32 xfp_buckets4 = 2;
TUNABLE __u32 xfp_buckets6 = 2;

/* PREEMPT_RT: two programs can interleave on one CPU, so rows need atomics. */
TUNABLE bool xfp_is_rt;

/* The CPU shows stores to others in their order (x86). */
TUNABLE bool xfp_is_store_ordered;

#ifdef __bpf__

#define MMAPABLE_ARRAY(name, content)                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__type(key, __u32);                                                                \
		__type(value, content);                                                            \
	} name SEC(".maps")

/* Tags: bucket -> 16 tag words. Claimed and published here, retired by the daemon. */
MMAPABLE_ARRAY(xfp_tags4, struct xfp_bucket);
MMAPABLE_ARRAY(xfp_tags6, struct xfp_bucket);
/* Slots: bucket * 16 + place -> key and counts. Written here, read by the daemon. */
MMAPABLE_ARRAY(xfp_slots4, struct xfp_slot4);
MMAPABLE_ARRAY(xfp_slots6, struct xfp_slot6);
/* Hints: bucket -> bit per place whose TCP connection began to end. Set here, taken by the daemon. */
MMAPABLE_ARRAY(xfp_hints4, __u64);
MMAPABLE_ARRAY(xfp_hints6, __u64);
/* Chunk marks: 1 = a Flow was born or hinted there. Set here, taken by the daemon. */
MMAPABLE_ARRAY(xfp_marks4, __u64);
MMAPABLE_ARRAY(xfp_marks6, __u64);
/* Loss ledger: CPU id -> row. Written here by its CPU, read by the daemon. */
MMAPABLE_ARRAY(xfp_ledger, struct xfp_ledger_row);

/* Headers copied out of a packet whose first buffer does not hold them. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[PARSE_SCRATCH]);
} xfp_scratch SEC(".maps");

#define SELECT(family, name, index)                                                                \
	((family) == FAMILY_IPV4 ? bpf_map_lookup_elem(&name##4, (index))                          \
				 : bpf_map_lookup_elem(&name##6, (index)))

static __always_inline struct xfp_bucket *bucket_at(enum family family, __u32 bucket)
{
	return SELECT(family, xfp_tags, &bucket);
}

static __always_inline void *slot_at(enum family family, __u32 slot)
{
	return SELECT(family, xfp_slots, &slot);
}

static __always_inline __u64 *hint_at(enum family family, __u32 bucket)
{
	return SELECT(family, xfp_hints, &bucket);
}

static __always_inline __u64 *mark_at(enum family family, __u32 chunk)
{
	return SELECT(family, xfp_marks, &chunk);
}

static __always_inline struct xfp_ledger_row *ledger_row(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&xfp_ledger, &cpu);
}

#else

/* Set by native_meter.c before each packet. */
static struct {
	struct xfp_bucket *tags[2];
	void *slots[2];
	__u64 *hints[2];
	__u64 *marks[2];
	struct xfp_ledger_row *row;
} native_maps;

static __always_inline struct xfp_bucket *bucket_at(enum family family, __u32 bucket)
{
	return &native_maps.tags[family][bucket];
}

static __always_inline void *slot_at(enum family family, __u32 slot)
{
	return family == FAMILY_IPV4 ? (void *)((struct xfp_slot4 *)native_maps.slots[0] + slot)
				     : (void *)((struct xfp_slot6 *)native_maps.slots[1] + slot);
}

static __always_inline __u64 *hint_at(enum family family, __u32 bucket)
{
	return &native_maps.hints[family][bucket];
}

static __always_inline __u64 *mark_at(enum family family, __u32 chunk)
{
	return &native_maps.marks[family][chunk];
}

static __always_inline struct xfp_ledger_row *ledger_row(void)
{
	return native_maps.row;
}

#endif
