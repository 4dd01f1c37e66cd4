/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Flow Record: what one expiry of one Flow says, between the sweep that makes
 * it and the sinks that send or print it. Layout of the internal IPFIX Template:
 * no hidden padding, every field as long as its element's native or reduced type.
 */
#pragma once

#include <stdbool.h>
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
	uint8_t pad[6]; /* zero                                             */
};

_Static_assert(sizeof(struct flow_record) == 120, "no hidden padding");

/*
 * Takes one Flow Record. `r` is the caller's and valid during the call only.
 * Never fails: a sink that cannot pass a record on counts it under a name.
 */
typedef void (*record_sink_fn)(void *arg, const struct flow_record *r);

/* Says whether a record has what somebody looks for. */
typedef bool (*record_test_fn)(void *arg, const struct flow_record *r);
