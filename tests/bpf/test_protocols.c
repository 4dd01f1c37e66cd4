/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Switches of protocols behind every entry point of the program in the kernel: what
 * is off gets no Flow and is in the ledger, at once and natively alike.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "probe/protocols.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

static struct meter_fixture m;
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	m.has_switches = true;
	meter_fixture_open(&m, 16);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	meter_fixture_close(&m);
	return 0;
}

static void start(void)
{
	meter_fixture_clear(&m);
}

static void switch_to(uint8_t protocol, bool is_on)
{
	assert_int_equal(protocols_switch(&m.native, protocol, is_on), 0);
	assert_int_equal(protocols_switch(&m.kernel, protocol, is_on), 0);
}

static void run(enum meter_hook hook)
{
	meter_fixture_run(&m, METER_NATIVE, b.data, b.len);
	meter_fixture_run(&m, hook, b.data, b.len);
}

/* The ways a packet may take: the plain one, those as common, the general one. */
enum way { PLAIN, TAGGED, IPV6, TWO_TAGS, TWO_TAGS_IPV6, WAYS };

static bool is_ipv6(enum way way)
{
	return way == IPV6 || way == TWO_TAGS_IPV6;
}

static void build(enum way way, uint8_t protocol)
{
	pkt_init(&b);
	pkt_eth(&b);
	if (way == TWO_TAGS || way == TWO_TAGS_IPV6)
		pkt_vlan(&b, ETH_P_8021AD, 41);
	if (way != PLAIN && way != IPV6)
		pkt_vlan(&b, ETH_P_8021Q, 42);
	if (is_ipv6(way))
		pkt_ipv6(&b, "2001:db8::1", "2001:db8::2");
	else
		pkt_ipv4(&b, "192.0.2.1", "192.0.2.2");
	if (protocol == IPPROTO_UDP)
		pkt_udp(&b, 1234, 53);
	else
		pkt_tcp(&b, 1234, 53, PKT_ACK);
	pkt_payload(&b, 100);
	pkt_finish(&b);
}

static void test_packet_of_a_protocol_that_is_off_is_in_the_ledger_and_in_no_flow(void **state)
{
	static const uint16_t frame[WAYS] = {142, 146, 162, 150, 170},
			      ip[WAYS] = {128, 128, 148, 128, 148};

	(void)state;
	for (enum meter_hook hook = METER_NATIVE + 1; hook < METER_HOOKS; hook++) {
		for (enum way way = 0; way < WAYS; way++) {
			const struct xfp_ledger_row ledger = {
				.seen = {1, frame[way]},
				.reason = {[XFP_protocol_off] = {1, frame[way]}},
				.off = {[IPPROTO_UDP] = {1, ip[way]}},
			};

			print_message("%s, way %d\n", meter_hook_name(hook), way);
			start();
			switch_to(IPPROTO_UDP, false);
			build(way, IPPROTO_UDP);
			run(hook);
			meter_assert_ledger(&m.kernel, &ledger);
			build(way, IPPROTO_TCP);
			run(hook);
			assert_int_equal(meter_count_flows(&m.kernel), 1);
			meter_assert_same(&m.native, &m.kernel, meter_fixture_obs_point(hook));
		}
	}
}

static void test_switch_works_from_one_packet_to_the_next(void **state)
{
	const struct meter_flow flow = {
		.source = "192.0.2.1",
		.destination = "192.0.2.2",
		CASE_PORTS,
		.protocol = IPPROTO_UDP,
		.octets = 3 * 128,
	};

	(void)state;
	for (enum meter_hook hook = METER_NATIVE + 1; hook < METER_HOOKS; hook++) {
		struct xfp_ledger_row sum;

		start();
		build(PLAIN, IPPROTO_UDP);
		run(hook);
		switch_to(IPPROTO_UDP, false);
		run(hook);
		run(hook);
		switch_to(IPPROTO_UDP, true);
		run(hook);
		run(hook);
		meter_assert_flow(&m.kernel, &flow, 3, meter_fixture_obs_point(hook));
		meter_ledger_sum(&m.kernel, &sum);
		assert_int_equal(sum.reason[XFP_protocol_off].packets, 2);
		meter_assert_same(&m.native, &m.kernel, meter_fixture_obs_point(hook));
	}
}

/* In IPv6 only the first fragment says the protocol: RFC 8200 4.5. */
static void build_fragment(bool is_ipv6, uint16_t offset)
{
	pkt_init(&b);
	pkt_eth(&b);
	if (is_ipv6) {
		pkt_ipv6(&b, "2001:db8::1", "2001:db8::2");
		pkt_ext_fragment(&b, 7, offset, !offset);
	} else {
		pkt_ipv4_fragment(pkt_ipv4(&b, "192.0.2.1", "192.0.2.2"), 7, offset, !offset);
	}
	if (offset)
		pkt_protocol(&b, is_ipv6 ? IPPROTO_TCP : IPPROTO_UDP, 24);
	else
		pkt_udp(&b, 1234, 53);
	if (!offset)
		pkt_payload(&b, 16);
	pkt_finish(&b);
}

static void test_all_fragments_of_a_datagram_are_off_together(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct xfp_ledger_row sum;

		start();
		switch_to(IPPROTO_UDP, false);
		for (uint16_t offset = 0; offset <= 24; offset += 24) {
			build_fragment(is_ipv6, offset);
			run(METER_TC_INGRESS);
		}
		assert_int_equal(meter_count_flows(&m.kernel), 0);
		meter_ledger_sum(&m.kernel, &sum);
		assert_int_equal(sum.off[IPPROTO_UDP].packets, 2);
		meter_assert_same(&m.native, &m.kernel, 0);
	}
}

/* How many segments there are is known only when the headers are. */
static void test_super_packet_is_off_with_all_its_segments(void **state)
{
	const struct __sk_buff skb = {.gso_size = 40};

	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		struct xfp_ledger_row sum;

		start();
		switch_to(IPPROTO_TCP, false);
		build(way, IPPROTO_TCP);
		meter_fixture_run_skb(&m, METER_TC_EGRESS, b.data, b.len, &skb);
		meter_ledger_sum(&m.kernel, &sum);
		assert_int_equal(sum.seen.packets, 3);
		assert_int_equal(sum.reason[XFP_protocol_off].packets, 3);
		assert_int_equal(sum.off[IPPROTO_TCP].packets, 3);
		assert_int_equal(sum.off[IPPROTO_TCP].octets, 3 * (is_ipv6(way) ? 60 : 40) + 100);
	}
}

static void test_packet_that_cannot_be_read_has_that_for_a_reason(void **state)
{
	struct iphdr *ip;

	(void)state;
	start();
	switch_to(IPPROTO_UDP, false);
	pkt_init(&b);
	pkt_eth(&b);
	ip = pkt_ipv4(&b, "192.0.2.1", "192.0.2.2");
	pkt_udp(&b, 1234, 53);
	pkt_finish(&b);
	ip->tot_len = htons(1500);
	run(METER_XDP);
	meter_assert_ledger(&m.kernel, &(struct xfp_ledger_row){
					       .seen = {1, b.len},
					       .reason = {[XFP_bad_total_length] = {1, b.len}},
				       });
	meter_assert_same(&m.native, &m.kernel, 0);
}

/* A tunnel's protocol is none of the Flow's that is read inside. */
static void test_protocol_is_that_of_the_flow(void **state)
{
	struct xfp_ledger_row sum;

	(void)state;
	start();
	switch_to(IPPROTO_IPIP, false);
	pkt_init(&b);
	pkt_eth(&b);
	pkt_ipv4(&b, "203.0.113.1", "203.0.113.2");
	pkt_ipv4(&b, "192.0.2.1", "192.0.2.2");
	pkt_udp(&b, 1234, 53);
	pkt_finish(&b);
	run(METER_XDP);
	meter_ledger_sum(&m.kernel, &sum);
	assert_int_equal(sum.off[IPPROTO_IPIP].packets, 1);
	meter_assert_same(&m.native, &m.kernel, 0);
	teardown(NULL);

	m.opens_tunnels = true;
	setup(NULL);
	switch_to(IPPROTO_IPIP, false);
	run(METER_XDP);
	assert_int_equal(meter_count_flows(&m.kernel), 1);
	switch_to(IPPROTO_UDP, false);
	run(METER_XDP);
	meter_ledger_sum(&m.kernel, &sum);
	assert_int_equal(sum.off[IPPROTO_UDP].packets, 1);
	meter_assert_same(&m.native, &m.kernel, 0);
}

static void test_without_switches_every_protocol_is_metered(void **state)
{
	(void)state;
	teardown(NULL);
	meter_fixture_open(&m, 16);
	assert_int_equal(protocols_switch(&m.kernel, IPPROTO_UDP, false), -EPERM);
	m.kernel.switches->is_off[IPPROTO_UDP] = 1;
	m.native.switches->is_off[IPPROTO_UDP] = 1;
	for (enum way way = 0; way < WAYS; way++) {
		build(way, IPPROTO_UDP);
		run(METER_XDP);
	}
	assert_int_equal(meter_count_flows(&m.kernel), WAYS);
	meter_assert_same(&m.native, &m.kernel, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_packet_of_a_protocol_that_is_off_is_in_the_ledger_and_in_no_flow),
		cmocka_unit_test(test_switch_works_from_one_packet_to_the_next),
		cmocka_unit_test(test_all_fragments_of_a_datagram_are_off_together),
		cmocka_unit_test(test_super_packet_is_off_with_all_its_segments),
		cmocka_unit_test(test_packet_that_cannot_be_read_has_that_for_a_reason),
		cmocka_unit_test(test_protocol_is_that_of_the_flow),
		cmocka_unit_test(test_without_switches_every_protocol_is_metered),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
