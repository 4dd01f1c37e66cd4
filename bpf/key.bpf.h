/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a parsed packet to its Flow Key, and from the key to the keyed hash that
 * names its two buckets and its tag. Touches no map.
 */
#pragma once

#include "bpf/flow_abi.h"
#include "bpf/parse.bpf.h"
#include "bpf/target.bpf.h"

#define HASH_WORDS 12

/*
 * Secrets of the hash, from getrandom(): ten words for NH (UMAC, RFC 4418 5.2.2:
 * two different keys collide with probability 2^-32 whoever chooses them), then
 * two odd multipliers that spread the sum over all bits.
 */
TUNABLE __u32 xfp_hash_words[HASH_WORDS];
TUNABLE __u64 xfp_hash_spread[2];

static __always_inline __u64 nh(const __u32 *word, int n)
{
	__u64 sum = 0;

	UNROLL
	for (int i = 0; i < n; i += 2)
		sum += (__u64)(__u32)(word[i] + xfp_hash_words[i]) *
		       (__u32)(word[i + 1] + xfp_hash_words[i + 1]);
	return sum;
}

/*
 * Hash of a key of n 32-bit words (even, <= 10). Directional: the two
 * directions of a conversation land in different buckets.
 */
static __always_inline __u64 key_hash(const void *key, int n)
{
	__u64 h = nh(key, n);

	h ^= h >> 32;
	h *= xfp_hash_spread[0];
	h ^= h >> 29;
	h *= xfp_hash_spread[1];
	return h ^ (h >> 32);
}

/* Where a key's Flow can be: two buckets, and its tag in either. */
struct place {
	__u32 first;
	__u32 second;
	__u32 tag;
};

static __always_inline struct place key_place(const void *key, int n_words, __u32 n_buckets)
{
	__u64 h = key_hash(key, n_words);
	__u32 high = h >> 32;

	return (struct place){
		.first = (__u64)high * n_buckets >> 32,
		.second = (__u64)(__u32)(high * 0x9e3779b1u) * n_buckets >> 32,
		.tag = (__u32)h | XFP_TAG_FLOW,
	};
}

/* The addresses are in place already; add what the rest of the headers said. */
static __always_inline void key_complete(struct pkt *p)
{
	struct observed *o = p->seen;

	if (o->is_ipv6) {
		o->key6.source_port = p->source_port;
		o->key6.destination_port = p->destination_port;
		o->key6.protocol = p->next_header;
		o->key6.obs_point = p->obs_point;
		o->key6.vlan = p->vlan;
	} else {
		o->key4.source_port = p->source_port;
		o->key4.destination_port = p->destination_port;
		o->key4.protocol = p->next_header;
		o->key4.obs_point = p->obs_point;
		o->key4.vlan = p->vlan;
	}
}

/*
 * Octets and packet lengths. A GSO super-packet counts as the segments it
 * leaves the machine as: each repeats the headers in front of its payload.
 */
static __always_inline void lengths_complete(struct pkt *p)
{
	struct observed *o = p->seen;
	__u32 total = p->end_offset - p->ip_offset;
	__u32 fixed = o->is_ipv6 ? 40 : 0;

	o->octets = total;
	o->length_min = total - fixed;
	o->length_max = total - fixed;
	if (o->packets > 1) {
		__u32 headers = p->offset - p->ip_offset + p->transport_octets;

		o->octets += (__u64)(o->packets - 1) * headers;
		o->length_max = headers + p->gso_octets - fixed;
		o->length_min = total - fixed - (o->packets - 1) * p->gso_octets;
	}
	if (o->length_max > 0xffff)
		o->length_max = 0xffff;
	if (o->length_min > 0xffff)
		o->length_min = 0xffff;
}
