/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transport: ports, TCP flags and header length, ICMP type and code, protocols
 * that have none of them.
 */
#include <netinet/in.h>
#include <string.h>

#include "tests/lib/parse_cases.h"

#define ESP_SHORTEST 4

static void tcp4(struct pkt_builder *b, unsigned int i)
{
	case_start4(b);
	pkt_tcp(b, 1234, 53, PKT_SYN);
	pkt_tcp_options(b, 4 + 4 * i);
	pkt_payload(b, 56 - 4 * i);
	pkt_finish(b);
}

static void tcp6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	pkt_tcp(b, 1234, 53, PKT_RST | PKT_ACK);
	pkt_payload(b, 40);
	pkt_finish(b);
}

/* SYN, ACK, PSH, URG, FIN one by one; then the three flags left of CWR, and those with it. */
static void tcp_flags(struct pkt_builder *b, unsigned int i)
{
	static const uint16_t flags[] = {PKT_SYN, PKT_ACK, PKT_PSH, PKT_URG,
					 PKT_FIN, 0x0100,  0x0080,  0};
	struct tcphdr *tcp;
	__be16 word = htons(0x5000 | flags[i]);

	case_start4(b);
	tcp = pkt_tcp(b, 1234, 53, 0);
	pkt_payload(b, 60);
	pkt_finish(b);
	memcpy((uint8_t *)tcp + 12, &word, sizeof(word));
}

static void sctp4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start4(b);
	pkt_sctp(b, 1234, 53);
	pkt_payload(b, 68);
	pkt_finish(b);
}

static void sctp6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	pkt_sctp(b, 1234, 53);
	pkt_payload(b, 48);
	pkt_finish(b);
}

static void udp6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	case_finish_udp(b, 52);
}

static void icmp4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start4(b);
	pkt_icmp(b, 3, 13);
	pkt_payload(b, 72);
	pkt_finish(b);
}

static void icmp6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	pkt_icmpv6(b, 128, 1);
	pkt_payload(b, 52);
	pkt_finish(b);
}

/* ICMP of the other family is a protocol by number only. */
static void icmpv6_in_ipv4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start4(b);
	pkt_protocol(b, IPPROTO_ICMPV6, 80);
	pkt_finish(b);
}

static void icmp_in_ipv6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	pkt_protocol(b, IPPROTO_ICMP, 60);
	pkt_finish(b);
}

static void esp(struct pkt_builder *b, unsigned int i)
{
	case_start4(b);
	pkt_protocol(b, IPPROTO_ESP, ESP_SHORTEST + i);
	pkt_finish(b);
}

static void protocol_255(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	pkt_protocol(b, 255, 60);
	pkt_finish(b);
}

static void bad_data_offset(struct pkt_builder *b, unsigned int i)
{
	struct tcphdr *tcp;

	if (i < 5)
		case_start4(b);
	else
		case_start6(b);
	tcp = pkt_tcp(b, 1234, 53, PKT_SYN);
	pkt_finish(b);
	tcp->doff = i % 5;
}

/* Each protocol's header, too short by one octet and more; behind it is padding. */
static void cut_header(struct pkt_builder *b, unsigned int i)
{
	static const struct {
		uint8_t protocol;
		uint8_t shortest;
	} kinds[] = {{IPPROTO_TCP, 20}, {IPPROTO_UDP, 8}, {IPPROTO_SCTP, 12}, {IPPROTO_ICMP, 4}};
	unsigned int kind = i % 4, cut = 1 + i / 4 % kinds[kind].shortest;

	case_start4(b);
	pkt_protocol(b, kinds[kind].protocol, kinds[kind].shortest - cut);
	pkt_finish(b);
	pkt_pad(b, 60);
}

#define ALL_FLAGS (PKT_SYN | PKT_ACK | PKT_PSH | PKT_URG | PKT_FIN | 0x0180)

const struct parse_case parse_cases_transport[] = {
	{"TCP", tcp4, 10,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_TCP, .octets = 1000,
		  .tcp_flags = PKT_SYN}},
	{"TCP over IPv6", tcp6,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_TCP, .octets = 100,
		  .tcp_flags = PKT_RST | PKT_ACK}},
	{"TCP flags", tcp_flags, 8,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_TCP, .octets = 800,
		  .tcp_flags = ALL_FLAGS}},
	{"UDP over IPv6", udp6,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 100}},
	{"SCTP", sctp4, .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_SCTP, .octets = 100}},
	{"SCTP over IPv6", sctp6,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_SCTP, .octets = 100}},
	{"ICMP", icmp4,
	 .flow = {CASE_ENDS4, .protocol = IPPROTO_ICMP, .destination_port = 3 << 8 | 13,
		  .octets = 100}},
	{"ICMPv6", icmp6,
	 .flow = {CASE_ENDS6, .protocol = IPPROTO_ICMPV6, .destination_port = 128 << 8 | 1,
		  .octets = 100}},
	{"ICMPv6 in IPv4", icmpv6_in_ipv4,
	 .flow = {CASE_ENDS4, .protocol = IPPROTO_ICMPV6, .octets = 100}},
	{"ICMP in IPv6", icmp_in_ipv6,
	 .flow = {CASE_ENDS6, .protocol = IPPROTO_ICMP, .octets = 100}},
	{"ESP", esp, 2,
	 .flow = {CASE_ENDS4, .protocol = IPPROTO_ESP, .octets = 49, .length_min = 24,
		  .length_max = 25}},
	{"protocol 255", protocol_255, .flow = {CASE_ENDS6, .protocol = 255, .octets = 100}},
	{"TCP data offset below 5", bad_data_offset, 10, .reason = XFP_bad_header_length},
	{"transport header cut", cut_header, 80, .reason = XFP_truncated},
	{},
};
