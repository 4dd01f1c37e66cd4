/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The layout both sides of the Flow Cache agree on: what the program in the
 * kernel writes and the daemon reads through one mmap. Included by bpf/ and
 * probe/ alike; nothing else crosses that border.
 */
#pragma once

#include <linux/types.h>

#include "bpf/detail_abi.h"
#include "bpf/unseen_abi.h"
#include "bpf/volume_abi.h"

/* Geometry: a bucket is sixteen tags of an octet each in front of as many slots. */
#define XFP_BUCKET_SLOTS  16
#define XFP_CHUNK_BUCKETS 16 /* buckets that share one "something happened" mark */
#define XFP_CHUNK_SLOTS	  (XFP_BUCKET_SLOTS * XFP_CHUNK_BUCKETS)

/*
 * Tag of a slot: an octet of its key's hash. FREE -> BUSY -> tag is the
 * kernel's, tag -> RETIRING -> FREE the daemon's; every step but the publishing
 * one is a compare-and-swap. An octet keeps the tags of a million Flows within
 * reach of the caches and the TLB; one look-up in 40 reads a slot in vain.
 */
#define XFP_TAG_FREE	 0
#define XFP_TAG_BUSY	 1
#define XFP_TAG_RETIRING 2
#define XFP_TAG_FLOW	 4 /* this and above: a Flow's */

struct xfp_bucket {
	union {
		__u8 tag[XFP_BUCKET_SLOTS];
		__u32 word[XFP_BUCKET_SLOTS / 4]; /* what a compare-and-swap takes */
		__u64 eight[XFP_BUCKET_SLOTS / 8]; /* what a look-up takes          */
	};
};

/*
 * Flow Key, IPv4: addresses, ports, protocol, outer VLAN, Observation Point.
 * ICMP has type << 8 | code as its destination port; what has no ports has 0.
 */
struct xfp_key4 {
	__be32 source; /* sourceIPv4Address (8)                              */
	__be32 destination; /* destinationIPv4Address (12)                        */
	__be16 source_port; /* sourceTransportPort (7)                            */
	__be16 destination_port; /* destinationTransportPort (11) or icmpTypeCodeIPv4  */
	__u8 protocol; /* protocolIdentifier (4)                             */
	__u8 obs_point; /* index << 1 | 1 for egress                          */
	__u16 vlan; /* outer VLAN id, host order, 0 = none   vlanId (58)  */
};

/* Flow Key, IPv6: as above. */
struct xfp_key6 {
	__be32 source[4];
	__be32 destination[4];
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 obs_point;
	__u16 vlan;
};

/*
 * What one Flow has accumulated since it began; monotone, so that the daemon
 * exports differences and never writes. Packets and octets are added in one atomic
 * step; flags by atomic OR of new bits only; extremes by compare-and-swap only on
 * change. `last_ns` alone may go back: of two CPUs that store at once either wins,
 * whose packets are a tick apart, or as long as one was held up.
 */
struct xfp_counts {
	struct xfp_sum sum; /* packetDeltaCount (2), octetDeltaCount (1): IP octets */
	__u64 last_ns; /* latest packet, clock of first_ns   flowEnd (153)        */
	__u64 first_ns; /* first packet, CLOCK_MONOTONIC      flowStart (152)      */
	__u32 lengths; /* IP length, largest << 16 | smallest (IPv6: payload)     */
	__u32 ttl_flags; /* TTL largest << 24 | smallest << 16 | tcpControlBits    */
	__u16 inner_vlan; /* second VLAN id of the first packet, 0 = none          */
	__u8 tos; /* ipClassOfService (5) of the first packet                */
	__u8 first_flags; /* low octet of tcpControlBits of the first packet       */
	__u32 flow_label; /* IPv6 flow label of the first packet, host order       */
};

struct xfp_slot4 {
	struct xfp_key4 key;
	struct xfp_counts counts;
};

struct xfp_slot6 {
	struct xfp_key6 key;
	struct xfp_counts counts;
	__u8 spare[40]; /* zero: second cache line, room for layer-2 facts */
};

_Static_assert(sizeof(struct xfp_bucket) == 16, "tags of four buckets in a cache line");
_Static_assert(sizeof(struct xfp_slot4) == 64, "an IPv4 slot is one cache line");
_Static_assert(sizeof(struct xfp_slot6) == 128, "an IPv6 slot is two cache lines");

/* Ledger reasons, expanded from ledger.def. */
enum xfp_reason {
#define REASON(name, meaning) XFP_##name,
#include "bpf/ledger.def"
	XFP_N_REASONS,
	XFP_OK = XFP_N_REASONS, /* parsed: goes to the Flow Cache */
};

/* Ledger notices, expanded from ledger.def. */
enum xfp_notice {
#define NOTICE(name, meaning) XFP_##name,
#include "bpf/ledger.def"
	XFP_N_NOTICES,
};

#define XFP_N_PROTOCOLS 256 /* values of protocolIdentifier (4) */

/* Protocols that are not metered. Written by the daemon at any time, read for each packet. */
struct xfp_switches {
	__u8 is_off[XFP_N_PROTOCOLS];
};

/*
 * One CPU's page of the loss ledger; row = CPU id. Written by its CPU only
 * (atomically under PREEMPT_RT), summed by the daemon.
 *   seen.packets  = accounted.packets + sum of reasons
 *   seen.octets   = accounted.octets + sum of reasons        (frame octets)
 *   accounted.packets, accounted_ip_octets = in Flows + overflow (IP octets)
 */
struct xfp_ledger_row {
	struct xfp_volume seen; /* frame octets as the hook was handed them */
	struct xfp_volume accounted; /* frame octets                             */
	__u64 accounted_ip_octets;
	__u64 inserts; /* Flows created                            */
	__u64 insert_races; /* places lost to another CPU while claiming */
	__u64 pad;
	struct xfp_volume reason[XFP_N_REASONS]; /* frame octets                      */
	__u64 notice[XFP_N_NOTICES]; /* of packets that are counted elsewhere     */
	struct xfp_volume overflow[XFP_N_PROTOCOLS]; /* IP octets                     */
	struct xfp_volume off[XFP_N_PROTOCOLS]; /* those of protocol_off, IP octets   */
} __attribute__((aligned(64))); /* rows of two CPUs never share a line */

/* Fragments: buckets of a cache line each, the latest datagram first; see fragment.bpf.h. */
#define XFP_FRAGMENT_BUCKETS 1024
#define XFP_FRAGMENT_ENTRIES 4 /* of a bucket */

/*
 * What the first fragment of a datagram told, in two words that are written at
 * once by nobody: `mark` is stored XOR `facts`, so that of two writers' halves
 * none is ever taken for an entry.
 */
struct xfp_fragment {
	__u64 mark; /* 40 bits of the datagram's hash, time in 24 bits of 2^22 ns  */
	__u64 facts; /* ports << 32 | protocol << 24 | 1 << 23 | end in 8 octets   */
};

struct xfp_fragment_bucket {
	struct xfp_fragment entry[XFP_FRAGMENT_ENTRIES];
};

_Static_assert(sizeof(struct xfp_fragment_bucket) == 64, "a bucket is one cache line");
