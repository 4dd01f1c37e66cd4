/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets and octets, and how a Flow keeps both so that a packet is added in one
 * atomic step: a second one would wait for the first, with all that comes after it,
 * and a reader between them would see the octets of one packet more.
 */
#pragma once

#include <linux/types.h>

/* Packets and octets that always travel together. */
struct xfp_volume {
	__u64 packets;
	__u64 octets;
};

/*
 * P packets and O octets. Of T = P * 2^32 + O `low` has the lower 64 bits, and `carries`
 * how often bit 31 of O and bit 63 of T have changed: O / 2^31 in its lower half, T / 2^63
 * in the upper, rounded down. Who adds looks whether `carries` keeps up and counts the
 * change that was before; until then its lowest bit differs from the one that changed,
 * which tells. So a reader is exact at any moment, and nobody ever subtracts.
 *
 * Good while O and P + O / 2^32 are below 2^63, and while no bit changes twice before
 * somebody counts: of n CPUs in the middle of it at once, which do not see each other's
 * steps, 2n + 2 steps have to be less than 2^31 octets and packets. Of one CPU alone, a
 * step may be of 2^31 octets.
 */
struct xfp_sum {
	__u64 low;
	__u64 carries;
};

#define XFP_CARRY	0x100000001ULL /* one in each half */
#define XFP_STEP_OCTETS (1ULL << 31) /* the most */

/* What a step adds to `low`. */
static inline __attribute__((always_inline)) __u64 xfp_sum_step(__u64 packets, __u64 octets)
{
	return (packets << 32) + octets;
}

/* What `carries`, read before `low`, lacks: 0 nearly always. */
static inline __attribute__((always_inline)) __u64 xfp_sum_carry(__u64 low, __u64 carries)
{
	return (low >> 31 ^ carries) & XFP_CARRY;
}

/* `carries` as read before `low`. */
static inline struct xfp_volume xfp_sum_volume(__u64 low, __u64 carries)
{
	struct xfp_volume v;

	carries += xfp_sum_carry(low, carries);
	v.octets = (carries & 0xffffffff) << 31 | (low & 0x7fffffff);
	/* T / 2^32, of which the octets have their part */
	v.packets = (carries >> 32 << 31 | (low << 1 >> 33)) - (v.octets >> 32);
	return v;
}

/* As of a Flow that has accumulated them. */
static inline struct xfp_sum xfp_sum_of(__u64 packets, __u64 octets)
{
	return (struct xfp_sum){
		.low = xfp_sum_step(packets, octets),
		.carries = (packets + (octets >> 32)) >> 31 << 32 | octets >> 31,
	};
}
