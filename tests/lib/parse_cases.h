/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One table of packets for both builds of the Metering Process, with what must
 * become of them: a Flow, or a reason in the loss ledger. A case is one or more
 * packets of one Flow, or that share one reason.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "bpf/flow_abi.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/pkt.h"

struct parse_case {
	const char *name;
	void (*build)(struct pkt_builder *b, unsigned int i); /* the i-th packet, finished  */
	unsigned int n_packets; /* 0 means 1                  */
	struct meter_flow flow; /* source NULL: reason counts */
	enum xfp_reason reason;
	uint64_t notice[XFP_N_NOTICES];
};

/* A table ends with a case without a name. */
extern const struct parse_case parse_cases_link[];
extern const struct parse_case parse_cases_session[];
extern const struct parse_case parse_cases_ipv4[];
extern const struct parse_case parse_cases_ipv6[];
extern const struct parse_case parse_cases_transport[];

/* With `tunnels: inner`: those of which the inner Flow is metered, and the others. */
extern const struct parse_case parse_cases_tunnel[];
extern const struct parse_case parse_cases_tunnel_closed[];

/* Build the i-th packet of the case of this name; fails the test when there is none. */
void parse_case_build(const struct parse_case *table, const char *name, unsigned int i,
		      struct pkt_builder *b);

/* What must become of the case's packets, `octets` long as frames together. */
void parse_case_assert(const struct parse_case *c, const struct flow_cache *cache,
		       uint8_t obs_point, uint64_t octets);

/* Meter all packets of a table natively, a case at a time, and assert each. */
void parse_table_run_native(const struct parse_case *table, struct flow_cache *cache);

/* Ends of the Flows of the tables. */
#define CASE_SOURCE4	  "192.0.2.1"
#define CASE_DESTINATION4 "198.51.100.2"
#define CASE_SOURCE6	  "2001:db8::1"
#define CASE_DESTINATION6 "2001:db8:ffff::2"

#define CASE_ENDS4 .source = CASE_SOURCE4, .destination = CASE_DESTINATION4
#define CASE_ENDS6 .source = CASE_SOURCE6, .destination = CASE_DESTINATION6
#define CASE_PORTS .source_port = 1234, .destination_port = 53

/* Start a frame with an IP header of these ends; UDP of CASE_PORTS with n octets ends it. */
struct iphdr *case_start4(struct pkt_builder *b);
struct ipv6hdr *case_start6(struct pkt_builder *b);
void case_finish_udp(struct pkt_builder *b, size_t n);

/* Append octets as they are. */
void case_octets(struct pkt_builder *b, const void *octets, size_t n);
#define CASE_OCTETS(b, ...)                                                                        \
	case_octets(b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/*
 * Append the datagram of the Flow of the tables, 100 octets of IPv4 or 120 of
 * IPv6, or IPv4 in an Ethernet frame with so many tags; and finish the packet.
 */
void case_inside4(struct pkt_builder *b);
void case_inside6(struct pkt_builder *b);
void case_frame4(struct pkt_builder *b, unsigned int n_tags);
