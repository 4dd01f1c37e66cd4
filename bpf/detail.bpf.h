/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Details of a Flow: what the groups of fields in use add to one packet's work,
 * after the packet is in its Flow and still within the same run of the program,
 * so a grace period covers both. See detail_abi.h for what is kept.
 */
#pragma once

#include "bpf/clock.bpf.h"
#include "bpf/detail_tcp.bpf.h"
#include "bpf/flow_abi.h"
#include "bpf/key.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/parse.bpf.h"
#include "bpf/target.bpf.h"

static __always_inline bool detail_is_on(enum xfp_detail detail)
{
	return xfp_detail.octets && xfp_detail.at[detail] != XFP_DETAIL_OFF;
}

static __always_inline void detail_l2(struct xfp_detail_l2 *d, const struct pkt *p, bool is_new)
{
	const __u8 *h = pkt_at(p, 0, ETH_HLEN);
	__u32 more = p->packets - 1;

	ATOMIC_ADD(&d->octets, p->frame_octets + (__u64)more * (p->offset + p->transport_octets));
	if (!is_new)
		return;
	d->ethertype = p->ethertype;
	d->tag = p->tag;
	d->inner_tag = p->inner_tag;
	if (!p->has_ethernet || !h)
		return;
	UNROLL
	for (int i = 0; i < 6; i++) {
		d->destination[i] = h[i];
		d->source[i] = h[6 + i];
	}
}

/* Packets of one IP length. */
static __always_inline void size_add(struct xfp_detail_size *d, __u64 length, __u32 packets)
{
	__u32 *class;

	if (length <= 128)
		class = &d->packets[0];
	else if (length <= 256)
		class = &d->packets[1];
	else if (length <= 512)
		class = &d->packets[2];
	else if (length <= 1024)
		class = &d->packets[3];
	else if (length <= 1514)
		class = &d->packets[4];
	else
		class = &d->packets[5];
	ATOMIC_ADD(class, packets);
	ATOMIC_ADD(&d->squares, length * length * packets);
}

static __always_inline void detail_size(struct xfp_detail_size *d, const struct observed *o)
{
	if (o->packets > 1)
		size_add(d, o->length_max, o->packets - 1);
	size_add(d, o->length_min, 1);
}

/* In units of 1024 ns: the daemon divides. */
static __always_inline void detail_timing(struct xfp_detail_timing *d, const struct observed *o)
{
	__u64 now = clock_precise(o), last = READ_ONCE_(d->last_ns);
	__u64 units = (now - last) >> 10;

	if (now < last)
		return;
	WRITE_ONCE_(d->last_ns, now);
	if (!last)
		return;
	if (units > 0x7fffffff)
		units = 0x7fffffff;
	word_grow(&d->longest, units);
	word_grow(&d->shortest, ~(__u32)units);
}

static __always_inline void detail_fragment(struct xfp_detail_fragment *d, const struct pkt *p,
					    bool is_new)
{
	if (is_fragment(p))
		ATOMIC_ADD(&d->packets, 1);
	if (!is_new)
		return;
	d->identification = p->identification;
	d->offset = p->fragment & IP_OFFSET_MASK;
	d->flags = p->fragment >> 8 & (IP_DONT_FRAGMENT | IP_MORE_FRAGMENTS) >> 8;
}

static __always_inline void detail_tunnel(struct xfp_detail_tunnel *d, const struct pkt *p,
					  bool is_new)
{
	const struct around *a = &p->around;
	__u64 *source = (__u64 *)d->source, *destination = (__u64 *)d->destination;
	const __u8 *h;

	if (!is_new)
		return;
	d->mpls = a->label;
	d->type = a->tunnel;
	d->id = a->tunnel_id;
	if (!a->tunnel)
		return;
	h = pkt_at(p, a->ip_offset, 20);
	barrier_var(h);
	if (!h)
		return;
	d->is_ipv6 = h[0] >> 4 == 6;
	if (!d->is_ipv6) {
		d->source[0] = HEADER_LOAD(__u32, h + 12);
		d->destination[0] = HEADER_LOAD(__u32, h + 16);
		return;
	}
	h = pkt_at(p, a->ip_offset, 40);
	barrier_var(h);
	if (!h)
		return;
	source[0] = HEADER_LOAD(__u64, h + 8);
	source[1] = HEADER_LOAD(__u64, h + 16);
	destination[0] = HEADER_LOAD(__u64, h + 24);
	destination[1] = HEADER_LOAD(__u64, h + 32);
}

/*
 * What details want to know of a packet that is in its Flow. Plain numbers: the
 * function that adds them is verified once, for any way that led to it.
 */
struct detailed {
	__u32 account; /* as of account_slot(), not ACCOUNT_OVERFLOW */
	__u32 frame_octets;
	__u32 packets;
	__u32 offset;
	__u32 end_offset;
	__u32 transport_octets;
	__u32 identification;
	__u32 length_min; /* IP octets, headers included */
	__u32 length_max;
	__u16 ethertype;
	__u16 tag;
	__u16 inner_tag;
	__u16 tcp_flags;
	__u16 fragment;
	__u8 next_header;
	bool is_tiny;
	bool has_ethernet;
	bool is_ipv6;
	__u8 pad[2];
	__u64 now_ns;
	struct around around;
};

static __always_inline void detailed_begin(struct detailed *d, const struct pkt *p,
					   const struct observed *o, __u32 account, bool is_ipv6)
{
	__u32 fixed = is_ipv6 ? 40 : 0, length_min = o->length_min, length_max = o->length_max;

	barrier_var(length_min); /* *o may be where *d will be */
	barrier_var(length_max);
	d->account = account;
	d->frame_octets = p->frame_octets;
	d->packets = p->packets;
	d->offset = p->offset;
	d->end_offset = p->end_offset;
	d->transport_octets = p->transport_octets;
	d->identification = p->identification;
	d->length_min = length_min + fixed;
	d->length_max = length_max + fixed;
	d->ethertype = p->ethertype;
	d->tag = p->tag;
	d->inner_tag = p->inner_tag;
	d->tcp_flags = p->tcp_flags;
	d->fragment = p->fragment;
	d->next_header = p->next_header;
	d->is_tiny = p->is_tiny;
	d->has_ethernet = p->has_ethernet;
	d->is_ipv6 = is_ipv6;
	d->now_ns = p->now_ns;
	d->around = p->around;
	d->pad[0] = 0;
	d->pad[1] = 0;
}

/* Back into *p, which has the packet's octets and nothing else. */
static __always_inline void detailed_restore(const struct detailed *d, struct pkt *p)
{
	p->frame_octets = d->frame_octets;
	p->packets = d->packets;
	p->offset = d->offset;
	p->end_offset = d->end_offset;
	p->transport_octets = d->transport_octets;
	p->identification = d->identification;
	p->ethertype = d->ethertype;
	p->tag = d->tag;
	p->inner_tag = d->inner_tag;
	p->tcp_flags = d->tcp_flags;
	p->fragment = d->fragment;
	p->next_header = d->next_header;
	p->is_tiny = d->is_tiny;
	p->has_ethernet = d->has_ethernet;
	p->now_ns = d->now_ns;
	p->around = d->around;
}

/* Add a packet to every detail in use. *p has its octets. */
static __always_inline void details_add(struct table t, struct pkt *p, const struct detailed *in)
{
	const struct observed o = {
		.now_ns = in->now_ns,
		.packets = in->packets,
		.length_min = in->length_min,
		.length_max = in->length_max,
	};
	__u32 account = in->account;
	__u64 n_slots = t.family == FAMILY_IPV4 ? xfp_buckets4 : xfp_buckets6;
	__u64 slot = (account - 1) >> 1;
	bool is_new = (account - 1) & 1;
	__u8 *record;

	n_slots *= XFP_BUCKET_SLOTS;
	detailed_restore(in, p);
	barrier_var(slot);
	if (slot >= n_slots)
		return;
	record = details_at(t, slot);
	if (!record)
		return;
	if (detail_is_on(XFP_DETAIL_L2))
		detail_l2((void *)(record + xfp_detail.at[XFP_DETAIL_L2]), p, is_new);
	if (detail_is_on(XFP_DETAIL_SIZE))
		detail_size((void *)(record + xfp_detail.at[XFP_DETAIL_SIZE]), &o);
	if (detail_is_on(XFP_DETAIL_TIMING))
		detail_timing((void *)(record + xfp_detail.at[XFP_DETAIL_TIMING]), &o);
	if (detail_is_on(XFP_DETAIL_FRAGMENT))
		detail_fragment((void *)(record + xfp_detail.at[XFP_DETAIL_FRAGMENT]), p, is_new);
	if (detail_is_on(XFP_DETAIL_TUNNEL))
		detail_tunnel((void *)(record + xfp_detail.at[XFP_DETAIL_TUNNEL]), p, is_new);
	if (p->next_header != IPPROTO_TCP || (p->fragment & IP_OFFSET_MASK) || p->is_tiny)
		return;
	if (detail_is_on(XFP_DETAIL_TCP))
		detail_tcp((void *)(record + xfp_detail.at[XFP_DETAIL_TCP]), p, is_new);
	if (detail_is_on(XFP_DETAIL_HEALTH))
		detail_health((void *)(record + xfp_detail.at[XFP_DETAIL_HEALTH]), p, &o);
}
