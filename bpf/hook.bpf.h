/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a packet comes from, XDP or tc, and its way through the Metering Process
 * but for the plain ones (plain.bpf.h): the steps of meter.bpf.h, each a function of
 * its own for each kind of context. The verifier takes a step once, not once for each
 * way that led to it, and only one at a time is on the stack.
 */
#pragma once

#include "bpf/meter.bpf.h"
#include "bpf/plain.bpf.h"

#define DIRECTION_INGRESS 0
#define DIRECTION_EGRESS  1

/* Index << 1 of the Observation Point this instance of the program serves. */
TUNABLE __u8 xfp_obs_point;

/* The octets of a packet, and how they came to be there. False: there are none. */
static __always_inline bool xdp_octets(struct pkt *p, struct xdp_md *ctx)
{
	p->data = (void *)(long)ctx->data;
	p->data_end = (void *)(long)ctx->data_end;
	return true;
}

/* The head of a frame of several buffers, which the first step left there. */
static __always_inline bool scratch_octets(struct pkt *p, struct xdp_md *ctx)
{
	__u32 zero = 0;

	barrier_var(ctx); /* a use, or callers need not pass it */
	p->data = bpf_map_lookup_elem(&xfp_scratch, &zero);
	p->is_scratch = true;
	return p->data;
}

static __always_inline bool skb_octets(struct pkt *p, struct __sk_buff *skb)
{
	p->data = (void *)(long)skb->data;
	p->data_end = (void *)(long)skb->data_end;
	p->gso_octets = skb->gso_size;
	p->has_segments = skb->gso_segs;
	return true;
}

/* A VLAN tag that is not in the frame but beside it: this and the tag's 16 bits; else 0. */
#define TAG_BESIDE 0x10000

/* What there is to be read and counted; the rest when it is called for: registers are few. */
static __always_inline void pkt_from_xdp(struct pkt *p, struct xdp_md *ctx, bool has_fragments)
{
	xdp_octets(p, ctx);
	p->frame_octets = has_fragments ? bpf_xdp_get_buff_len(ctx) : p->data_end - p->data;
	p->packets = 1;
}

static __always_inline void pkt_from_skb(struct pkt *p, struct __sk_buff *skb)
{
	skb_octets(p, skb);
	p->frame_octets = skb->len;
	p->packets = skb->gso_segs ? skb->gso_segs : 1;
}

/* When and where it was, and the tag beside it: before those in the frame are read. */
static __always_inline void pkt_met(struct pkt *p, __u8 direction, __u32 tag)
{
	p->obs_point = xfp_obs_point | direction;
	p->now_ns = clock_coarse();
	if (tag)
		pkt_tag(p, tag);
}

static __always_inline __u32 skb_tag(const struct __sk_buff *skb)
{
	return skb->vlan_present ? TAG_BESIDE | skb->vlan_tci : 0;
}

/*
 * The steps for one kind of context. layer: 1 while there is another header;
 * read4, read6: enum xfp_reason; details: nothing.
 */
#define STEPS(source, context)                                                                     \
	GLOBAL_FUNCTION int xfp_##source##_layer(struct context *ctx, struct layers *l)            \
	{                                                                                          \
		struct pkt p = {};                                                                 \
                                                                                                   \
		return l && source##_octets(&p, ctx) ? layers_step(l, &p) : 0;                     \
	}                                                                                          \
	GLOBAL_FUNCTION int xfp_##source##_read4(struct context *ctx, struct headers *h,           \
						 struct observed4 *o)                              \
	{                                                                                          \
		struct pkt p = {};                                                                 \
                                                                                                   \
		return h && o && source##_octets(&p, ctx) ? step_read4(h, &p, o) : XFP_truncated;  \
	}                                                                                          \
	GLOBAL_FUNCTION int xfp_##source##_read6(struct context *ctx, struct headers *h,           \
						 struct observed6 *o)                              \
	{                                                                                          \
		struct pkt p = {};                                                                 \
                                                                                                   \
		return h && o && source##_octets(&p, ctx) ? step_read6(h, &p, o) : XFP_truncated;  \
	}                                                                                          \
	GLOBAL_FUNCTION int xfp_##source##_details(struct context *ctx, const struct headers *h,   \
						   __u32 account)                                  \
	{                                                                                          \
		struct pkt p = {};                                                                 \
                                                                                                   \
		if (h && source##_octets(&p, ctx))                                                 \
			step_details(h, &p, account);                                              \
		return 0;                                                                          \
	}                                                                                          \
	GLOBAL_FUNCTION int xfp_##source##_broken(struct context *ctx, const struct headers *h,    \
						  __u32 reason)                                    \
	{                                                                                          \
		struct pkt p = {};                                                                 \
                                                                                                   \
		if (h && source##_octets(&p, ctx))                                                 \
			step_broken(h, &p, reason);                                                \
		return 0;                                                                          \
	}

static __always_inline enum xfp_reason step_read4(struct headers *h, struct pkt *p,
						  struct observed4 *o)
{
	struct xfp_ledger_row *row = ledger_row();
	enum xfp_reason verdict;

	headers_restore(p, h);
	verdict = row ? read_ipv4(row, p, o) : XFP_truncated;
	if (verdict == XFP_OK)
		headers_complete(h, p, &o->seen, 0);
	return verdict;
}

static __always_inline enum xfp_reason step_read6(struct headers *h, struct pkt *p,
						  struct observed6 *o)
{
	struct xfp_ledger_row *row = ledger_row();
	enum xfp_reason verdict;

	headers_restore(p, h);
	verdict = row ? read_ipv6(row, p, o) : XFP_truncated;
	if (verdict == XFP_OK)
		headers_complete(h, p, &o->seen, 40);
	return verdict;
}

static __always_inline void step_details(const struct headers *h, struct pkt *p, __u32 account)
{
	if (h->ethertype == ETH_P_IPV6)
		details_add(TABLE(FAMILY_IPV6), p, h, account);
	else
		details_add(TABLE(FAMILY_IPV4), p, h, account);
}

/* reason  enum xfp_reason; h->offset is where its IP header is, if h->ethertype says IP */
static __always_inline void step_broken(const struct headers *h, struct pkt *p, __u32 reason)
{
	headers_restore(p, h);
	broken_count(p, reason);
}

STEPS(xdp, xdp_md)
STEPS(scratch, xdp_md)
STEPS(skb, __sk_buff)

/* A packet's context; the kind is known to the compiler wherever this is. */
struct source {
	void *ctx;
	bool is_skb;
	bool is_scratch;
	bool can_repeat; /* what is not linear can be made so */
};

#define STEP(from, step, ...)                                                                      \
	((from).is_skb	     ? xfp_skb_##step((from).ctx, __VA_ARGS__)                             \
	 : (from).is_scratch ? xfp_scratch_##step((from).ctx, __VA_ARGS__)                         \
			     : xfp_xdp_##step((from).ctx, __VA_ARGS__))

/* What is in memory of one packet on its way, one after the other: the stack is short. */
union stage {
	struct layers layers;
	struct observed seen; /* what both begin with */
	struct observed4 v4;
	struct observed6 v6;
};

/* From whatever is in front of IP, or around it, to the IP header of the Flow. */
static __always_inline enum xfp_reason layers_follow(struct source from, struct headers *h,
						     struct layers *l)
{
	layers_begin(l, h);
	NO_UNROLL
	for (int i = 0; i < LAYERS_MAX_STEPS; i++) {
		if (!STEP(from, layer, l))
			break;
	}
	return layers_end(l, h, from.can_repeat);
}

static __always_inline enum xfp_reason meter_ipv4(struct source from, struct headers *h,
						  struct observed4 *o, __u32 *account)
{
	enum xfp_reason verdict = STEP(from, read4, h, o);

	if (verdict != XFP_OK)
		return verdict;
	if (UNLIKELY(h->fragment & FRAGMENT_MASK)) {
		__u32 followed = xfp_fragment4(o, h);

		h->next_header = followed;
		if (xfp_counts_unseen && FRAGMENT_NOTICE(followed))
			xfp_broken_fragment4(o, FRAGMENT_NOTICE(followed) - 1);
	}
	if (protocol_is_off(h->next_header))
		return XFP_protocol_off;
	*account = xfp_account4(o);
	if (xfp_counts_unseen && *account == ACCOUNT_OVERFLOW)
		xfp_unseen4(o);
	return XFP_OK;
}

static __always_inline enum xfp_reason meter_ipv6(struct source from, struct headers *h,
						  struct observed6 *o, __u32 *account)
{
	enum xfp_reason verdict = STEP(from, read6, h, o);

	if (verdict != XFP_OK)
		return verdict;
	if (UNLIKELY(h->fragment & FRAGMENT_MASK)) {
		__u32 followed = xfp_fragment6(o, h);

		h->next_header = followed;
		if (xfp_counts_unseen && FRAGMENT_NOTICE(followed))
			xfp_broken_fragment6(o, FRAGMENT_NOTICE(followed) - 1);
	}
	if (protocol_is_off(h->next_header))
		return XFP_protocol_off;
	*account = xfp_account6(o);
	if (xfp_counts_unseen && *account == ACCOUNT_OVERFLOW)
		xfp_unseen6(o);
	return XFP_OK;
}

/*
 * From the network header, whose EtherType is h->ethertype, to a Flow, or why not.
 * Leaves the account for details, 0 without.
 */
static __always_inline enum xfp_reason meter_network(struct xfp_ledger_row *row, struct source from,
						     struct headers *h, union stage *stage,
						     __u32 *details)
{
	enum xfp_reason verdict = XFP_not_ip;
	__u32 account = 0;

	if (h->ethertype == ETH_P_IP)
		verdict = meter_ipv4(from, h, &stage->v4, &account);
	else if (h->ethertype == ETH_P_IPV6)
		verdict = meter_ipv6(from, h, &stage->v6, &account);
	if (xfp_has_switches && verdict == XFP_protocol_off) {
		meter_left_out(row, &stage->seen, h->frame_octets, h->next_header,
			       XFP_protocol_off);
		return XFP_OK;
	}
	if (verdict != XFP_OK)
		return verdict;
	if (xfp_deduplicates && account == ACCOUNT_DUPLICATE) {
		meter_left_out(row, &stage->seen, h->frame_octets, h->next_header, XFP_duplicate);
		return XFP_OK;
	}
	meter_accounted(row, &stage->seen, h->frame_octets, h->next_header, account);
	*details = account;
	return XFP_OK;
}

/* From the packet's first octet to its Flow, or why it has none. */
static __always_inline enum xfp_reason meter_packet(struct xfp_ledger_row *row, struct pkt *p,
						    struct source from, struct headers *h,
						    __u32 *details)
{
	enum xfp_reason verdict = xfp_is_raw_ip ? parse_raw_ip(p) : parse_ethernet(p);
	union stage stage = {};

	if (verdict != XFP_OK)
		return verdict;
	headers_save(h, p);
	if (xfp_opens_tunnels || !is_ip(h->ethertype))
		verdict = layers_follow(from, h, &stage.layers);
	if (verdict == XFP_OK)
		verdict = meter_network(row, from, h, &stage, details);
	return verdict;
}

/* The packet's end: why it could not be read, and to anomaly detection who is to blame. */
static __always_inline void meter_end(struct xfp_ledger_row *row, const struct pkt *p,
				      struct source from, const struct headers *h,
				      enum xfp_reason verdict)
{
	meter_reason(row, p, verdict);
	if (xfp_counts_unseen && is_blamed(verdict))
		STEP(from, broken, h, verdict);
}
