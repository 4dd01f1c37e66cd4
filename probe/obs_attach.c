/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attach the loaded programs to their interfaces, and detach them. By bpf_link
 * where the kernel has one, so that our going away detaches by itself; nobody
 * else's program or filter is touched.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/log.h"
#include "probe/obs_private.h"

/* tcx attach types (Linux 6.6); the libbpf of Debian 12 does not name them. */
#define ATTACH_TCX_INGRESS 46
#define ATTACH_TCX_EGRESS  47

const char *hook_name(enum hook hook)
{
	static const char *const names[] = {
		[HOOK_NONE] = "off", [HOOK_XDP] = "xdp",       [HOOK_XDP_GENERIC] = "xdp-generic",
		[HOOK_TCX] = "tcx",  [HOOK_CLSACT] = "clsact",
	};

	return names[hook];
}

static int xdp_attach(struct obs_point *p, bool is_generic)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = is_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	int link = bpf_link_create(obs_xdp_fd(p), (int)p->ifindex, BPF_XDP, &opts);

	if (link < 0)
		return link;
	p->ingress_link = link;
	p->ingress = is_generic ? HOOK_XDP_GENERIC : HOOK_XDP;
	return 0;
}

/* The driver decides which of the programs it takes. */
static int xdp_attach_any(struct obs_points *o, uint32_t index, bool is_generic)
{
	struct obs_point *p = &o->point[index];
	int err = xdp_attach(p, is_generic);

	while (err && obs_xdp_next(p, err)) {
		if (obs_instance_replace(&o->loader, p, index))
			return err;
		err = xdp_attach(p, is_generic);
	}
	return err;
}

static int clsact_attach(struct obs_point *p, int program_fd, bool is_egress, int *handle)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)p->ifindex,
		    .attach_point = is_egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = program_fd);
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	err = bpf_tc_attach(&hook, &opts);
	if (err)
		return err;
	*handle = (int)opts.handle;
	*(is_egress ? &p->egress_priority : &p->ingress_priority) = opts.priority;
	return 0;
}

static int tc_attach(struct obs_point *p, bool is_egress)
{
	struct bpf_program *program =
		is_egress ? p->skeleton->progs.xfp_tc_egress : p->skeleton->progs.xfp_tc_ingress;
	int *link = is_egress ? &p->egress_link : &p->ingress_link;
	enum hook *hook = is_egress ? &p->egress : &p->ingress;
	int fd = bpf_link_create(bpf_program__fd(program), (int)p->ifindex,
				 is_egress ? ATTACH_TCX_EGRESS : ATTACH_TCX_INGRESS, NULL);
	int err;

	if (fd >= 0) {
		*link = fd;
		*hook = HOOK_TCX;
		return 0;
	}
	log_info("%s: no tcx (%s), using a clsact filter", p->name, strerror(-fd));
	err = clsact_attach(p, bpf_program__fd(program), is_egress, link);
	if (!err)
		*hook = HOOK_CLSACT;
	return err;
}

static int attach_failed(int err, const struct obs_point *p, const char *what)
{
	if (err == -EBUSY || err == -EEXIST)
		return log_errno(err,
				 "attach %s to %s (another program is there; see `bpftool net`)",
				 what, p->name);
	if (err == -EOPNOTSUPP)
		return log_errno(err, "attach %s to %s (use `ingress: tc`)", what, p->name);
	return log_errno(err, "attach %s to %s", what, p->name);
}

static int ingress_attach(struct obs_points *o, uint32_t index, enum ingress_hook wanted)
{
	struct obs_point *p = &o->point[index];
	int err;

	if (wanted == INGRESS_OFF)
		return 0;
	if (wanted == INGRESS_XDP_GENERIC)
		log_warning("%s: generic XDP counts GSO super-packets as one packet each; "
			    "`ingress: tc` counts the packets on the wire",
			    p->name);
	if (!p->wants_xdp) {
		err = tc_attach(p, false);
		return err ? attach_failed(err, p, "the tc ingress program") : 0;
	}
	err = xdp_attach_any(o, index, wanted == INGRESS_XDP_GENERIC);
	if (!err)
		return 0;
	if (wanted != INGRESS_AUTO)
		return attach_failed(err, p, "the XDP program");
	log_info("%s: no native XDP (%s), using tc ingress", p->name, strerror(-err));
	p->wants_xdp = false;
	err = obs_instance_replace(&o->loader, p, index);
	if (!err)
		err = tc_attach(p, false);
	return err ? attach_failed(err, p, "the tc ingress program") : 0;
}

int obs_points_attach(struct obs_points *o, const struct config *cfg)
{
	for (uint32_t i = 0; i < o->n; i++) {
		struct obs_point *p = &o->point[i];
		int err = ingress_attach(o, i, (enum ingress_hook)cfg->interfaces[i].ingress);

		if (!err && p->wants_egress) {
			err = tc_attach(p, true);
			if (err)
				attach_failed(err, p, "the tc egress program");
		}
		if (err) {
			obs_points_detach(o);
			return err;
		}
		log_info("observing %s: ingress %s, egress %s", p->name, hook_name(p->ingress),
			 hook_name(p->egress));
	}
	return 0;
}

static void hook_detach(struct obs_point *p, bool is_egress)
{
	enum hook *hook = is_egress ? &p->egress : &p->ingress;
	int *link = is_egress ? &p->egress_link : &p->ingress_link;

	if (*hook == HOOK_CLSACT) {
		LIBBPF_OPTS(bpf_tc_hook, at, .ifindex = (int)p->ifindex,
			    .attach_point = is_egress ? BPF_TC_EGRESS : BPF_TC_INGRESS);
		LIBBPF_OPTS(bpf_tc_opts, opts, .handle = (uint32_t)*link,
			    .priority = is_egress ? p->egress_priority : p->ingress_priority);
		int err = bpf_tc_detach(&at, &opts);

		if (err && err != -ENOENT && err != -ENODEV && err != -EINVAL)
			log_errno(err, "remove our filter from %s (`tc filter del dev %s`)",
				  p->name, p->name);
	} else if (*hook != HOOK_NONE) {
		close(*link);
	}
	*hook = HOOK_NONE;
	*link = 0;
}

void obs_points_detach(struct obs_points *o)
{
	for (uint32_t i = 0; i < o->n; i++) {
		hook_detach(&o->point[i], false);
		hook_detach(&o->point[i], true);
	}
}

bool obs_points_need_net_admin(const struct obs_points *o)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (o->point[i].ingress == HOOK_CLSACT || o->point[i].egress == HOOK_CLSACT)
			return true;
	return false;
}
