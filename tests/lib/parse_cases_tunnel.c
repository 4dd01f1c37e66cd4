/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnels of which the inner Flow is metered with `tunnels: inner`.
 */
#include <netinet/in.h>
#include <string.h>

#include "tests/lib/parse_cases.h"
#include "tests/lib/parse_tunnel.h"

void tunnel4(struct pkt_builder *b, uint8_t protocol)
{
	pkt_init(b);
	pkt_eth(b);
	pkt_ipv4(b, TUNNEL_SOURCE4, TUNNEL_DESTINATION4);
	pkt_protocol(b, protocol, 0);
}

void tunnel6(struct pkt_builder *b, uint8_t protocol)
{
	pkt_init(b);
	pkt_eth(b);
	pkt_ipv6(b, TUNNEL_SOURCE6, TUNNEL_DESTINATION6);
	pkt_protocol(b, protocol, 0);
}

void tunnel_udp(struct pkt_builder *b, uint16_t source_port, uint16_t destination_port)
{
	pkt_init(b);
	pkt_eth(b);
	pkt_ipv4(b, TUNNEL_SOURCE4, TUNNEL_DESTINATION4);
	pkt_udp(b, source_port, destination_port);
}

static void ipv4_in_ipv4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel4(b, IPPROTO_IPIP);
	case_inside4(b);
}

static void ipv6_in_ipv4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel4(b, IPPROTO_IPV6);
	case_inside6(b);
}

static void ipv4_in_ipv6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel6(b, IPPROTO_IPIP);
	case_inside4(b);
}

/* Behind extension headers too, an atomic fragment's among them. */
static void ipv6_in_ipv6(struct pkt_builder *b, unsigned int i)
{
	pkt_init(b);
	pkt_eth(b);
	pkt_ipv6(b, TUNNEL_SOURCE6, TUNNEL_DESTINATION6);
	if (i)
		pkt_ext(b, IPPROTO_DSTOPTS, i);
	if (i > 1)
		pkt_ext_fragment(b, 99, 0, 0);
	pkt_protocol(b, IPPROTO_IPV6, 0);
	case_inside6(b);
}

static void mpls_in_ip(struct pkt_builder *b, unsigned int i)
{
	if (i)
		tunnel_udp(b, 50000, 6635);
	else
		tunnel4(b, IPPROTO_MPLS);
	CASE_OCTETS(b, 0, 1, 0x20, 64, 0, 2, 0x31, 64);
	case_inside4(b);
}

/* Every set of the optional fields; and the same in UDP. */
static void gre(struct pkt_builder *b, unsigned int i)
{
	if (i < 8)
		tunnel4(b, IPPROTO_GRE);
	else
		tunnel_udp(b, 50000, 4754);
	CASE_OCTETS(b, (uint8_t)((i & 4) << 5 | (i & 3) << 4), 0, 0x08, 0);
	if (i & 4)
		CASE_OCTETS(b, 0x12, 0x34, 0, 0);
	if (i & 2)
		CASE_OCTETS(b, 0, 0, 0x30, 0x39);
	if (i & 1)
		CASE_OCTETS(b, 0, 0, 0, 7);
	case_inside4(b);
}

static void gre_ipv6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel6(b, IPPROTO_GRE);
	CASE_OCTETS(b, 0, 0, 0x86, 0xdd);
	case_inside6(b);
}

static void gre_ethernet(struct pkt_builder *b, unsigned int i)
{
	tunnel4(b, IPPROTO_GRE);
	CASE_OCTETS(b, 0x20, 0, 0x65, 0x58, 0, 0x12, 0x34, 0);
	case_frame4(b, i);
}

static void gre_mpls(struct pkt_builder *b, unsigned int i)
{
	tunnel4(b, IPPROTO_GRE);
	CASE_OCTETS(b, 0, 0, 0x88, (uint8_t)(0x47 + i), 0, 1, 0x21, 64);
	case_inside4(b);
}

static void erspan_1(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel4(b, IPPROTO_GRE);
	CASE_OCTETS(b, 0, 0, 0x88, 0xbe);
	case_frame4(b, 0);
}

static void erspan_2(struct pkt_builder *b, unsigned int i)
{
	tunnel4(b, IPPROTO_GRE);
	CASE_OCTETS(b, 0x10, 0, 0x88, 0xbe, 0, 0, 0, 1);
	CASE_OCTETS(b, 0x10, 5, 0x03, 0x21, 0, 0, 0, 9);
	case_frame4(b, i);
}

/* With the platform's part, of an IP packet, or neither. */
static void erspan_3(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t platform[8];

	tunnel4(b, IPPROTO_GRE);
	CASE_OCTETS(b, 0x10, 0, 0x22, 0xeb, 0, 0, 0, 1);
	CASE_OCTETS(b, 0x20, 5, 0x00, 0x21, 0, 0, 0, 9, 0, 0, i == 2 ? 0x88 : 0x80, i == 1);
	if (i == 1)
		case_octets(b, platform, sizeof(platform));
	if (i == 2)
		case_inside4(b);
	else
		case_frame4(b, 0);
}

static void vxlan(struct pkt_builder *b, unsigned int i)
{
	tunnel_udp(b, 50000, 4789);
	CASE_OCTETS(b, 0x08, 0, 0, 0, 0xab, 0xcd, 0xef, 0);
	case_frame4(b, i);
}

static void geneve(struct pkt_builder *b, unsigned int i)
{
	tunnel_udp(b, 50000, 6081);
	CASE_OCTETS(b, (uint8_t)(i * 9), 0, 0x65, 0x58, 0xab, 0xcd, 0xef, 0);
	pkt_payload(b, i * 36UL);
	case_frame4(b, 0);
}

static void geneve_ipv4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel_udp(b, 50000, 6081);
	CASE_OCTETS(b, 0, 0, 0x08, 0, 0xab, 0xcd, 0xef, 0);
	case_inside4(b);
}

/* Nothing optional, a sequence number, one extension header, four of them. */
static void gtpu(struct pkt_builder *b, unsigned int i)
{
	tunnel_udp(b, 2152, 2152);
	CASE_OCTETS(b, (uint8_t)(i ? i > 1 ? 0x34 : 0x32 : 0x30), 255, 0, 100, 0xca, 0xfe, 0, 1);
	if (i)
		CASE_OCTETS(b, 0, 9, 0, 0x85);
	if (i > 1)
		CASE_OCTETS(b, 1, 0x10, 9, i > 2 ? 0xc0 : 0);
	if (i > 2)
		CASE_OCTETS(b, 2, 0, 0, 0, 0, 0, 0, 0x20, 1, 0, 0, 0x40, 1, 0, 0, 0);
	case_inside4(b);
}

static void gtpu_ipv6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel_udp(b, 2152, 2152);
	CASE_OCTETS(b, 0x30, 255, 0, 120, 0xca, 0xfe, 0, 1);
	case_inside6(b);
}

static void gtpu_inside(struct pkt_builder *b, bool is_tagged, bool is_ipv6)
{
	pkt_init(b);
	pkt_eth(b);
	if (is_tagged)
		pkt_vlan(b, ETH_P_8021Q, 42);
	if (is_ipv6)
		pkt_ipv6(b, TUNNEL_SOURCE6, TUNNEL_DESTINATION6);
	else
		pkt_ipv4(b, TUNNEL_SOURCE4, TUNNEL_DESTINATION4);
	pkt_udp(b, 50000, 2152);
	CASE_OCTETS(b, 0x30, 255, 0, 100, 0xca, 0xfe, 0, 1);
	case_inside4(b);
}

static void gtpu_in_ipv6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	gtpu_inside(b, false, true);
}

static void gtpu_tagged(struct pkt_builder *b, unsigned int i)
{
	gtpu_inside(b, true, i);
}

/* From and to a server; authentication with an id of 3 and a value of 5; origin indication. */
static void teredo(struct pkt_builder *b, unsigned int i)
{
	tunnel_udp(b, i % 2 ? 3544 : 50000, i % 2 ? 50000 : 3544);
	if (i & 2) {
		CASE_OCTETS(b, 0, 1, 3, 5, 1, 2, 3, 1, 2, 3, 4, 5);
		CASE_OCTETS(b, 1, 2, 3, 4, 5, 6, 7, 8, 0);
	}
	if (i & 4)
		CASE_OCTETS(b, 0, 0, 0xf0, 0xf1, 0x3f, 0xff, 0xff, 0xfd);
	case_inside6(b);
}

/* Four tunnels are opened; of five, the Flow is that of the fifth header. */
static void nested(struct pkt_builder *b, unsigned int n)
{
	pkt_init(b);
	pkt_eth(b);
	for (unsigned int i = 0; i < n; i++)
		pkt_ipv4(b, TUNNEL_SOURCE4, TUNNEL_DESTINATION4);
	pkt_ipv4(b, CASE_SOURCE4, CASE_DESTINATION4);
	case_finish_udp(b, 72);
}

static void one_to_four(struct pkt_builder *b, unsigned int i)
{
	nested(b, 1 + i);
}

/* Different ones: VXLAN of GRE of a pseudowire of PPPoE of IPv6 of IPv4. */
static void mixed(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t gre_in[20] = {0x45, 0, 0,	 202, 0, 0, 0,	 0,  64,  IPPROTO_GRE,
					   0,	 0, 192, 0,   2, 9, 198, 51, 100, 9};
	static const uint8_t addresses[12] = {2};

	(void)i;
	tunnel_udp(b, 50000, 4789);
	CASE_OCTETS(b, 0x08, 0, 0, 0, 0, 0, 1, 0);
	case_octets(b, addresses, sizeof(addresses));
	CASE_OCTETS(b, 0x08, 0);
	case_octets(b, gre_in, sizeof(gre_in));
	CASE_OCTETS(b, 0, 0, 0x88, 0x47, 0, 1, 0x21, 64, 0, 0, 0, 0);
	case_octets(b, addresses, sizeof(addresses));
	CASE_OCTETS(b, 0x88, 0x64, 0x11, 0, 0, 1, 0, 150, 0x00, 0x57);
	CASE_OCTETS(b, 0x60, 0, 0, 0, 0, 108, IPPROTO_DSTOPTS, 64);
	pkt_payload(b, 32);
	CASE_OCTETS(b, IPPROTO_IPIP, 0, 1, 4, 0, 0, 0, 0);
	case_inside4(b);
}

static void inner_with_options(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	pkt_init(b);
	pkt_eth(b);
	pkt_ipv4(b, TUNNEL_SOURCE4, TUNNEL_DESTINATION4)->tos = 0x28;
	pkt_ipv4_options(b, 8);
	pkt_ipv4(b, CASE_SOURCE4, CASE_DESTINATION4)->tos = 0xb8;
	pkt_ipv4_options(b, 12);
	pkt_tcp(b, 1234, 53, PKT_SYN);
	pkt_finish(b);
	pkt_pad(b, 200);
}

/* Of a fragmented inner datagram the later fragments have no ports. */
static void inner_later_fragment(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	pkt_init(b);
	pkt_eth(b);
	pkt_ipv4(b, TUNNEL_SOURCE4, TUNNEL_DESTINATION4);
	pkt_ipv4_fragment(pkt_ipv4(b, CASE_SOURCE4, CASE_DESTINATION4), 5, 1480, 0);
	pkt_protocol(b, IPPROTO_UDP, 80);
	pkt_finish(b);
}

#define UDP4 CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP
#define UDP6 CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP

const struct parse_case parse_cases_tunnel[] = {
	{"4in4", ipv4_in_ipv4, .flow = {UDP4, .octets = 100}},
	{"6in4", ipv6_in_ipv4, .flow = {UDP6, .octets = 120}},
	{"4in6", ipv4_in_ipv6, .flow = {UDP4, .octets = 100}},
	{"6in6", ipv6_in_ipv6, 4, .flow = {UDP6, .octets = 480}},
	{"MPLS in IP and in UDP", mpls_in_ip, 2, .flow = {UDP4, .octets = 200}},
	{"GRE", gre, 16, .flow = {UDP4, .octets = 1600}},
	{"GRE of IPv6 in IPv6", gre_ipv6, .flow = {UDP6, .octets = 120}},
	{"GRE of Ethernet", gre_ethernet, 4, .flow = {UDP4, .octets = 400}},
	{"GRE of MPLS", gre_mpls, 2, .flow = {UDP4, .octets = 200}},
	{"ERSPAN I", erspan_1, .flow = {UDP4, .octets = 100}},
	{"ERSPAN II", erspan_2, 2, .flow = {UDP4, .octets = 200}},
	{"ERSPAN III", erspan_3, 3, .flow = {UDP4, .octets = 300}},
	{"VXLAN", vxlan, 4, .flow = {UDP4, .octets = 400}},
	{"Geneve", geneve, 8, .flow = {UDP4, .octets = 800}},
	{"Geneve of IPv4", geneve_ipv4, .flow = {UDP4, .octets = 100}},
	{"GTP-U", gtpu, 4, .flow = {UDP4, .octets = 400}},
	{"GTP-U in IPv6", gtpu_in_ipv6, .flow = {UDP4, .octets = 100}},
	{"GTP-U behind a tag", gtpu_tagged, 2, .flow = {UDP4, .octets = 200, .vlan = 42}},
	{"GTP-U of IPv6", gtpu_ipv6, .flow = {UDP6, .octets = 120}},
	{"Teredo", teredo, 8, .flow = {UDP6, .octets = 960}},
	{"one to four tunnels", one_to_four, 4, .flow = {UDP4, .octets = 400}},
	{"VXLAN, GRE, MPLS, PPPoE, 4in6", mixed, .flow = {UDP4, .octets = 100}},
	{"inner IPv4 with options", inner_with_options,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_TCP, .octets = 52, .tos = 0xb8,
		  .tcp_flags = PKT_SYN}},
	{"later fragment inside", inner_later_fragment,
	 .flow = {CASE_ENDS4, .protocol = IPPROTO_UDP, .octets = 100}},
	{},
};
