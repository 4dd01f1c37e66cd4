/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Metering Process under BPF_PROG_TEST_RUN, which runs a program on one
 * packet again and again. So each program here first writes the next Flow of a
 * trace into that packet; what bench_*_base costs, which does no more than that,
 * is to be subtracted from what bench_*_meter costs.
 */
#include "bpf/flow.bpf.c"

#include <linux/ip.h>
#include <linux/tcp.h>

#include "tests/bench/trace.h"

/* Written by the bench between runs, and here. */
MMAPABLE_ARRAY(bench_trace, struct trace);

static __always_inline void write_flow(void *data, const void *data_end)
{
	__u32 zero = 0;
	struct trace *trace = bpf_map_lookup_elem(&bench_trace, &zero);
	struct iphdr *ip = data + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);
	__u64 flow, addresses;

	if (!trace || (const void *)(tcp + 1) > data_end)
		return;
	flow = trace_flow(trace);
	addresses = TRACE_SOURCE(flow) | (__u64)TRACE_DESTINATION(flow) << 32;
	barrier_var(addresses); /* one store, as wide as the load: or that waits for two */
	*(__u64 *)&ip->saddr = addresses;
	*(__u32 *)&tcp->source = TRACE_SOURCE_PORT(flow) | TRACE_DESTINATION_PORT(flow) << 16;
}

SEC("tc")
int bench_tc_base(struct __sk_buff *skb)
{
	write_flow((void *)(long)skb->data, (void *)(long)skb->data_end);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int bench_tc_meter(struct __sk_buff *skb)
{
	write_flow((void *)(long)skb->data, (void *)(long)skb->data_end);
	return meter_tc(skb, DIRECTION_INGRESS);
}

SEC("xdp.frags")
int bench_xdp_base(struct xdp_md *ctx)
{
	write_flow((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_xdp_meter(struct xdp_md *ctx)
{
	write_flow((void *)(long)ctx->data, (void *)(long)ctx->data_end);
	return meter_xdp(ctx, true, 0);
}
