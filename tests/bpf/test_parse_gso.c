/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Super-packets of GSO behind tc: counted as the segments that leave, each with
 * the headers of its own. The IP length of a super-packet says nothing.
 */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/meter_check.h"
#include "tests/lib/meter_details.h"
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

/* Meter b as a super-packet at both tc hooks; the Flow must be *flow. */
static void meter_segments(const struct meter_flow *flow, uint32_t segments, uint32_t told,
			   uint32_t size)
{
	const struct __sk_buff skb = {.gso_segs = told, .gso_size = size};

	for (enum meter_hook hook = METER_TC_INGRESS; hook <= METER_TC_EGRESS; hook++) {
		uint8_t obs_point = meter_fixture_obs_point(hook);
		struct xfp_ledger_row ledger = {
			.seen = {segments, b.len},
			.accounted = {segments, b.len},
			.accounted_ip_octets = flow->octets,
			.inserts = 1,
		};

		meter_fixture_clear(&m);
		meter_fixture_run_skb(&m, hook, b.data, b.len, &skb);
		meter_assert_flow(&m.kernel, flow, segments, obs_point);
		meter_assert_ledger(&m.kernel, &ledger);
	}
}

/* 3 segments of 1000, 1000 and 500 octets of TCP with 12 octets of options. */
static void test_tcp(void **state)
{
	const struct meter_flow flow = {
		CASE_ENDS4,
		CASE_PORTS,
		.protocol = IPPROTO_TCP,
		.tcp_flags = PKT_ACK,
		.octets = 3 * 52 + 2500,
		.length_min = 552,
		.length_max = 1052,
	};
	struct iphdr *ip = case_start4(&b);

	(void)state;
	pkt_tcp(&b, 1234, 53, PKT_ACK);
	pkt_tcp_options(&b, 12);
	pkt_payload(&b, 2500);
	pkt_finish(&b);
	meter_segments(&flow, 3, 3, 1000);
	/* longer than 64 KiB: the stack leaves the length 0 (BIG TCP) */
	ip->tot_len = 0;
	meter_segments(&flow, 3, 3, 1000);
}

static void test_tcp_over_ipv6_behind_extension(void **state)
{
	const struct meter_flow flow = {
		CASE_ENDS6,
		CASE_PORTS,
		.protocol = IPPROTO_TCP,
		.tcp_flags = PKT_ACK,
		.octets = 2 * (40 + 8 + 20) + 1300,
		.length_min = 328,
		.length_max = 1028,
	};

	(void)state;
	case_start6(&b);
	pkt_ext(&b, IPPROTO_HOPOPTS, 1);
	pkt_tcp(&b, 1234, 53, PKT_ACK);
	pkt_payload(&b, 1300);
	pkt_finish(&b);
	meter_segments(&flow, 2, 2, 1000);
}

/*
 * Longer than 64 KiB: the stack leaves the length 0 and puts a jumbo payload option
 * in front of TCP, which no segment has (BIG TCP over IPv6).
 */
static void test_jumbo_option_of_the_stack(void **state)
{
	const struct meter_flow flow = {
		CASE_ENDS6,
		CASE_PORTS,
		.protocol = IPPROTO_TCP,
		.tcp_flags = PKT_ACK,
		.octets = 2 * (40 + 20) + 1300,
		.length_min = 320,
		.length_max = 1020,
	};
	struct ipv6hdr *ip = case_start6(&b);

	(void)state;
	pkt_ext_jumbo(&b, 8 + 20 + 1300);
	pkt_tcp(&b, 1234, 53, PKT_ACK);
	pkt_payload(&b, 1300);
	pkt_finish(&b);
	ip->payload_len = 0;
	meter_segments(&flow, 2, 2, 1000);
}

static void test_udp(void **state)
{
	const struct meter_flow flow = {
		CASE_ENDS4,
		CASE_PORTS,
		.protocol = IPPROTO_UDP,
		.octets = 4 * 28 + 2000,
		.length_min = 528,
		.length_max = 528,
	};

	(void)state;
	case_start4(&b);
	case_finish_udp(&b, 2000);
	meter_segments(&flow, 4, 4, 500);
}

/*
 * A guest's super-packet comes without a number of segments: the payload tells
 * it, from less than one segment's worth to a whole multiple.
 */
static void test_segments_not_told(void **state)
{
	static const uint32_t payloads[] = {900, 1000, 1001, 1947, 2000, 2001, 3000};

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		uint32_t segments = (payloads[i] + 999) / 1000;
		uint32_t last = payloads[i] - 1000 * (segments - 1);
		const struct meter_flow flow = {
			CASE_ENDS4,
			CASE_PORTS,
			.protocol = IPPROTO_TCP,
			.tcp_flags = PKT_ACK,
			.octets = 52 * segments + payloads[i],
			.length_min = (uint16_t)(52 + last),
			.length_max = (uint16_t)(52 + (segments > 1 ? 1000 : last)),
		};

		case_start4(&b);
		pkt_tcp(&b, 1234, 53, PKT_ACK);
		pkt_tcp_options(&b, 12);
		pkt_payload(&b, payloads[i]);
		pkt_finish(&b);
		meter_segments(&flow, segments, 0, 1000);
	}
}

/* A guest may also say that the TCP header ends behind the packet. */
static void test_no_segments_are_made_of_a_header_that_is_not_there(void **state)
{
	const struct meter_flow flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_TCP,
					.tcp_flags = PKT_ACK, .octets = 40 + 2};

	(void)state;
	case_start4(&b);
	pkt_tcp(&b, 1234, 53, PKT_ACK)->doff = 15;
	pkt_payload(&b, 2);
	pkt_finish(&b);
	meter_segments(&flow, 1, 0, 1);
}

/* Details go by what the first look at the packet left to others, whichever way it took. */
static void test_details_are_of_all_segments_not_told(void **state)
{
	const struct __sk_buff skb = {.gso_size = 1000};
	const struct meter_flow flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_TCP,
					.tcp_flags = PKT_ACK};

	(void)state;
	teardown(NULL);
	meter_fixture_open_details(&m, 1, 1u << XFP_DETAIL_SIZE);
	for (int is_tagged = 0; is_tagged < 2; is_tagged++) {
		struct meter_flow expected = flow;
		const struct flow_table *t = &m.kernel.table[FLOW_IPV4];
		const struct xfp_detail_size *size;
		const unsigned char *counts;

		expected.vlan = is_tagged ? 42 : 0;
		pkt_init(&b);
		pkt_eth(&b);
		if (is_tagged)
			pkt_vlan(&b, ETH_P_8021Q, 42);
		pkt_ipv4(&b, flow.source, flow.destination);
		pkt_tcp(&b, flow.source_port, flow.destination_port, PKT_ACK);
		pkt_payload(&b, 2500);
		pkt_finish(&b);
		meter_fixture_clear(&m);
		meter_fixture_run_skb(&m, METER_TC_INGRESS, b.data, b.len, &skb);
		counts = (const unsigned char *)meter_find_flow(&m.kernel, &expected, 0);
		size = meter_detail(&m.kernel, FLOW_IPV4,
				    (uint32_t)((counts - t->slots) / t->slot_octets),
				    XFP_DETAIL_SIZE);
		assert_int_equal(size->packets[4], 2); /* up to 1514 octets */
		assert_int_equal(size->packets[3], 1); /* up to 1024        */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_tcp_over_ipv6_behind_extension),
		cmocka_unit_test(test_jumbo_option_of_the_stack),
		cmocka_unit_test(test_udp),
		cmocka_unit_test(test_segments_not_told),
		cmocka_unit_test(test_no_segments_are_made_of_a_header_that_is_not_there),
		cmocka_unit_test(test_details_are_of_all_segments_not_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
