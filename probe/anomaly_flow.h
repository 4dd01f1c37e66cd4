/* SPDX-License-Identifier: BSD-2-Clause */
/* News of one Flow as the detectors read it: addresses and ports of either family alike. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/host.h"
#include "probe/sweep_observer.h"

/* What of *flow_delta.state the detectors keep, a bit each. */
enum {
	FLOW_JUDGED = 1 << 0, /* as a contact: failed, succeeded, or none      */
	FLOW_WAITED = 1 << 1, /* counted among the contacts without an answer  */
	FLOW_ESTABLISHED = 1 << 2, /* counted as a handshake that was completed     */
	FLOW_UNSOLICITED = 1 << 3, /* an answer nobody asked for                    */
	FLOW_SEEN_BOTH = 1 << 4, /* it is answered                                */
	FLOW_BEAT_JUDGED = 1 << 5, /* as a beat: it is one or none                  */
	FLOW_BEAT = 1 << 6, /* and it is one: its octets are still to come   */
	/* from here on: found out again once the configuration has changed */
	FLOW_ENDS_KNOWN = 1 << 7, /* which ends are hosts of ours ...              */
	FLOW_OURS_FROM = 1 << 8, /* ... the source                                */
	FLOW_OURS_TO = 1 << 9, /* ... the destination                           */
	FLOW_HAS_GROUP = 1 << 10, /* ... and one is no host, but a group           */
	FLOW_EPOCH = 0x3f << 24, /* of the configuration that this was found out in */
};

#define FLOW_EPOCH_SHIFT 24
#define FLOW_EPOCH_END	 (1u << 30)
/* From here on a bit for each detector, below FLOW_EPOCH: nothing of it matters any more. */
#define FLOW_DULL_SHIFT 11

enum anomaly_direction {
	FLOW_STAYING, /* neither */
	FLOW_LEAVING, /* from a host of ours to one elsewhere */
	FLOW_COMING, /* the other way */
};

struct anomaly_flow {
	const struct flow_delta *delta;
	struct host source;
	struct host destination;
	uint16_t source_port; /* host order; of ICMP 0                    */
	uint16_t destination_port;
	uint16_t icmp_type_code; /* type << 8 | code; 0 but of ICMP            */
	uint8_t protocol;
	uint8_t obs_point;
	bool is_ipv6;
	bool is_icmp; /* of its family's kind */
	bool is_later_fragment; /* of TCP or UDP, with its first one unknown: no ports */
};

/* Read the key of a Flow; *flow is valid as long as *delta is. */
void anomaly_flow_read(const struct flow_delta *delta, struct anomaly_flow *flow);
