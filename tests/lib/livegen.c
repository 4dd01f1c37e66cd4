/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet generator without a driver. See livegen.h.
 */
#include "tests/lib/livegen.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe/clock.h"
#include "probe/log.h"
#include "tests/lib/livegen_abi.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "tests/lib/livegen.skel.h"
#pragma GCC diagnostic pop

#define NS_PER_S	 1000000000ULL
#define BATCH		 64 /* frames in flight: a quarter of veth's ring */
#define PACED_PER_S	 4 /* bursts when there is a rate: a call waits for RCU */
#define FLAT_OUT_PACKETS 100000000 /* of one call when there is none */

struct livegen {
	struct livegen_options options;
	struct livegen_bpf *skeleton;
	unsigned char frame[LIVEGEN_FRAME_OCTETS];
	uint64_t took_ns;
};

int livegen_open(struct livegen **out, const struct livegen_options *options)
{
	struct livegen *g = calloc(1, sizeof(*g));
	int err;

	if (!g)
		return -ENOMEM;
	g->options = *options;
	memcpy(g->frame, options->destination, sizeof(options->destination));
	g->frame[6] = 2; /* a source address of local kind */
	g->frame[11] = 1;
	g->skeleton = livegen_bpf__open();
	if (!g->skeleton) {
		err = -errno;
		livegen_close(g);
		return log_errno(err, "open the generator's BPF object");
	}
	g->skeleton->rodata->livegen_ifindex = options->ifindex;
	g->skeleton->rodata->livegen_flows = options->flows ? options->flows : 1;
	g->skeleton->rodata->livegen_first_flow = options->first_flow;
	g->skeleton->rodata->livegen_udp_percent = options->udp_percent;
	g->skeleton->rodata->livegen_ipv6_percent = options->ipv6_percent;
	g->skeleton->rodata->livegen_is_syn = options->is_syn;
	err = livegen_bpf__load(g->skeleton);
	if (err) {
		livegen_close(g);
		return log_errno(err, "load the generator (needs root, kernel 5.18)");
	}
	*out = g;
	return 0;
}

static int send_some(struct livegen *g, uint64_t n_packets)
{
	struct xdp_md context = {
		.data_end = sizeof(g->frame),
		.ingress_ifindex = g->options.ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = g->frame, .data_size_in = sizeof(g->frame),
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = (int)n_packets,
		    .flags = BPF_F_TEST_XDP_LIVE_FRAMES, .batch_size = BATCH);
	int err = bpf_prog_test_run_opts(bpf_program__fd(g->skeleton->progs.livegen), &run);

	return err ? log_errno(err, "send %llu live frames", (unsigned long long)n_packets) : 0;
}

static void sleep_until(uint64_t ns)
{
	const struct timespec until = {
		.tv_sec = (time_t)(ns / NS_PER_S),
		.tv_nsec = (long)(ns % NS_PER_S),
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

int livegen_send(struct livegen *g, uint64_t n_packets, struct livegen_sent *sent)
{
	uint64_t rate = g->options.rate_pps, start = clock_monotonic_ns(), n = 0;
	uint64_t step = rate ? (rate + PACED_PER_S - 1) / PACED_PER_S : FLAT_OUT_PACKETS;
	int err = 0;

	while (n < n_packets && !err) {
		uint64_t some = n_packets - n < step ? n_packets - n : step;

		err = send_some(g, some);
		n += some;
		if (rate)
			sleep_until(start + n * NS_PER_S / rate);
	}
	g->took_ns += clock_monotonic_ns() - start;
	sent->packets = g->skeleton->bss->livegen_packets;
	sent->ip_octets = g->skeleton->bss->livegen_ip_octets;
	sent->frame_octets = sent->packets * LIVEGEN_FRAME_OCTETS;
	sent->took_ns = g->took_ns;
	return err;
}

int livegen_pass_fd(const struct livegen *g)
{
	return bpf_program__fd(g->skeleton->progs.livegen_pass);
}

void livegen_close(struct livegen *g)
{
	if (!g)
		return;
	livegen_bpf__destroy(g->skeleton);
	free(g);
}
