/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of a packet from one function to the next. Plain numbers, no
 * packet pointer: each function is verified once, for any way that led to it, and
 * its own variables are on the stack no longer than it runs.
 */
#pragma once

#include "bpf/key.bpf.h"
#include "bpf/parse.bpf.h"

struct headers {
	/* from the hook */
	__u64 now_ns;
	__u32 frame_octets;
	__u16 packets;
	__u8 obs_point;
	bool is_scratch : 1;

	/* from what is in front of the Flow's IP header */
	bool has_ethernet : 1;
	bool is_tiny : 1;
	__u16 ethertype; /* ETH_P_IP, ETH_P_IPV6, or what else there is */
	__u16 tag;
	__u16 inner_tag;
	__u16 ip_offset;
	struct around around;

	/* from the IP header on */
	__u32 offset;
	__u32 end_offset;
	__u32 identification;
	__u16 length_min; /* IP octets of the smallest segment, up to 65535 */
	__u16 length_max;
	__u16 fragment;
	__u16 tcp_flags;
	__u8 next_header;
	__u8 transport_octets;
	__u8 absent_octets;
};

_Static_assert(sizeof(struct headers) <= 64, "with all it calls 512 octets of stack, on Linux 6.1");

static __always_inline void headers_save(struct headers *h, const struct pkt *p)
{
	*h = (struct headers){
		.now_ns = p->now_ns,
		.frame_octets = p->frame_octets,
		.packets = p->packets,
		.ip_offset = p->ip_offset,
		.ethertype = p->ethertype,
		.tag = p->tag,
		.inner_tag = p->inner_tag,
		.obs_point = p->obs_point,
		.is_scratch = p->is_scratch,
		.has_ethernet = p->has_ethernet,
		.offset = p->offset,
	};
}

/* What was read from the IP header on; `fixed` as of observe(). */
static __always_inline void headers_complete(struct headers *h, const struct pkt *p,
					     const struct observed *o, __u32 fixed)
{
	h->packets = p->packets; /* of a super-packet known by now */
	h->length_min = saturated(o->length_min + fixed);
	h->length_max = saturated(o->length_max + fixed);
	h->offset = p->offset;
	h->end_offset = p->end_offset;
	h->transport_octets = p->transport_octets;
	h->identification = p->identification;
	h->fragment = p->fragment;
	h->tcp_flags = p->tcp_flags;
	h->next_header = p->next_header;
	h->is_tiny = p->is_tiny;
	h->absent_octets = p->absent_octets;
}

/* Back into *p, which has the packet's octets and nothing else. */
static __always_inline void headers_restore(struct pkt *p, const struct headers *h)
{
	p->now_ns = h->now_ns;
	p->frame_octets = h->frame_octets;
	p->packets = h->packets;
	p->ip_offset = h->ip_offset;
	p->ethertype = h->ethertype;
	p->tag = h->tag;
	p->vlan = h->tag & 0x0fff;
	p->inner_tag = h->inner_tag;
	p->inner_vlan = h->inner_tag & 0x0fff;
	p->obs_point = h->obs_point;
	p->has_ethernet = h->has_ethernet;
	p->offset = h->offset;
	p->end_offset = h->end_offset;
	p->transport_octets = h->transport_octets;
	p->identification = h->identification;
	p->fragment = h->fragment;
	p->tcp_flags = h->tcp_flags;
	p->next_header = h->next_header;
	p->is_tiny = h->is_tiny;
	p->absent_octets = h->absent_octets;
}
