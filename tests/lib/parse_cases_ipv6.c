/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPv6: chains of extension headers, fragments, extremes, broken headers.
 */
#include <netinet/in.h>
#include <string.h>

#include "tests/lib/parse_cases.h"

/* One extension header of each kind before UDP: 100 octets each. */
static void one_extension(struct pkt_builder *b, unsigned int i)
{
	case_start6(b);
	switch (i) {
	case 0:
		pkt_ext(b, IPPROTO_HOPOPTS, 1);
		break;
	case 1:
		pkt_ext(b, IPPROTO_ROUTING, 1);
		break;
	case 2:
		pkt_ext(b, IPPROTO_DSTOPTS, 1);
		break;
	case 3:
		pkt_ah(b, 6);
		break;
	case 4:
		pkt_ext_fragment(b, 77, 0, 1);
		break;
	}
	case_finish_udp(b, i == 3 ? 28 : 44);
}

/* Lengths count in units of 8 octets, in AH of 4. */
static void long_extensions(struct pkt_builder *b, unsigned int i)
{
	case_start6(b);
	if (i == 0) {
		pkt_ext(b, IPPROTO_HOPOPTS, 256);
	} else {
		pkt_ah(b, 255);
		pkt_ext(b, IPPROTO_DSTOPTS, 128);
	}
	case_finish_udp(b, i == 0 ? 4 : 8);
}

static void chain(struct pkt_builder *b, unsigned int n)
{
	static const uint8_t kinds[] = {IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING};

	case_start6(b);
	for (unsigned int i = 0; i + 2 < n; i++)
		pkt_ext(b, kinds[i % 3], 1 + i % 2);
	pkt_ext_fragment(b, 77, 0, 1);
	pkt_ah(b, 4);
	case_finish_udp(b, 0);
}

static void eight_extensions(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	chain(b, 8);
}

static void nine_extensions(struct pkt_builder *b, unsigned int i)
{
	chain(b, 9 + i);
}

static void later_fragments(struct pkt_builder *b, unsigned int i)
{
	case_start6(b);
	if (i == 2)
		pkt_ext(b, IPPROTO_HOPOPTS, 1);
	pkt_ext_fragment(b, 78, (uint16_t)(8 << 6 * i), i != 1);
	pkt_protocol(b, IPPROTO_UDP, 1 + i);
	pkt_finish(b);
}

/* The rest of a chain that the first fragment began: not walked, as it is not there. */
static void later_fragment_of_a_chain(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	pkt_ext_fragment(b, 78, 1232, 0);
	pkt_protocol(b, IPPROTO_DSTOPTS, 52);
	pkt_finish(b);
}

/* Hop limit 64, 1, 255, 0; payload 60, 8, 1452, 60; class and label of the first. */
static void extremes(struct pkt_builder *b, unsigned int i)
{
	static const uint8_t hop_limit[] = {64, 1, 255, 0};
	static const size_t payload[] = {52, 0, 1444, 52};
	struct ipv6hdr *ip = case_start6(b);
	__be32 first = htonl(0x60000000u | 0xb9u << 20 | (0xabcdeu + i));

	case_finish_udp(b, payload[i]);
	memcpy(ip, &first, sizeof(first));
	ip->hop_limit = hop_limit[i];
}

static void in_ipv6(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	pkt_ipv6(b, "fd00::1", "fd00::2");
	case_finish_udp(b, 12);
}

static void no_next_header(struct pkt_builder *b, unsigned int i)
{
	(void)i;
	case_start6(b);
	pkt_protocol(b, IPPROTO_NONE, 0);
	pkt_finish(b);
}

static struct ipv6hdr *start_finished(struct pkt_builder *b)
{
	struct ipv6hdr *ip = case_start6(b);

	case_finish_udp(b, 52);
	return ip;
}

static void bad_version(struct pkt_builder *b, unsigned int i)
{
	start_finished(b)->version = i < 6 ? i : i + 1;
}

static void longer_than_frame(struct pkt_builder *b, unsigned int i)
{
	static const uint16_t lengths[] = {61, 62, 1500, 65535};

	start_finished(b)->payload_len = htons(lengths[i]);
}

/* Nothing, or part of a UDP header. */
static void payload_too_small(struct pkt_builder *b, unsigned int i)
{
	start_finished(b)->payload_len = htons((uint16_t)i);
}

static const uint16_t jumbo_excess[] = {1, 1500, 65535};

/* A jumbogram (RFC 2675 2) that says to be longer than the frame is. */
static void jumbo_too_long(struct pkt_builder *b, unsigned int i)
{
	struct ipv6hdr *ip = case_start6(b);

	pkt_ext_jumbo(b, 8 + 8 + 100 + jumbo_excess[i]);
	case_finish_udp(b, 100);
	ip->payload_len = 0;
}

static void extension_beyond_the_end(struct pkt_builder *b, unsigned int i)
{
	uint8_t *ext;

	case_start6(b);
	ext = pkt_ext(b, IPPROTO_HOPOPTS, 1);
	case_finish_udp(b, 44);
	ext[1] = (uint8_t)(7 + 31 * i);
}

const struct parse_case parse_cases_ipv6[] = {
	{"IPv6 one extension header", one_extension, 5,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 500},
	 .notice = {[XFP_uneven_fragment] = 1}},
	{"IPv6 long extension headers", long_extensions, 2,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 2100 + 2100,
		  .length_min = 2060, .length_max = 2060}},
	{"IPv6 eight extension headers", eight_extensions,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP,
		  .octets = 40 + 9 * 8 + 8 + 16 + 8}},
	{"IPv6 nine and more extension headers", nine_extensions, 3, .reason = XFP_too_deep},
	{"IPv6 later fragments", later_fragments, 3,
	 .flow = {CASE_ENDS6, .protocol = IPPROTO_UDP, .octets = 3 * 48 + 8 + 6, .length_min = 9,
		  .length_max = 19},
	 .notice = {[XFP_uneven_fragment] = 2}},
	{"IPv6 later fragment of a chain", later_fragment_of_a_chain,
	 .flow = {CASE_ENDS6, .protocol = IPPROTO_DSTOPTS, .octets = 100}},
	{"IPv6 extremes", extremes, 4,
	 .flow = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 4 * 40 + 1580,
		  .length_min = 8, .length_max = 1452, .ttl_min = 0, .ttl_max = 255, .tos = 0xb9,
		  .flow_label = 0xabcde}},
	{"IPv6 in IPv6", in_ipv6, .flow = {CASE_ENDS6, .protocol = IPPROTO_IPV6, .octets = 100}},
	{"IPv6 no next header", no_next_header,
	 .flow = {CASE_ENDS6, .protocol = IPPROTO_NONE, .octets = 40}},
	{"IPv6 bad version", bad_version, 15, .reason = XFP_bad_version},
	{"IPv6 longer than the frame", longer_than_frame, 4, .reason = XFP_bad_total_length},
	{"IPv6 jumbogram longer than the frame", jumbo_too_long, 3, .reason = XFP_bad_total_length},
	{"IPv6 payload too small", payload_too_small, 8, .reason = XFP_truncated},
	{"IPv6 extension header beyond the end", extension_beyond_the_end, 9,
	 .reason = XFP_truncated},
	{},
};
