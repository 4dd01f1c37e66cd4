/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Headers into struct pkt: IPv4, IPv6 with its extension headers, and the first
 * octets of the transport; parse_link.bpf.h has what comes before IP,
 * parse_tunnel.bpf.h what IP may carry IP in. Touches no map. The result of every
 * function is XFP_OK or the ledger reason why the packet has no Flow Key.
 */
#pragma once

#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>

#include "bpf/flow_abi.h"
#include "bpf/target.bpf.h"

#define PARSE_MAX_EXTENSIONS 8 /* IPv6 extension headers */
#define PARSE_SCRATCH	     512 /* octets copied out when the headers are not linear */

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define IP_DONT_FRAGMENT  0x4000
#define IP_MORE_FRAGMENTS 0x2000
#define IP_OFFSET_MASK	  0x1fff
#define FRAGMENT_MASK	  (IP_MORE_FRAGMENTS | IP_OFFSET_MASK) /* zero: not a fragment */

/* What is around the IP header of the Flow, for records. */
struct around {
	/* the labels in front of the outermost IP header */
	__u32 label; /* mplsTopLabelStackSection (70), without labels 0 */
	__u8 n_labels;

	/* the outermost tunnel; all zero when none was opened */
	__u8 tunnel; /* enum xfp_tunnel */
	__u8 n_tunnels; /* opened      */
	bool is_ipv6;
	__u32 tunnel_id; /* VNI, TEID, GRE key or ERSPAN session, or 0      */
	__u16 ip_offset; /* of the outermost IP header */
	__u8 inside; /* enum xfp_reason: why the Flow's own tunnel is closed, or XFP_OK */
	__u8 pad;
};

/* One packet on its way from the hook through the headers; lives in registers. */
struct pkt {
	/* given by the hook */
	const __u8 *data;
	const __u8 *data_end;
	__u32 frame_octets; /* on the wire, or of the super-packet a GSO hook sees  */
	__u32 packets; /* on the wire: 1, or the segments of a super-packet    */
	__u32 gso_octets; /* payload of one segment, 0 without GSO                */
	bool has_segments; /* `packets` is what the hook said, not a guess         */
	bool is_scratch; /* data is a copy of PARSE_SCRATCH octets               */
	__u8 obs_point; /* with direction, as in the Flow Key                   */
	__u64 now_ns; /* coarse time of the packet, clock.bpf.h */

	/* cursor */
	__u8 n_tags;
	__u8 next_header; /* protocol of the header at offset                      */
	bool is_ipv6;
	bool has_ethernet; /* the frame begins with an Ethernet header              */
	__u16 ethertype; /* host order                                            */
	__u32 offset; /* of the next header                                    */
	__u32 ip_offset; /* of the IP header                                      */
	__u32 end_offset; /* of the end of the IP datagram                         */
	__u32 transport_octets; /* length of the transport header, for GSO counts        */
	__u8 absent_octets; /* of IP headers, that segments of a super-packet have not */

	/* found */
	__u64 addresses4; /* as they stand in an IPv4 header                      */
	__u32 ports; /* as they stand in the header                           */
	__u32 flow_label;
	__u16 vlan; /* ids of the two outer tags                                 */
	__u16 inner_vlan;
	__u16 tag; /* and the same with priority                                */
	__u16 inner_tag;
	__u16 tcp_flags;
	__u8 tos;
	__u8 ttl;
	bool is_tiny; /* a first fragment that ends within its headers */
	__u32 identification; /* fragmentIdentification (54); IPv6: of a Fragment header */
	__u16 fragment; /* IP_DONT_FRAGMENT, IP_MORE_FRAGMENTS, offset in 8 octets   */
	struct around around; /* in the general path only */
};

/* An atomic fragment (RFC 6946) is none: an IPv6 packet with a header more. */
static __always_inline bool is_fragment(const struct pkt *p)
{
	return p->fragment & FRAGMENT_MASK;
}

/*
 * `size` octets of the packet at `offset`, or NULL where it ends before. The only
 * place where bounds are checked.
 */
static __always_inline const __u8 *pkt_at(const struct pkt *p, __u32 offset, __u32 size)
{
	const __u8 *header;
	__u64 at;

	if (p->is_scratch) {
		if (offset + size > p->frame_octets)
			return NULL;
		at = offset;
		barrier_var(at); /* or both tests become one, which Linux 6.1 cannot follow */
		if (at > PARSE_SCRATCH - 64)
			return NULL;
		barrier_var(at); /* or the sum comes before the test */
		return p->data + at;
	}
	/* One register: Linux 6.1 forgets the bound of a value reloaded from the stack. */
	if (!__builtin_constant_p(offset))
		barrier_var(offset);
	if (offset > 0x7fff) /* what the verifier wants to know of a packet offset */
		return NULL;
	header = p->data + offset;
	if (header + size > p->data_end)
		header = NULL;
	if (__builtin_constant_p(offset)) /* or the caller's test repeats this one */
		barrier_var(header);
	return header;
}

/* The header of `size` octets at the cursor. */
static __always_inline const __u8 *pkt_header(const struct pkt *p, __u32 size)
{
	return pkt_at(p, p->offset, size);
}

static __always_inline __u16 load_be16(const __u8 *header, __u32 at)
{
	return bpf_ntohs(HEADER_LOAD(__be16, header + at));
}

static __always_inline __u32 load_be32(const __u8 *header, __u32 at)
{
	return bpf_ntohl(HEADER_LOAD(__be32, header + at));
}

/* Two ports as the four octets they are in a header. */
static __always_inline __u32 ports_image(__be16 source, __be16 destination)
{
	union {
		__be16 port[2];
		__u32 image;
	} u = {.port = {source, destination}};

	return u.image;
}

/* 1 when a == b, else 0, without a branch for the verifier to follow. */
static __always_inline __u64 is_equal(__u64 a, __u64 b)
{
	a ^= b;
	barrier_var(a);
	a -= 1;
	barrier_var(a);
	return a >> 63;
}

/* Octets of a transport header without its options; 0 where none is looked into. */
static __always_inline __u64 transport_shortest(__u64 protocol)
{
	return 20 * is_equal(protocol, IPPROTO_TCP) + 8 * is_equal(protocol, IPPROTO_UDP) +
	       12 * is_equal(protocol, IPPROTO_SCTP) + 4 * is_equal(protocol, IPPROTO_ICMP) +
	       4 * is_equal(protocol, IPPROTO_ICMPV6);
}

/*
 * True when the fragment, of which so many octets are left, has no transport
 * header: later ones, and a first one that ends within it (RFC 1858 3), which keeps
 * the ports, if they are there.
 */
static __always_inline bool parse_fragment(struct pkt *p, __u32 left)
{
	const __u8 *h;

	if (p->fragment & IP_OFFSET_MASK)
		return true;
	if (left >= transport_shortest(p->next_header))
		return false;
	p->is_tiny = true;
	if (left < 4)
		return true;
	h = pkt_header(p, 4);
	if (!h)
		return false;
	p->ports = HEADER_LOAD(__u32, h);
	return true;
}

/* Ports, flags and ICMP type of the first fragment; nothing of a later one. */
static __always_inline enum xfp_reason parse_transport(struct pkt *p)
{
	__u32 left = p->end_offset - p->offset;
	const __u8 *h;

	if (UNLIKELY(is_fragment(p)) && parse_fragment(p, left))
		return XFP_OK;

	switch (p->next_header) {
	case IPPROTO_TCP:
		h = pkt_header(p, 14);
		if (!h || left < 20)
			return XFP_truncated;
		if (h[12] < 0x50)
			return XFP_bad_header_length;
		p->tcp_flags = load_be16(h, 12) & 0x0fff;
		p->transport_octets = (h[12] >> 4) * 4;
		break;
	case IPPROTO_UDP:
		h = pkt_header(p, 4);
		if (!h || left < 8)
			return XFP_truncated;
		p->transport_octets = 8;
		break;
	case IPPROTO_SCTP:
		h = pkt_header(p, 4);
		if (!h || left < 12)
			return XFP_truncated;
		p->transport_octets = 12;
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if ((p->next_header == IPPROTO_ICMPV6) != p->is_ipv6)
			return XFP_OK;
		h = pkt_header(p, 2);
		if (!h || left < 4)
			return XFP_truncated;
		p->ports = ports_image(0, HEADER_LOAD(__be16, h));
		return XFP_OK;
	default:
		return XFP_OK;
	}
	p->ports = HEADER_LOAD(__u32, h);
	return XFP_OK;
}

/* The cursor goes behind the header, which is at h and so long. */
static __always_inline enum xfp_reason parse_ipv4_fields(struct pkt *p, const __u8 *h,
							 __u32 header_octets)
{
	__u32 room = p->frame_octets - p->offset;
	__u32 total = p->gso_octets ? room : load_be16(h, 2);

	if (total < header_octets || total > room)
		return XFP_bad_total_length;

	p->tos = h[1];
	p->ttl = h[8];
	p->next_header = h[9];
	p->addresses4 = HEADER_LOAD(__u64, h + 12);
	p->identification = load_be16(h, 4);
	p->fragment = load_be16(h, 6);
	p->end_offset = p->offset + total;
	p->offset += header_octets;
	return XFP_OK;
}

static __always_inline enum xfp_reason parse_ipv4_header(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 20);
	__u32 header_octets;

	if (!h)
		return XFP_truncated;
	if (h[0] >> 4 != 4)
		return XFP_bad_version;
	header_octets = (h[0] & 0x0f) * 4;
	if (header_octets < 20)
		return XFP_bad_header_length;
	return parse_ipv4_fields(p, h, header_octets);
}

static __always_inline enum xfp_reason parse_ipv4(struct pkt *p)
{
	enum xfp_reason reason = parse_ipv4_header(p);

	return reason == XFP_OK ? parse_transport(p) : reason;
}

/* Set of the extension headers that are walked; all their numbers are below 64. */
#define EXTENSIONS                                                                                 \
	(1ULL << IPPROTO_HOPOPTS | 1ULL << IPPROTO_ROUTING | 1ULL << IPPROTO_FRAGMENT |            \
	 1ULL << IPPROTO_AH | 1ULL << IPPROTO_DSTOPTS)

static __always_inline bool is_extension(__u8 next)
{
	return next < 64 && (EXTENSIONS >> next & 1);
}

/*
 * Remember a Fragment header's fields (RFC 8200 4.5) in the form of IPv4, where
 * is_here is 1 and not 0. Returns the offset.
 */
static __always_inline __u64 fragment_read(struct pkt *p, const __u8 *h, __u64 is_here)
{
	__u64 field = load_be16(h, 2), image = field >> 3 | (field & 1) * IP_MORE_FRAGMENTS;
	__u64 id = bpf_ntohl(HEADER_LOAD(__be32, h + 4));

	p->fragment += is_here * (image - p->fragment);
	p->identification += is_here * (id - p->identification);
	return is_here * (field >> 3);
}

/*
 * Walk the chain up to the transport, or to the end of a later fragment. Each
 * header says its length in octets of 8 beyond the first (RFC 8200 4), AH in
 * octets of 4 beyond the second (RFC 4302 2.2), the fragment header is 8 long.
 * Branch-free: the kinds of eight headers would be 5^8 paths.
 */
static __always_inline enum xfp_reason parse_extensions(struct pkt *p)
{
	__u64 later = 0;

	for (int i = 0; i <= PARSE_MAX_EXTENSIONS; i++) {
		const __u8 *h;
		__u64 is_ah, is_fragment, octets;
		__u8 next = p->next_header;

		if (!is_extension(next) || later)
			return XFP_OK;
		if (i == PARSE_MAX_EXTENSIONS)
			break;
		h = pkt_header(p, 8);
		if (!h)
			return XFP_truncated;
		is_ah = is_equal(next, IPPROTO_AH);
		is_fragment = is_equal(next, IPPROTO_FRAGMENT);
		octets = h[1] * (1 - is_fragment);
		octets = (octets + 1 + is_ah) << (3 - is_ah);
		p->offset += octets & 0xfff;
		if (p->offset > p->end_offset)
			return XFP_truncated;
		later = fragment_read(p, h, is_fragment);
		p->next_header = h[0];
	}
	return XFP_too_deep;
}

/*
 * A first fragment that ends within its extension headers, against RFC 7112 5,
 * is counted under the number of the one that is cut.
 */
static __always_inline bool is_chain_cut(struct pkt *p)
{
	if (!(p->fragment & IP_MORE_FRAGMENTS) || p->offset + 8 <= p->end_offset)
		return false;
	p->offset = p->end_offset;
	p->is_tiny = true;
	return true;
}

#define JUMBO_OPTION 0xc2

/*
 * Payload length of a jumbogram (RFC 2675 2), whose IPv6 header says 0: in the
 * first option behind it, where every stack puts it. Without one the header is right.
 * In a super-packet (BIG TCP) the option is the stack's own: no segment carries it.
 */
static __always_inline __u32 parse_jumbo(struct pkt *p)
{
	const __u8 *h = pkt_at(p, p->offset + 40, 8);

	if (!h || h[1] || load_be16(h, 2) != (JUMBO_OPTION << 8 | 4))
		return 0;
	p->absent_octets = p->gso_octets ? 8 : 0;
	return load_be32(h, 4);
}

/* The cursor goes behind the header, which is at h; so many octets are said to follow. */
static __always_inline enum xfp_reason parse_ipv6_fields(struct pkt *p, const __u8 *h,
							 __u32 payload)
{
	__u32 room = p->frame_octets - p->offset;
	__u64 total = p->gso_octets ? room : 40ull + payload;

	if (total > room)
		return XFP_bad_total_length;

	p->is_ipv6 = true;
	p->tos = load_be16(h, 0) >> 4;
	p->flow_label = bpf_ntohl(HEADER_LOAD(__be32, h)) & 0xfffff;
	p->next_header = h[6];
	p->ttl = h[7];
	p->end_offset = p->offset + total;
	p->offset += 40;
	return XFP_OK;
}

static __always_inline enum xfp_reason parse_ipv6(struct pkt *p)
{
	const __u8 *h = pkt_header(p, 40);
	enum xfp_reason reason;
	__u32 payload;

	if (!h)
		return XFP_truncated;
	if (h[0] >> 4 != 6)
		return XFP_bad_version;
	payload = load_be16(h, 4);
	if (UNLIKELY(!payload && h[6] == IPPROTO_HOPOPTS))
		payload = parse_jumbo(p);
	reason = parse_ipv6_fields(p, h, payload);
	if (reason != XFP_OK)
		return reason;
	reason = parse_extensions(p);
	barrier_var(reason);
	if (UNLIKELY(reason == XFP_truncated) && is_chain_cut(p))
		return XFP_OK;
	return reason == XFP_OK ? parse_transport(p) : reason;
}
