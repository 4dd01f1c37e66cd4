/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A strict reader of NetFlow v9 (RFC 3954) and v5 datagrams, written from their
 * descriptions and sharing no code with the exporter.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/exporter.h"

#define NETFLOW_MAX_FLOWS 4096
#define NETFLOW_MAX_TYPE  256

/* What one record said, its times as a Collector makes them out. */
struct netflow_flow {
	uint64_t start_ms; /* Unix */
	uint64_t end_ms;
	uint64_t packets;
	uint64_t octets;
	uint64_t field[NETFLOW_MAX_TYPE]; /* v9, of up to 8 octets, by type */
	uint8_t v5[48]; /* the record */
};

#define NETFLOW_MAX_OPTIONS 4 /* Options Templates */

/* An Options Template of v9, its scope among the fields, and the last record of it. */
struct netflow_options {
	uint32_t id; /* 0 = none */
	uint32_t n_scopes;
	uint32_t n; /* fields */
	uint16_t type[16], octets[16];
	size_t record_octets;
	uint64_t n_records;
	uint8_t record[256];
};

/* One stream of datagrams; a zeroed struct is a stream not begun. */
struct netflow_wire {
	bool is_begun;
	uint32_t next_sequence;
	uint32_t gap; /* sum of the differences to the expected Sequence Number */
	uint32_t source; /* Source ID, or engine type and id */
	uint32_t uptime_ms; /* of the last header */
	uint32_t time_s;
	uint64_t uptime_steps_back;
	uint64_t messages;
	uint64_t template_messages;
	uint64_t templates;
	uint64_t options_templates;
	struct netflow_options options[NETFLOW_MAX_OPTIONS];
	uint64_t padded; /* Data FlowSets with padding */
	struct exporter_volume data;
	struct netflow_flow flows[NETFLOW_MAX_FLOWS]; /* the first ones */
	uint32_t n_most; /* records in a datagram */
	struct {
		uint16_t type[64], octets[64];
		uint32_t n;
		size_t record_octets;
	} templates_of[4]; /* 256 .. 259, or by the id's low two bits */
	uint8_t last[65535];
	size_t last_octets;
};

/*
 * Check one datagram and add up what is in it. Fails the test for: a wrong version,
 * count or length, a FlowSet that is empty or ends off a multiple of four octets,
 * padding that is not zero, data before its Template, a source that changes, and a
 * Flow that is not start <= end <= sysUpTime.
 */
void netflow9_read(struct netflow_wire *w, const uint8_t *p, size_t octets);
void netflow5_read(struct netflow_wire *w, const uint8_t *p, size_t octets);

/* Those of this Template ID; fails the test without. */
const struct netflow_options *netflow_options_of(const struct netflow_wire *w, uint32_t id);

/* A field of up to 8 octets of the last record. */
uint64_t netflow_option(const struct netflow_options *o, uint16_t type);

/* Read all datagrams that are there, of the version they say. Returns how many. */
size_t netflow_read_socket(int fd, struct netflow_wire *w);

/* A session with an exporter of NetFlow; one at a time. */
struct netflow_fixture {
	int fd; /* the Collector's socket on loopback */
	struct exporter *e;
	struct netflow_wire w; /* what it received */
};

extern struct netflow_fixture netflow;

#define NETFLOW_S    1000000000ull /* ns */
#define NETFLOW_T0   (1000 * NETFLOW_S) /* of the loop's clock */
#define NETFLOW_TIME 1767400000u /* Unix s */

/* Begin one; 0 or -errno. protocol is an enum export_protocol. */
int netflow_open(int protocol, uint32_t domain_id, uint32_t fields);

/* A cmocka teardown. */
int netflow_close(void **state);

/* An IPv4 record of TCP that ended before NETFLOW_TIME, with something in every field of base. */
struct flow_record netflow_known_record(void);

/* As sample_record(), of any n; up to 100 s long. */
struct flow_record netflow_sample(uint32_t n);

/* A run without Flows but with facts to tell, to its end; all that is sent is read. */
void netflow_run_idle(uint32_t seconds);

/* All that is recorded leaves at this time, and is read. */
void netflow_send_at(uint32_t time_s);
