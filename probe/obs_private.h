/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between obs_point.c (load) and obs_attach.c (attach).
 */
#pragma once

#include "probe/obs_point.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "bpf/flow.skel.h"
#pragma GCC diagnostic pop

/* True when `ingress: auto` means XDP on this device: a driver's own, on hardware. */
bool obs_wants_xdp(const char *name);

/*
 * Load exactly the programs that point asks for (wants_xdp, xdp,
 * wants_egress, is_raw_ip), with no look at the interface; `first` lends its
 * maps, NULL for the first. Prints nothing. 0 or -errno.
 */
int obs_instance_load(const struct obs_loader *loader, struct obs_point *point, uint32_t index,
		      const struct flow_bpf *first);

/*
 * Load point's instance of the program (name, wants_xdp, wants_egress are set);
 * `first` lends its maps, NULL for the first. Prints the error; 0 or -errno.
 */
int obs_instance_open(const struct obs_loader *loader, struct obs_point *point, uint32_t index,
		      const struct flow_bpf *first);

/*
 * Load point anew after its wants_* changed; the old instance lends the maps
 * and goes. Prints the error; 0 or -errno, then point->skeleton is NULL.
 */
int obs_instance_replace(const struct obs_loader *loader, struct obs_point *point, uint32_t index);

/* The program for XDP to begin with on this device. */
enum xdp_program obs_xdp_first(const char *name, bool is_generic);

/* Of a skeleton that is not loaded yet, choose point->xdp for point->ifindex, if it wants XDP. */
void obs_xdp_choose(struct flow_bpf *s, const struct obs_point *point);

/* Descriptor of the program so chosen. */
int obs_xdp_fd(const struct obs_point *point);

/*
 * Choose the next of the programs for XDP, as this one was refused with `err`, and
 * print what is lost with it. False when there is none.
 */
bool obs_xdp_next(struct obs_point *point, int err);
