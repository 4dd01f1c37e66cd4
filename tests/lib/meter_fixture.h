/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Metering Process behind each of its entry points: the four programs in
 * the kernel on one Flow Cache, run by BPF_PROG_TEST_RUN, and the native build
 * on another of the same secrets and geometry. Needs root and `lo`.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "probe/flow_cache.h"
#include "probe/obs_point.h"

struct __sk_buff;

enum meter_hook {
	METER_NATIVE,
	METER_XDP,
	METER_XDP_FRAGS,
	METER_TC_INGRESS,
	METER_TC_EGRESS,
	METER_HOOKS,
};

/* Zeroed is closed; stays where it is while open. */
struct meter_fixture {
	struct flow_cache native;
	struct flow_cache kernel;
	struct obs_points points; /* xdp.frags and tc egress           */
	struct obs_point plain; /* xdp and tc ingress, on their maps */
	struct obs_point tc;
	int program[METER_HOOKS]; /* descriptors, the fixture's        */
	/* set before opening */
	bool opens_tunnels; /* `tunnels: inner`                  */
	bool has_switches; /* protocols can be switched          */
	bool joins_points; /* `deduplicate`                      */
	bool is_watched; /* anomaly detection                 */
};

/* Load everything with room for max_flows of each family. Fails the test on errors. */
void meter_fixture_open(struct meter_fixture *m, uint32_t max_flows);

/* The same with a set of details kept (bits 1 << XFP_DETAIL_*), so that every packet but the plain
 * IPv4 one takes the general path of the programs. */
void meter_fixture_open_details(struct meter_fixture *m, uint32_t max_flows, uint32_t details);

/* Empty both caches. */
void meter_fixture_clear(struct meter_fixture *m);

/* The cache that a hook writes, and the Observation Point it writes into keys. */
struct flow_cache *meter_fixture_cache(struct meter_fixture *m, enum meter_hook hook);
uint8_t meter_fixture_obs_point(enum meter_hook hook);

/* Text for messages. */
const char *meter_hook_name(enum meter_hook hook);

/*
 * Whether BPF_PROG_TEST_RUN takes the frame: XDP wants an Ethernet header, tc an
 * octet more, and a whole IP header where the EtherType says IP.
 */
bool meter_fixture_can_run(enum meter_hook hook, const uint8_t *frame, size_t octets);

/*
 * Meter one frame, and check that it passes (XDP_PASS, TC_ACT_UNSPEC) with not
 * an octet changed.
 */
void meter_fixture_run(struct meter_fixture *m, enum meter_hook hook, const void *frame,
		       size_t octets);

/* The same natively, seen at an Observation Point. */
void meter_fixture_run_native(struct meter_fixture *m, const void *frame, size_t octets,
			      uint8_t obs_point);

/*
 * The same behind METER_XDP_FRAGS with only the first `linear` octets in the
 * first buffer. Returns 0, or -EINVAL when this kernel cannot make such a frame.
 */
int meter_fixture_run_split(struct meter_fixture *m, const void *frame, size_t octets,
			    size_t linear);

/* The same behind a tc hook with facts about the packet in *skb (gso_segs, gso_size). */
void meter_fixture_run_skb(struct meter_fixture *m, enum meter_hook hook, const void *frame,
			   size_t octets, const struct __sk_buff *skb);

/* Idempotent. */
void meter_fixture_close(struct meter_fixture *m);
