/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sixteen tags of a bucket: which places hold one, and the two steps by
 * which the kernel takes a place, FREE -> BUSY -> tag.
 */
#pragma once

#include "bpf/flow_abi.h"
#include "bpf/maps.bpf.h"
#include "bpf/target.bpf.h"

/*
 * A match mask has a bit for each place: bit 7 - k of octet j for place 8k + j.
 * This is the place of a mask's only bit, found by a de Bruijn sequence.
 */
static const __u8 match_place[64] = {
	0, 0,  0, 0, 0,	 0,  0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 15, 6, 0,  0, 0, 0,
	0, 10, 0, 4, 0,	 11, 0, 0, 0, 0, 7, 5, 0,  0, 0, 0, 0,	0, 14, 0, 0, 0,
	0, 0,  2, 0, 13, 0,  0, 1, 0, 0, 3, 0, 0,  9, 0, 0, 0,	0, 0,  8,
};
#define MATCH_DEBRUIJN 0x03f79d71b4cb0a89ULL

/* One bit per tag of eight, and the rest of it. */
#define EIGHT_HIGH 0x8080808080808080ULL
#define EIGHT_LOW  (~EIGHT_HIGH)

/* The high bit of each octet that is not zero; no carry from one to the next. */
static __always_inline __u64 octets_nonzero(__u64 x)
{
	return (((x & EIGHT_LOW) + EIGHT_LOW) | x) & EIGHT_HIGH;
}

/*
 * The places of a bucket that hold `tag`. Eight a step and no branch: the place
 * is random, so a branch on it would be mispredicted for every packet, and the
 * verifier would follow each.
 */
static __always_inline __u64 bucket_match(const struct xfp_bucket *tags, __u32 tag)
{
	__u64 all = tag * 0x0101010101010101ULL;
	__u64 differs = octets_nonzero(READ_ONCE_(tags->eight[0]) ^ all) |
			octets_nonzero(READ_ONCE_(tags->eight[1]) ^ all) >> 1;

	differs ^= EIGHT_HIGH | EIGHT_HIGH >> 1;
	barrier_var(differs);
	return differs;
}

/*
 * The same at half the price, for who looks at the slots anyway: a place that
 * holds tag ^ 1 may be taken for a match if one before it matches.
 */
static __always_inline __u64 bucket_match_roughly(const struct xfp_bucket *tags, __u32 tag)
{
	__u64 ones = 0x0101010101010101ULL, a, b;

	barrier_var(ones);
	a = READ_ONCE_(tags->eight[0]) ^ tag * ones;
	b = READ_ONCE_(tags->eight[1]) ^ tag * ones;
	a = (a - ones) & ~a & EIGHT_HIGH;
	b = (b - ones) & ~b & EIGHT_HIGH;
	a |= b >> 1;
	barrier_var(a);
	return a;
}

/* The first place of a match mask. */
static __always_inline __u32 match_first(__u64 match)
{
	return match_place[(match & -match) * MATCH_DEBRUIJN >> 58] & (XFP_BUCKET_SLOTS - 1);
}

/* Number of places in a match mask. */
static __always_inline __u32 match_count(__u64 match)
{
	__u64 n = (match >> 7 & 0x0101010101010101ULL) + (match >> 6 & 0x0101010101010101ULL);

	n = n * 0x0101010101010101ULL >> 56;
	barrier_var(n);
	return n;
}

/* Where in its word a place's tag is. */
static __always_inline __u32 word_shift(__u32 place)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return (place & 3) * 8;
#else
	return (~place & 3) * 8;
#endif
}

/*
 * Take a free place. The kernel swaps 32 bits and no less, so a change of a
 * neighbour fails it as well. True when the place is ours.
 */
static __always_inline bool tag_claim(struct xfp_bucket *tags, __u32 place)
{
	__u32 *word = &tags->word[place / 4], shift = word_shift(place);
	__u32 old = READ_ONCE_(*word);

	if ((__u8)(old >> shift) != XFP_TAG_FREE)
		return false;
	return __sync_val_compare_and_swap(word, old, old | XFP_TAG_BUSY << shift) == old;
}

/*
 * Show a filled slot to everybody. Where stores become visible in their order
 * (x86) a store will do, and the next packet need not wait for the slot's line;
 * elsewhere an atomic addition with its result is a full barrier. BUSY is ours
 * alone, so adding the difference makes it the tag.
 */
static __always_inline void tag_publish(struct xfp_bucket *tags, __u32 place, __u32 tag)
{
	if (xfp_is_ordered) {
		asm volatile("" ::: "memory");
		WRITE_ONCE_(tags->tag[place], tag);
	} else {
		__u32 before = __sync_fetch_and_add(&tags->word[place / 4],
						    (tag - XFP_TAG_BUSY) << word_shift(place));

		barrier_var(before);
	}
}
