/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv4: options, fragments, extremes over several packets, broken headers.
 */
#include <netinet/in.h>
#include <string.h>

#include "tests/lib/parse_cases.h"

static void options(struct pkt_builder *b, unsigned int i)
{
	case_start4(b);
	pkt_ipv4_options(b, 4 + 4 * i);
	case_finish_udp(b, 100 - 4 - 4 * i - 28);
}

static void first_fragment(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	pkt_ipv4_fragment(case_start4(b), 77, 0, 1);
	case_finish_udp(b, 72);
}

static void whole_but_not_to_be_fragmented(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start4(b)->frag_off = htons(0x4000);
	case_finish_udp(b, 72);
}

/*
 * What looks like ports in a later fragment is payload; it may be of any length. Of
 * their datagram no first one is known.
 */
static void later_fragments(struct pkt_builder *b, unsigned int i)
{
	static const struct {
		uint16_t offset;
		int more;
		size_t octets;
	} rest[] = {{8, 1, 8}, {1480, 1, 80}, {65528, 0, 1}, {16, 0, 11}};
	struct iphdr *ip = case_start4(b);

	pkt_ipv4_fragment(ip, 78, rest[i].offset, rest[i].more);
	pkt_protocol(b, IPPROTO_UDP, rest[i].octets);
	pkt_finish(b);
}

static void later_fragment_of_icmp(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	pkt_ipv4_fragment(case_start4(b), 78, 8, 0);
	pkt_protocol(b, IPPROTO_ICMP, 80);
	pkt_finish(b);
}

/* TTL 64, 1, 255, 0, 64 and octets 100, 28, 1500, 100, 100; ToS of the first counts. */
static void extremes(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t ttl[] = {64, 1, 255, 0, 64};
	static const size_t payload[] = {72, 0, 1472, 72, 72};
	struct iphdr *ip = case_start4(b);

	ip->ttl = ttl[i];
	ip->tos = (uint8_t)(0xb8 + i);
	case_finish_udp(b, payload[i]);
}

static void in_ipv4(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start4(b);
	pkt_ipv4(b, "10.0.0.1", "10.0.0.2");
	case_finish_udp(b, 52);
}

/* IP header and nothing else: no transport header is needed for GRE. */
static void nothing_behind_ip(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start4(b);
	pkt_protocol(b, IPPROTO_GRE, 0);
	pkt_finish(b);
}

static struct iphdr *start_finished(struct pkt_builder *b)
{
	struct iphdr *ip = case_start4(b);

	case_finish_udp(b, 72);
	return ip;
}

/* Every version but 4. */
static void bad_version(struct pkt_builder *b, unsigned int i)
{
	start_finished(b)->version = i < 4 ? i : i + 1;
}

static void bad_ihl(struct pkt_builder *b, unsigned int i)
{
	start_finished(b)->ihl = i;
}

/* Below the header's length, with and without options, and longer than the frame. */
static void bad_total_length(struct pkt_builder *b, unsigned int i)
{
	static const uint16_t lengths[] = {0, 1, 19, 101, 102, 1500, 65535};

	start_finished(b)->tot_len = htons(lengths[i]);
}

static void total_length_within_options(struct pkt_builder *b, unsigned int i)
{
	struct iphdr *ip = case_start4(b);

	pkt_ipv4_options(b, 40);
	case_finish_udp(b, 0);
	ip->tot_len = htons((uint16_t)(20 + i));
}

/* The header claims to be longer than the datagram. */
static void ihl_beyond_the_end(struct pkt_builder *b, unsigned int i)
{
	struct iphdr *ip = case_start4(b);

	(void)i;
	case_finish_udp(b, 0);
	ip->ihl = 15;
}

const struct parse_case parse_cases_ipv4[] = {
	{"IPv4 options", options, 10,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 1000}},
	{"IPv4 first fragment", first_fragment,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 100}},
	{"IPv4 do not fragment", whole_but_not_to_be_fragmented,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 100}},
	{"IPv4 later fragments", later_fragments, 4,
	 .flow = {CASE_ENDS4, .protocol = IPPROTO_UDP, .octets = 180, .length_min = 21,
		  .length_max = 100},
	 .notice = {[XFP_oversized_fragment] = 1}},
	{"IPv4 later fragment of ICMP", later_fragment_of_icmp,
	 .flow = {CASE_ENDS4, .protocol = IPPROTO_ICMP, .octets = 100}},
	{"IPv4 extremes", extremes, 5,
	 .flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 1828, .length_min = 28,
		  .length_max = 1500, .ttl_min = 0, .ttl_max = 255, .tos = 0xb8}},
	{"IPv4 in IPv4", in_ipv4, .flow = {CASE_ENDS4, .protocol = IPPROTO_IPIP, .octets = 100}},
	{"IPv4 and nothing behind", nothing_behind_ip,
	 .flow = {CASE_ENDS4, .protocol = IPPROTO_GRE, .octets = 20}},
	{"IPv4 bad version", bad_version, 15, .reason = XFP_bad_version},
	{"IPv4 header length below 5", bad_ihl, 5, .reason = XFP_bad_header_length},
	{"IPv4 bad total length", bad_total_length, 7, .reason = XFP_bad_total_length},
	{"IPv4 total length within options", total_length_within_options, 40,
	 .reason = XFP_bad_total_length},
	{"IPv4 header length beyond the end", ihl_beyond_the_end, .reason = XFP_bad_total_length},
	{},
};
