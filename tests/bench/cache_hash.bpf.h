/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The yardstick: a Flow Cache in the kernel's hash maps, preallocated. Only
 * finding and inserting differ; what is added to a Flow is the project's code.
 */
#pragma once

#define cache_place  bucket_place
#define cache_hit    bucket_hit
#define cache_insert bucket_insert
#include "bpf/cache.bpf.h"
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

static __always_inline bool hash_insert(enum family family, const __u64 *key,
					const struct observed *o)
{
	struct xfp_ledger_row *row = ledger_row();
	struct xfp_slot6 slot = {};
	struct xfp_counts *counts = counts_of(family, &slot);
	long err;

	flow_begin(family, &slot, key, o, clock_precise(o));
	err = family == FAMILY_IPV4 ? bpf_map_update_elem(&bench_flows4, key, counts, BPF_NOEXIST)
				    : bpf_map_update_elem(&bench_flows6, key, counts, BPF_NOEXIST);
	if (err)
		return false;
	if (row)
		ledger_add(&row->inserts, 1);
	return true;
}

static __always_inline struct place cache_place(enum family family, const __u64 *key)
{
	(void)family;
	(void)key;
	return (struct place){};
}

static __always_inline struct xfp_counts *hash_find(enum family family, const __u64 *key)
{
	return family == FAMILY_IPV4 ? bpf_map_lookup_elem(&bench_flows4, key)
				     : bpf_map_lookup_elem(&bench_flows6, key);
}

static __always_inline bool cache_hit(enum family family, const struct observed *o,
				      const __u64 *key, const struct place *place)
{
	struct xfp_counts *counts = hash_find(family, key);

	(void)place;
	if (!counts)
		return false;
	flow_update(family, counts, 0, o);
	return true;
}

static __always_inline bool cache_insert(enum family family, const struct observed *o,
					 const __u64 *key, const struct place *place)
{
	/* another CPU may have been faster */
	return hash_insert(family, key, o) || cache_hit(family, o, key, place);
}
