/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a Flow is a first contact, by what means, and how it came out. Pure: all
 * it knows is the Flow, its other direction, and how long to wait for one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly_flow.h"

/* Means of contact; each is counted on its own. */
enum contact_method {
	CONTACT_TCP, /* SYN, also hidden in fragments: half-open or by connect() */
	CONTACT_FIN,
	CONTACT_NULL,
	CONTACT_XMAS,
	CONTACT_MAIMON, /* FIN and ACK without a connection */
	CONTACT_ACK, /* ACK without a connection         */
	CONTACT_UDP,
	CONTACT_ICMP, /* a query: echo, timestamp, mask   */
	CONTACT_PROTOCOL, /* another IP protocol              */
	CONTACT_METHODS,
};

enum contact_outcome {
	CONTACT_NONE, /* not a first contact, or nothing can be said of it */
	CONTACT_PENDING, /* no answer yet                                     */
	CONTACT_REFUSED,
	CONTACT_SILENT, /* no answer within the time                         */
	CONTACT_ANSWERED,
};

struct contact {
	uint8_t method; /* enum contact_method, unless the outcome is none */
	uint8_t outcome; /* enum contact_outcome */
	bool is_established; /* TCP: the client completed the handshake         */
	bool is_os; /* TCP: the SYN has the options an operating system's has */
	bool has_reverse; /* the other direction was seen */
};

/* A SYN or query has so long to be answered, as with Zeek. */
#define CONTACT_WAIT_NS 5000000000ULL

/* Of a source that waits for many at once, and hardly gets any. */
#define CONTACT_HASTY_WAIT_NS 500000000ULL

/*
 * Judge a Flow.
 *
 * reverse   its other direction, NULL where none is seen
 * now_ns    clock of the Flow's times
 * wait_ns   silence after the first packet that counts as no answer
 *
 * Failures are what a scanner meets and others seldom do (a refusal, or silence); NULL,
 * FIN without ACK and XMAS have no other cause, answered or not. Flows that look
 * like the rest of an older connection, like an answer, or like a traceroute are
 * none. TCP whose first fragment ends before the flags is judged like a SYN. Source:
 * RFC 9293 3.10.7, RFC 1858 3; the probes as nmap(1) sends them.
 */
struct contact contact_judge(const struct anomaly_flow *flow, const struct flow_reverse *reverse,
			     uint64_t now_ns, uint64_t wait_ns);
