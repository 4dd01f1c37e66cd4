/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What IP carries another packet in: IP itself, GRE and ERSPAN, VXLAN, Geneve,
 * GTP-U, Teredo. Each function reads one header at the cursor, and leaves there
 * what it carries and in p->ethertype what that is. See parse.bpf.h.
 */
#pragma once

#include "bpf/parse_link.bpf.h"

#define PARSE_MAX_GTP_EXTENSIONS 4

#define PORT_GTPU   2152
#define PORT_TEREDO 3544
#define PORT_GRE    4754
#define PORT_VXLAN  4789
#define PORT_GENEVE 6081
#define PORT_MPLS   6635

#define GRE_CHECKSUM	0x8000
#define GRE_ROUTING	0x4000
#define GRE_KEY		0x2000
#define GRE_SEQUENCE	0x1000
#define GRE_VERSION	0x0007
#define ERSPAN_ETHERNET 0
#define ERSPAN_IP	2

#define VXLAN_HAS_VNI 0x08

#define GTP_VERSION	 0xf0 /* with the bit that tells GTP from GTP' */
#define GTP_VERSION_1	 0x30
#define GTP_HAS_OPTIONAL 0x07 /* any of E, S and PN: all three fields are there */
#define GTP_HAS_NEXT	 0x04
#define GTP_G_PDU	 255

#define TEREDO_AUTHENTICATION 0x0001
#define TEREDO_ORIGIN	      0x0000

/* `tunnels: inner` of the configuration */
TUNABLE bool xfp_opens_tunnels;

/* Destination ports; a Teredo server answers from its own as well. */
static __always_inline bool is_tunnel_port(__u16 port)
{
	return port == PORT_GTPU || port == PORT_TEREDO || port == PORT_GRE || port == PORT_VXLAN ||
	       port == PORT_GENEVE || port == PORT_MPLS;
}

/* False when no datagram of this protocol and these ports can be a tunnel's. */
static __always_inline bool may_be_tunnel(__u8 protocol, __u32 ports)
{
	union {
		__u32 image;
		__be16 port[2];
	} u = {.image = ports};

	if (protocol == IPPROTO_UDP)
		return is_tunnel_port(bpf_ntohs(u.port[1])) || u.port[0] == bpf_htons(PORT_TEREDO);
	return protocol == IPPROTO_IPIP || protocol == IPPROTO_IPV6 || protocol == IPPROTO_GRE ||
	       protocol == IPPROTO_MPLS;
}

static __always_inline enum xfp_reason parse_ip_version(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 1);

	if (!h)
		return XFP_truncated;
	p->ethertype = h[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	return h[0] >> 4 == 6 || h[0] >> 4 == 4 ? XFP_OK : XFP_not_ip;
}

/* ERSPAN types II and III by their version, draft-foschiano-erspan-03 4.2 and 4.3. */
static __always_inline enum xfp_reason parse_erspan(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 8);
	__u16 flags;

	if (!h)
		return XFP_truncated;
	p->around.tunnel = XFP_TUNNEL_ERSPAN;
	p->around.tunnel_id = load_be16(h, 2) & 0x3ff;
	p->ethertype = ETH_P_TEB;
	if (h[0] >> 4 == 1) {
		p->offset += 8;
		return XFP_OK;
	}
	if (h[0] >> 4 != 2)
		return XFP_not_ip;
	h = pkt_header(p, 12);
	if (!h)
		return XFP_truncated;
	flags = load_be16(h, 10);
	p->offset += 12 + (flags & 1) * 8; /* the platform's own part */
	if ((flags >> 10 & 0x1f) == ERSPAN_ETHERNET)
		return XFP_OK;
	return (flags >> 10 & 0x1f) == ERSPAN_IP ? parse_ip_version(p) : XFP_not_ip;
}

/* Version 0 only: what version 1 (PPTP, RFC 2637) carries is PPP, mostly encrypted. */
static __always_inline enum xfp_reason parse_gre(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 4);
	__u16 flags;

	if (!h)
		return XFP_truncated;
	flags = load_be16(h, 0);
	if (flags & (GRE_ROUTING | GRE_VERSION))
		return XFP_not_ip;
	p->around.tunnel = XFP_TUNNEL_GRE;
	p->ethertype = load_be16(h, 2);
	p->offset += flags & GRE_CHECKSUM ? 8 : 4;
	if (flags & GRE_KEY) {
		h = pkt_header(p, 4);
		if (!h)
			return XFP_truncated;
		p->around.tunnel_id = load_be32(h, 0);
		p->offset += 4;
	}
	p->offset += flags & GRE_SEQUENCE ? 4 : 0;
	if (p->ethertype == ETH_P_ERSPAN2)
		return parse_erspan(p);
	if (p->ethertype != ETH_P_ERSPAN)
		return XFP_OK;
	if (flags & GRE_SEQUENCE)
		return parse_erspan(p);
	p->around.tunnel = XFP_TUNNEL_ERSPAN; /* type I has no header of its own */
	p->ethertype = ETH_P_TEB;
	return XFP_OK;
}

static __always_inline enum xfp_reason parse_vxlan(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 8);

	if (!h)
		return XFP_truncated;
	if (!(h[0] & VXLAN_HAS_VNI))
		return XFP_not_ip;
	p->around.tunnel = XFP_TUNNEL_VXLAN;
	p->around.tunnel_id = load_be32(h, 4) >> 8;
	p->ethertype = ETH_P_TEB;
	p->offset += 8;
	return XFP_OK;
}

static __always_inline enum xfp_reason parse_geneve(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 8);

	if (!h)
		return XFP_truncated;
	if (h[0] >> 6)
		return XFP_not_ip;
	p->around.tunnel = XFP_TUNNEL_GENEVE;
	p->around.tunnel_id = load_be32(h, 4) >> 8;
	p->ethertype = load_be16(h, 2);
	p->offset += 8 + (h[0] & 0x3f) * 4;
	return XFP_OK;
}

/* Extension headers say their length in octets of 4 and end with the type of the next. */
static __always_inline enum xfp_reason parse_gtp_extensions(struct pkt *p, __u8 next)
{
	for (int i = 0; i < PARSE_MAX_GTP_EXTENSIONS; i++) {
		const __u8 *h;

		if (!next)
			return parse_ip_version(p);
		h = pkt_header(p, 1);
		if (!h)
			return XFP_truncated;
		if (!h[0])
			return XFP_not_ip;
		p->offset += h[0] * 4 - 1;
		h = pkt_header(p, 1);
		if (!h)
			return XFP_truncated;
		next = h[0];
		p->offset += 1;
	}
	return next ? XFP_too_deep : parse_ip_version(p);
}

static __always_inline enum xfp_reason parse_gtpu(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 8);
	__u8 flags;

	if (!h)
		return XFP_truncated;
	flags = h[0];
	if ((flags & GTP_VERSION) != GTP_VERSION_1 || h[1] != GTP_G_PDU)
		return XFP_not_ip;
	p->around.tunnel = XFP_TUNNEL_GTPU;
	p->around.tunnel_id = load_be32(h, 4);
	p->offset += 8;
	if (!(flags & GTP_HAS_OPTIONAL))
		return parse_ip_version(p);
	h = pkt_header(p, 4);
	if (!h)
		return XFP_truncated;
	p->offset += 4;
	return parse_gtp_extensions(p, flags & GTP_HAS_NEXT ? h[3] : 0);
}

/* Authentication and origin indication come before the IPv6 header, RFC 4380 5.1.1. */
static __always_inline enum xfp_reason parse_teredo(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 4);

	if (!h)
		return XFP_truncated;
	if (load_be16(h, 0) == TEREDO_AUTHENTICATION) {
		p->offset += 13 + h[2] + h[3];
		h = pkt_header(p, 4);
		if (!h)
			return XFP_truncated;
	}
	if (load_be16(h, 0) == TEREDO_ORIGIN) {
		p->offset += 8;
		h = pkt_header(p, 4);
		if (!h)
			return XFP_truncated;
	}
	if (h[0] >> 4 != 6)
		return XFP_not_ip;
	p->around.tunnel = XFP_TUNNEL_TEREDO;
	p->ethertype = ETH_P_IPV6;
	return XFP_OK;
}

static __always_inline enum xfp_reason parse_mpls_in_ip(struct pkt *p)
{
	p->around.tunnel = XFP_TUNNEL_MPLS;
	p->ethertype = ETH_P_MPLS_UC;
	return XFP_OK;
}

static __always_inline enum xfp_reason parse_udp_tunnel(struct pkt *p, __u32 ports)
{
	union {
		__u32 image;
		__be16 port[2];
	} u = {.image = ports};

	p->offset += 8;
	switch (bpf_ntohs(u.port[1])) {
	case PORT_GRE:
		return parse_gre(p);
	case PORT_MPLS:
		return parse_mpls_in_ip(p);
	case PORT_VXLAN:
		return parse_vxlan(p);
	case PORT_GENEVE:
		return parse_geneve(p);
	case PORT_GTPU:
		return parse_gtpu(p);
	default:
		return parse_teredo(p);
	}
}

/* From the header behind IP, of `protocol` and `ports`, to what is in the tunnel. */
static __always_inline enum xfp_reason parse_tunnel(struct pkt *p, __u8 protocol, __u32 ports)
{
	switch (protocol) {
	case IPPROTO_IPIP:
		p->ethertype = ETH_P_IP;
		break;
	case IPPROTO_IPV6:
		p->ethertype = ETH_P_IPV6;
		break;
	case IPPROTO_MPLS:
		return parse_mpls_in_ip(p);
	case IPPROTO_GRE:
		return parse_gre(p);
	default:
		return parse_udp_tunnel(p, ports);
	}
	p->around.tunnel = XFP_TUNNEL_IP;
	return XFP_OK;
}
