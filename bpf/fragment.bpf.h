/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments: the first one of a datagram leaves its ports in a small table, where
 * the later ones find them, so that all are of one Flow. Which fragments are of
 * one datagram say RFC 791 3.2 and RFC 8200 4.5. A later one that finds nothing,
 * as the first was lost, came late or gave way to others, is counted with ports 0.
 */
#pragma once

#include "bpf/headers.bpf.h"
#include "bpf/key.bpf.h"
#include "bpf/ledger.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/parse.bpf.h"
#include "bpf/target.bpf.h"

#define FRAGMENT_TIME_SHIFT 22 /* ticks of 4.2 ms */
#define FRAGMENT_TIME_BITS  24
#define FRAGMENT_LIFETIME   1024 /* ticks: 4.3 s, before which identifications recur (RFC 4963) */

#define FRAGMENT_KNOWN	  (1ULL << 23) /* never zero */
#define FRAGMENT_END_MASK 0x3fff

#define IP_MAX_OCTETS 65535

static __always_inline __u64 fragment_mark(__u64 hash, __u64 now_ns)
{
	__u64 time = now_ns >> FRAGMENT_TIME_SHIFT & ((1 << FRAGMENT_TIME_BITS) - 1);

	return hash >> FRAGMENT_TIME_BITS << FRAGMENT_TIME_BITS | time;
}

/* Both marks are of one datagram. */
static __always_inline bool is_same_datagram(__u64 a, __u64 b)
{
	return (a ^ b) >> FRAGMENT_TIME_BITS == 0;
}

/* Times of both marks are near each other; packets of a file may be out of order. */
static __always_inline bool is_same_time(__u64 a, __u64 b)
{
	__u64 apart = (a - b + FRAGMENT_LIFETIME) & ((1 << FRAGMENT_TIME_BITS) - 1);

	return apart < 2 * FRAGMENT_LIFETIME;
}

/* What the datagram's first fragment told, or 0. */
static __always_inline __u64 fragment_find(const struct xfp_fragment_bucket *b, __u64 mark)
{
	UNROLL
	for (int i = 0; i < XFP_FRAGMENT_ENTRIES; i++) {
		__u64 facts = READ_ONCE_(b->entry[i].facts);
		__u64 stored = READ_ONCE_(b->entry[i].mark) ^ facts;

		if (is_same_datagram(mark, stored) && is_same_time(mark, stored))
			return facts;
	}
	return 0;
}

/*
 * Remember what a first fragment told, before all others of its bucket; of them
 * the oldest goes, or what is known of the same datagram. From the last on, so
 * that other CPUs find each of them somewhere all the time.
 */
static __always_inline void fragment_record(struct xfp_fragment_bucket *b, __u64 mark, __u64 facts)
{
	int n_moved = 0;

	UNROLL
	for (; n_moved < XFP_FRAGMENT_ENTRIES - 1; n_moved++)
		if (is_same_datagram(mark, READ_ONCE_(b->entry[n_moved].mark) ^
						   READ_ONCE_(b->entry[n_moved].facts)))
			break;
	UNROLL
	for (int i = XFP_FRAGMENT_ENTRIES - 1; i > 0; i--) {
		if (i > n_moved)
			continue;
		WRITE_ONCE_(b->entry[i].mark, b->entry[i - 1].mark);
		WRITE_ONCE_(b->entry[i].facts, b->entry[i - 1].facts);
	}
	WRITE_ONCE_(b->entry[0].mark, mark ^ facts);
	WRITE_ONCE_(b->entry[0].facts, facts);
}

/* What an IP header says of a fragment besides what is observed of any packet. */
struct fragment {
	__u32 identification;
	__u32 field; /* IP_MORE_FRAGMENTS and offset in 8 octets                    */
	__u32 octets; /* of the datagram, from the transport header on in the first   */
	__u32 fixed; /* octets that a datagram's length field would not count        */
	bool is_tiny;
};

static __always_inline struct fragment fragment_of(const struct headers *h, __u32 fixed)
{
	return (struct fragment){
		.identification = h->identification,
		.field = h->fragment,
		.octets = h->end_offset - h->offset,
		.fixed = fixed,
		.is_tiny = h->is_tiny,
	};
}

/* What anomaly detection is to be told of one, besides its datagram's protocol. */
#define FRAGMENT_BROKEN(notice) ((1u + XFP_##notice) << 8)

/* Of what fragment_follow() returned: an enum xfp_notice + 1, 0 for none. */
#define FRAGMENT_NOTICE(followed) ((__u32)(followed) >> 8)

/*
 * Count what is wrong with a fragment. `first` is what is known of the first one, or 0.
 * Returns the worst of it as FRAGMENT_BROKEN(), 0 for nothing.
 */
static __always_inline __u32 fragment_check(const struct observed *o, const struct fragment *f,
					    __u64 first)
{
	struct xfp_ledger_row *row = ledger_row();
	__u32 offset = f->field & IP_OFFSET_MASK, whole = offset * 8 + o->length_max - f->fixed;

	bool is_oversized = whole > IP_MAX_OCTETS;
	bool is_uneven = (f->field & IP_MORE_FRAGMENTS) && (f->octets & 7);
	bool is_overlapping = offset && offset < (first & FRAGMENT_END_MASK);

	if (!row)
		return 0;
	ledger_add(&row->notice[XFP_tiny_fragment], f->is_tiny);
	ledger_add(&row->notice[XFP_oversized_fragment], is_oversized);
	ledger_add(&row->notice[XFP_uneven_fragment], is_uneven);
	ledger_add(&row->notice[XFP_overlapping_fragment], is_overlapping);
	if (!xfp_counts_unseen)
		return 0;
	return is_oversized	? FRAGMENT_BROKEN(oversized_fragment)
	       : is_overlapping ? FRAGMENT_BROKEN(overlapping_fragment)
	       : f->is_tiny	? FRAGMENT_BROKEN(tiny_fragment)
	       : is_uneven	? FRAGMENT_BROKEN(uneven_fragment)
				: 0;
}

/*
 * Record what a first fragment tells, or complete the key of a later one; count
 * what is wrong with it. Returns the datagram's protocol, and FRAGMENT_BROKEN().
 *
 * key  Flow Key of n words; but for the ports it is the datagram's, in IPv6 (RFC
 *      8200 4.5) for the protocol too, which the first fragment says
 */
static __always_inline __u32 fragment_follow(const struct observed *o, __u64 *key, int n_words,
					     const struct fragment *f)
{
	union key_tail tail = {.word = key[n_words - 1]}, own = tail;
	__u64 end = (f->octets + 7) / 8 & FRAGMENT_END_MASK, hash, mark, facts;
	struct xfp_fragment_bucket *b;

	tail.ports = f->identification;
	if (n_words == KEY_WORDS6)
		tail.protocol = 0;
	key[n_words - 1] = tail.word;
	hash = key_hash(key, n_words, false);
	b = fragment_bucket_at(hash & (XFP_FRAGMENT_BUCKETS - 1));
	mark = fragment_mark(hash, o->now_ns);
	if (f->field & IP_OFFSET_MASK) {
		facts = fragment_find(b, mark);
		own.ports = facts >> 32;
		own.protocol = facts ? facts >> 24 : own.protocol;
	} else {
		facts = (__u64)own.ports << 32 | (__u64)own.protocol << 24 | FRAGMENT_KNOWN | end;
		fragment_record(b, mark, facts);
	}
	key[n_words - 1] = own.word;
	return own.protocol | fragment_check(o, f, facts);
}

/* Functions of their own: no other packet carries them. */
GLOBAL_FUNCTION int xfp_fragment4(struct observed4 *o, const struct headers *h)
{
	struct fragment f;

	if (!o || !h)
		return 0;
	f = fragment_of(h, 0);
	return fragment_follow(&o->seen, o->key, KEY_WORDS4, &f);
}

GLOBAL_FUNCTION int xfp_fragment6(struct observed6 *o, const struct headers *h)
{
	struct fragment f;

	if (!o || !h)
		return 0;
	f = fragment_of(h, 8); /* the Fragment header */
	return fragment_follow(&o->seen, o->key, KEY_WORDS6, &f);
}
