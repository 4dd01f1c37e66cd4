/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes before IP: Ethernet, VLAN tags, PPPoE sessions and MPLS label
 * stacks. See parse.bpf.h.
 */
#pragma once

#include "bpf/parse.bpf.h"

#define PARSE_MAX_TAGS	 3 /* VLAN tags of a frame */
#define PARSE_MAX_LABELS 8 /* of an MPLS stack     */

#define ETH_P_QINQ2 0x9200 /* as ETH_P_QINQ1, before 802.1ad gave tags a number */

#define PPPOE_SESSION_V1 0x1100 /* version, type and code of a frame of a session, RFC 2516 4 */
#define PPP_IPV4	 0x0021
#define PPP_IPV6	 0x0057
#define PPP_MPLS_UC	 0x0281
#define PPP_MPLS_MC	 0x0283

#define MPLS_BOTTOM 0x100 /* of a label stack entry, RFC 3032 2.1 */

static __always_inline bool is_tag(__u16 ethertype)
{
	return ethertype == ETH_P_8021Q || ethertype == ETH_P_8021AD || ethertype == ETH_P_QINQ1 ||
	       ethertype == ETH_P_QINQ2;
}

static __always_inline bool is_ip(__u16 ethertype)
{
	return ethertype == ETH_P_IP || ethertype == ETH_P_IPV6;
}

static __always_inline bool is_mpls(__u16 ethertype)
{
	return ethertype == ETH_P_MPLS_UC || ethertype == ETH_P_MPLS_MC;
}

/* The outer tag, which is the first. */
static __always_inline void pkt_tag(struct pkt *p, __u16 tag)
{
	p->n_tags = 1;
	p->tag = tag;
	p->vlan = tag & 0x0fff;
}

/* Tags in the frame; one that the hook found in metadata is counted already. */
static __always_inline enum xfp_reason parse_tags(struct pkt *p)
{
	for (int i = 0; i <= PARSE_MAX_TAGS; i++) {
		const __u8 *h;
		__u16 tag;

		if (!is_tag(p->ethertype))
			return XFP_OK;
		if (p->n_tags >= PARSE_MAX_TAGS)
			return XFP_too_deep;
		h = pkt_header(p, 4);
		if (!h)
			return XFP_truncated;
		tag = load_be16(h, 0);
		if (p->n_tags == 0) {
			pkt_tag(p, tag);
		} else {
			if (p->n_tags == 1) {
				p->inner_tag = tag;
				p->inner_vlan = tag & 0x0fff;
			}
			p->n_tags++;
		}
		p->ethertype = load_be16(h, 2);
		p->offset += 4;
	}
	return XFP_too_deep;
}

/* From the first octet of an Ethernet frame to the network header. */
static __always_inline enum xfp_reason parse_ethernet(struct pkt *p)
{
	const __u8 *h = pkt_header(p, ETH_HLEN);

	if (!h)
		return XFP_truncated;
	p->has_ethernet = true;
	p->ethertype = load_be16(h, 12);
	p->offset += ETH_HLEN;
	return parse_tags(p);
}

/* A device without a header of its own: IP begins with its version. */
static __always_inline enum xfp_reason parse_raw_ip(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 1);

	if (!h)
		return XFP_truncated;
	p->ethertype = h[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	return XFP_OK;
}

/* A PPPoE session, RFC 2516, and the protocol field of PPP in it. */
static __always_inline enum xfp_reason parse_pppoe(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 8);

	if (!h)
		return XFP_truncated;
	if (load_be16(h, 0) != PPPOE_SESSION_V1)
		return XFP_not_ip;
	p->offset += 8;
	switch (load_be16(h, 6)) {
	case PPP_IPV4:
		p->ethertype = ETH_P_IP;
		return XFP_OK;
	case PPP_IPV6:
		p->ethertype = ETH_P_IPV6;
		return XFP_OK;
	case PPP_MPLS_UC:
	case PPP_MPLS_MC:
		p->ethertype = ETH_P_MPLS_UC;
		return XFP_OK;
	default:
		return XFP_not_ip;
	}
}

/* True for what a frame in a pseudowire must say that it carries, to be taken for one. */
static __always_inline bool is_plausible(__u16 ethertype)
{
	return is_ip(ethertype) || is_tag(ethertype) || is_mpls(ethertype) ||
	       ethertype == ETH_P_PPP_SES;
}

/* An Ethernet frame under labels, with or without the control word of RFC 4448 4.6. */
static __always_inline enum xfp_reason parse_pseudowire(struct pkt *p)
{
	const __u8 *h = pkt_header(p, ETH_HLEN);

	if (!h)
		return XFP_truncated;
	p->ethertype = ETH_P_TEB;
	if (is_plausible(load_be16(h, 12)))
		return XFP_OK;
	if (h[0] >> 4)
		return XFP_not_ip;
	p->offset += 4;
	h = pkt_header(p, ETH_HLEN);
	if (!h)
		return XFP_truncated;
	return is_plausible(load_be16(h, 12)) ? XFP_OK : XFP_not_ip;
}

/*
 * A label stack, RFC 3032. Nothing in it says what it carries: IP begins with its
 * version, and what could be taken for IP has a control word (RFC 4928 3).
 */
static __always_inline enum xfp_reason parse_labels(struct pkt *p)
{
	const __u8 *h;

	for (int i = 0; i < PARSE_MAX_LABELS; i++) {
		__u32 entry;

		h = pkt_header(p, 4);
		if (!h)
			return XFP_truncated;
		entry = load_be32(h, 0);
		if (!i)
			p->around.label = entry >> 8;
		p->around.n_labels = i + 1;
		p->offset += 4;
		if (entry & MPLS_BOTTOM)
			break;
		if (i + 1 == PARSE_MAX_LABELS)
			return XFP_too_deep;
	}
	h = pkt_header(p, 1);
	if (!h)
		return XFP_truncated;
	if (h[0] >> 4 != 4 && h[0] >> 4 != 6)
		return parse_pseudowire(p);
	p->ethertype = h[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6;
	return XFP_OK;
}
