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

/* A family's table; known to the compiler in every copy of the code. */
struct table {
	enum family family;
	bool is_flat; /* its arrays are single values, see array_at() */
	bool joins_points; /* the Observation Point makes no other Flow */
};

/* Buckets per family; the daemon sizes the maps to match. Even, at least 2. */
TUNABLE __u32 xfp_buckets4 = 2;
TUNABLE __u32 xfp_buckets6 = 2;

/* `deduplicate`: a Flow is metered where it was seen first. */
TUNABLE bool xfp_deduplicates;

/* Protocols can be switched off, see xfp_switches. */
TUNABLE bool xfp_has_switches;

/* Anomaly detection is on: what no Flow tells is counted, with a secret of its own. */
TUNABLE bool xfp_counts_unseen;
TUNABLE __u64 xfp_unseen_seed;

/* Which details a Flow has, and where. */
TUNABLE struct xfp_detail_layout xfp_detail;

/* PREEMPT_RT: two programs can interleave on one CPU, so rows need atomics. */
TUNABLE bool xfp_is_rt;

/* The CPU shows its stores to others in their order, and does its loads in theirs (x86). */
TUNABLE bool xfp_is_ordered;

#ifdef __bpf__

#define MMAPABLE_ARRAY(name, content)                                                              \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                  \
		__uint(map_flags, BPF_F_MMAPABLE);                                                 \
		__uint(max_entries, 1);                                                            \
		__uint(key_size, sizeof(__u32));                                                   \
		__uint(value_size, sizeof(content));                                               \
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
/* Details: slot -> record of xfp_detail.octets. Written here, read and zeroed by the daemon. */
MMAPABLE_ARRAY(xfp_details4, __u64);
MMAPABLE_ARRAY(xfp_details6, __u64);
/* Loss ledger: CPU id -> row. Written here by its CPU, read by the daemon. */
MMAPABLE_ARRAY(xfp_ledger, struct xfp_ledger_row);
/* What first fragments told: see fragment.bpf.h. Written and read here only. */
MMAPABLE_ARRAY(xfp_fragments, struct xfp_fragment_bucket[XFP_FRAGMENT_BUCKETS]);
/* What no Flow tells: see unseen.bpf.h. Written here, read and zeroed by the daemon. */
MMAPABLE_ARRAY(xfp_unseen, struct xfp_unseen_bucket[XFP_UNSEEN_ALL]);
/* Protocols that are off. Read here, written by the daemon. */
MMAPABLE_ARRAY(xfp_switches, struct xfp_switches);

/* Headers copied out of a packet whose first buffer does not hold them. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8[PARSE_SCRATCH]);
} xfp_scratch SEC(".maps");

/*
 * Each array is a single value, and indexing it an addition; the daemon makes it
 * so (probe/bpf_arrays.h), where it fits into what the verifier lets us index.
 */
TUNABLE bool xfp_is_flat;

/* Rows of the ledger. */
TUNABLE __u32 xfp_n_cpus;

#define TABLE(of_family)                                                                           \
	((struct table){                                                                           \
		.family = (of_family), .is_flat = xfp_is_flat, .joins_points = xfp_deduplicates})

/* A flat array is there, whatever the compiler may think of an address it is not to see. */
static __always_inline void *array_known(void *array)
{
	barrier_var(array);
	__builtin_assume(array != NULL);
	return array;
}

/*
 * Entry of an array; NULL where a look-up finds none. `index` is within its
 * bounds, and has 64 bits all the way: of 32 Linux 6.1 knows powers of two only.
 */
static __always_inline void *array_at(void *array, __u64 index, __u32 octets, bool is_flat)
{
	__u32 key;

	if (is_flat)
		return (__u8 *)array_known(array) + index * octets;
	key = index; /* what is in memory has no bound that the verifier knows */
	return bpf_map_lookup_elem(array, &key);
}

#define ARRAY_AT(t, name, index, octets)                                                           \
	array_at((t).family == FAMILY_IPV4 ? (void *)&name##4 : (void *)&name##6, index, octets,   \
		 (t).is_flat)

static __always_inline struct xfp_bucket *bucket_at(struct table t, __u64 bucket)
{
	return ARRAY_AT(t, xfp_tags, bucket, sizeof(struct xfp_bucket));
}

/* Bucket and place apart: of their sum the verifier would not know the bound. */
static __always_inline void *slot_at(struct table t, __u64 bucket, __u32 place)
{
	__u32 octets =
		t.family == FAMILY_IPV4 ? sizeof(struct xfp_slot4) : sizeof(struct xfp_slot6);
	void *slot;

	if (!t.is_flat)
		return ARRAY_AT(t, xfp_slots, bucket * XFP_BUCKET_SLOTS + place, octets);
	slot = ARRAY_AT(t, xfp_slots, bucket, XFP_BUCKET_SLOTS * octets);
	return (__u8 *)array_known(slot) + place * octets;
}

static __always_inline __u64 *hint_at(struct table t, __u64 bucket)
{
	return ARRAY_AT(t, xfp_hints, bucket, sizeof(__u64));
}

static __always_inline __u64 *mark_at(struct table t, __u64 chunk)
{
	barrier_var(chunk); /* else it is shifted and masked, and its bound forgotten */
	return ARRAY_AT(t, xfp_marks, chunk, sizeof(__u64));
}

/* `slot` is below the table's number of slots. */
static __always_inline void *details_at(struct table t, __u64 slot)
{
	return ARRAY_AT(t, xfp_details, slot, xfp_detail.octets);
}

/* The ledger is small: always a single value. */
static __always_inline struct xfp_ledger_row *ledger_row(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	if (cpu >= xfp_n_cpus)
		return NULL;
	return array_at(&xfp_ledger, cpu, sizeof(struct xfp_ledger_row), true);
}

/* As small, and of one size. */
static __always_inline struct xfp_fragment_bucket *fragment_bucket_at(__u64 bucket)
{
	return array_at(&xfp_fragments, bucket, sizeof(struct xfp_fragment_bucket), true);
}

static __always_inline struct xfp_unseen_bucket *unseen_bucket_at(__u64 bucket)
{
	return array_at(&xfp_unseen, bucket, sizeof(struct xfp_unseen_bucket), true);
}

static __always_inline const struct xfp_switches *switches(void)
{
	return array_at(&xfp_switches, 0, sizeof(struct xfp_switches), true);
}

#else

/* Set by native_meter.c before each packet. */
static struct {
	struct xfp_bucket *tags[2];
	void *slots[2];
	__u64 *hints[2];
	__u64 *marks[2];
	__u8 *details[2];
	struct xfp_ledger_row *row;
	struct xfp_fragment_bucket *fragments;
	struct xfp_unseen_bucket *unseen;
	const struct xfp_switches *switches;
} native_maps;

#define TABLE(of_family) ((struct table){.family = (of_family), .joins_points = xfp_deduplicates})

static __always_inline struct xfp_bucket *bucket_at(struct table t, __u64 bucket)
{
	return &native_maps.tags[t.family][bucket];
}

static __always_inline void *slot_at(struct table t, __u64 bucket, __u32 place)
{
	__u64 slot = bucket * XFP_BUCKET_SLOTS + place;

	return t.family == FAMILY_IPV4 ? (void *)((struct xfp_slot4 *)native_maps.slots[0] + slot)
				       : (void *)((struct xfp_slot6 *)native_maps.slots[1] + slot);
}

static __always_inline __u64 *hint_at(struct table t, __u64 bucket)
{
	return &native_maps.hints[t.family][bucket];
}

static __always_inline __u64 *mark_at(struct table t, __u64 chunk)
{
	return &native_maps.marks[t.family][chunk];
}

static __always_inline void *details_at(struct table t, __u64 slot)
{
	return native_maps.details[t.family] + slot * xfp_detail.octets;
}

static __always_inline struct xfp_ledger_row *ledger_row(void)
{
	return native_maps.row;
}

static __always_inline struct xfp_fragment_bucket *fragment_bucket_at(__u64 bucket)
{
	return &native_maps.fragments[bucket];
}

static __always_inline struct xfp_unseen_bucket *unseen_bucket_at(__u64 bucket)
{
	return &native_maps.unseen[bucket];
}

static __always_inline const struct xfp_switches *switches(void)
{
	return native_maps.switches;
}

#endif
