/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `deduplicate` behind the programs of two Observation Points, ingress and egress of
 * one interface: the first that sees a Flow meters it, natively alike.
 */
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "probe/ledger.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/meter_details.h"
#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

#define ALL_DETAILS ((1u << XFP_N_DETAILS) - 1)

static struct meter_fixture m;
static struct pkt_builder b;

static void fixture_open(bool joins_points, uint32_t details)
{
	m.joins_points = joins_points;
	meter_fixture_open_details(&m, 16, details);
}

static int setup(void **state)
{
	(void)state;
	fixture_open(true, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	meter_fixture_close(&m);
	return 0;
}

/* The ways a packet may take: as otherwise the plain one, that of others, that of IPv6. */
enum way { PLAIN, TAGGED, IPV6, WAYS };

static const struct meter_flow flows[WAYS] = {
	[PLAIN] = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_TCP, .tcp_flags = PKT_ACK,
		   .octets = 2 * 140},
	[TAGGED] = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_TCP, .tcp_flags = PKT_ACK,
		    .octets = 2 * 140, .vlan = 42},
	[IPV6] = {CASE_ENDS6, CASE_PORTS, .protocol = IPPROTO_TCP, .tcp_flags = PKT_ACK,
		  .octets = 2 * 160},
};

static void build(enum way way, bool is_reverse)
{
	const struct meter_flow *f = &flows[way];
	const char *source = is_reverse ? f->destination : f->source;
	const char *destination = is_reverse ? f->source : f->destination;

	pkt_init(&b);
	pkt_eth(&b);
	if (way == TAGGED)
		pkt_vlan(&b, ETH_P_8021Q, 42);
	if (way == IPV6)
		pkt_ipv6(&b, source, destination);
	else
		pkt_ipv4(&b, source, destination);
	pkt_tcp(&b, is_reverse ? 53 : 1234, is_reverse ? 1234 : 53, PKT_ACK);
	pkt_payload(&b, 100);
	pkt_finish(&b);
}

static void run(enum meter_hook hook)
{
	meter_fixture_run_native(&m, b.data, b.len, meter_fixture_obs_point(hook));
	meter_fixture_run(&m, hook, b.data, b.len);
}

static void assert_duplicates(uint64_t packets)
{
	struct xfp_ledger_row native, kernel;

	meter_ledger_sum(&m.native, &native);
	meter_ledger_sum(&m.kernel, &kernel);
	assert_int_equal(native.reason[XFP_duplicate].packets, packets);
	assert_int_equal(kernel.reason[XFP_duplicate].packets, packets);
	meter_assert_ledger(&m.kernel, &native);
}

/* Two packets pass `first`, then `second`: they are of the former's Flow. */
static void assert_first_meters(enum way way, enum meter_hook first, enum meter_hook second)
{
	const struct meter_flow *flow = &flows[way];
	uint8_t obs_point = meter_fixture_obs_point(first);

	print_message("%s, %s\n", meter_hook_name(first), meter_hook_name(second));
	meter_fixture_clear(&m);
	build(way, false);
	for (int i = 0; i < 2; i++) {
		run(first);
		run(second);
	}
	meter_assert_flow(&m.kernel, flow, 2, obs_point);
	meter_assert_flow(&m.native, flow, 2, obs_point);
	assert_duplicates(2);
}

static void test_point_that_sees_a_flow_first_meters_it(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		for (enum meter_hook in = METER_XDP; in <= METER_TC_INGRESS; in++) {
			assert_first_meters(way, in, METER_TC_EGRESS);
			assert_first_meters(way, METER_TC_EGRESS, in);
		}
	}
}

static void assert_key_point(enum way way, uint8_t obs_point)
{
	const struct flow_table *t = &m.kernel.table[way == IPV6 ? FLOW_IPV6 : FLOW_IPV4];
	const struct xfp_counts *c = meter_find_flow(&m.kernel, &flows[way], 0);
	const uint8_t *end = (const uint8_t *)c;

	assert_int_equal(end[-FLOW_POINT_FROM_END], obs_point);
	assert_int_equal(t->key_octets,
			 way == IPV6 ? sizeof(struct xfp_key6) : sizeof(struct xfp_key4));
}

static void test_key_of_the_flow_has_the_first_point(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		meter_fixture_clear(&m);
		build(way, false);
		run(METER_TC_EGRESS);
		run(METER_XDP);
		assert_key_point(way, 1);
		meter_fixture_clear(&m);
		run(METER_XDP);
		run(METER_TC_EGRESS);
		assert_key_point(way, 0);
	}
}

static void test_directions_of_a_conversation_are_two_flows(void **state)
{
	(void)state;
	for (enum way way = 0; way < WAYS; way++) {
		meter_fixture_clear(&m);
		build(way, false);
		run(METER_XDP);
		build(way, true);
		run(METER_TC_EGRESS);
		run(METER_XDP);
		assert_int_equal(meter_count_flows(&m.kernel), 2);
		assert_int_equal(meter_count_flows(&m.native), 2);
		assert_duplicates(1);
	}
}

/* Same ends, other VLAN: none of the two knows of the other. */
static uint64_t overflow(const struct flow_cache *cache)
{
	struct xfp_ledger_row sum;

	meter_ledger_sum(cache, &sum);
	return ledger_sum_overflow(&sum).packets;
}

static void test_packet_that_finds_no_place_is_overflow_at_each_point(void **state)
{
	uint64_t n_duplicates = 0, n_full = 0;

	(void)state;
	meter_fixture_clear(&m);
	for (uint16_t port = 1; port <= 1000; port++) {
		pkt_init(&b);
		pkt_eth(&b);
		pkt_ipv4(&b, CASE_SOURCE4, CASE_DESTINATION4);
		pkt_udp(&b, port, 53);
		pkt_finish(&b);
		run(METER_XDP);
		bool is_full = overflow(&m.kernel) > 2 * n_full;

		run(METER_TC_EGRESS);
		n_full += is_full;
		n_duplicates += !is_full;
		assert_int_equal(overflow(&m.kernel), 2 * n_full);
		assert_int_equal(overflow(&m.native), 2 * n_full);
	}
	assert_true(n_full > 0 && n_duplicates > 0);
	assert_duplicates(n_duplicates);
}

static void test_vlan_still_makes_another_flow(void **state)
{
	(void)state;
	meter_fixture_clear(&m);
	build(PLAIN, false);
	run(METER_XDP);
	build(TAGGED, false);
	run(METER_TC_EGRESS);
	assert_int_equal(meter_count_flows(&m.kernel), 2);
	assert_duplicates(0);
}

static void test_super_packet_is_as_many_duplicates_as_segments(void **state)
{
	const struct __sk_buff skb = {.gso_size = 40};
	struct xfp_ledger_row sum;

	(void)state;
	meter_fixture_clear(&m);
	build(PLAIN, false);
	meter_fixture_run_skb(&m, METER_TC_INGRESS, b.data, b.len, &skb);
	meter_fixture_run_skb(&m, METER_TC_EGRESS, b.data, b.len, &skb);
	meter_ledger_sum(&m.kernel, &sum);
	assert_int_equal(sum.seen.packets, 6);
	assert_int_equal(sum.accounted.packets, 3);
	assert_int_equal(sum.reason[XFP_duplicate].packets, 3);
	assert_int_equal(sum.reason[XFP_duplicate].octets, b.len);
}

static void test_details_are_of_the_first_point_only(void **state)
{
	(void)state;
	teardown(NULL);
	fixture_open(true, ALL_DETAILS);
	for (enum way way = 0; way < WAYS; way++) {
		enum flow_family family = way == IPV6 ? FLOW_IPV6 : FLOW_IPV4;
		const struct xfp_detail_l2 *l2;
		struct flow_table *t = &m.kernel.table[family];
		uint32_t slot;

		meter_fixture_clear(&m);
		build(way, false);
		run(METER_XDP);
		run(METER_TC_EGRESS);
		run(METER_TC_EGRESS);
		slot = (uint32_t)(((const unsigned char *)meter_find_flow(&m.kernel, &flows[way],
									  0) -
				   t->slots) /
				  t->slot_octets);
		l2 = meter_detail(&m.kernel, family, slot, XFP_DETAIL_L2);
		assert_int_equal(l2->octets, b.len);
		meter_assert_same(&m.native, &m.kernel, 0);
	}
}

static void test_without_it_points_have_flows_of_their_own(void **state)
{
	(void)state;
	teardown(NULL);
	fixture_open(false, 0);
	for (enum way way = 0; way < WAYS; way++) {
		meter_fixture_clear(&m);
		build(way, false);
		run(METER_XDP);
		run(METER_TC_EGRESS);
		assert_int_equal(meter_count_flows(&m.kernel), 2);
		assert_int_equal(meter_count_flows(&m.native), 2);
		assert_duplicates(0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_point_that_sees_a_flow_first_meters_it),
		cmocka_unit_test(test_key_of_the_flow_has_the_first_point),
		cmocka_unit_test(test_directions_of_a_conversation_are_two_flows),
		cmocka_unit_test(test_packet_that_finds_no_place_is_overflow_at_each_point),
		cmocka_unit_test(test_vlan_still_makes_another_flow),
		cmocka_unit_test(test_super_packet_is_as_many_duplicates_as_segments),
		cmocka_unit_test(test_details_are_of_the_first_point_only),
		cmocka_unit_test(test_without_it_points_have_flows_of_their_own),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
