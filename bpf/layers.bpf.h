/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way through a packet from its first EtherType to the IP header that makes
 * the Flow Key, a header at a time: PPPoE, MPLS and pseudowires always, tunnels
 * with `tunnels: inner`. A step is verified once for any way that led to it, and
 * never loses what was found: a tunnel that cannot be opened is the Flow of the
 * deepest IP header that could be parsed.
 */
#pragma once

#include "bpf/headers.bpf.h"
#include "bpf/parse_tunnel.bpf.h"

#define LAYERS_MAX_TUNNELS 4
#define LAYERS_MAX_STEPS   24

/* What a step leaves to the next. Plain numbers, no pointers. */
struct layers {
	__u32 offset; /* of the header to read                     */
	__u32 end; /* of the datagram around it, or of the frame */
	__u32 ports;
	__u16 type; /* its EtherType                               */
	__u8 protocol; /* its number if it is behind an IP header, else 0  */
	bool is_open; /* there is something to read                */
	__u8 stop; /* enum xfp_reason: why not                  */
	__u8 pad;

	/* the deepest IP header that could be parsed, so far */
	__u16 ip_type; /* its EtherType, 0: none yet                */
	__u32 ip_offset;
	__u32 n_ip; /* such headers                              */
	__u32 pad2;
	struct around around;
};

static __always_inline void layers_begin(struct layers *l, const struct headers *h)
{
	*l = (struct layers){
		.offset = h->offset,
		.end = h->frame_octets,
		.type = h->ethertype == ETH_P_TEB ? 0 : h->ethertype, /* of a tunnel only */
		.is_open = true,
		.stop = XFP_OK,
	};
}

static __always_inline void layers_stop(struct layers *l, enum xfp_reason reason)
{
	l->is_open = false;
	l->stop = reason;
}

/* A frame, session or label stack. */
static __always_inline void layer_link(struct layers *l, struct pkt *p)
{
	enum xfp_reason verdict = XFP_not_ip;

	if (is_mpls(l->type))
		verdict = parse_labels(p);
	else if (l->type == ETH_P_PPP_SES)
		verdict = parse_pppoe(p);
	else if (l->type == ETH_P_TEB)
		verdict = parse_ethernet(p);
	if (!l->n_ip && !l->around.n_labels) {
		l->around.label = p->around.label;
		l->around.n_labels = p->around.n_labels;
	}
	if (verdict != XFP_OK) {
		layers_stop(l, verdict);
		return;
	}
	l->offset = p->offset;
	l->type = p->ethertype;
}

/* An IP header; the way ends here without a tunnel in it. */
static __always_inline void layer_ip(struct layers *l, struct pkt *p)
{
	enum xfp_reason verdict = XFP_OK;

	if (xfp_opens_tunnels)
		verdict = l->type == ETH_P_IP ? parse_ipv4(p) : parse_ipv6(p);
	if (verdict != XFP_OK) {
		layers_stop(l, verdict);
		return;
	}
	l->ip_offset = l->offset;
	l->ip_type = l->type;
	if (!xfp_opens_tunnels || (p->fragment & IP_OFFSET_MASK) ||
	    !may_be_tunnel(p->next_header, p->ports)) {
		l->n_ip++;
		layers_stop(l, XFP_OK);
		return;
	}
	if (!l->n_ip) {
		l->around.ip_offset = l->ip_offset;
		l->around.is_ipv6 = p->is_ipv6;
	}
	l->n_ip++;
	l->offset = p->offset;
	l->end = p->end_offset;
	l->protocol = p->next_header;
	l->ports = p->ports;
}

/* From behind an IP header into the tunnel. */
static __always_inline void layer_tunnel(struct layers *l, struct pkt *p)
{
	enum xfp_reason verdict = XFP_too_deep;

	if (l->n_ip <= LAYERS_MAX_TUNNELS)
		verdict = parse_tunnel(p, l->protocol, l->ports);
	if (verdict != XFP_OK) {
		layers_stop(l, verdict);
		return;
	}
	if (l->n_ip == 1) {
		l->around.tunnel = p->around.tunnel;
		l->around.tunnel_id = p->around.tunnel_id;
	}
	l->offset = p->offset;
	l->type = p->ethertype;
	l->protocol = 0;
}

/*
 * Read the next header of *l. *p has the packet and nothing found in it. Returns
 * 1 while there is another.
 */
static __always_inline int layers_step(struct layers *l, struct pkt *p)
{
	if (l->offset > l->end) {
		layers_stop(l, XFP_truncated);
		return 0;
	}
	p->frame_octets = l->end; /* what is behind a datagram is not in it */
	p->offset = l->offset;
	p->ethertype = l->type;
	if (xfp_opens_tunnels && l->protocol)
		layer_tunnel(l, p);
	else if (is_ip(l->type))
		layer_ip(l, p);
	else
		layer_link(l, p);
	return l->is_open;
}

/*
 * Move *h to the IP header of its Flow, or say why there is none. Truncated also
 * when the caller can come again with more of the packet and the way was not at
 * its end.
 */
static __always_inline enum xfp_reason layers_end(const struct layers *l, struct headers *h,
						  bool can_repeat)
{
	enum xfp_reason stop = l->is_open ? XFP_too_deep : l->stop;

	if (!l->ip_type)
		return stop;
	if (can_repeat && stop == XFP_truncated)
		return stop;
	h->offset = l->ip_offset;
	h->ethertype = l->ip_type;
	h->around.label = l->around.label;
	h->around.n_labels = l->around.n_labels;
	h->around.inside = stop;
	if (l->n_ip < 2) /* what was read of a closed one is no fact of this Flow */
		return XFP_OK;
	h->around.ip_offset = l->around.ip_offset;
	h->around.is_ipv6 = l->around.is_ipv6;
	h->around.tunnel = l->around.tunnel;
	h->around.tunnel_id = l->around.tunnel_id;
	h->around.n_tunnels = l->n_ip - 1;
	return XFP_OK;
}
