/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry points: XDP with and without multi-buffer frames, tc ingress and tc
 * egress. Each describes the packet to the Metering Process and lets it pass:
 * XDP_PASS and TC_ACT_UNSPEC on every path, no packet is dropped or altered.
 */
#include "bpf/target.bpf.h"

#include <linux/pkt_cls.h>

#include "bpf/meter.bpf.h"

#define DIRECTION_INGRESS 0
#define DIRECTION_EGRESS  1

/* The device has no Ethernet header (tun, GRE, ...): packets begin with IP. */
TUNABLE bool xfp_is_raw_ip;

/* What the daemon's grace period updates; see flow_cache grace. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(
		values, struct {
			__uint(type, BPF_MAP_TYPE_ARRAY);
			__uint(max_entries, 1);
			__type(key, __u32);
			__type(value, __u32);
		});
} xfp_grace SEC(".maps");

static __always_inline enum xfp_reason parse_raw_ip(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 1);

	if (!h)
		return XFP_truncated;
	p->ethertype = h[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	return parse_network(p);
}

static __always_inline enum xfp_reason parse_frame(struct pkt *p)
{
	return xfp_is_raw_ip ? parse_raw_ip(p) : parse_ethernet(p);
}

/* Index << 1 of the Observation Point this instance of the program serves. */
TUNABLE __u8 xfp_obs_point;

/*
 * Headers that the first buffer does not hold: parse the copy of the packet's
 * first n octets instead.
 */
static __always_inline void meter_copy(struct xfp_ledger_row *row, const struct pkt *from,
				       const void *scratch)
{
	struct pkt p = {
		.data = scratch,
		.frame_octets = from->frame_octets,
		.gso_octets = from->gso_octets,
		.is_scratch = true,
		.obs_point = from->obs_point,
		.n_tags = from->is_tag_in_metadata,
		.is_tag_in_metadata = from->is_tag_in_metadata,
		.vlan = from->is_tag_in_metadata ? from->vlan : 0,
		.packets = from->packets,
	};

	meter_account(row, &p, parse_frame(&p));
}

static __always_inline void *scratch_space(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&xfp_scratch, &zero);
}

/* How much to copy: 1 .. PARSE_SCRATCH, as the verifier must see it. */
static __always_inline __u32 scratch_octets(const struct pkt *p)
{
	__u32 n = p->frame_octets;

	barrier_var(n);
	if (n > PARSE_SCRATCH)
		n = PARSE_SCRATCH;
	return n < 1 ? 1 : n;
}

/* True when the parser ran out of linear data though the packet goes on. */
static __always_inline bool is_split(const struct pkt *p, enum xfp_reason verdict, __u32 linear)
{
	return verdict == XFP_truncated && p->frame_octets > linear && linear < PARSE_SCRATCH;
}

static __always_inline int meter_xdp(struct xdp_md *ctx, bool has_fragments)
{
	struct xfp_ledger_row *row = ledger_row();
	struct pkt p = {.packets = 1};
	enum xfp_reason verdict;
	__u32 linear;
	void *scratch;

	if (!row)
		return XDP_PASS;
	p.data = (void *)(long)ctx->data;
	p.data_end = (void *)(long)ctx->data_end;
	linear = p.data_end - p.data;
	p.frame_octets = has_fragments ? bpf_xdp_get_buff_len(ctx) : linear;
	p.obs_point = xfp_obs_point | DIRECTION_INGRESS;
	meter_seen(row, &p);
	verdict = parse_frame(&p);
	if (has_fragments && is_split(&p, verdict, linear)) {
		scratch = scratch_space();
		if (scratch && !bpf_xdp_load_bytes(ctx, 0, scratch, scratch_octets(&p))) {
			meter_copy(row, &p, scratch);
			return XDP_PASS;
		}
	}
	meter_account(row, &p, verdict);
	return XDP_PASS;
}

SEC("xdp.frags")
int xfp_xdp_frags(struct xdp_md *ctx)
{
	return meter_xdp(ctx, true);
}

SEC("xdp")
int xfp_xdp(struct xdp_md *ctx)
{
	return meter_xdp(ctx, false);
}

/* Segments of a super-packet; a guest may leave gso_segs 0 (rare: may divide). */
static __always_inline __u32 skb_segments(const struct __sk_buff *skb)
{
	__u32 segments = skb->gso_segs, size = skb->gso_size;

	if (!segments && size)
		segments = (skb->len + size - 1) / size;
	return segments ? segments : 1;
}

static __always_inline int meter_tc(struct __sk_buff *skb, __u8 direction)
{
	struct xfp_ledger_row *row = ledger_row();
	struct pkt p = {.packets = skb_segments(skb)};
	enum xfp_reason verdict;
	__u32 linear;
	void *scratch;

	if (!row)
		return TC_ACT_UNSPEC;
	p.data = (void *)(long)skb->data;
	p.data_end = (void *)(long)skb->data_end;
	linear = p.data_end - p.data;
	p.frame_octets = skb->len;
	p.gso_octets = skb->gso_size;
	p.obs_point = xfp_obs_point | direction;
	if (skb->vlan_present) {
		p.is_tag_in_metadata = true;
		p.n_tags = 1;
		p.vlan = skb->vlan_tci & 0x0fff;
	}
	meter_seen(row, &p);
	verdict = parse_frame(&p);
	if (is_split(&p, verdict, linear)) {
		scratch = scratch_space();
		if (scratch && !bpf_skb_load_bytes(skb, 0, scratch, scratch_octets(&p))) {
			meter_copy(row, &p, scratch);
			return TC_ACT_UNSPEC;
		}
	}
	meter_account(row, &p, verdict);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int xfp_tc_ingress(struct __sk_buff *skb)
{
	return meter_tc(skb, DIRECTION_INGRESS);
}

SEC("tc")
int xfp_tc_egress(struct __sk_buff *skb)
{
	return meter_tc(skb, DIRECTION_EGRESS);
}

/* For the daemon at start: both clocks at one moment, to put them on one scale. */
__u64 xfp_clock_ktime_ns;
__u64 xfp_clock_jiffies;

SEC("tc")
int xfp_clock(struct __sk_buff *skb)
{
	(void)skb;
	xfp_clock_jiffies = bpf_jiffies64();
	xfp_clock_ktime_ns = bpf_ktime_get_ns();
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "Dual BSD/GPL";
