/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The yardstick: a Flow Cache in the kernel's hash maps, preallocated. Only
 * finding and inserting differ; what is added to a Flow is the project's code.
 */
#pragma once

#define cache_hash   bucket_hash
#define cache_place  bucket_place
#define cache_hit    bucket_hit
#define cache_insert bucket_insert
#include "bpf/cache.bpf.h"
#undef cache_hash
#undef cache_place
#undef cache_hit
#undef cache_insert

#define HASH_MAP(name, flow_key)                                                                   \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, 1);                                                            \
		__type(key, flow_key);                                                             \
		__type(value, struct xfp_counts);                                                  \
	} name SEC(".maps")

HASH_MAP(bench_flows4, struct xfp_key4);
HASH_MAP(bench_flows6, struct xfp_key6);

static __always_inline bool hash_insert(struct table t, const __u64 *key, const struct observed *o)
{
	struct xfp_ledger_row *row = ledger_row();
	struct xfp_slot6 slot = {};
	struct xfp_counts *counts = counts_of(t, &slot);
	long err;

	flow_begin(t, &slot, key, o, clock_precise(o->now_ns));
	err = t.family == FAMILY_IPV4
		      ? bpf_map_update_elem(&bench_flows4, key, counts, BPF_NOEXIST)
		      : bpf_map_update_elem(&bench_flows6, key, counts, BPF_NOEXIST);
	if (err)
		return false;
	if (row)
		ledger_add(&row->inserts, 1);
	return true;
}

static __always_inline __u64 cache_hash(struct table t, const __u64 *key)
{
	(void)t;
	(void)key;
	return 0;
}

static __always_inline struct place cache_place(struct table t, __u64 hash)
{
	(void)t;
	barrier_var(hash); /* an argument that is used has a value at every call */
	return (struct place){};
}

static __always_inline struct xfp_counts *hash_find(struct table t, const __u64 *key)
{
	return t.family == FAMILY_IPV4 ? bpf_map_lookup_elem(&bench_flows4, key)
				       : bpf_map_lookup_elem(&bench_flows6, key);
}

static __always_inline __u32 cache_hit(struct table t, const struct observed *o, const __u64 *key,
				       const struct place *place)
{
	struct xfp_counts *counts = hash_find(t, key);

	(void)place;
	if (!counts)
		return false;
	flow_update(t, counts, &(struct cell){}, o);
	return true;
}

static __always_inline __u32 cache_insert(struct table t, const struct observed *o,
					  const __u64 *key, const struct place *place)
{
	/* another CPU may have been faster */
	return hash_insert(t, key, o) || cache_hit(t, o, key, place);
}
