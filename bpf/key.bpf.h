/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a parsed packet to its Flow Key, and from the key to the keyed hash that
 * names its two buckets and its tag. Touches no map.
 */
#pragma once

#include "bpf/flow_abi.h"
#include "bpf/parse.bpf.h"
#include "bpf/target.bpf.h"

#define HASH_WORDS 10 /* 32 bits each: the longest key */

/*
 * Secrets of the hash, from getrandom(): ten words for NH (UMAC, RFC 4418 5.2.2:
 * two different keys collide with probability 2^-32 whoever chooses them), then
 * an odd multiplier that spreads the sum over the upper bits.
 */
TUNABLE __u32 xfp_hash_words[HASH_WORDS];
TUNABLE __u64 xfp_hash_spread;

/* What the Flow Cache adds to a Flow; no packet pointer in it. */
struct observed {
	__u64 octets; /* IP octets of all segments                             */
	__u64 now_ns; /* coarse time of the packet, clock.bpf.h */
	__u32 packets; /* segments                                              */
	__u32 length_min; /* IP octets of the smallest segment (IPv6: payload)     */
	__u32 length_max;
	__u32 flow_label;
	__u16 tcp_flags;
	__u16 inner_vlan;
	__u8 tos;
	__u8 ttl;
	__u8 pad[2];
};

#define KEY_WORDS4 2
#define KEY_WORDS6 5
_Static_assert(sizeof(struct xfp_key4) == KEY_WORDS4 * 8, "IPv4 key in words");
_Static_assert(sizeof(struct xfp_key6) == KEY_WORDS6 * 8, "IPv6 key in words");

/*
 * With its Flow Key, written once and in whole words, so that reading it back
 * never waits for the store buffer.
 */
struct observed4 {
	struct observed seen;
	__u64 key[KEY_WORDS4]; /* octets of xfp_key4 */
};

struct observed6 {
	struct observed seen;
	__u64 key[KEY_WORDS6]; /* octets of xfp_key6 */
};

/* The part of a key behind the addresses. */
union key_tail {
	struct {
		__u32 ports;
		__u8 protocol;
		__u8 obs_point;
		__u16 vlan;
	};
	__u64 word;
};

/* The last word of a key, whichever Observation Point it is of. */
static __always_inline __u64 tail_of_any_point(__u64 word)
{
	union key_tail tail = {.word = word};

	tail.obs_point = 0;
	return tail.word;
}

static __always_inline __u64 nh(const __u64 *key, int n_words, bool joins_points)
{
	__u64 sum = 0;

	UNROLL
	for (int i = 0; i < n_words; i++) {
		__u64 word = key[i];

		if (joins_points && i == n_words - 1)
			word = tail_of_any_point(word);
		sum += (__u64)(__u32)((__u32)word + xfp_hash_words[2 * i]) *
		       (__u32)((__u32)(word >> 32) + xfp_hash_words[2 * i + 1]);
	}
	return sum;
}

/*
 * Hash of a key. Directional: the two directions of a conversation land in
 * different buckets. joins_points: equal for all Observation Points.
 */
static __always_inline __u64 key_hash(const __u64 *key, int n_words, bool joins_points)
{
	__u64 h = nh(key, n_words, joins_points);

	h ^= h >> 32;
	h *= xfp_hash_spread;
	return h ^ (h >> 32);
}

/* A tag from eight bits of the hash, evenly over the values that are not reserved. */
static __always_inline __u32 tag_of(__u32 octet)
{
	return XFP_TAG_FLOW + (octet * (256 - XFP_TAG_FLOW) >> 8);
}

/* Where a key's Flow can be: two buckets, and its tag in either. */
struct place {
	__u64 first;
	__u64 second;
	__u32 tag;
};

static __always_inline struct place hash_place(__u64 h, __u32 n_buckets)
{
	__u32 high = h >> 32;

	return (struct place){
		.first = (__u64)high * n_buckets >> 32,
		.second = (__u64)(__u32)(high * 0x9e3779b1u) * n_buckets >> 32,
		.tag = tag_of((__u32)h & 0xff),
	};
}

static __always_inline __u64 key_tail(const struct pkt *p)
{
	union key_tail tail = {
		.ports = p->ports,
		.protocol = p->next_header,
		.obs_point = p->obs_point,
		.vlan = p->vlan,
	};

	return tail.word;
}

static __always_inline __u32 saturated(__u32 length)
{
	return length > 0xffff ? 0xffff : length;
}

/*
 * Complete what the headers said of a packet that goes to the Flow Cache. A GSO
 * super-packet counts as the segments it leaves the machine as: each repeats
 * the headers in front of its payload.
 *
 * fixed  octets of the header that lengths do not count (IPv6: 40)
 */
static __always_inline void observe(struct observed *o, const struct pkt *p, __u32 fixed)
{
	__u32 total = p->end_offset - p->ip_offset - p->absent_octets, more = p->packets - 1;
	__u32 length_min = total - fixed, length_max = total - fixed;

	o->octets = total;
	if (more) {
		__u32 headers = p->offset - p->ip_offset - p->absent_octets + p->transport_octets;

		o->octets = total + (__u64)more * headers;
		length_max = headers + p->gso_octets - fixed;
		length_min -= more * p->gso_octets;
	}
	if (fixed || p->gso_octets) { /* else a header said it in 16 bits */
		length_min = saturated(length_min);
		length_max = saturated(length_max);
	}
	o->length_min = length_min;
	o->length_max = length_max;
	o->now_ns = p->now_ns;
	o->packets = p->packets;
	o->flow_label = fixed ? p->flow_label : 0;
	o->tcp_flags = p->tcp_flags;
	o->inner_vlan = p->inner_vlan;
	o->tos = p->tos;
	o->ttl = p->ttl;
	o->pad[0] = 0;
	o->pad[1] = 0;
}

static __always_inline void observe4(struct observed4 *o, const struct pkt *p)
{
	observe(&o->seen, p, 0);
	o->key[0] = p->addresses4;
	o->key[1] = key_tail(p);
}

/* The addresses come from the header once more: 32 octets that nobody has to carry. */
static __always_inline void observe6(struct observed6 *o, const struct pkt *p)
{
	const __u8 *h = pkt_at(p, p->ip_offset, 40);

	observe(&o->seen, p, 40);
	UNROLL
	for (int i = 0; i < 4; i++)
		o->key[i] = h ? HEADER_LOAD(__u64, h + 8 + 8 * i) : 0;
	o->key[4] = key_tail(p);
}
