/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Metering Process under BPF_PROG_TEST_RUN, which runs a program on one
 * packet again and again. So each program here first writes the next Flow of a
 * trace into that packet; what *_base costs, which does no more than that, is to be
 * subtracted from what *_meter costs.
 */
#include "bpf/flow.bpf.c"

#include "tests/bench/trace.h"

/* Written by the bench between runs, and here. */
MMAPABLE_ARRAY(bench_trace, struct trace);

/* The IP header of the frame is behind a tag, or of IPv6; known to the compiler. */
struct kind {
	bool is_tagged;
	bool is_ipv6;
};

/* One store, as wide as the load that follows: or that waits for two. */
static __always_inline void write_eight(void *at, __u64 value)
{
	barrier_var(value);
	*(__u64 *)at = value;
}

static __always_inline void write_flow(void *data, const void *data_end, struct kind kind)
{
	__u32 zero = 0;
	struct trace *trace = bpf_map_lookup_elem(&bench_trace, &zero);
	__u8 *ip = (__u8 *)data + ETH_HLEN + (kind.is_tagged ? 4 : 0);
	__u8 *tcp = ip + (kind.is_ipv6 ? 40 : 20);
	__u64 flow;

	if (!trace || (const void *)(tcp + 20) > data_end)
		return;
	flow = trace_flow(trace);
	if (kind.is_ipv6) {
		write_eight(ip + 8 + 8, (__u64)TRACE_SOURCE(flow) << 32);
		write_eight(ip + 24 + 8, (__u64)TRACE_DESTINATION(flow) << 32);
	} else {
		write_eight(ip + 12, TRACE_SOURCE(flow) | (__u64)TRACE_DESTINATION(flow) << 32);
	}
	*(__u32 *)(void *)tcp = TRACE_SOURCE_PORT(flow) | TRACE_DESTINATION_PORT(flow) << 16;
}

static __always_inline void skb_write_flow(struct __sk_buff *skb, struct kind kind)
{
	write_flow((void *)(long)skb->data, (void *)(long)skb->data_end, kind);
}

static __always_inline void xdp_write_flow(struct xdp_md *ctx, struct kind kind)
{
	write_flow((void *)(long)ctx->data, (void *)(long)ctx->data_end, kind);
}

/* The pairs of programs for one kind of frame. */
#define PROGRAMS(name, ...)                                                                        \
	SEC("tc") int name##_tc_base(struct __sk_buff *skb)                                        \
	{                                                                                          \
		skb_write_flow(skb, (struct kind){__VA_ARGS__});                                   \
		return TC_ACT_UNSPEC;                                                              \
	}                                                                                          \
	SEC("tc") int name##_tc_meter(struct __sk_buff *skb)                                       \
	{                                                                                          \
		skb_write_flow(skb, (struct kind){__VA_ARGS__});                                   \
		return meter_tc(skb, DIRECTION_INGRESS);                                           \
	}                                                                                          \
	SEC("xdp.frags") int name##_xdp_base(struct xdp_md *ctx)                                   \
	{                                                                                          \
		xdp_write_flow(ctx, (struct kind){__VA_ARGS__});                                   \
		return XDP_PASS;                                                                   \
	}                                                                                          \
	SEC("xdp.frags") int name##_xdp_meter(struct xdp_md *ctx)                                  \
	{                                                                                          \
		xdp_write_flow(ctx, (struct kind){__VA_ARGS__});                                   \
		return meter_xdp(ctx, true, 0);                                                    \
	}

PROGRAMS(ipv4, .is_tagged = false)
PROGRAMS(tagged, .is_tagged = true)
PROGRAMS(ipv6, .is_ipv6 = true)
PROGRAMS(tagged_ipv6, .is_tagged = true, .is_ipv6 = true)
