/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Flow Cache: find the packet's Flow in one of two buckets and add to it,
 * or claim a place for a new one. Shared by all CPUs and the daemon without a
 * lock: the kernel takes a place FREE -> BUSY -> tag, the daemon tag ->
 * RETIRING -> FREE after a grace period, so nothing is lost or misplaced.
 */
#pragma once

#include "bpf/clock.bpf.h"
#include "bpf/flow_abi.h"
#include "bpf/key.bpf.h"
#include "bpf/ledger.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/stall.bpf.h"
#include "bpf/tags.bpf.h"
#include "bpf/target.bpf.h"

#define CACHE_ROOMY 3 /* a first bucket with that many free places is taken at once */

/* What became of a packet: the number of its Flow's slot, and whether it made the Flow. */
#define ACCOUNT_OVERFLOW  0u
#define ACCOUNT_DUPLICATE (~0u) /* it has a Flow, of another Observation Point */

static __always_inline __u32 account_slot(__u64 slot, bool is_new)
{
	return ((__u32)slot << 1 | is_new) + 1;
}

/* Where a slot is. */
struct cell {
	__u64 bucket;
	__u32 place;
};

static __always_inline struct xfp_counts *counts_of(struct table t, void *slot)
{
	return t.family == FAMILY_IPV4 ? &((struct xfp_slot4 *)slot)->counts
				       : &((struct xfp_slot6 *)slot)->counts;
}

static __always_inline __u64 tail_at(struct table t, const __u64 *key)
{
	return key[t.family == FAMILY_IPV4 ? KEY_WORDS4 - 1 : KEY_WORDS6 - 1];
}

static __always_inline bool key_equal(struct table t, const void *slot, const __u64 *b)
{
	const __u64 *a = slot;
	__u64 tail = tail_at(t, a) ^ tail_at(t, b);

	if (t.joins_points)
		tail = tail_of_any_point(tail);
	if (t.family == FAMILY_IPV4)
		return a[0] == b[0] && !tail;
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | tail);
}

/* Smaller and larger of two values less than 2^63 apart, without a branch. */
static __always_inline __u64 smaller(__u64 a, __u64 b)
{
	__u64 less = a - b;

	barrier_var(less);
	return b + (less & (__u64)((__s64)less >> 63));
}

static __always_inline __u64 larger(__u64 a, __u64 b)
{
	__u64 less = a - b;

	barrier_var(less);
	return a - (less & (__u64)((__s64)less >> 63));
}

static __always_inline __u32 lengths_merge(__u32 old, const struct observed *o)
{
	return larger(old >> 16, o->length_max) << 16 | smaller(old & 0xffff, o->length_min);
}

static __always_inline __u32 ttl_merge(__u32 old, const struct observed *o)
{
	return larger(old >> 24, o->ttl) << 24 | smaller(old >> 16 & 0xff, o->ttl) << 16 |
	       (old & 0xffff);
}

/* True when the packet is within the extremes so far: nearly always. */
static __always_inline bool is_within(const struct xfp_counts *c, const struct observed *o)
{
	__u32 lengths = READ_ONCE_(c->lengths), ttl = READ_ONCE_(c->ttl_flags) >> 16;

	return o->length_min >= (lengths & 0xffff) && o->length_max <= lengths >> 16 &&
	       o->ttl >= (ttl & 0xff) && o->ttl <= ttl >> 8;
}

/* Test first, compare-and-swap only on change. */
static __always_inline void extremes_update(struct xfp_counts *c, const struct observed *o)
{
	if (LIKELY(is_within(c, o)))
		return;
	NO_UNROLL
	for (int i = 0; i < CAS_ROUNDS; i++) {
		__u32 old = READ_ONCE_(c->lengths);
		__u32 new = lengths_merge(old, o);

		if (new == old || __sync_val_compare_and_swap(&c->lengths, old, new) == old)
			break;
	}
	NO_UNROLL
	for (int i = 0; i < CAS_ROUNDS; i++) {
		__u32 old = READ_ONCE_(c->ttl_flags);
		__u32 new = ttl_merge(old, o);

		if (new == old || __sync_val_compare_and_swap(&c->ttl_flags, old, new) == old)
			break;
	}
}

/*
 * Tell the daemon that there is news in this chunk. Stored always and after the
 * news itself: a test first could meet the daemon between its taking the mark
 * and its looking.
 */
static __always_inline void chunk_mark(struct table t, __u64 bucket)
{
	__u64 *mark = mark_at(t, bucket / XFP_CHUNK_BUCKETS);

	if (mark)
		WRITE_ONCE_(*mark, 1);
}

static __always_inline void hint_end(struct table t, const struct cell *at)
{
	__u64 *hint = hint_at(t, at->bucket);
	__u64 *mark = mark_at(t, at->bucket / XFP_CHUNK_BUCKETS);

	if (!hint || !mark)
		return;
	ATOMIC_OR(hint, 1ULL << at->place);
	__sync_lock_test_and_set(mark, 1); /* a full barrier: the hint comes first */
}

/*
 * Add to packets and octets. What the step before carried is counted by whoever comes
 * next: `carries` has to be read first, or one who read an old sum would count again.
 */
static __always_inline void sum_step(struct xfp_sum *sum, __u64 packets, __u64 octets)
{
	__u64 step = xfp_sum_step(packets, octets);
	__u64 carries = READ_ONCE_(sum->carries), before, carry;

	if (xfp_is_ordered) {
		before = READ_ONCE_(sum->low);
		ATOMIC_ADD(&sum->low, step);
	} else {
		before = ATOMIC_FETCH_ADD(&sum->low, step);
	}
	carry = xfp_sum_carry(before, carries);
	if (UNLIKELY(carry))
		__sync_val_compare_and_swap(&sum->carries, carries, carries + carry);
}

/* A capture file may say that a jumbogram has four gigabytes; no interface does. */
static __always_inline void sum_add(struct xfp_sum *sum, const struct observed *o)
{
	__u64 octets = o->octets;

	if (IS_NATIVE && octets > XFP_STEP_OCTETS) {
		sum_step(sum, 0, XFP_STEP_OCTETS);
		octets -= XFP_STEP_OCTETS;
	}
	sum_step(sum, o->packets, octets);
}

/*
 * Add the packet to its Flow. SYN, FIN, RST and the ACK that completes a
 * handshake take the precise clock, so that ends and round-trips are exact.
 */
static __always_inline void flow_update(struct table t, struct xfp_counts *c, const struct cell *at,
					const struct observed *o)
{
	__u32 had = READ_ONCE_(c->ttl_flags) & 0xffff;
	__u32 flags = o->tcp_flags;
	__u64 now = o->now_ns;

	if (UNLIKELY((flags & (TCP_SYN | TCP_FIN | TCP_RST)) ||
		     ((flags & TCP_ACK) && had == TCP_SYN)))
		now = clock_precise(o->now_ns);

	stall(STALL_MATCH);
	sum_add(&c->sum, o);
	extremes_update(c, o);
	/* a branch would depend on the slot's line and on how the tick falls: a coin */
	WRITE_ONCE_(c->last_ns, larger(now, READ_ONCE_(c->last_ns)));
	if (UNLIKELY((had & flags) != flags)) {
		ATOMIC_OR(&c->ttl_flags, flags);
		if (flags & ~had & (TCP_FIN | TCP_RST))
			hint_end(t, at);
	}
}

/* The slot of the Flow in one bucket, or NULL. Sets *found to where it is. */
static __always_inline void *bucket_find(struct table t, struct xfp_bucket *tags, __u64 bucket,
					 __u32 tag, const __u64 *key, struct cell *found)
{
	__u64 match = bucket_match_roughly(tags, tag);

	for (int i = 0; i < XFP_BUCKET_SLOTS && match; i++) {
		__u32 place = match_first(match);
		void *slot = slot_at(t, bucket, place);

		if (slot && key_equal(t, slot, key)) {
			*found = (struct cell){bucket, place};
			return slot;
		}
		match &= match - 1;
	}
	return NULL;
}

static __always_inline void flow_begin(struct table t, void *slot, const __u64 *key,
				       const struct observed *o, __u64 now)
{
	struct xfp_counts *c = counts_of(t, slot);
	__u64 *to = slot;

	UNROLL
	for (int i = 0; i < (t.family == FAMILY_IPV4 ? KEY_WORDS4 : KEY_WORDS6); i++)
		to[i] = key[i];
	c->sum = xfp_sum_of(o->packets, o->octets);
	c->last_ns = now;
	c->first_ns = now;
	c->lengths = o->length_max << 16 | o->length_min;
	c->ttl_flags = (__u32)o->ttl << 24 | (__u32)o->ttl << 16 | o->tcp_flags;
	c->inner_vlan = o->inner_vlan;
	c->tos = o->tos;
	c->first_flags = (__u8)o->tcp_flags;
	c->flow_label = o->flow_label;
}

/*
 * Claim a free place of one bucket and fill it. Between claim and publication
 * there is no return and no helper call: a stranded BUSY is the one thing this
 * program could do wrong.
 */
static __always_inline __u32 bucket_claim(struct table t, struct xfp_bucket *tags, __u64 bucket,
					  __u32 tag, const __u64 *key, const struct observed *o,
					  __u64 now)
{
	struct xfp_ledger_row *row = ledger_row();

	for (int i = 0; i < CAS_ROUNDS; i++) {
		__u64 free = bucket_match(tags, XFP_TAG_FREE);
		struct cell at = {bucket, match_first(free)};
		void *slot = slot_at(t, at.bucket, at.place);

		if (!free || !slot)
			return ACCOUNT_OVERFLOW;
		if (!tag_claim(tags, at.place)) {
			if (row)
				ledger_add(&row->insert_races, 1);
			continue;
		}
		publish_early(tags, at.place, tag);
		stall(STALL_CLAIM);
		flow_begin(t, slot, key, o, now);
		tag_publish(tags, at.place, tag);
		if (o->tcp_flags & (TCP_FIN | TCP_RST))
			hint_end(t, &at);
		else
			chunk_mark(t, bucket);
		if (row)
			ledger_add(&row->inserts, 1);
		return account_slot(at.bucket * XFP_BUCKET_SLOTS + at.place, true);
	}
	return ACCOUNT_OVERFLOW;
}

static __always_inline __u64 cache_hash(struct table t, const __u64 *key)
{
	return key_hash(key, t.family == FAMILY_IPV4 ? KEY_WORDS4 : KEY_WORDS6, t.joins_points);
}

static __always_inline struct place cache_place(struct table t, __u64 hash)
{
	return hash_place(hash, t.family == FAMILY_IPV4 ? xfp_buckets4 : xfp_buckets6);
}

/*
 * Add the packet to its Flow. Returns its account; ACCOUNT_OVERFLOW: there is none;
 * ACCOUNT_DUPLICATE: not added, as the Flow is metered at another Observation Point.
 */
static __always_inline __u32 cache_hit(struct table t, const struct observed *o, const __u64 *key,
				       const struct place *place)
{
	struct xfp_bucket *a = bucket_at(t, place->first);
	struct xfp_bucket *b = bucket_at(t, place->second);
	struct cell at = {};
	void *slot;
	__u64 touched;

	if (!a || !b)
		return ACCOUNT_OVERFLOW;
	/* a miss of the second bucket's tags passes while the first's are waited for */
	touched = READ_ONCE_(b->eight[0]);
	barrier_var(touched);
	slot = bucket_find(t, a, place->first, place->tag, key, &at);
	if (!slot)
		slot = bucket_find(t, b, place->second, place->tag, key, &at);
	if (!slot)
		return ACCOUNT_OVERFLOW;
	if (t.joins_points && tail_at(t, slot) != tail_at(t, key))
		return ACCOUNT_DUPLICATE;
	flow_update(t, counts_of(t, slot), &at, o);
	return account_slot(at.bucket * XFP_BUCKET_SLOTS + at.place, false);
}

/*
 * Create the packet's Flow. Returns its account, ACCOUNT_OVERFLOW when
 * both buckets are full. All look-ups and the clock come before the claim.
 */
static __always_inline __u32 cache_insert(struct table t, const struct observed *o,
					  const __u64 *key, const struct place *place)
{
	struct xfp_bucket *a = bucket_at(t, place->first);
	struct xfp_bucket *b = bucket_at(t, place->second);
	__u64 now = clock_precise(o->now_ns);
	__u32 free_a, free_b = 0;

	if (!a || !b)
		return ACCOUNT_OVERFLOW;
	free_a = match_count(bucket_match(a, XFP_TAG_FREE));
	if (free_a < CACHE_ROOMY)
		free_b = match_count(bucket_match(b, XFP_TAG_FREE));
	for (int i = 0; i < 2; i++) {
		bool is_second = (free_b > free_a) ^ i;

		__u32 account =
			bucket_claim(t, is_second ? b : a, is_second ? place->second : place->first,
				     place->tag, key, o, now);

		if (account)
			return account;
	}
	return ACCOUNT_OVERFLOW;
}
