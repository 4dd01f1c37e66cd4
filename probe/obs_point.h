/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Observation Points: load the program, share its maps as the Flow Cache,
 * attach to interfaces and let go again. The only place that knows libbpf's
 * objects, links and hooks.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/config.h"
#include "probe/flow_cache.h"
#include "probe/obs_table.h"

enum hook {
	HOOK_NONE,
	HOOK_XDP, /* native XDP                        */
	HOOK_XDP_GENERIC, /* skb mode, only when asked for     */
	HOOK_TCX, /* tc by bpf_link (kernel 6.6)       */
	HOOK_CLSACT, /* tc by a filter of our own         */
};

/* The programs for XDP; what a kernel or driver refuses gives way to the one before it. */
enum xdp_program {
	XDP_PROGRAM_PLAIN,
	XDP_PROGRAM_FRAGS, /* takes frames of several buffers          */
	XDP_PROGRAM_TAGGED, /* the same, and asks the driver for the VLAN tag */
};

struct flow_bpf;

/* One interface: its own instance of the program, on shared maps. */
struct obs_point {
	char name[64];
	uint32_t ifindex;
	struct flow_bpf *skeleton;
	bool is_raw_ip; /* no Ethernet header on this device               */
	bool wants_xdp;
	bool wants_egress;
	enum xdp_program xdp; /* which of them, where wants_xdp                  */
	enum hook ingress; /* as attached                                     */
	enum hook egress;
	int ingress_link; /* bpf_link descriptor, or the handle of a filter  */
	int egress_link;
	uint32_t ingress_priority; /* of the filter                              */
	uint32_t egress_priority;
};

/* What every instance of the program is loaded with. */
struct obs_loader {
	const struct flow_cache *cache;
	uint32_t n_cpus;
	uint64_t tick_ns;
	uint64_t tick_origin_ns;
	bool is_precise;
	bool opens_tunnels;
};

struct obs_points {
	struct obs_point point[CONFIG_MAX_INTERFACES];
	uint32_t n;
	struct obs_table table; /* for whoever reads Flow Keys */
	struct obs_loader loader;
	struct obs_mapping {
		void *at;
		size_t octets;
	} mapping[13];
	uint32_t n_mappings;
};

/*
 * Load the program for every configured interface and map the Flow Cache.
 * Nothing is attached yet.
 *
 * cache  opened by flow_cache_open(is_native = false); tags, slots, hints, news,
 *        rows, switches and unseen are set here and stay valid until obs_points_close()
 *
 * Returns 0, -EPERM (the message names the missing capability), -ENODEV (no
 * such interface), -ENOMEM, or -errno of the load.
 */
int obs_points_open(struct obs_points *o, const struct config *cfg, struct flow_cache *cache);

/*
 * Attach to the interfaces: native XDP where the device has it, else tc; see
 * architecture: generic XDP only when asked for. Messages say what is used.
 * Returns 0 or -errno; on failure nothing stays attached.
 */
int obs_points_attach(struct obs_points *o, const struct config *cfg);

/* Detach everything; only our own links and filters. Idempotent. */
void obs_points_detach(struct obs_points *o);

/* True when detaching needs CAP_NET_ADMIN: a clsact filter does not go with its descriptor. */
bool obs_points_need_net_admin(const struct obs_points *o);

/* Descriptor of the grace-period map, for grace_open(). */
int obs_points_grace_fd(const struct obs_points *o);

/* "xdp", "xdp-generic", "tcx", "clsact" or "off". */
const char *hook_name(enum hook hook);

/* Detach, unmap, free. Idempotent. */
void obs_points_close(struct obs_points *o);
