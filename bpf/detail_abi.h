/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Details of a Flow beyond its slot: one record for each group of fields that is
 * in use, beside each other in an array of their own with the slot's number. All
 * octets zero is the state of a Flow without packets, and every update keeps to
 * that: counters add, maxima grow, minima are kept as the maximum of their
 * complement. So the program in the kernel never has to set a record up; the
 * daemon zeroes it before it frees the place.
 *
 * Counters are added atomically. What only the first packet says is written by
 * the packet that created the Flow.
 */
#pragma once

#include <linux/types.h>

enum xfp_detail {
	XFP_DETAIL_L2,
	XFP_DETAIL_SIZE,
	XFP_DETAIL_TIMING,
	XFP_DETAIL_FRAGMENT,
	XFP_DETAIL_TUNNEL,
	XFP_DETAIL_TCP,
	XFP_DETAIL_HEALTH,
	XFP_N_DETAILS,
};

/* Link layer: addresses and tags of the first packet. */
struct xfp_detail_l2 {
	__u64 octets; /* frames, with their headers     layer2OctetDeltaCount (352) */
	__u8 destination[6]; /* destinationMacAddress (80)                          */
	__u8 source[6]; /* sourceMacAddress (56)                               */
	__u16 ethertype; /* of the network header, host order  ethernetType (256)   */
	__u16 tag; /* outer tag: PCP << 13 | DEI << 12 | id; 0 = none      */
	__u16 inner_tag; /* second tag                                          */
	__u16 pad[3];
};

#define XFP_SIZE_CLASSES 6 /* up to 128, 256, 512, 1024, 1514 octets, and over */

struct xfp_detail_size {
	__u64 squares; /* of IP lengths              octetDeltaSumOfSquares (198)  */
	__u32 packets[XFP_SIZE_CLASSES]; /* by IP length                      */
};

/* Between one packet and the next of the same Flow, in microseconds. */
struct xfp_detail_timing {
	__u64 last_ns; /* CLOCK_MONOTONIC of the latest packet                      */
	__u32 shortest; /* complement: 0 = none yet                                  */
	__u32 longest;
};

/* Of the first packet, but the count. */
struct xfp_detail_fragment {
	__u64 packets; /* fragments                                                 */
	__u32 identification; /* fragmentIdentification (54)                        */
	__u16 offset; /* in 8 octets                             fragmentOffset (88) */
	__u8 flags; /* 0x40 DF, 0x20 MF                       fragmentFlags (197)  */
	__u8 pad;
};

/* The encapsulation of a tunnel. Numbers are for records and do not change. */
enum xfp_tunnel {
	XFP_TUNNEL_NONE,
	XFP_TUNNEL_IP, /* IPv4 or IPv6 in either: RFC 2003, 2473, 4213      */
	XFP_TUNNEL_MPLS, /* labels in IP or UDP: RFC 4023, 7510               */
	XFP_TUNNEL_GRE, /* also in UDP: RFC 2784, 2890, 8086                 */
	XFP_TUNNEL_ERSPAN, /* in GRE: draft-foschiano-erspan-03                 */
	XFP_TUNNEL_VXLAN, /* RFC 7348                                          */
	XFP_TUNNEL_GENEVE, /* RFC 8926                                          */
	XFP_TUNNEL_GTPU, /* 3GPP TS 29.281                                    */
	XFP_TUNNEL_TEREDO, /* RFC 4380                                          */
};

/* Around the first packet: its label stack and its outermost tunnel. */
struct xfp_detail_tunnel {
	__be32 source[4]; /* IPv4: the first word                                      */
	__be32 destination[4];
	__u32 id; /* VNI, TEID, GRE key or ERSPAN session                      */
	__u32 mpls; /* top label, TC and S, 24 bits; 0 = none                    */
	__u8 type; /* enum xfp_tunnel                                           */
	__u8 is_ipv6; /* the outer addresses are                                   */
	__u16 pad[3];
};

/* Order of the counts of control bits: bit 0 (FIN) first. */
#define XFP_TCP_BITS 6

struct xfp_detail_tcp {
	__u32 sequence_first;
	__u32 acknowledgement_first;
	__u32 sequence_last;
	__u32 acknowledgement_last;
	__u32 windows; /* complement of the least << 16 | largest                   */
	__u32 bits[XFP_TCP_BITS]; /* packets with FIN, SYN, RST, PSH, ACK, URG            */
	__u16 window_first;
	__u16 mss; /* option of a SYN; 0 = none                                 */
	__u16 bits_first; /* control bits of the first packet                          */
	__u8 scale; /* option of a SYN, plus 1; 0 = none                         */
	__u8 pad[5];
};

/*
 * What went wrong on the way, judged by sequence numbers in one direction. A
 * direction sends a SYN or a SYN-ACK: its times, and that of the first ACK after
 * it, give the round-trip times together with those of the other one. Units are
 * of 1024 ns.
 */
struct xfp_detail_health {
	__u64 syn_ns; /* first SYN or SYN-ACK, CLOCK_MONOTONIC; 0 = none           */
	__u64 ack_ns; /* first ACK without SYN after it                            */
	__u64 retransmitted_octets;
	__u32 syn_again; /* from the first SYN to the latest before ack_ns, units     */
	__u32 retransmitted;
	__u32 out_of_order;
	__u32 zero_windows;
	__u32 initial; /* initial sequence number                                   */
	__u32 next; /* sequence number after the highest seen                    */
	__u32 gap_begin; /* latest gap of sequence numbers: [begin, end)             */
	__u32 gap_end;
	__u32 gap_units; /* when it was seen, CLOCK_MONOTONIC in units, modulo 2^32   */
	__u32 state; /* XFP_HEALTH_*                                              */
};

#define XFP_HEALTH_STARTED  1 /* `initial` and `next` hold */
#define XFP_HEALTH_ANSWERED 2 /* the direction began with a SYN-ACK */

/* X(NAME, name): every detail with its structure. */
#define XFP_DETAILS(X)                                                                             \
	X(L2, l2)                                                                                  \
	X(SIZE, size)                                                                              \
	X(TIMING, timing)                                                                          \
	X(FRAGMENT, fragment)                                                                      \
	X(TUNNEL, tunnel)                                                                          \
	X(TCP, tcp)                                                                                \
	X(HEALTH, health)

#define X(NAME, name)                                                                              \
	_Static_assert(sizeof(struct xfp_detail_##name) % 8 == 0, #name ": whole words");
XFP_DETAILS(X)
#undef X

/* Where each detail is in the record of a slot; XFP_DETAIL_OFF: not in use. */
#define XFP_DETAIL_OFF 0xffff

struct xfp_detail_layout {
	__u32 octets; /* of a slot's record, 0 = no details                        */
	__u16 at[XFP_N_DETAILS];
};
