/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs in the kernel and the native build side by side. See meter_fixture.h.
 */
#include "tests/lib/meter_fixture.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "probe/detail_layout.h"
#include "probe/native_meter.h"
#include "probe/obs_private.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/pkt.h"

static int program_fd(const struct bpf_program *program)
{
	int fd = bpf_program__fd(program);

	assert_true(fd >= 0);
	return fd;
}

/* A further instance of Observation Point 0 on the maps of the first. */
static void instance_open(struct meter_fixture *m, struct obs_point *point)
{
	assert_int_equal(
		obs_instance_load(&m->points.loader, point, 0, m->points.point[0].skeleton), 0);
}

static void programs_open(struct meter_fixture *m)
{
	static struct config cfg;
	const struct flow_bpf *first;

	config_init(&cfg);
	cfg.n_interfaces = 1;
	snprintf(cfg.interfaces[0].name, sizeof(cfg.interfaces[0].name), "lo");
	cfg.interfaces[0].ingress = INGRESS_XDP;
	cfg.interfaces[0].egress = EGRESS_TC;
	cfg.flow_cache.tunnels = m->opens_tunnels ? TUNNELS_INNER : TUNNELS_OUTER;
	assert_int_equal(obs_points_open(&m->points, &cfg, &m->kernel), 0);
	assert_int_not_equal(m->points.point[0].xdp, XDP_PROGRAM_PLAIN);
	m->plain.wants_xdp = true;
	instance_open(m, &m->plain);
	instance_open(m, &m->tc);

	first = m->points.point[0].skeleton;
	m->program[METER_XDP_FRAGS] = program_fd(first->progs.xfp_xdp_frags);
	m->program[METER_TC_EGRESS] = program_fd(first->progs.xfp_tc_egress);
	m->program[METER_XDP] = program_fd(m->plain.skeleton->progs.xfp_xdp);
	m->program[METER_TC_INGRESS] = program_fd(m->tc.skeleton->progs.xfp_tc_ingress);
}

#define FRAGMENTS_OCTETS (XFP_FRAGMENT_BUCKETS * sizeof(struct xfp_fragment_bucket))

/* The daemon has no use for it. */
static void fragments_map(struct meter_fixture *m)
{
	int fd = bpf_map__fd(m->points.point[0].skeleton->maps.xfp_fragments);

	m->kernel.fragments =
		mmap(NULL, FRAGMENTS_OCTETS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(m->kernel.fragments, MAP_FAILED);
}

void meter_fixture_open(struct meter_fixture *m, uint32_t max_flows)
{
	meter_fixture_open_details(m, max_flows, 0);
}

void meter_fixture_open_details(struct meter_fixture *m, uint32_t max_flows, uint32_t details)
{
	struct flow_cache_params params;

	assert_int_equal(flow_cache_params_init(&params, max_flows, max_flows), 0);
	params.detail = detail_layout(details);
	params.has_switches = m->has_switches;
	params.joins_points = m->joins_points;
	params.is_watched = m->is_watched;
	native_meter_configure(&params);
	native_meter_open_tunnels(m->opens_tunnels);
	assert_int_equal(flow_cache_open(&m->native, &params, max_flows, max_flows, true), 0);
	assert_int_equal(flow_cache_open(&m->kernel, &params, max_flows, max_flows, false), 0);
	programs_open(m);
	fragments_map(m);
}

void meter_fixture_clear(struct meter_fixture *m)
{
	meter_cache_clear(&m->native);
	meter_cache_clear(&m->kernel);
}

struct flow_cache *meter_fixture_cache(struct meter_fixture *m, enum meter_hook hook)
{
	return hook == METER_NATIVE ? &m->native : &m->kernel;
}

uint8_t meter_fixture_obs_point(enum meter_hook hook)
{
	return hook == METER_TC_EGRESS;
}

const char *meter_hook_name(enum meter_hook hook)
{
	static const char *const names[] = {"native", "xdp", "xdp.frags", "tc ingress",
					    "tc egress"};

	return names[hook];
}

static bool is_xdp(enum meter_hook hook)
{
	return hook == METER_XDP || hook == METER_XDP_FRAGS;
}

bool meter_fixture_can_run(enum meter_hook hook, const uint8_t *frame, size_t octets)
{
	uint32_t type;

	if (hook == METER_NATIVE)
		return true;
	if (octets < (is_xdp(hook) ? ETH_HLEN : ETH_HLEN + 1))
		return false;
	type = (uint32_t)frame[12] << 8 | frame[13];
	if (is_xdp(hook) || (type != ETH_P_IP && type != ETH_P_IPV6))
		return true;
	return octets >=
	       ETH_HLEN + (type == ETH_P_IP ? sizeof(struct iphdr) : sizeof(struct ipv6hdr));
}

/* One run with a context; 0 when the packet passed as it came, or -errno of the run. */
static int run(const struct meter_fixture *m, enum meter_hook hook, const void *frame,
	       size_t octets, struct bpf_test_run_opts *run)
{
	static uint8_t out[PKT_MAX_OCTETS];
	int err;

	run->data_in = frame;
	run->data_size_in = (uint32_t)octets;
	run->data_out = out;
	run->data_size_out = sizeof(out);
	run->repeat = 1;
	err = bpf_prog_test_run_opts(m->program[hook], run);
	if (err)
		return err;
	assert_int_equal(run->retval, is_xdp(hook) ? XDP_PASS : (uint32_t)TC_ACT_UNSPEC);
	assert_int_equal(run->data_size_out, octets);
	assert_memory_equal(out, frame, octets);
	return 0;
}

void meter_fixture_run(struct meter_fixture *m, enum meter_hook hook, const void *frame,
		       size_t octets)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);

	if (hook == METER_NATIVE)
		meter_run_native(&m->native, frame, (uint32_t)octets, 0);
	else
		assert_int_equal(run(m, hook, frame, octets, &opts), 0);
}

void meter_fixture_run_native(struct meter_fixture *m, const void *frame, size_t octets,
			      uint8_t obs_point)
{
	native_meter_packet(&m->native, &(struct native_packet){
						.data = frame,
						.captured_octets = (uint32_t)octets,
						.wire_octets = (uint32_t)octets,
						.time_ns = 1,
						.is_ethernet = true,
						.obs_point = obs_point,
					});
}

int meter_fixture_run_split(struct meter_fixture *m, const void *frame, size_t octets,
			    size_t linear)
{
	struct xdp_md xdp = {.data_end = (uint32_t)linear};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &xdp, .ctx_size_in = sizeof(xdp));

	return run(m, METER_XDP_FRAGS, frame, octets, &opts);
}

void meter_fixture_run_skb(struct meter_fixture *m, enum meter_hook hook, const void *frame,
			   size_t octets, const struct __sk_buff *skb)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = skb, .ctx_size_in = sizeof(*skb));

	assert_int_equal(run(m, hook, frame, octets, &opts), 0);
}

void meter_fixture_close(struct meter_fixture *m)
{
	flow_bpf__destroy(m->plain.skeleton);
	flow_bpf__destroy(m->tc.skeleton);
	obs_points_close(&m->points);
	munmap(m->kernel.fragments, FRAGMENTS_OCTETS);
	flow_cache_close(&m->kernel);
	flow_cache_close(&m->native);
	memset(m, 0, sizeof(*m));
}
