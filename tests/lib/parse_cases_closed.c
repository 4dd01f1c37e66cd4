/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnels that stay closed with `tunnels: inner`: what is in them cannot be
 * read, so the packet is the Flow of the deepest header that could be.
 */
#include <netinet/in.h>
#include <string.h>

#include "tests/lib/parse_cases.h"
#include "tests/lib/parse_tunnel.h"

/* PPTP (version 1), source routes, and what is neither IP nor Ethernet: WCCP, Aruba, ffff. */
static void gre(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t headers[][4] = {
		{0x30, 0x81, 0x88, 0x0b}, {0x40, 0, 0x08, 0}, {0, 0, 0x88, 0x3e},
		{0, 0, 0x82, 0},	  {0, 0, 0xff, 0xff},
	};

	tunnel4(b, IPPROTO_GRE);
	case_octets(b, headers[i], sizeof(headers[i]));
	case_inside4(b);
}

/* ERSPAN II and III of another version, and III of a frame of 802.11. */
static void erspan(struct pkt_builder *b, unsigned int i)
{
	tunnel4(b, IPPROTO_GRE);
	CASE_OCTETS(b, 0x10, 0, i % 2 ? 0x88 : 0x22, i % 2 ? 0xbe : 0xeb, 0, 0, 0, 1);
	CASE_OCTETS(b, (uint8_t)(i < 2 ? 0x30 : 0x20), 5, 0, 0x21, 0, 0, 0, 9, 0, 0, 0x84, 0);
	case_frame4(b, 0);
}

/* Without a VNI; of ARP; of IP without a frame around it. */
static void vxlan(struct pkt_builder *b, unsigned int i)
{
	tunnel_udp(b, 50000, 4789);
	CASE_OCTETS(b, i ? 0x08 : 0, 0, 0, 0, 0, 0, 1, 0);
	if (i == 2)
		case_inside4(b);
	else
		case_frame4(b, 0);
	if (i == 1)
		b->data[14 + 28 + 8 + 13] = 6;
}

/* Another version; a payload of neither IP nor Ethernet. */
static void geneve(struct pkt_builder *b, unsigned int i)
{
	tunnel_udp(b, 50000, 6081);
	CASE_OCTETS(b, (uint8_t)(i ? 0 : 0x40), 0, 0x65, (uint8_t)(0x58 + i), 0, 0, 1, 0);
	case_frame4(b, 0);
}

/* Echo, GTP', version 2, five extension headers, one without a length, a payload of PPP. */
static void gtpu(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t headers[][4] = {
		{0x30, 1, 0, 100},   {0x20, 255, 0, 100}, {0x50, 255, 0, 100},
		{0x34, 255, 0, 100}, {0x34, 255, 0, 100}, {0x30, 255, 0, 100},
	};

	tunnel_udp(b, 2152, 2152);
	case_octets(b, headers[i], 4);
	CASE_OCTETS(b, 0, 0, 0, 1);
	if (i == 3 || i == 4)
		CASE_OCTETS(b, 0, 0, 0, 0x85);
	for (int n = 0; n < 5 && i == 3; n++)
		CASE_OCTETS(b, 1, 0, 0, n < 4 ? 0x85 : 0);
	if (i == 4)
		CASE_OCTETS(b, 0, 0, 0, 0);
	if (i == 5)
		CASE_OCTETS(b, 0xff, 3, 0, 0x21);
	case_inside4(b);
}

/* Not IPv6: a DNS message to the port, IPv4. */
static void teredo(struct pkt_builder *b, unsigned int i)
{
	tunnel_udp(b, 50000, 3544);
	if (i)
		CASE_OCTETS(b, 0x12, 0x34, 1, 0, 0, 1, 0, 0);
	case_inside4(b);
}

/* The inner header: of another version, too short, too long, longer than its tunnel. */
static void inner_header(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t octets[][2] = {{0, 0x65}, {0, 0x44}, {3, 19}, {3, 101}};

	tunnel4(b, IPPROTO_IPIP);
	case_inside4(b);
	b->data[14 + 20 + octets[i][0]] = octets[i][1];
	if (i == 3)
		pkt_pad(b, b->len + 4); /* padding of the frame is not in the tunnel */
}

static void inner_transport(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	pkt_init(b);
	pkt_eth(b);
	pkt_ipv4(b, TUNNEL_SOURCE4, TUNNEL_DESTINATION4);
	pkt_ipv4(b, CASE_SOURCE4, CASE_DESTINATION4);
	pkt_tcp(b, 1234, 53, PKT_SYN)->doff = 4;
	pkt_finish(b);
}

/* First fragment of a datagram whose inner one goes on in the others. */
static void first_fragment(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel4(b, IPPROTO_IPIP);
	case_inside4(b);
	b->len -= 40;
	((struct iphdr *)(b->data + 14))->tot_len = htons(80);
	pkt_ipv4_fragment((struct iphdr *)(b->data + 14), 7, 0, 1);
}

/* A later one is never looked into, whatever its octets look like. */
static void later_fragment(struct pkt_builder *b, unsigned int i)
{
	tunnel4(b, IPPROTO_IPIP);
	case_inside4(b);
	pkt_ipv4_fragment((struct iphdr *)(b->data + 14), 7, 1480, (int)i);
}

static void later_fragment6(struct pkt_builder *b, unsigned int i)
{
	pkt_init(b);
	pkt_eth(b);
	pkt_ipv6(b, TUNNEL_SOURCE6, TUNNEL_DESTINATION6);
	pkt_ext_fragment(b, 99, 1480, (int)i);
	pkt_protocol(b, IPPROTO_IPIP, 0);
	case_inside4(b);
}

static void encrypted(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tunnel4(b, IPPROTO_ESP);
	case_inside4(b);
}

static void five_tunnels(struct pkt_builder *b, unsigned int i)
{
	pkt_init(b);
	pkt_eth(b);
	for (unsigned int n = 0; n < 4; n++)
		pkt_ipv4(b, "192.0.2.77", "192.0.2.78");
	for (unsigned int n = 0; n < 2 + i; n++)
		pkt_ipv4(b, TUNNEL_SOURCE4, TUNNEL_DESTINATION4);
	case_finish_udp(b, 72 - 20 * i);
}

#define OF(number)  TUNNEL_ENDS4, .protocol = (number)
#define TO(s, port) OF(IPPROTO_UDP), .source_port = (s), .destination_port = (port)

const struct parse_case parse_cases_tunnel_closed[] = {
	{"GRE of what is not read", gre, 5, .flow = {OF(IPPROTO_GRE), .octets = 5 * 124}},
	{"ERSPAN of what is not read", erspan, 3, .flow = {OF(IPPROTO_GRE), .octets = 3 * 154}},
	{"VXLAN of what is not read", vxlan, 3,
	 .flow = {TO(50000, 4789), .octets = 436, .length_min = 136, .length_max = 150}},
	{"Geneve of what is not read", geneve, 2, .flow = {TO(50000, 6081), .octets = 300}},
	{"GTP-U of what is not read", gtpu, 6,
	 .flow = {TO(2152, 2152), .octets = 6 * 136 + 24 + 8 + 4, .length_min = 136,
		  .length_max = 160}},
	{"Teredo of what is not IPv6", teredo, 2,
	 .flow = {TO(50000, 3544), .octets = 264, .length_min = 128, .length_max = 136}},
	{"inner header not sound", inner_header, 4, .flow = {OF(IPPROTO_IPIP), .octets = 480}},
	{"inner transport not sound", inner_transport, .flow = {OF(IPPROTO_IPIP), .octets = 60}},
	{"first fragment", first_fragment, .flow = {OF(IPPROTO_IPIP), .octets = 80},
	 .notice = {[XFP_uneven_fragment] = 1}},
	{"later fragment", later_fragment, 2, .flow = {OF(IPPROTO_IPIP), .octets = 240},
	 .notice = {[XFP_uneven_fragment] = 1}},
	{"later fragment of IPv6", later_fragment6, 2,
	 .flow = {TUNNEL_ENDS6, .protocol = IPPROTO_IPIP, .octets = 296},
	 .notice = {[XFP_uneven_fragment] = 1}},
	{"encrypted", encrypted, .flow = {OF(IPPROTO_ESP), .octets = 120}},
	{"five tunnels and more", five_tunnels, 2, .flow = {OF(IPPROTO_IPIP), .octets = 240}},
	{},
};
