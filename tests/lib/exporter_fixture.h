/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A collector for tests of the exporter: sockets on loopback and a strict
 * reader of what arrives, written from RFC 7011 and sharing no code with it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/exporter.h"

#define WIRE_MAX_OCTETS 65535
#define WIRE_MAX_ID	49152 /* above every Template ID of ours */

/* One stream of Messages; a zeroed struct is a stream not begun. */
struct wire {
	uint32_t domain_id;
	bool is_begun;
	uint32_t next_sequence;
	uint32_t gaps; /* Sequence Number was not the expected one */
	uint32_t gap_records; /* sum of the differences */
	uint32_t export_time_s; /* of the last Message */
	uint16_t record_octets[WIRE_MAX_ID]; /* by Template ID */
	uint16_t octets_at[WIRE_MAX_ID]; /* octetDeltaCount in the record */
	uint16_t packets_at[WIRE_MAX_ID];
	uint64_t messages;
	uint64_t template_messages;
	uint64_t options_messages; /* what they say is not read */
	uint64_t
		events; /* in a domain of their own, with other options data only if there is some */
	uint64_t event_id; /* of the last one */
	uint64_t records_before_event; /* of Flows, before the last one */
	uint32_t next_event_sequence;
	uint32_t event_gaps;
	uint64_t templates;
	struct exporter_volume data;
	uint64_t records_of[WIRE_MAX_ID]; /* by Template ID */
	uint64_t most_records; /* of Flows in a Message */
	size_t largest; /* Message, octets */
	uint8_t last[WIRE_MAX_OCTETS];
	size_t last_octets;
};

/*
 * Check one Message and count what is in it. Fails the test for anything RFC
 * 7011 forbids: version, length, empty or overlong Sets, mixed Templates and
 * data, data before its Template, a withdrawal, a changed Template, padding,
 * Export Time going back, an Observation Domain that changes.
 */
void wire_read(struct wire *w, const uint8_t *message, size_t octets);

/* Read a stream of Messages behind one another; returns octets of whole Messages. */
size_t wire_read_stream(struct wire *w, const uint8_t *data, size_t octets);

/* A UDP socket on 127.0.0.1 (or ::1) with an arbitrary free port, or the given one. */
int collector_open(int family, uint16_t *port);

/* Read all datagrams that are there. Returns how many. */
size_t collector_read(int fd, struct wire *w);

/* The n-th record of an endless mix of all four kinds, different in every field. */
struct flow_record sample_record(uint32_t n);

/* Fail unless the identity of struct exporter_stats holds, in all three units. */
void check_balance(const struct exporter *e);

/* Open an exporter to 127.0.0.1:port (or [::1]), Observation Domain 7. */
struct exporter *open_exporter(int transport, int family, uint16_t port, bool is_paced);
