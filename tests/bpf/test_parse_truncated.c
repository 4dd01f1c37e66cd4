/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames cut at every octet of their headers, behind every entry point. Cut
 * frames whose datagram says that there is more have a total length larger than
 * the frame; datagrams that end inside a header are truncated.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

static struct meter_fixture m;
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	meter_fixture_open(&m, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	meter_fixture_close(&m);
	return 0;
}

/* Where the headers of the frame in b are. */
struct layout {
	size_t ip; /* offset of the IP header                       */
	size_t ip_fixed; /* end of its fixed part                         */
	size_t ip_end; /* end of it with options                        */
	size_t transport_end; /* end of the part of the transport that is read */
	bool is_ipv6;
};

static size_t transport_octets(enum pkt_layer_type type)
{
	switch (type) {
	case PKT_TCP:
		return 20;
	case PKT_UDP:
		return 8;
	case PKT_SCTP:
		return 12;
	default:
		return 4;
	}
}

static struct layout layout_of_frame(void)
{
	const struct pkt_layer *last = &b.layers[b.n_layers - 1];
	struct layout l = {.transport_end = last->at + transport_octets(last->type)};

	for (size_t i = 0; i < b.n_layers; i++) {
		if (b.layers[i].type == PKT_IPV4 || b.layers[i].type == PKT_IPV6) {
			l.ip = b.layers[i].at;
			l.is_ipv6 = b.layers[i].type == PKT_IPV6;
			break;
		}
	}
	l.ip_fixed = l.ip + (l.is_ipv6 ? 40 : 20);
	l.ip_end = l.is_ipv6 ? l.ip_fixed : l.ip + (b.data[l.ip] & 15) * 4u;
	return l;
}

/* Make the datagram end where the frame does. */
static void datagram_shorten(const struct layout *l, uint8_t *frame, size_t octets)
{
	if (l->is_ipv6)
		((struct ipv6hdr *)(frame + l->ip))->payload_len =
			htons((uint16_t)(octets - l->ip_fixed));
	else
		((struct iphdr *)(frame + l->ip))->tot_len = htons((uint16_t)(octets - l->ip));
}

static void assert_only(const struct flow_cache *cache, enum xfp_reason reason, size_t octets)
{
	struct xfp_ledger_row expected = {.seen = {1, octets}};

	expected.reason[reason] = expected.seen;
	meter_assert_ledger(cache, &expected);
}

static void meter_cut(const uint8_t *frame, size_t octets, enum xfp_reason reason)
{
	for (enum meter_hook hook = METER_NATIVE; hook < METER_HOOKS; hook++) {
		if (!meter_fixture_can_run(hook, frame, octets))
			continue;
		meter_fixture_clear(&m);
		meter_fixture_run(&m, hook, frame, octets);
		assert_only(meter_fixture_cache(&m, hook), reason, octets);
	}
}

/* Cut the frame in b everywhere, twice: as it is and with lengths that fit. */
static void cut_everywhere(void)
{
	static _Alignas(8) uint8_t copy[PKT_ALIGN_OCTETS + 512];
	uint8_t *frame = copy + PKT_ALIGN_OCTETS;
	struct layout l = layout_of_frame();

	assert_true(b.len <= 512);
	for (size_t octets = 0; octets < b.len; octets++)
		meter_cut(b.data, octets,
			  octets < l.ip_fixed ? XFP_truncated : XFP_bad_total_length);
	for (size_t octets = l.ip_fixed; octets < l.transport_end; octets++) {
		memcpy(frame, b.data, b.len);
		datagram_shorten(&l, frame, octets);
		meter_cut(frame, octets, octets < l.ip_end ? XFP_bad_total_length : XFP_truncated);
	}
}

static void test_tags_ipv4_options_tcp(void **state)
{
	(void)state;
	pkt_init(&b);
	pkt_eth(&b);
	pkt_vlan(&b, ETH_P_8021AD, 1);
	pkt_vlan(&b, ETH_P_8021AD, 2);
	pkt_vlan(&b, ETH_P_8021Q, 3);
	pkt_ipv4(&b, CASE_SOURCE4, CASE_DESTINATION4);
	pkt_ipv4_options(&b, 8);
	pkt_tcp(&b, 1234, 53, PKT_SYN);
	pkt_finish(&b);
	cut_everywhere();
}

static void test_tag_ipv6_extensions_tcp(void **state)
{
	(void)state;
	pkt_init(&b);
	pkt_eth(&b);
	pkt_vlan(&b, ETH_P_8021Q, 3); /* so that tc takes part of an IPv6 header */
	pkt_ipv6(&b, CASE_SOURCE6, CASE_DESTINATION6);
	pkt_ext(&b, IPPROTO_HOPOPTS, 1);
	pkt_ext(&b, IPPROTO_ROUTING, 2);
	pkt_ext(&b, IPPROTO_DSTOPTS, 1);
	pkt_ext_fragment(&b, 77, 0, 0); /* of a first fragment the rest could follow */
	pkt_ah(&b, 6);
	pkt_tcp(&b, 1234, 53, PKT_SYN);
	pkt_finish(&b);
	cut_everywhere();
}

static void test_udp(void **state)
{
	(void)state;
	case_start4(&b);
	case_finish_udp(&b, 0);
	cut_everywhere();
	case_start6(&b);
	case_finish_udp(&b, 0);
	cut_everywhere();
}

static void test_sctp(void **state)
{
	(void)state;
	case_start4(&b);
	pkt_sctp(&b, 1234, 53);
	pkt_finish(&b);
	cut_everywhere();
}

static void test_icmp(void **state)
{
	(void)state;
	case_start4(&b);
	pkt_icmp(&b, 8, 0);
	pkt_finish(&b);
	cut_everywhere();
}

static void test_icmpv6(void **state)
{
	(void)state;
	case_start6(&b);
	pkt_icmpv6(&b, 128, 0);
	pkt_finish(&b);
	cut_everywhere();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags_ipv4_options_tcp),
		cmocka_unit_test(test_tag_ipv6_extensions_tcp),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_sctp),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_icmpv6),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
