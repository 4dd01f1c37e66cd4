/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The native build of the Metering Process on the table of packets. The
 * programs in the kernel get the same ones in tests/bpf/test_parse.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "probe/native_meter.h"
#include "tests/lib/parse_cases.h"

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

/* Longer than 16 bits can say, as no link here is: captured in part. */
static void assert_jumbograms(uint32_t payload, unsigned int n)
{
	const struct meter_flow flow = {
		CASE_ENDS6,
		CASE_PORTS,
		.protocol = IPPROTO_UDP,
		.octets = n * (40ULL + payload),
		.length_min = 65535,
		.length_max = 65535,
	};
	struct ipv6hdr *ip = case_start6(&b);

	pkt_ext_jumbo(&b, payload);
	case_finish_udp(&b, 100);
	ip->payload_len = 0;
	meter_cache_clear(&cache);
	for (unsigned int i = 0; i < n; i++)
		native_meter_packet(&cache,
				    &(struct native_packet){.data = b.data,
							    .captured_octets = (uint32_t)b.len,
							    .wire_octets = 14 + 40 + payload,
							    .is_ethernet = true});
	meter_assert_flow(&cache, &flow, n, 0);
}

static void test_a_jumbogram_has_the_length_of_its_option(void **state)
{
	(void)state;
	assert_jumbograms(100000, 1);
}

static void test_jumbograms_of_four_gigabytes_are_counted(void **state)
{
	(void)state;
	for (unsigned int n = 1; n <= 5; n++) {
		assert_jumbograms(0x7fffffff, n);
		assert_jumbograms(0x80000000, n);
		assert_jumbograms(UINT32_MAX - 54, n);
	}
}

static void test_link_layer(void **state)
{
	(void)state;
	parse_table_run_native(parse_cases_link, &cache);
}

static void test_sessions_and_labels(void **state)
{
	(void)state;
	parse_table_run_native(parse_cases_session, &cache);
}

static void test_ipv4(void **state)
{
	(void)state;
	parse_table_run_native(parse_cases_ipv4, &cache);
}

static void test_ipv6(void **state)
{
	(void)state;
	parse_table_run_native(parse_cases_ipv6, &cache);
}

static void test_transport(void **state)
{
	(void)state;
	parse_table_run_native(parse_cases_transport, &cache);
}

/* A capture that keeps only the headers gives the Flow of the whole packets. */
static void test_snapped_packets_count_as_on_the_wire(void **state)
{
	const struct meter_flow flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP,
					.octets = 1500};

	(void)state;
	meter_cache_clear(&cache);
	case_start4(&b);
	case_finish_udp(&b, 1472);
	meter_run_native(&cache, b.data, 14 + 20 + 4, (uint32_t)b.len);
	meter_assert_flow(&cache, &flow, 1, 0);
}

/* Cut where the Flow Key is not complete, whatever the wire had. */
static void test_snapped_headers_are_truncated(void **state)
{
	struct xfp_ledger_row ledger = {};

	(void)state;
	meter_cache_clear(&cache);
	case_start4(&b);
	case_finish_udp(&b, 1472);
	for (uint32_t octets = 0; octets < 14 + 20 + 4; octets++) {
		meter_run_native(&cache, b.data, octets, (uint32_t)b.len);
		ledger.seen.packets++;
		ledger.seen.octets += b.len;
	}
	ledger.reason[XFP_truncated] = ledger.seen;
	meter_assert_ledger(&cache, &ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_jumbogram_has_the_length_of_its_option),
		cmocka_unit_test(test_jumbograms_of_four_gigabytes_are_counted),
		cmocka_unit_test(test_link_layer),
		cmocka_unit_test(test_sessions_and_labels),
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_snapped_packets_count_as_on_the_wire),
		cmocka_unit_test(test_snapped_headers_are_truncated),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
