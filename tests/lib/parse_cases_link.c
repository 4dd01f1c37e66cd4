/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Link layer: Ethernet, its padding, 802.1Q and 802.1ad tags, what is not IP.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/parse_cases.h"

static unsigned int packets_of(const struct parse_case *c)
{
	return c->n_packets ? c->n_packets : 1;
}

void parse_case_assert(const struct parse_case *c, const struct flow_cache *cache,
		       uint8_t obs_point, uint64_t octets)
{
	struct xfp_volume all = {packets_of(c), octets};
	struct xfp_ledger_row ledger = {.seen = all};

	if (c->flow.source) {
		meter_assert_flow(cache, &c->flow, all.packets, obs_point);
		ledger.accounted = all;
		ledger.accounted_ip_octets = c->flow.octets;
		ledger.inserts = 1;
	} else {
		ledger.reason[c->reason] = all;
	}
	memcpy(ledger.notice, c->notice, sizeof(ledger.notice));
	meter_assert_ledger(cache, &ledger);
}

void parse_table_run_native(const struct parse_case *c, struct flow_cache *cache)
{
	static struct pkt_builder b;

	for (; c->name; c++) {
		unsigned int n = c->n_packets ? c->n_packets : 1;
		uint64_t octets = 0;

		print_message("%s\n", c->name);
		meter_cache_clear(cache);
		for (unsigned int i = 0; i < n; i++) {
			c->build(&b, i);
			octets += b.len;
			meter_run_native(cache, b.data, (uint32_t)b.len, 0);
		}
		parse_case_assert(c, cache, 0, octets);
	}
}

void parse_case_build(const struct parse_case *table, const char *name, unsigned int i,
		      struct pkt_builder *b)
{
	while (table->name && strcmp(table->name, name) != 0)
		table++;
	if (!table->name)
		fail_msg("no case %s", name);
	table->build(b, i);
}

struct iphdr *case_start4(struct pkt_builder *b)
{
	pkt_init(b);
	pkt_eth(b);
	return pkt_ipv4(b, CASE_SOURCE4, CASE_DESTINATION4);
}

struct ipv6hdr *case_start6(struct pkt_builder *b)
{
	pkt_init(b);
	pkt_eth(b);
	return pkt_ipv6(b, CASE_SOURCE6, CASE_DESTINATION6);
}

void case_finish_udp(struct pkt_builder *b, size_t n)
{
	pkt_udp(b, 1234, 53);
	pkt_payload(b, n);
	pkt_finish(b);
}

/* A frame of 802.1ad tags with ids 100, 101, ... around one 802.1Q tag. */
static void tags(struct pkt_builder *b, unsigned int n)
{
	pkt_init(b);
	pkt_eth(b);
	for (unsigned int i = 0; i < n; i++)
		pkt_vlan(b, i + 1 < n ? ETH_P_8021AD : ETH_P_8021Q, (uint16_t)(100 + i));
	pkt_ipv4(b, CASE_SOURCE4, CASE_DESTINATION4);
	case_finish_udp(b, 72);
}

static void untagged(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tags(b, 0);
}

static void one_tag(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tags(b, 1);
}

static void two_tags(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tags(b, 2);
}

static void three_tags(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tags(b, 3);
}

static void four_tags(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	tags(b, 4);
}

/* Priority and drop-eligible bits are no part of the id. */
static void tag_with_priority(struct pkt_builder *b, unsigned int i)
{
	pkt_init(b);
	pkt_eth(b);
	pkt_vlan(b, ETH_P_8021Q, 4095)->tci = htons((uint16_t)(i << 12 | 4095));
	pkt_ipv6(b, CASE_SOURCE6, CASE_DESTINATION6);
	case_finish_udp(b, 0);
}

static void priority_tag_outside(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	pkt_init(b);
	pkt_eth(b);
	pkt_vlan(b, ETH_P_8021Q, 0);
	pkt_vlan(b, ETH_P_8021Q, 7);
	pkt_ipv4(b, CASE_SOURCE4, CASE_DESTINATION4);
	case_finish_udp(b, 0);
}

/* The smallest Ethernet frame: 29 octets of IP, 17 of padding. */
static void padded4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start4(b);
	case_finish_udp(b, 1);
	pkt_pad(b, 60);
}

static void padded6(struct pkt_builder *b, unsigned int i)
{
	case_start6(b);
	case_finish_udp(b, 1);
	pkt_pad(b, 80 + i);
}

/* EtherTypes that are not IP: ARP, LLDP, PPPoE discovery, 802.3 lengths, IP's neighbours. */
static const uint16_t not_ip_types[] = {
	0x0806, 0x88cc, 0x8849, 0x8863, 0x0000, 0x0026, 0x05dc, 0x0801, 0x86dc, 0xffff,
};

static void not_ip(struct pkt_builder *b, unsigned int i)
{
	pkt_init(b);
	pkt_eth(b)->h_proto = htons(not_ip_types[i]);
	pkt_payload(b, 46);
}

static void tagged_arp(struct pkt_builder *b, unsigned int i)
{
	pkt_init(b);
	pkt_eth(b);
	for (unsigned int n = 0; n <= i; n++)
		pkt_vlan(b, ETH_P_8021Q, 5);
	((struct pkt_vlan *)(b->data + b->len))[-1].type = htons(ETH_P_ARP);
	pkt_payload(b, 46);
}

const struct parse_case parse_cases_link[] = {
	{"Ethernet", untagged,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 100}},
	{"one tag", one_tag,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 100, .vlan = 100}},
	{"two tags", two_tags,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 100, .vlan = 100,
		  .inner_vlan = 101}},
	{"three tags", three_tags,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 100, .vlan = 100,
		  .inner_vlan = 101}},
	{"four tags", four_tags, .reason = XFP_too_deep},
	{"tag with priority", tag_with_priority, 16,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 16 * 48,
		  .vlan = 4095}},
	{"priority tag outside", priority_tag_outside,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 28, .inner_vlan = 7}},
	{"padded IPv4", padded4,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 29}},
	{"padded IPv6", padded6, 3,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 3 * 49}},
	{"not IP", not_ip, sizeof(not_ip_types) / sizeof(not_ip_types[0]), .reason = XFP_not_ip},
	{"tagged ARP", tagged_arp, 3, .reason = XFP_not_ip},
	{},
};
