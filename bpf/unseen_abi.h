/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counters of what no Flow tells, for anomaly detection: packets that found no place
 * in the Flow Cache, and packets that break their protocol. Written by the program in
 * the kernel, read and zeroed by the daemon once a second. Part of flow_abi.h.
 */
#pragma once

#include <linux/types.h>

#define XFP_UNSEEN_WAYS	     8 /* entries of a bucket */
#define XFP_UNSEEN_BUCKETS   64 /* of each view, a power of two */
#define XFP_UNSEEN_REGISTERS 256 /* of a HyperLogLog, as in struct distinct_many */

/* By what it is counted; each view has buckets of its own. */
enum xfp_unseen_view {
	XFP_UNSEEN_TARGET, /* without a place: by destination                          */
	XFP_UNSEEN_SERVICE, /* SYN among them: by destination and port                 */
	XFP_UNSEEN_VIOLATED, /* against its protocol: by destination, and how          */
	XFP_UNSEEN_VIOLATOR, /* the same: by source, of IPv6 its /64, and how          */
	XFP_UNSEEN_VIEWS,
};

#define XFP_UNSEEN_ALL (XFP_UNSEEN_VIEWS * XFP_UNSEEN_BUCKETS)

/* What a packet without a place is. */
enum xfp_unseen_kind {
	XFP_UNSEEN_SYN,
	XFP_UNSEEN_SYN_ACK,
	XFP_UNSEEN_RST,
	XFP_UNSEEN_ACK, /* any other of TCP */
	XFP_UNSEEN_UDP,
	XFP_UNSEEN_ICMP,
	XFP_UNSEEN_FRAGMENT, /* a later one, of TCP or UDP, whose ports are not known */
	XFP_UNSEEN_OTHER,
	XFP_UNSEEN_KINDS,
};

/* What is counted roughly: how many different ones there were. */
enum xfp_unseen_distinct {
	XFP_UNSEEN_OTHERS, /* hosts at the other side                              */
	XFP_UNSEEN_FLOWS, /* Flows there would be; of a service those with a SYN   */
	XFP_UNSEEN_ACKS, /* ... of a service those with an ACK                     */
	XFP_UNSEEN_DISTINCTS,
};

/*
 * Since the daemon read it last. Counts are added atomically and taken by exchange;
 * the rest may miss a packet that comes at the same moment.
 */
struct xfp_unseen_entry {
	__u64 host[2]; /* octets of an IPv6 address; IPv4 as ::ffff:a.b.c.d     */
	__u64 other[2]; /* of violations: the other side of the latest packet   */
	__u16 what; /* port; of violations a reason, or XFP_N_REASONS + a notice */
	__u8 protocol; /* of violations: of the latest packet                   */
	__u8 obs_point; /* of the latest packet, as in the Flow Key             */
	__u32 answers; /* packets the target sent, neither RST nor ICMP         */
	__u64 packets;
	__u64 octets; /* IP octets; of what could not be read, of frames        */
	__u64 first_ns; /* of the first packet since it was read, 0: none       */
	__u64 last_ns;
	__u32 kind[XFP_UNSEEN_KINDS]; /* packets of a target                    */
	__u8 distinct[XFP_UNSEEN_DISTINCTS][XFP_UNSEEN_REGISTERS];
};

/* Tags of entries: free, being filled, or a hash of host and `what`. */
#define XFP_UNSEEN_FREE 0
#define XFP_UNSEEN_BUSY 1
#define XFP_UNSEEN_USED 2 /* this bit is set in all others */

/*
 * A packet of an entry makes its guard higher, one that finds no entry makes the
 * lowest guard of the bucket lower, and takes the entry when that is 0: what gets
 * more than a ninth of a bucket's packets keeps its entry. The daemon halves guards.
 */
struct xfp_unseen_bucket {
	__u32 tag[XFP_UNSEEN_WAYS];
	__u32 guard[XFP_UNSEEN_WAYS];
	struct xfp_unseen_entry entry[XFP_UNSEEN_WAYS];
};

_Static_assert(sizeof(struct xfp_unseen_bucket) % 64 == 0, "buckets never share a line");

/* One more word into a hash; `seed` is a secret, so nobody can choose collisions. */
static inline __attribute__((always_inline)) __u64 xfp_mix(__u64 seed, __u64 word)
{
	__u64 x = seed ^ word;

	x ^= x >> 27;
	x *= 0x3c79ac492ba7b653ULL;
	x ^= x >> 33;
	x *= 0x1c69b3f74ac4ae35ULL;
	return x ^ x >> 27;
}

/*
 * Hash of a host (octets in two words) and one more number: the same on both sides,
 * so that what either counted roughly can be joined.
 */
static inline __attribute__((always_inline)) __u64 xfp_unseen_hash(__u64 seed, const __u64 *host,
								   __u64 word)
{
	return xfp_mix(xfp_mix(xfp_mix(seed, host[0]), host[1]), word);
}

/* That number for a Flow of a host; ports in host order, of ICMP type << 8 | code as destination. */
static inline __attribute__((always_inline)) __u64 xfp_unseen_flow(__u8 protocol, __u16 source_port,
								   __u16 destination_port)
{
	return 1ULL << 40 | (__u64)protocol << 32 | (__u64)source_port << 16 | destination_port;
}
