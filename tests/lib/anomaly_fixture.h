/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Anomaly detection over packets on a scripted clock: metered natively, swept every
 * second, events kept as they come. Configured as by default.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly.h"
#include "probe/config.h"
#include "probe/flow_cache.h"
#include "probe/sweep.h"

#define ANOMALY_FIXTURE_EVENTS 4096

/* One packet; IPv4 or IPv6 as its addresses are written. */
struct anomaly_packet {
	const char *from;
	const char *to;
	uint16_t from_port; /* of ICMP: type << 8 | code */
	uint16_t to_port;
	uint8_t protocol; /* IPPROTO_TCP where 0 */
	uint8_t flags; /* of TCP */
	bool is_os; /* a SYN with options */
	uint8_t obs_point; /* as in struct xfp_key4 */
	uint16_t payload; /* octets */
	uint16_t
		fragment; /* of IPv4: octets behind the IP header in each but the last, of 8; 0: whole */
};

struct anomaly_fixture {
	struct config cfg; /* to change before anomaly_fixture_open() */
	uint32_t max_flows; /* ... of each family; 0: more than needed */
	struct flow_cache cache;
	struct wall_clock clock;
	struct obs_table obs;
	struct sweep sweep;
	struct anomaly *anomaly;
	uint64_t next_sweep_ms;
	bool has_news; /* packets since the last sweep */
	struct anomaly_event event[ANOMALY_FIXTURE_EVENTS];
	uint32_t n_events;
};

/* Defaults into f->cfg; the rest is zeroed. */
void anomaly_fixture_init(struct anomaly_fixture *f);

void anomaly_fixture_open(struct anomaly_fixture *f);

/* Sweep up to ms: every second in which there is something to do, and the last one. */
void anomaly_fixture_run(struct anomaly_fixture *f, uint64_t ms);

/* Meter a packet that arrived at ms, with the sweeps before it. */
void anomaly_fixture_packet(struct anomaly_fixture *f, uint64_t ms, struct anomaly_packet p);

/* Flush, and end what is open. */
void anomaly_fixture_finish(struct anomaly_fixture *f, uint64_t ms);

/* Events of that class and state; the last of them in *e unless that is NULL. */
uint32_t anomaly_fixture_count(const struct anomaly_fixture *f, uint8_t class, uint8_t state,
			       struct anomaly_event *e);

void anomaly_fixture_close(struct anomaly_fixture *f);
