/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments in an order, and the Flows and notices that must come of them, for
 * both builds of the Metering Process.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "bpf/flow_abi.h"
#include "probe/flow_cache.h"
#include "tests/lib/pkt.h"

#define FRAGMENT_STEPS 6
#define FRAGMENT_FLOWS 4

/*
 * One packet. Without `payload` it ends a case. At offset 0 its payload begins with
 * the ports, or what stands in their place.
 */
struct fragment_step {
	uint32_t id;
	uint16_t offset; /* octets */
	bool has_more;
	uint16_t payload; /* octets */
	uint8_t protocol; /* 0: UDP */
	uint16_t source_port; /* 0: CASE_PORTS */
	uint16_t destination_port;
	bool is_reverse; /* source and destination change places */
	uint16_t vlan;
	uint64_t at_ns; /* time, natively */
};

struct fragment_flow {
	uint64_t packets; /* 0: no more Flows */
	uint8_t protocol; /* 0: UDP */
	uint16_t source_port;
	uint16_t destination_port;
	bool is_reverse;
	uint16_t vlan;
};

struct fragment_case {
	const char *name;
	bool is_ipv6;
	struct fragment_step step[FRAGMENT_STEPS];
	struct fragment_flow flow[FRAGMENT_FLOWS];
	uint64_t notice[XFP_N_NOTICES];
	bool needs_time; /* not for the kernel, whose clock is not ours */
};

/* Ends with a case without a name. */
extern const struct fragment_case fragment_cases[];

/* Build the case's i-th packet. Returns false behind the last. */
bool fragment_case_build(const struct fragment_case *c, unsigned int i, struct pkt_builder *b);

/* Meter the packet in b natively, at this time. */
void fragment_run_native(struct flow_cache *cache, const struct pkt_builder *b, uint64_t time_ns);

/* *cache has exactly the case's Flows, seen at obs_point, and its notices. */
void fragment_case_assert(const struct fragment_case *c, const struct flow_cache *cache,
			  uint8_t obs_point);
