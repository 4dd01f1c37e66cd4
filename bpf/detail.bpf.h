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
#include "bpf/headers.bpf.h"
#include "bpf/key.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/parse.bpf.h"
#include "bpf/target.bpf.h"

static __always_inline bool detail_is_on(enum xfp_detail detail)
{
	return xfp_detail.at[detail] != XFP_DETAIL_OFF;
}

/* What details add that is not in struct pkt. */
struct packet_facts {
	__u32 length_min; /* IP octets of the smallest segment, as of observe() */
	__u32 length_max;
	const struct around *around; /* NULL: nothing is around the Flow's IP header */
};

static __always_inline void detail_l2(struct xfp_detail_l2 *d, const struct pkt *p, bool is_new)
{
	const __u8 *h = pkt_at(p, 0, ETH_HLEN);
	__u32 more = p->packets - 1;
	__u64 headers = p->offset + p->transport_octets - p->absent_octets;

	ATOMIC_ADD(&d->octets, p->frame_octets - p->absent_octets + more * headers);
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

static __always_inline void detail_size(struct xfp_detail_size *d, const struct packet_facts *f,
					__u32 packets)
{
	if (packets > 1)
		size_add(d, f->length_max, packets - 1);
	size_add(d, f->length_min, 1);
}

/* In units of 1024 ns: the daemon divides. */
static __always_inline void detail_timing(struct xfp_detail_timing *d, __u64 now_ns)
{
	__u64 last = READ_ONCE_(d->last_ns),
	      now = clock_precise(now_ns); /* the clock waits for loads */
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

/* Of the first packet. */
static __always_inline void detail_tunnel(struct xfp_detail_tunnel *d, const struct pkt *p,
					  const struct around *a)
{
	__u64 *source = (__u64 *)d->source, *destination = (__u64 *)d->destination;
	const __u8 *h;

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

/* Whether the account, not ACCOUNT_OVERFLOW, says that the packet made the Flow. */
static __always_inline bool account_is_new(__u32 account)
{
	return (account - 1) & 1;
}

/* The record of a Flow by its account; NULL: there is none. */
static __always_inline __u8 *details_of(struct table t, __u32 account)
{
	__u64 n_slots = t.family == FAMILY_IPV4 ? xfp_buckets4 : xfp_buckets6;
	__u64 slot = (account - 1) >> 1;

	n_slots *= XFP_BUCKET_SLOTS;
	barrier_var(slot);
	return slot < n_slots ? details_at(t, slot) : NULL;
}

/* Add a packet to every detail in use but for those of TCP. */
static __always_inline void details_add_any(__u8 *record, const struct pkt *p,
					    const struct packet_facts *f, bool is_new)
{
	if (detail_is_on(XFP_DETAIL_L2))
		detail_l2((void *)(record + xfp_detail.at[XFP_DETAIL_L2]), p, is_new);
	if (detail_is_on(XFP_DETAIL_SIZE))
		detail_size((void *)(record + xfp_detail.at[XFP_DETAIL_SIZE]), f, p->packets);
	if (detail_is_on(XFP_DETAIL_TIMING))
		detail_timing((void *)(record + xfp_detail.at[XFP_DETAIL_TIMING]), p->now_ns);
	if (detail_is_on(XFP_DETAIL_FRAGMENT))
		detail_fragment((void *)(record + xfp_detail.at[XFP_DETAIL_FRAGMENT]), p, is_new);
	if (detail_is_on(XFP_DETAIL_TUNNEL) && is_new && f->around)
		detail_tunnel((void *)(record + xfp_detail.at[XFP_DETAIL_TUNNEL]), p, f->around);
}

/* True when details_add_tcp() has anything to do. */
static __always_inline bool details_are_of_tcp(void)
{
	return detail_is_on(XFP_DETAIL_TCP) || detail_is_on(XFP_DETAIL_HEALTH);
}

/* Add a packet to the details of TCP, if it is of TCP. */
static __always_inline void details_add_tcp(__u8 *record, const struct pkt *p, bool is_new)
{
	if (p->next_header != IPPROTO_TCP || (p->fragment & IP_OFFSET_MASK) || p->is_tiny)
		return;
	if (detail_is_on(XFP_DETAIL_TCP))
		detail_tcp((void *)(record + xfp_detail.at[XFP_DETAIL_TCP]), p, is_new);
	if (detail_is_on(XFP_DETAIL_HEALTH))
		detail_health((void *)(record + xfp_detail.at[XFP_DETAIL_HEALTH]), p);
}

/*
 * Add a packet to every detail in use, from what its way left in *h.
 *
 * p        its octets, and nothing found in them
 * account  as of account_slot(), not ACCOUNT_OVERFLOW
 */
static __always_inline void details_add(struct table t, struct pkt *p, const struct headers *h,
					__u32 account)
{
	const struct packet_facts f = {h->length_min, h->length_max, &h->around};
	__u8 *record = details_of(t, account);

	if (!record)
		return;
	headers_restore(p, h);
	details_add_any(record, p, &f, account_is_new(account));
	details_add_tcp(record, p, account_is_new(account));
}
