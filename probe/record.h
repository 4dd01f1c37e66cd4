/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Flow Record: what one expiry of one Flow says, between the sweep that makes
 * it and the sinks that send or print it. Layout of the internal IPFIX Template:
 * no hidden padding, every field as long as its element's native or reduced type.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* flowEndReason, IE 136 (RFC 5102 5.11.3). */
enum flow_end_reason {
	FLOW_END_IDLE_TIMEOUT = 1,
	FLOW_END_ACTIVE_TIMEOUT = 2,
	FLOW_END_DETECTED = 3,
	FLOW_END_FORCED = 4,
	FLOW_END_LACK_OF_RESOURCES = 5,
};

/* flowDirection, IE 61. */
enum flow_direction {
	FLOW_INGRESS = 0,
	FLOW_EGRESS = 1,
};

/*
 * Groups of elements, as bits of a set. Every set has GROUP_BASE; the others are
 * parts of a record that nobody fills or reads unless a sink wants them.
 */
enum group_index {
#define GROUP(NAME, word, doc) GROUP_INDEX_##NAME,
	GROUP_INDEX_BASE,
#include "probe/group.def"
#undef GROUP
	N_GROUPS,
};

enum {
#define GROUP(NAME, word, doc) GROUP_##NAME = 1 << GROUP_INDEX_##NAME,
	GROUP_BASE = 1 << GROUP_INDEX_BASE,
#include "probe/group.def"
#undef GROUP
	GROUP_ALL = (1 << N_GROUPS) - 1,
	/* Not a group to pick: what a record of both directions (RFC 5103) has besides. */
	GROUP_INDEX_BIFLOW = N_GROUPS,
	GROUP_BIFLOW = 1 << GROUP_INDEX_BIFLOW,
	/* Nor this: elements of base in their precise form, see ie.def. */
	GROUP_PRECISE = 1 << (N_GROUPS + 1),
};

/* biflowDirection, IE 239 (RFC 5103 6.3): who sent the forward direction. */
enum biflow_direction {
	BIFLOW_ARBITRARY = 0,
	BIFLOW_INITIATOR = 1,
	BIFLOW_REVERSE_INITIATOR = 2,
};

/* l2: of the first packet, but the octets. */
struct record_l2 {
	uint64_t frame_octets; /* since the last record   layer2OctetDeltaCount (352) */
	uint8_t source_mac[6]; /* sourceMacAddress (56)                     */
	uint8_t destination_mac[6]; /* destinationMacAddress (80)                */
	uint16_t ethertype; /* behind all tags   ethernetType (256)       */
	uint16_t vlan; /* outer tag   dot1qVlanId (243)             */
	uint16_t customer_vlan; /* second tag   dot1qCustomerVlanId (245)    */
	uint8_t priority; /* dot1qPriority (244)                       */
	uint8_t customer_priority; /* dot1qCustomerPriority (246)               */
	uint8_t pad[4]; /* zero                                      */
};

struct record_ip {
	uint64_t octet_squares; /* since the last record   octetDeltaSumOfSquares (198) */
	uint32_t flow_label; /* of the first packet   flowLabelIPv6 (31)  */
	uint8_t dscp; /* of the first packet   ipDiffServCodePoint (195)      */
	uint8_t pad[3]; /* zero                                      */
};

struct record_icmp {
	uint8_t type; /* icmpTypeIPv4 (176), icmpTypeIPv6 (178)    */
	uint8_t code; /* icmpCodeIPv4 (177), icmpCodeIPv6 (179)    */
	uint8_t pad[6]; /* zero                                      */
};

/* tcp: numbers of the Flow so far; zero in a record that is not TCP. */
struct record_tcp {
	uint64_t n_syn; /* tcpSynTotalCount (218)                    */
	uint64_t n_fin; /* tcpFinTotalCount (219)                    */
	uint64_t n_rst; /* tcpRstTotalCount (220)                    */
	uint64_t n_psh; /* tcpPshTotalCount (221)                    */
	uint64_t n_ack; /* tcpAckTotalCount (222)                    */
	uint64_t n_urg; /* tcpUrgTotalCount (223)                    */
	uint32_t sequence; /* of the first packet   tcpSequenceNumber (184)         */
	uint32_t acknowledgement; /* of the first packet   tcpAcknowledgementNumber (185)  */
	uint32_t last_sequence; /* lastTcpSequenceNumber                     */
	uint32_t last_acknowledgement; /* lastTcpAcknowledgementNumber              */
	uint16_t window; /* of the first packet, unscaled   tcpWindowSize (186)   */
	uint16_t window_scale; /* option of the SYN, 0 = none   tcpWindowScale (238)    */
	uint16_t initial_flags; /* of the first packet   initialTcpControlBits          */
	uint16_t mss; /* option of the SYN, 0 = none   tcpMaximumSegmentSize    */
	uint16_t window_min; /* unscaled   minimumTcpWindowSize           */
	uint16_t window_max; /* unscaled   maximumTcpWindowSize           */
	uint8_t pad[4]; /* zero                                      */
};

/* tcp_health: counts since the last record. */
struct record_tcp_health {
	uint64_t retransmitted_packets; /* retransmittedPacketCount                  */
	uint64_t retransmitted_octets; /* of TCP payload   retransmittedOctetCount  */
	uint64_t out_of_order_packets; /* outOfOrderPacketCount                     */
	uint64_t zero_window_packets; /* zeroWindowPacketCount                     */
	uint32_t handshake_client_us; /* SYN-ACK to ACK   handshakeClientMicroseconds          */
	uint32_t handshake_server_us; /* SYN to SYN-ACK   handshakeServerMicroseconds          */
};

/* fragment: of the first packet, but the count. */
struct record_fragment {
	uint64_t packets; /* since the last record   fragmentDeltaCount           */
	uint32_t identification; /* fragmentIdentification (54)               */
	uint16_t offset; /* in 8 octets   fragmentOffset (88)         */
	uint8_t flags; /* bit 6 DF, bit 5 MF   fragmentFlags (197)  */
	uint8_t pad; /* zero                                      */
};

/* size: packets since the last record, by IP total length. */
struct record_size {
	uint32_t to_128; /* packetSizeUpTo128Count                    */
	uint32_t to_256;
	uint32_t to_512;
	uint32_t to_1024;
	uint32_t to_1514;
	uint32_t above_1514; /* packetSizeOver1514Count                   */
};

/* timing: of the Flow so far, but the duration; times saturate. */
struct record_timing {
	uint32_t duration_ms; /* of this record   flowDurationMilliseconds (161)      */
	uint32_t interarrival_min_us; /* minimumInterarrivalMicroseconds           */
	uint32_t interarrival_max_us; /* maximumInterarrivalMicroseconds           */
	uint32_t interarrival_mean_us; /* meanInterarrivalMicroseconds              */
};

/* tunnel: around the first packet, the outermost one; all zero without one. */
struct record_tunnel {
	uint64_t segment_id; /* VNI, TEID, GRE key   layer2SegmentId (351)           */
	uint8_t outer_source6[16]; /* network order                             */
	uint8_t outer_destination6[16];
	uint32_t outer_source4; /* host order                                */
	uint32_t outer_destination4;
	uint8_t mpls_top[3]; /* label, TC, S   mplsTopLabelStackSection (70)         */
	uint8_t type; /* enum xfp_tunnel, bpf/detail_abi.h         */
	uint8_t pad[4]; /* zero                                      */
};

/* What `base` fills comes first, then each group on its own. */
struct flow_record {
	uint64_t start_ms; /* Unix ms   flowStartMilliseconds (152)            */
	uint64_t end_ms; /* Unix ms   flowEndMilliseconds (153)              */
	uint64_t octets; /* since the last record   octetDeltaCount (1)      */
	uint64_t packets; /* since the last record   packetDeltaCount (2)     */
	uint64_t flow_id; /* flowId (148)                                     */
	uint8_t source6[16]; /* network order, all 0 in an IPv4 record           */
	uint8_t destination6[16];
	uint32_t source4; /* host order, 0 in an IPv6 record                  */
	uint32_t destination4;
	uint32_t ingress; /* ifIndex, 0 = unknown                             */
	uint32_t egress;
	uint32_t length_min; /* IP octets of the smallest packet                 */
	uint32_t length_max;
	uint32_t start_ms_rest; /* ns behind start_ms, 0 .. 999999                  */
	uint32_t end_ms_rest; /* ... behind end_ms                               */
	uint16_t source_port; /* host order; 0 where the protocol has none        */
	uint16_t destination_port;
	uint16_t icmp_type_code; /* type << 8 | code of an ICMP record              */
	uint16_t tcp_flags; /* union over the Flow so far                       */
	uint16_t vlan; /* outer VLAN id, 0 = untagged                      */
	uint8_t protocol;
	uint8_t tos; /* of the first packet                              */
	uint8_t ttl_min;
	uint8_t ttl_max;
	uint8_t direction; /* enum flow_direction                              */
	uint8_t end_reason; /* enum flow_end_reason                             */
	uint8_t is_ipv6; /* not exported: picks the Template                 */
	uint8_t connection_state; /* enum connection_state                           */
	uint8_t biflow_direction; /* enum biflow_direction, of a forward record      */
	uint8_t pad[5]; /* zero                                             */

	struct record_l2 l2;
	struct record_ip ip;
	struct record_icmp icmp;
	struct record_tcp tcp;
	struct record_tcp_health tcp_health;
	struct record_fragment fragment;
	struct record_size size;
	struct record_timing timing;
	struct record_tunnel tunnel;
};

/* Octets of a record that only GROUP_BASE is wanted of; behind them is anything. */
#define FLOW_RECORD_BASE_OCTETS offsetof(struct flow_record, l2)

/* Octets to clear and copy of a record for a set of groups. */
static inline size_t flow_record_octets(uint32_t groups)
{
	return groups & ~(uint32_t)GROUP_BASE ? sizeof(struct flow_record)
					      : FLOW_RECORD_BASE_OCTETS;
}

_Static_assert(FLOW_RECORD_BASE_OCTETS == 128, "no hidden padding");
_Static_assert(sizeof(struct flow_record) == 416, "no hidden padding");

/*
 * Fill what follows from the rest: icmp, and ip.dscp and timing.duration_ms. Only
 * for a record with room for groups.
 */
void record_derive(struct flow_record *r);

/*
 * Takes one Flow Record. `r` is the caller's and valid during the call only.
 * Never fails: a sink that cannot pass a record on counts it under a name.
 */
typedef void (*record_sink_fn)(void *arg, const struct flow_record *r);

/*
 * Takes both directions of a conversation, each with what it has counted since its
 * last record, as record_sink_fn takes one. forward->biflow_direction is set.
 */
typedef void (*biflow_sink_fn)(void *arg, const struct flow_record *forward,
			       const struct flow_record *reverse);

/* Says whether a record has what somebody looks for. */
typedef bool (*record_test_fn)(void *arg, const struct flow_record *r);
