/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An event: what a detector found, as it goes to every sink alike. One incident is
 * one eventId: its start, updates while it has news, and its end.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/anomaly_config.h"
#include "probe/host.h"

enum anomaly_state {
	ANOMALY_START = 1,
	ANOMALY_UPDATE = 2,
	ANOMALY_END = 3,
	ANOMALY_SUMMARY = 4, /* of events there was no budget for: no incident of its own */
};

enum anomaly_class {
#define ANOMALY_CLASS(NAME, word, technique) ANOMALY_##NAME,
#include "probe/anomaly_class.def"
	ANOMALY_CLASSES,
};

enum anomaly_subclass {
#define ANOMALY_SUBCLASS(NAME, word) ANOMALY_BY_##NAME,
#include "probe/anomaly_class.def"
	ANOMALY_SUBCLASSES,
};

enum anomaly_visibility {
	ANOMALY_BOTH = 1, /* both directions of conversations are observed */
	ANOMALY_INGRESS_ONLY = 2, /* replies are not, or none was seen yet         */
};

#define ANOMALY_REASON_MAX 256 /* octets, NUL included */
#define ANOMALY_TARGETS	   4
#define ANOMALY_FLOW_IDS   4
#define ANOMALY_FEATURES   3

/* One of the hosts struck, or striking. */
struct anomaly_target {
	struct host host;
	uint16_t port;
	bool has_port;
};

/* What of a host is unlike its past. */
struct anomaly_feature {
	const char *name; /* static */
	float z; /* robust z-score: deviations from what is usual */
	float value;
	float usual;
};

/*
 * Zeroed is empty. Members that are evidence only are in the object `evidence` of
 * JSON, and 0 where they tell nothing.
 */
struct anomaly_event {
	uint64_t event_id; /* 53 bits, the same for the same packets           */
	uint32_t sequence; /* of its events, from 0                            */
	uint8_t state; /* enum anomaly_state                               */
	uint8_t class; /* enum anomaly_class                               */
	uint8_t subclass; /* enum anomaly_subclass                            */
	uint8_t severity; /* 0 .. 10                                          */
	uint8_t confidence; /* 0 .. 100                                         */
	uint8_t visibility; /* enum anomaly_visibility                          */
	uint8_t protocol; /* protocolIdentifier                               */
	bool has_source; /* the guilty side is one host                      */
	bool has_destination; /* the struck side is one host, or one prefix       */
	bool has_source_port;
	bool has_destination_port;
	bool is_dry_run;
	struct host source;
	struct host destination;
	uint8_t destination_length; /* of a prefix, 0: it is one host              */
	uint16_t source_port; /* host order */
	uint16_t destination_port;
	uint64_t start_ms; /* Unix time of the first packet of it    flowStart */
	uint64_t end_ms; /* ... of the latest                       flowEnd  */
	uint64_t time_ms; /* ... of this event     observationTimeMilliseconds */
	float value; /* what the rule looks at                           */
	float threshold; /* value from which on it fires                     */
	float baseline; /* what is usual, 0 = not known                     */
	bool is_learning; /* ... so far: it is not looked at yet              */
	uint32_t window_ms; /* over which value counts                          */
	uint32_t suppressed; /* triggers folded into this incident               */
	const char *rule; /* key of xflow.yaml(5) that holds the threshold    */
	bool is_group_rule; /* ... in the group of networks                    */
	char group[NETWORK_GROUP_NAME_MAX]; /* of the host it holds for, "": none */
	const char *allow; /* ... of a list for the destination, NULL: none    */
	char reason[ANOMALY_REASON_MAX]; /* one sentence */

	/* evidence */
	uint32_t n_sources;
	uint32_t n_destinations;
	uint32_t n_ports;
	uint32_t failed_contacts;
	uint64_t established;
	uint64_t n_rst;
	uint64_t n_unreachable; /* ICMP */
	uint64_t n_syn;
	uint64_t n_syn_ack;
	uint64_t peak_pps;
	uint64_t peak_bps;
	uint16_t reflector_port;
	float amplification; /* octets of an answer to those of a question, where there is one seen */
	uint16_t violation_id; /* see anomaly_violation.def; 0 = none                */
	uint64_t violations; /* bit n: that with the id n, by the same host in the window */
	uint64_t n_unseen; /* packets of it that have no Flow                        */
	bool is_spoofed; /* sources are likely forged                        */
	uint32_t connections; /* of a beacon                                       */
	uint32_t hours_bitmap; /* hours of the day, UTC, with one of them         */
	uint32_t interval_median_ms; /* between two                              */
	uint32_t interval_mad_ms; /* median absolute deviation from that          */
	float interval_cv; /* standard deviation to mean                        */
	float pcr; /* producer/consumer ratio, -1 .. 1                       */
	uint64_t octets_out; /* by the source in the window                     */
	uint64_t octets_in; /* ... to it                                        */
	uint32_t n_targets;
	struct anomaly_target target[ANOMALY_TARGETS]; /* the first of them */
	uint32_t n_features;
	struct anomaly_feature feature[ANOMALY_FEATURES]; /* from the oddest on */
	uint32_t n_flow_ids;
	uint64_t flow_id[ANOMALY_FLOW_IDS]; /* of some Flows involved     */
};

/* Takes one event, valid during the call only. */
typedef void (*anomaly_sink_fn)(void *arg, const struct anomaly_event *e);

/* Names in JSON: "port-scan", "syn", "start", "both". "?" for no such number. */
const char *anomaly_class_name(uint8_t class);
const char *anomaly_subclass_name(uint8_t subclass);
const char *anomaly_state_name(uint8_t state);
const char *anomaly_visibility_name(uint8_t visibility);

#define ANOMALY_RULE_MAX (80 + NETWORK_GROUP_NAME_MAX)

/* The key of the threshold, with its group if it is one of a group. Returns text. */
const char *anomaly_rule(const struct anomaly_event *e, char text[static ANOMALY_RULE_MAX]);

/* MITRE ATT&CK technique of a class, "" for none. */
const char *anomaly_technique(uint8_t class);

#define ANOMALY_JSON_MAX 4096 /* longest line of both below */

/*
 * Write {"type":"explanation",...} and a newline at p: what was seen, why the rule
 * fired, what would have kept it from firing, and the event. Returns the end.
 */
char *anomaly_put_explanation(char *p, const struct anomaly_event *e);

/* Write {"type":"event",...} and a newline at p. Returns the end; no NUL. */
char *anomaly_put_json(char *p, const struct anomaly_event *e);
