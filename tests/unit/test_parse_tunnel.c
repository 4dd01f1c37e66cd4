/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnels natively: which header makes the Flow, what is known of those around
 * it, and what becomes of a tunnel that ends too early. The programs in the
 * kernel get the same packets in tests/bpf/test_parse_tunnel.c.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "probe/native_meter.h"
#include "tests/lib/parse_cases.h"
#include "tests/lib/parse_tunnel.h"

static struct flow_cache cache;
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	return meter_cache_open(&cache);
}

static int teardown(void **state)
{
	(void)state;
	flow_cache_close(&cache);
	return 0;
}

static int open_tunnels(void **state)
{
	(void)state;
	native_meter_open_tunnels(true);
	meter_cache_clear(&cache);
	return 0;
}

static int close_tunnels(void **state)
{
	(void)state;
	native_meter_open_tunnels(false);
	meter_cache_clear(&cache);
	return 0;
}

static void test_an_opened_tunnel_is_its_inner_flow(void **state)
{
	(void)state;
	parse_table_run_native(parse_cases_tunnel, &cache);
}

static void test_a_tunnel_that_cannot_be_read_is_its_outer_flow(void **state)
{
	(void)state;
	parse_table_run_native(parse_cases_tunnel_closed, &cache);
}

/* By default, whatever is inside. */
static void test_a_closed_tunnel_is_its_outer_flow(void **state)
{
	struct meter_flow vxlan = {TUNNEL_ENDS4, .source_port = 50000, .destination_port = 4789,
				   .protocol = IPPROTO_UDP};
	struct meter_flow ipip = {TUNNEL_ENDS4, .protocol = IPPROTO_IPIP, .octets = 120};

	(void)state;
	tunnel4(&b, IPPROTO_IPIP);
	case_inside4(&b);
	meter_run_native(&cache, b.data, (uint32_t)b.len, 0);
	meter_assert_flow(&cache, &ipip, 1, 0);

	meter_cache_clear(&cache);
	tunnel_udp(&b, 50000, 4789);
	CASE_OCTETS(&b, 0x08, 0, 0, 0, 0, 0, 1, 0);
	case_frame4(&b, 0);
	meter_run_native(&cache, b.data, (uint32_t)b.len, 0);
	vxlan.octets = b.len - 14;
	meter_assert_flow(&cache, &vxlan, 1, 0);
}

/* The capture has less of the packet than the wire: headers that are whole count. */
static void test_a_snapped_tunnel_is_the_flow_of_its_deepest_whole_headers(void **state)
{
	const size_t outer = 14 + 20 + 4, inner = 14 + 28 + 8 + 14 + 20 + 4;
	struct meter_flow vxlan = {TUNNEL_ENDS4, .source_port = 50000, .destination_port = 4789,
				   .protocol = IPPROTO_UDP, .octets = 28 + 8 + 14 + 100};
	struct meter_flow udp = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP, .octets = 100};

	(void)state;
	tunnel_udp(&b, 50000, 4789);
	CASE_OCTETS(&b, 0x08, 0, 0, 0, 0, 0, 1, 0);
	case_frame4(&b, 0);
	for (size_t octets = outer; octets < b.len; octets++) {
		meter_cache_clear(&cache);
		meter_run_native(&cache, b.data, (uint32_t)octets, (uint32_t)b.len);
		meter_assert_flow(&cache, octets < inner ? &vxlan : &udp, 1, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_an_opened_tunnel_is_its_inner_flow, open_tunnels),
		cmocka_unit_test_setup(test_a_tunnel_that_cannot_be_read_is_its_outer_flow,
				       open_tunnels),
		cmocka_unit_test_setup(test_a_closed_tunnel_is_its_outer_flow, close_tunnels),
		cmocka_unit_test_setup(
			test_a_snapped_tunnel_is_the_flow_of_its_deepest_whole_headers,
			open_tunnels),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
