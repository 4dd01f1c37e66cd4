/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exporter of NetFlow v5 puts on the wire. Time is scripted. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "probe/exporter_private.h"
#include "tests/lib/capture_stderr.h"
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/netflow_fixture.h"

static int setup(void **state)
{
	(void)state;
	return netflow_open(EXPORT_NETFLOW5, 0x010203, GROUP_BASE);
}

static void test_header_and_record_are_as_documented(void **state)
{
	static const uint8_t expected[] = {
		0,    5,    0,	  1, /* version, count */
		0x40, 0,    0x08, 0x80, /* sysUpTime */
		0x69, 0x58, 0x62, 0x40, 0,    0,    0,	  0, /* TIME, no ns */
		0,    0,    0,	  0,	2,    3,    0,	  0, /* sequence, engine type and id, no sampling */
		192,  0,    2,	  1,	198,  51,   100,  7,	0,
		0,    0,    0, /* addresses, no next hop */
		0,    2,    0,	  0, /* interfaces: the second has no number of 16 bits */
		0,    0,    0,	  12,	5,    6,    7,	  8, /* packets, octets */
		0x3f, 0xff, 0xf4, 0xf8, 0x40, 0,    0x03, 0xae, /* 5000 and 1234 ms before */
		0x9c, 0x40, 0x01, 0xbb, 0,    0x1b, 6,	  0xb8, /* ports, padding, flags, protocol, ToS */
		0,    0,    0,	  0,	0,    0,    0,	  0, /* no AS numbers, no masks */
	};
	struct flow_record r = netflow_known_record();

	(void)state;
	r.octets = 0x05060708;
	exporter_record(netflow.e, &r);
	netflow_send_at(NETFLOW_TIME);
	assert_int_equal(netflow.w.flows[0].start_ms, r.start_ms);
	assert_int_equal(netflow.w.flows[0].end_ms, r.end_ms);
	assert_int_equal(netflow.w.last_octets, sizeof(expected));
	assert_memory_equal(netflow.w.last, expected, sizeof(expected));
}

static void test_icmp_has_type_and_code_as_destination_port(void **state)
{
	struct flow_record r = netflow_known_record();

	(void)state;
	r.octets = 84;
	r.protocol = IPPROTO_ICMP;
	r.source_port = r.destination_port = 0;
	r.icmp_type_code = 0x0301;
	exporter_record(netflow.e, &r);
	netflow_send_at(NETFLOW_TIME);
	assert_memory_equal(netflow.w.flows[0].v5 + 32, "\0\0\3\1", 4);
}

static void test_sequence_counts_flows_thirty_in_a_datagram(void **state)
{
	(void)state;
	exporter_run(netflow.e, NETFLOW_T0, NETFLOW_TIME); /* from now on it knows what fits */
	for (uint32_t i = 0; i < 1000; i++) {
		struct flow_record r = netflow_sample(3 * i + 1); /* IPv4 */

		exporter_record(netflow.e, &r);
	}
	netflow_send_at(NETFLOW_TIME);
	assert_int_equal(netflow.w.data.records, 1000);
	assert_int_equal(netflow.w.n_most, 30);
	assert_int_equal(netflow.w.messages, 34);
	assert_int_equal(netflow.w.gap, 0);
	assert_int_equal(netflow.w.next_sequence, 1000);
	assert_int_equal(exporter_stats(netflow.e)->templates_sent, 0);
}

static void test_counts_ipv6_as_unsupported_and_says_so_once(void **state)
{
	struct exporter_volume expected = {0};

	(void)state;
	capture_begin();
	for (uint32_t i = 0; i < 300; i++) {
		struct flow_record r = netflow_sample(i);

		exporter_record(netflow.e, &r);
		if (!r.is_ipv6)
			continue;
		expected.records++;
		expected.packets += r.packets;
		expected.octets += r.octets;
	}
	char *text = capture_end();
	char *first = strstr(text, "not_sent_unsupported");

	assert_non_null(first);
	assert_null(strstr(first + 1, "not_sent_unsupported"));
	free(text);
	netflow_send_at(NETFLOW_TIME);
	assert_memory_equal(&exporter_stats(netflow.e)->not_sent_unsupported, &expected,
			    sizeof(expected));
	assert_int_equal(exporter_stats(netflow.e)->accepted.records, 300);
	assert_int_equal(netflow.w.data.records, 200);
	assert_int_equal(netflow.w.gap, 0); /* they are no Flows of this protocol */
}

static void test_splits_what_32_bits_do_not_hold(void **state)
{
	static const struct {
		uint64_t packets, octets;
		uint32_t n;
	} rows[] = {
		{UINT32_MAX, UINT32_MAX, 1},
		{1000000, (uint64_t)UINT32_MAX + 1, 2},
		{(uint64_t)UINT32_MAX + 1, (uint64_t)UINT32_MAX + 1, 2},
		{123456789, 40ull * UINT32_MAX + 1, 41}, /* over two datagrams */
		{7 * (uint64_t)UINT32_MAX, 60 * (uint64_t)UINT32_MAX, 60},
	};
	uint64_t records = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct flow_record r = netflow_known_record();

		r.packets = rows[i].packets;
		r.octets = rows[i].octets;
		exporter_record(netflow.e, &r);
		netflow_send_at(NETFLOW_TIME);
		netflow.w.data.packets -= r.packets;
		netflow.w.data.octets -= r.octets;
		assert_int_equal(netflow.w.data.records - records, rows[i].n);
		assert_int_equal(netflow.w.data.packets, 0);
		assert_int_equal(netflow.w.data.octets, 0);
		assert_int_equal(exporter_stats(netflow.e)->sent.records, i + 1);
		records = netflow.w.data.records;
	}
	assert_int_equal(netflow.w.gap, 0);
	assert_int_equal(netflow.w.next_sequence, records);
}

static void test_parts_are_accounted_once_when_a_message_is_cut(void **state)
{
	struct flow_record r = netflow_known_record();
	uint64_t octets = 0;

	(void)state;
	exporter_run(netflow.e, NETFLOW_T0, NETFLOW_TIME);
	for (uint64_t i = 1; i <= 7; i++) {
		r.octets = i * UINT32_MAX;
		octets += r.octets;
		exporter_record(netflow.e, &r);
	}
	exporter_flush(netflow.e, NETFLOW_T0, NETFLOW_S);
	for (uint64_t now_ns = NETFLOW_T0; exporter_stats(netflow.e)->queued.octets;) {
		netflow.e->session.limit_octets = 24 + 4 * 48;
		now_ns = exporter_run(netflow.e, now_ns, NETFLOW_TIME);
		netflow_read_socket(netflow.fd, &netflow.w);
		check_balance(netflow.e);
		/* a record is sent when its last part is */
		uint64_t sent = exporter_stats(netflow.e)->sent.records;

		assert_true(netflow.w.data.records >= sent * (sent + 1) / 2);
		assert_true(netflow.w.data.records < (sent + 1) * (sent + 2) / 2);
	}
	assert_int_equal(netflow.w.data.records, 28);
	assert_int_equal(netflow.w.data.octets, octets);
	assert_int_equal(netflow.w.n_most, 4);
	assert_int_equal(exporter_stats(netflow.e)->sent.records, 7);
	assert_int_equal(netflow.w.gap, 0);
}

static void test_collector_is_told_nothing_of_the_probe(void **state)
{
	(void)state;
	netflow_run_idle(130);
	assert_int_equal(netflow.w.messages, 0);
	assert_int_equal(exporter_stats(netflow.e)->messages, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, netflow_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_header_and_record_are_as_documented),
		TEST(test_icmp_has_type_and_code_as_destination_port),
		TEST(test_sequence_counts_flows_thirty_in_a_datagram),
		TEST(test_counts_ipv6_as_unsupported_and_says_so_once),
		TEST(test_splits_what_32_bits_do_not_hold),
		TEST(test_parts_are_accounted_once_when_a_message_is_cut),
		TEST(test_collector_is_told_nothing_of_the_probe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
