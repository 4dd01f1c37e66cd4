/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry points: XDP with and without multi-buffer frames, tc ingress and tc
 * egress. Each describes the packet to the Metering Process and lets it pass:
 * XDP_PASS and TC_ACT_UNSPEC on every path, no packet is dropped or altered.
 */
#include "bpf/target.bpf.h"

#include <linux/errno.h>
#include <linux/pkt_cls.h>

#include "bpf/hook.bpf.h"

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

/* True when there is more of the packet than is linear, and headers may be there. */
static __always_inline bool is_split(const struct pkt *p)
{
	__u32 linear = p->data_end - p->data;

	return p->frame_octets > linear && linear < PARSE_SCRATCH;
}

/* How much of a packet may hold headers: 1 .. PARSE_SCRATCH, as the verifier must see it. */
static __always_inline __u32 head_octets(__u32 n)
{
	barrier_var(n);
	if (n > PARSE_SCRATCH)
		n = PARSE_SCRATCH;
	return n < 1 ? 1 : n;
}

/* Copy the head of a frame of several buffers to where it is in one piece. */
static __always_inline bool pkt_to_scratch(struct pkt *p, struct xdp_md *ctx)
{
	__u32 zero = 0;
	void *scratch = bpf_map_lookup_elem(&xfp_scratch, &zero);

	if (!scratch || bpf_xdp_load_bytes(ctx, 0, scratch, head_octets(p->frame_octets)))
		return false;
	p->data = scratch;
	p->is_scratch = true;
	return true;
}

/*
 * Whatever the plain ways leave, counted as seen already. Functions of their own:
 * the plain packet does not carry the weight of the others. They return what details
 * go by.
 */
GLOBAL_FUNCTION int xfp_xdp_other(struct xdp_md *ctx, struct headers *h)
{
	struct xfp_ledger_row *row = ledger_row();
	struct source from = {.ctx = ctx};
	struct pkt p = {};
	__u32 details = METER_DONE;

	if (!row || !h)
		return METER_DONE;
	pkt_from_xdp(&p, ctx, false);
	pkt_met(&p, DIRECTION_INGRESS, 0);
	meter_end(row, &p, from, h, meter_packet(row, &p, from, h, &details));
	return details;
}

/* Twice only when the first buffer ends inside a header: then on a copy. */
GLOBAL_FUNCTION int xfp_xdp_frags_other(struct xdp_md *ctx, __u32 tag, struct headers *h)
{
	struct xfp_ledger_row *row = ledger_row();
	__u32 details = METER_DONE;

	if (!row || !h)
		return METER_DONE;
	NO_UNROLL
	for (int i = 0; i < 2; i++) {
		struct source from = {.ctx = ctx};
		struct pkt p = {};
		enum xfp_reason verdict;

		pkt_from_xdp(&p, ctx, true);
		pkt_met(&p, DIRECTION_INGRESS, tag);
		from.can_repeat = i == 0 && is_split(&p);
		if (i && !pkt_to_scratch(&p, ctx))
			break;
		from.is_scratch = i;
		verdict = meter_packet(row, &p, from, h, &details);
		if (from.can_repeat && verdict == XFP_truncated)
			continue;
		meter_end(row, &p, from, h, verdict);
		break;
	}
	return details;
}

/* Twice only when the head is not linear: then after the kernel made it so. */
GLOBAL_FUNCTION int xfp_tc_other(struct __sk_buff *skb, __u8 direction, struct headers *h)
{
	struct xfp_ledger_row *row = ledger_row();
	__u32 details = METER_DONE;

	if (!row || !h)
		return METER_DONE;
	NO_UNROLL
	for (int i = 0; i < 2; i++) {
		struct source from = {.ctx = skb, .is_skb = true};
		struct pkt p = {};
		enum xfp_reason verdict;

		pkt_from_skb(&p, skb);
		pkt_met(&p, direction, skb_tag(skb));
		from.can_repeat = i == 0 && is_split(&p);
		verdict = meter_packet(row, &p, from, h, &details);
		if (from.can_repeat && verdict == XFP_truncated) {
			bpf_skb_pull_data(skb, head_octets(p.frame_octets));
			continue;
		}
		meter_end(row, &p, from, h, verdict);
		break;
	}
	return details;
}

static __always_inline bool has_plain(void)
{
	return xfp_is_flat && !xfp_has_no_plain;
}

static __always_inline int plain_xdp(struct xdp_md *ctx, bool has_fragments, __u32 tag,
				     enum detailed detailed)
{
	struct xfp_ledger_row *row = ledger_row();
	struct pkt p = {};

	if (!row)
		return METER_DONE;
	pkt_from_xdp(&p, ctx, has_fragments);
	meter_seen(row, &p);
	if (!has_plain() || !read_plain4(&p, ETH_HLEN))
		return METER_OTHER;
	pkt_met(&p, DIRECTION_INGRESS, tag);
	return meter_plain4(row, &p, detailed);
}

/* A super-packet is not plain: of others the compiler knows that they are one packet. */
static __always_inline bool is_single(struct pkt *p)
{
	if (p->gso_octets || p->has_segments)
		return false;
	p->packets = 1;
	p->gso_octets = 0;
	p->has_segments = false;
	return true;
}

static __always_inline int plain_tc(struct __sk_buff *skb, __u8 direction, enum detailed detailed)
{
	struct xfp_ledger_row *row = ledger_row();
	struct pkt p = {};

	if (!row)
		return METER_DONE;
	pkt_from_skb(&p, skb);
	meter_seen(row, &p);
	if (!has_plain() || !is_single(&p) || !read_plain4(&p, ETH_HLEN))
		return METER_OTHER;
	pkt_met(&p, direction, skb_tag(skb));
	return meter_plain4(row, &p, detailed);
}

/* Functions of their own, of which one is used: what is not asked for weighs nothing. */
#define PLAIN(name, detailed)                                                                      \
	static __noinline int xfp_xdp_##name(struct xdp_md *ctx)                                   \
	{                                                                                          \
		return plain_xdp(ctx, false, 0, detailed);                                         \
	}                                                                                          \
	static __noinline int xfp_xdp_frags_##name(struct xdp_md *ctx, __u32 tag)                  \
	{                                                                                          \
		return plain_xdp(ctx, true, tag, detailed);                                        \
	}                                                                                          \
	static __noinline int xfp_tc_##name(struct __sk_buff *skb, __u8 direction)                 \
	{                                                                                          \
		return plain_tc(skb, direction, detailed);                                         \
	}

PLAIN(plain, DETAILED_NOT)
PLAIN(detailed, DETAILED)
PLAIN(detailed_tcp, DETAILED_TCP)

#define PLAIN_OF(hook, ...)                                                                        \
	(!xfp_detail.octets	? xfp_##hook##_plain(__VA_ARGS__)                                  \
	 : details_are_of_tcp() ? xfp_##hook##_detailed_tcp(__VA_ARGS__)                           \
				: xfp_##hook##_detailed(__VA_ARGS__))

/* What the plain one leaves, counted as seen already. */
static __always_inline int common_xdp(struct xdp_md *ctx, bool has_fragments, __u32 tag)
{
	struct xfp_ledger_row *row = ledger_row();
	struct pkt p = {};

	if (!row)
		return METER_DONE;
	pkt_from_xdp(&p, ctx, has_fragments);
	pkt_met(&p, DIRECTION_INGRESS, tag);
	return meter_common(row, &p);
}

GLOBAL_FUNCTION int xfp_xdp_common(struct xdp_md *ctx)
{
	return common_xdp(ctx, false, 0);
}

GLOBAL_FUNCTION int xfp_xdp_frags_common(struct xdp_md *ctx, __u32 tag)
{
	return common_xdp(ctx, true, tag);
}

GLOBAL_FUNCTION int xfp_tc_common(struct __sk_buff *skb, __u8 direction)
{
	struct xfp_ledger_row *row = ledger_row();
	struct pkt p = {};

	if (!row)
		return METER_DONE;
	pkt_from_skb(&p, skb);
	pkt_met(&p, direction, skb_tag(skb));
	return is_single(&p) ? meter_common(row, &p) : METER_OTHER;
}

/* Details of these packets are kept the general way. */
static __always_inline bool has_common(void)
{
	return has_plain() && !xfp_detail.octets;
}

static __always_inline int frame_other(struct xdp_md *ctx, bool has_fragments, __u32 tag,
				       struct headers *h)
{
	return has_fragments ? xfp_xdp_frags_other(ctx, tag, h) : xfp_xdp_other(ctx, h);
}

static __always_inline void xdp_details(struct xdp_md *ctx, const struct headers *h, int account)
{
	if (!xfp_detail.octets || account == METER_DONE)
		return;
	if (h->is_scratch)
		xfp_scratch_details(ctx, h, account);
	else
		xfp_xdp_details(ctx, h, account);
}

static __always_inline int meter_xdp(struct xdp_md *ctx, bool has_fragments, __u32 tag)
{
	int met = has_fragments ? PLAIN_OF(xdp_frags, ctx, tag) : PLAIN_OF(xdp, ctx);

	if (met == METER_OTHER && has_common())
		met = has_fragments ? xfp_xdp_frags_common(ctx, tag) : xfp_xdp_common(ctx);
	if (met == METER_OTHER) {
		struct headers h = {};

		xdp_details(ctx, &h, frame_other(ctx, has_fragments, tag, &h));
	}
	return XDP_PASS;
}

static __always_inline int meter_tc(struct __sk_buff *skb, __u8 direction)
{
	int met = PLAIN_OF(tc, skb, direction);

	if (met == METER_OTHER && has_common() && !skb->gso_size)
		met = xfp_tc_common(skb, direction);
	if (met == METER_OTHER) {
		struct headers h = {};
		int account = xfp_tc_other(skb, direction, &h);

		if (xfp_detail.octets && account != METER_DONE)
			xfp_skb_details(skb, &h, account);
	}
	return TC_ACT_UNSPEC;
}

SEC("xdp")
int xfp_xdp(struct xdp_md *ctx)
{
	return meter_xdp(ctx, false, 0);
}

SEC("xdp.frags")
int xfp_xdp_frags(struct xdp_md *ctx)
{
	return meter_xdp(ctx, true, 0);
}

/* What a driver knows beside the frame, since Linux 6.8. */
extern int bpf_xdp_metadata_rx_vlan_tag(const struct xdp_md *ctx, __be16 *protocol,
					__u16 *tag) __ksym __weak;

/*
 * For a device that takes tags out of frames; bound to it, as the question is its
 * driver's to answer.
 */
SEC("xdp.frags")
int xfp_tagged(struct xdp_md *ctx)
{
	__be16 protocol = 0;
	__u16 tag = 0;
	int err = bpf_xdp_metadata_rx_vlan_tag(ctx, &protocol, &tag);

	if (err == -EOPNOTSUPP)
		meter_notice(XFP_unknown_tag);
	return meter_xdp(ctx, true, err ? 0 : TAG_BESIDE | tag);
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
