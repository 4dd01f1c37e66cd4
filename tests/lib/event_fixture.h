/* SPDX-License-Identifier: BSD-2-Clause */
/* An event that has everything. Included in tests of events. */
#pragma once

#include <arpa/inet.h>
#include <string.h>

#include "probe/event_ie.h"

static inline void full_evidence(struct anomaly_event *e)
{
	e->n_sources = 1;
	e->n_destinations = 2;
	e->n_ports = 3;
	e->failed_contacts = 4;
	e->established = 5;
	e->n_rst = 6;
	e->n_unreachable = 7;
	e->n_syn = 1ULL << 40;
	e->n_syn_ack = 8;
	e->peak_pps = 9;
	e->peak_bps = 10;
	e->reflector_port = 11211;
	e->amplification = 47.5f;
	e->violation_id = 5;
	e->violations = 1ULL << 63 | 1 << 5;
	e->connections = 24;
	e->hours_bitmap = 0xffffff;
	e->interval_median_ms = 60000;
	e->interval_mad_ms = 500;
	e->interval_cv = 0.125f;
	e->pcr = -0.5f;
	e->octets_out = 1ULL << 33;
	e->octets_in = 1000;
	e->n_unseen = 11;
	e->is_spoofed = true;
}

/* With everything there is, of a kind. */
static inline struct anomaly_event full_event(unsigned int kind)
{
	bool is_ipv6 = kind & EVENT_IS_IPV6;
	struct host host = is_ipv6 ? host_of_ipv6("\x20\x01\x0d\xb8\xff\xff\xff\xff\xff\xff\xff\xff"
						  "\xff\xff\xff\xff")
				   : host_of_ipv4(htonl(0xc0000201));
	struct anomaly_event e = {
		.event_id = (1ULL << 53) - 1,
		.sequence = 3,
		.state = ANOMALY_SUMMARY,
		.class = ANOMALY_PROTOCOL_VIOLATION,
		.subclass = ANOMALY_BY_GROUP_SOURCE,
		.severity = 10,
		.confidence = 100,
		.visibility = ANOMALY_INGRESS_ONLY,
		.protocol = 17,
		.has_source = kind & EVENT_HAS_SOURCE,
		.has_destination = kind & EVENT_HAS_DESTINATION,
		.source = host,
		.destination = host,
		.has_source_port = true,
		.has_destination_port = true,
		.source_port = 53,
		.destination_port = 443,
		.start_ms = 1767323045000,
		.end_ms = 1767323046001,
		.time_ms = 1767323047002,
		.value = 15.5f,
		.threshold = 15,
		.baseline = 0.25f,
		.window_ms = 300000,
		.suppressed = 9,
		.rule = "anomaly.syn_flood.completed_pct",
		.is_learning = true,
		.is_group_rule = true,
		.group = "servers",
		.destination_length = 24,
		.n_targets = ANOMALY_TARGETS,
		.n_flow_ids = ANOMALY_FLOW_IDS,
		.n_features = ANOMALY_FEATURES,
	};

	for (int i = 0; i < ANOMALY_TARGETS; i++)
		e.target[i] = (struct anomaly_target){host, (uint16_t)(65535 - i), true};
	for (uint64_t i = 0; i < ANOMALY_FLOW_IDS; i++)
		e.flow_id[i] = UINT64_MAX - i;
	for (int i = 0; i < ANOMALY_FEATURES; i++)
		e.feature[i] = (struct anomaly_feature){"packetsOut", 1000.5f, 3.0e12f, 1.25e6f};
	full_evidence(&e);
	memset(e.reason, 'r', sizeof(e.reason) - 1);
	return e;
}
