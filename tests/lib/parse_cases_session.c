/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Link layer, continued: PPPoE sessions, MPLS label stacks, pseudowires, and the
 * tags of before 802.1ad.
 */
#include <netinet/in.h>
#include <string.h>

#include "tests/lib/parse_cases.h"

void case_octets(struct pkt_builder *b, const void *octets, size_t n)
{
	memcpy(pkt_payload(b, n), octets, n);
}

/* Builds what others carry; aligned as if nothing were in front of it. */
static struct pkt_builder in;

void case_inside4(struct pkt_builder *b)
{
	pkt_init(&in);
	pkt_ipv4(&in, CASE_SOURCE4, CASE_DESTINATION4);
	case_finish_udp(&in, 72);
	case_octets(b, in.data, in.len);
	pkt_finish(b);
}

void case_inside6(struct pkt_builder *b)
{
	pkt_init(&in);
	pkt_ipv6(&in, CASE_SOURCE6, CASE_DESTINATION6);
	case_finish_udp(&in, 72);
	case_octets(b, in.data, in.len);
	pkt_finish(b);
}

void case_frame4(struct pkt_builder *b, unsigned int n_tags)
{
	static const uint8_t addresses[12] = {0x42, 0, 0, 0, 0, 9, 0x42, 0, 0, 0, 0, 8};

	case_octets(b, addresses, sizeof(addresses));
	for (unsigned int i = 0; i < n_tags; i++)
		CASE_OCTETS(b, 0x81, 0, 0, 77);
	CASE_OCTETS(b, 0x08, 0);
	case_inside4(b);
}

static void link(struct pkt_builder *b, uint16_t ethertype)
{
	pkt_init(b);
	pkt_eth(b)->h_proto = htons(ethertype);
}

/* n labels, the last marked as the bottom of the stack. */
static void labels(struct pkt_builder *b, unsigned int n)
{
	for (unsigned int i = 1; i <= n; i++)
		CASE_OCTETS(b, 0, (uint8_t)i, i == n ? 0x31 : 0x30, 64);
}

static void old_tags(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	pkt_init(b);
	pkt_eth(b);
	pkt_vlan(b, 0x9100, 100);
	pkt_vlan(b, 0x9200, 101);
	pkt_ipv4(b, CASE_SOURCE4, CASE_DESTINATION4);
	case_finish_udp(b, 72);
}

static void pppoe_ipv4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	link(b, 0x8864);
	CASE_OCTETS(b, 0x11, 0, 0, 9, 0, 102, 0x00, 0x21);
	case_inside4(b);
}

static void pppoe_ipv6_tagged(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	link(b, 0x88a8);
	CASE_OCTETS(b, 0, 100, 0x81, 0, 0, 101, 0x88, 0x64);
	CASE_OCTETS(b, 0x11, 0, 0, 9, 0, 122, 0x00, 0x57);
	case_inside6(b);
}

static void pppoe_mpls(struct pkt_builder *b, unsigned int i)
{
	link(b, 0x8864);
	CASE_OCTETS(b, 0x11, 0, 0, 9, 0, 106, 0x02, i ? 0x83 : 0x81);
	labels(b, 1);
	case_inside4(b);
}

static void mpls_ipv4(struct pkt_builder *b, unsigned int i)
{
	link(b, i % 2 ? 0x8848 : 0x8847);
	labels(b, 1 + i / 2);
	case_inside4(b);
}

static void mpls_ipv6_tagged(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	link(b, 0x8100);
	CASE_OCTETS(b, 0, 100, 0x88, 0x47);
	labels(b, 2);
	case_inside6(b);
}

static void mpls_deep(struct pkt_builder *b, unsigned int i)
{
	link(b, 0x8847);
	labels(b, 9 + i);
	case_inside4(b);
}

/* A MAC address may begin like IP or like a control word; the EtherType decides. */
static void pseudowire(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t first[] = {0x00, 0x02, 0x52, 0xfe};

	link(b, 0x8847);
	labels(b, 2);
	if (i < 4)
		CASE_OCTETS(b, 0, 0, 0, (uint8_t)i);
	case_frame4(b, i % 3);
	b->data[14 + 8 + (i < 4 ? 4 : 0)] = first[i % 4];
}

/* Pseudowires of something else, and the channel that goes with them (RFC 5586). */
static void pseudowire_of_else(struct pkt_builder *b, unsigned int i)
{
	link(b, 0x8847);
	labels(b, 1);
	CASE_OCTETS(b, (uint8_t)(i < 4 ? i * 16 : (i + 3) * 16), 0, 0, 7);
	pkt_payload(b, 60);
}

/* Discovery in a session, another version, and what is not IP: LCP, IPCP, CHAP. */
static void pppoe_not_ip(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t headers[][8] = {
		{0x11, 9, 0, 9, 0, 102, 0x00, 0x21}, {0x21, 0, 0, 9, 0, 102, 0x00, 0x21},
		{0x11, 0, 0, 9, 0, 102, 0xc0, 0x21}, {0x11, 0, 0, 9, 0, 102, 0x80, 0x21},
		{0x11, 0, 0, 9, 0, 102, 0xc2, 0x23},
	};

	link(b, 0x8864);
	case_octets(b, headers[i], sizeof(headers[i]));
	case_inside4(b);
}

/* Cut where the family is not known yet; in the datagram its length would tell. */
static void session_cut(struct pkt_builder *b, unsigned int i)
{
	pppoe_mpls(b, 0);
	pkt_truncate(b, 15 + i);
}

static void pseudowire_cut(struct pkt_builder *b, unsigned int i)
{
	pseudowire(b, 0);
	pkt_truncate(b, 15 + i);
}

#define UDP4 CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP
#define UDP6 CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP

const struct parse_case parse_cases_session[] = {
	{"tags 0x9100 and 0x9200", old_tags,
	 .flow = {UDP4, .octets = 100, .vlan = 100, .inner_vlan = 101}},
	{"IPv4 in PPPoE", pppoe_ipv4, .flow = {UDP4, .octets = 100}},
	{"IPv6 in PPPoE in two tags", pppoe_ipv6_tagged,
	 .flow = {UDP6, .octets = 120, .vlan = 100, .inner_vlan = 101}},
	{"MPLS in PPPoE", pppoe_mpls, 2, .flow = {UDP4, .octets = 200}},
	{"IPv4 under one to eight labels", mpls_ipv4, 16, .flow = {UDP4, .octets = 1600}},
	{"IPv6 under labels behind a tag", mpls_ipv6_tagged,
	 .flow = {UDP6, .octets = 120, .vlan = 100}},
	{"nine labels and more", mpls_deep, 3, .reason = XFP_too_deep},
	{"Ethernet pseudowire", pseudowire, 6, .flow = {UDP4, .octets = 600}},
	{"pseudowire of something else", pseudowire_of_else, 3, .reason = XFP_not_ip},
	{"PPPoE without IP", pppoe_not_ip, 5, .reason = XFP_not_ip},
	{"MPLS in PPPoE cut", session_cut, 12, .reason = XFP_truncated},
	{"pseudowire cut", pseudowire_cut, 25, .reason = XFP_truncated},
	{},
};
