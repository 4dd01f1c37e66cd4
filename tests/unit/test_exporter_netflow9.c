/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exporter of NetFlow v9 puts on the wire. Time is scripted. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "probe/exporter_netflow.h"
#include "probe/exporter_private.h"
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/netflow_fixture.h"

#define DAY_MS 86400000ull

static int setup(void **state)
{
	(void)state;
	return netflow_open(EXPORT_NETFLOW9, 0x01020304, GROUP_BASE);
}

static int setup_all(void **state)
{
	(void)state;
	return netflow_open(EXPORT_NETFLOW9, 7, GROUP_ALL);
}

static void test_template_is_as_rfc_3954_has_it(void **state)
{
	static const uint8_t
		expected[] =
			{
				0,    9,    0,	  4, /* version, count of Templates */
				0x40, 0,    0,	  0xb0, /* sysUpTime: 12.4 days */
				0x69, 0x58, 0x62, 0x40, /* TIME */
				0,    0,    0,	  0, /* sequence */
				1,    2,    3,	  4, /* Source ID */
				0,    0,    1,	  68, /* FlowSet 0 of 4 + 84 + 84 + 76 + 76 */
				1,    0,    0,	  20, /* Template 256 of 20 fields */
				0,    22,   0,	  4,	0, 21,	0, 4,  0, 8,  0, 4,  0, 12,
				0,    4,    0,	  7,	0, 2,	0, 11, 0, 2,  0, 4,  0, 1,
				0,    5,    0,	  1,	0, 6,	0, 1,  0, 1,  0, 8,  0, 2,
				0,    8,    0,	  10,	0, 4,	0, 14, 0, 4,  0, 58, 0, 2,
				0,    61,   0,	  1,	0, 136, 0, 1,  0, 52, 0, 1,  0, 53,
				0,    1,    0,	  25,	0, 2,	0, 26, 0, 2,  1, 1, /* Template 257 */
			};

	uint8_t first[1500];

	(void)state;
	exporter_run(netflow.e, NETFLOW_T0, NETFLOW_TIME);
	ssize_t octets = recv(netflow.fd, first, sizeof(first), MSG_DONTWAIT);

	assert_true(octets > (ssize_t)sizeof(expected));
	netflow9_read(&netflow.w, first, (size_t)octets);
	assert_int_equal(netflow.w.templates, 4);
	assert_memory_equal(first, expected, sizeof(expected));
}

static void test_record_is_as_its_template_says(void **state)
{
	static const uint8_t expected[] =
		{
			1,    0,    0, 64, /* FlowSet 256 of 57 octets and 3 of padding */
			0,    0,    0, 0,  0,	0,  0,	 0, /* times, see below */
			192,  0,    2, 1,  198, 51, 100, 7,  0x9c, 0x40, 0x01, 0xbb, 6,
			0xb8, 0x1b, 1, 2,  3,	4,  5,	 6,  7,	   8,	 0,    0,    0,
			0,    0,    0, 0,  12,	0,  0,	 0,  2,	   0,	 1,    0,    3,
			0,    100,  1, 3,  63,	64, 0,	 40, 0xff, 0xff, /* lengths, at most 65535 */
			0,    0,    0, /* padding */
		};
	struct flow_record r = netflow_known_record();

	(void)state;
	exporter_record(netflow.e, &r);
	netflow_send_at(NETFLOW_TIME);
	assert_int_equal(netflow.w.last_octets, 20 + 64);
	memset(netflow.w.last + 24, 0, 8);
	assert_memory_equal(netflow.w.last + 20, expected, sizeof(expected));
	assert_int_equal(netflow.w.flows[0].start_ms, r.start_ms);
	assert_int_equal(netflow.w.flows[0].end_ms, r.end_ms);
	assert_int_equal(netflow.w.time_s, NETFLOW_TIME);
}

static void test_icmp_of_both_versions_is_type_32(void **state)
{
	struct flow_record r = netflow_known_record();

	(void)state;
	r.protocol = IPPROTO_ICMP;
	r.icmp_type_code = 0x0301;
	exporter_record(netflow.e, &r);
	r.protocol = IPPROTO_ICMPV6;
	r.is_ipv6 = true;
	r.icmp_type_code = 0x8700;
	exporter_record(netflow.e, &r);
	netflow_send_at(NETFLOW_TIME);
	assert_int_equal(netflow.w.flows[0].field[32], 0x0301);
	assert_int_equal(netflow.w.flows[1].field[32], 0x8700);
	assert_int_equal(netflow.w.flows[1].field[139], 0);
	assert_int_equal(netflow.w.templates_of[2].record_octets, 54);
}

static void test_has_of_other_groups_what_v9_has_numbers_for(void **state)
{
	struct flow_record r = netflow_known_record();

	(void)state;
	r.is_ipv6 = true;
	memcpy(r.l2.source_mac, "\2\0\0\0\0\1", 6);
	memcpy(r.l2.destination_mac, "\2\0\0\0\0\2", 6);
	r.ip.flow_label = 0xabcde;
	memcpy(r.tunnel.mpls_top, "\1\2\3", 3);
	exporter_record(netflow.e, &r);
	netflow_send_at(NETFLOW_TIME);
	assert_int_equal(netflow.w.flows[0].field[56], 0x020000000001);
	assert_int_equal(netflow.w.flows[0].field[80], 0x020000000002);
	assert_int_equal(netflow.w.flows[0].field[31], 0xabcde);
	assert_int_equal(netflow.w.flows[0].field[70], 0x010203);
	for (int kind = 0; kind < 4; kind++)
		for (uint32_t i = 0; i < netflow.w.templates_of[kind].n; i++)
			for (uint32_t k = 0; k < i; k++)
				assert_int_not_equal(netflow.w.templates_of[kind].type[i],
						     netflow.w.templates_of[kind].type[k]);
	for (int type = 128; type < NETFLOW_MAX_TYPE; type++)
		for (int kind = 0; kind < 4; kind++)
			for (uint32_t i = 0; i < netflow.w.templates_of[kind].n; i++)
				if (netflow.w.templates_of[kind].type[i] == type)
					assert_true(type == 136 || (type >= 176 && type <= 179));
}

static void test_templates_of_all_groups_fit_the_smallest_mtu(void **state)
{
	(void)state;
	assert_in_range(netflow.e->templates_octets, 400, TEMPLATES_MESSAGE_OCTETS);
}

static void test_sequence_counts_packets_those_of_templates_too(void **state)
{
	static const unsigned int at_s[] = {0, 4, 8, 68, 128};
	size_t copies = 0;

	(void)state;
	for (unsigned int s = 0; s <= 130; s++) {
		struct flow_record r = netflow_sample(s);

		exporter_run(netflow.e, NETFLOW_T0 + s * NETFLOW_S, NETFLOW_TIME + s);
		exporter_record(netflow.e, &r);
		exporter_flush(netflow.e, NETFLOW_T0 + s * NETFLOW_S, NETFLOW_S);
		exporter_run(netflow.e, NETFLOW_T0 + s * NETFLOW_S + 1, NETFLOW_TIME + s);
		netflow_read_socket(netflow.fd, &netflow.w);
		copies += copies < 5 && at_s[copies] == s;
		assert_int_equal(netflow.w.template_messages, copies);
	}
	netflow_send_at(NETFLOW_TIME + 131);
	assert_int_equal(netflow.w.data.records, 131);
	assert_int_equal(netflow.w.messages, 2 * 5 + 131); /* options data behind each copy */
	assert_int_equal(netflow.w.gap, 0);
	assert_int_equal(exporter_stats(netflow.e)->sequence, 2 * 5 + 131);
	assert_int_equal(exporter_stats(netflow.e)->templates_sent, 20);
}

static void test_sequence_wraps_at_32_bits(void **state)
{
	(void)state;
	exporter_run(netflow.e, NETFLOW_T0, NETFLOW_TIME);
	netflow_read_socket(netflow.fd, &netflow.w);
	netflow.e->stats.sequence = netflow.w.next_sequence = UINT32_MAX - 9;
	for (uint32_t i = 0; i < 1000; i++) {
		struct flow_record r = netflow_sample(i);

		exporter_record(netflow.e, &r);
	}
	netflow_send_at(NETFLOW_TIME);
	assert_int_equal(netflow.w.data.records, 1000);
	assert_int_equal(netflow.w.gap, 0);
	assert_in_range(netflow.w.next_sequence, 20, 60);
}

static void test_messages_are_full_and_every_flow_in_them_is_exact(void **state)
{
	struct exporter_volume expected = {0};

	(void)state;
	exporter_run(netflow.e, NETFLOW_T0, NETFLOW_TIME);
	for (uint32_t i = 0; i < 4000; i++) {
		struct flow_record r = netflow_sample(i);

		expected.records++;
		expected.packets += r.packets;
		expected.octets += r.octets;
		exporter_record(netflow.e, &r);
	}
	netflow_send_at(NETFLOW_TIME);
	assert_memory_equal(&netflow.w.data, &expected, sizeof(expected));
	assert_int_equal(netflow.w.gap, 0);
	assert_int_equal(netflow.w.n_most, 26); /* (1500 - 28 - 24 - 3) / 54 */
	assert_true(netflow.w.padded > 10);
}

static void test_dropped_messages_are_a_gap_of_as_many_packets(void **state)
{
	struct flow_record r = netflow_sample(1);

	(void)state;
	exporter_run(netflow.e, NETFLOW_T0, NETFLOW_TIME);
	netflow.e->queue.octets += QUEUE_MAX_OCTETS; /* full */
	for (int i = 0; i < 100; i++)
		exporter_record(netflow.e, &r);
	exporter_flush(netflow.e, NETFLOW_T0, NETFLOW_S);
	netflow.e->queue.octets -= QUEUE_MAX_OCTETS;
	assert_int_equal(exporter_stats(netflow.e)->not_sent_queue.records, 100);
	exporter_record(netflow.e, &r);
	netflow_send_at(NETFLOW_TIME);
	assert_int_equal(netflow.w.data.records, 1);
	assert_int_equal(netflow.w.gap, 4); /* 100 records, 25 in each */
}

static void test_cut_message_is_padded_in_both_parts(void **state)
{
	struct exporter_volume expected = {0};

	(void)state;
	exporter_run(netflow.e, NETFLOW_T0, NETFLOW_TIME);
	for (uint32_t i = 0; i < 500; i++) {
		struct flow_record r = netflow_sample(i);

		expected.records++;
		expected.packets += r.packets;
		expected.octets += r.octets;
		exporter_record(netflow.e, &r);
	}
	exporter_flush(netflow.e, NETFLOW_T0, NETFLOW_S);
	netflow.e->session.limit_octets = 484;
	for (uint64_t now_ns = NETFLOW_T0; exporter_stats(netflow.e)->queued.records;) {
		now_ns = exporter_run(netflow.e, now_ns, NETFLOW_TIME);
		netflow.e->session.limit_octets = 484;
		netflow_read_socket(netflow.fd, &netflow.w);
		check_balance(netflow.e);
		assert_true(netflow.w.last_octets <= 484);
	}
	assert_memory_equal(&netflow.w.data, &expected, sizeof(expected));
	assert_int_equal(netflow.w.gap, 0);
	for (size_t i = 0; i < 500; i++) /* a part's padding is on the first field of the next */
		assert_in_range(netflow.w.flows[i].end_ms - netflow.w.flows[i].start_ms, 0, 499);
}

/* A record that ended just now, every hour for four months, sent at once. */
static void test_times_hold_through_every_wrap_of_the_uptime(void **state)
{
	uint64_t n = 0;

	(void)state;
	for (uint64_t ms = 1700000000123; ms < 1700000000123 + 120 * DAY_MS; ms += 3600777, n++) {
		struct flow_record r = netflow_known_record();

		r.start_ms = ms - n % 24 * 3600000; /* up to a day long */
		r.end_ms = ms;
		exporter_record(netflow.e, &r);
		exporter_flush(netflow.e, NETFLOW_T0 + n * NETFLOW_S, 1);
		exporter_run(netflow.e, NETFLOW_T0 + n * NETFLOW_S, (uint32_t)(ms / 1000));
		exporter_run(netflow.e, NETFLOW_T0 + n * NETFLOW_S + 1, (uint32_t)(ms / 1000));
		netflow_read_socket(netflow.fd, &netflow.w);
		assert_int_equal(netflow.w.data.records, n + 1);
		assert_int_equal(netflow.w.flows[n].start_ms, r.start_ms);
		assert_int_equal(netflow.w.flows[n].end_ms, r.end_ms);
		assert_int_equal(netflow.w.time_s, (ms + 999) / 1000); /* not before the end */
	}
	assert_in_range(netflow.w.uptime_steps_back, 3, 5);
}

static void test_records_of_one_message_far_apart_are_told_in_order(void **state)
{
	struct flow_record r = netflow_known_record();

	(void)state;
	exporter_record(netflow.e, &r);
	r.start_ms = r.end_ms = 1000; /* 1970 */
	exporter_record(netflow.e, &r);
	r.end_ms = NETFLOW_TIME * 1000ull + 100 * DAY_MS;
	exporter_record(netflow.e, &r);
	r.start_ms = r.end_ms;
	exporter_record(netflow.e, &r);
	netflow_send_at(NETFLOW_TIME); /* the reader checks start <= end <= sysUpTime */
	assert_int_equal(netflow.w.data.records, 4);
	assert_int_equal(netflow.w.flows[0].end_ms, netflow_known_record().end_ms);
}

static void test_message_that_waited_for_months_keeps_its_times(void **state)
{
	struct flow_record r = netflow_known_record();

	(void)state;
	exporter_record(netflow.e, &r);
	exporter_flush(netflow.e, NETFLOW_T0, NETFLOW_S);
	netflow_send_at(NETFLOW_TIME + 86400 * 60);
	assert_int_equal(netflow.w.data.records, 1);
	assert_int_equal(netflow.w.flows[0].start_ms, r.start_ms);
	assert_int_equal(netflow.w.flows[0].end_ms, r.end_ms);
}

static void test_base_of_times_is_kept_until_it_runs_out(void **state)
{
	uint64_t now_ms = NETFLOW_TIME * 1000ull;
	uint64_t base_ms = netflow_base(0, now_ms - 5, now_ms);

	(void)state;
	assert_int_equal(base_ms % 1000, 0);
	assert_in_range(now_ms - base_ms, NETFLOW_FIRST_MS, NETFLOW_FIRST_MS + 999);
	assert_int_equal(netflow_base(base_ms, base_ms, base_ms), base_ms);
	assert_int_equal(
		netflow_base(base_ms, base_ms + NETFLOW_LAST_MS, base_ms + NETFLOW_LAST_MS),
		base_ms);
	assert_true(netflow_base(base_ms, base_ms + NETFLOW_LAST_MS,
				 base_ms + NETFLOW_LAST_MS + 1) > base_ms);
	assert_true(netflow_base(base_ms, base_ms - 1, base_ms + 1) < base_ms);
	assert_int_equal(netflow_base(0, 5, 7), 0); /* a capture of 1970 */
}

#define TEST(test)     cmocka_unit_test_setup_teardown(test, setup, netflow_close)
#define TEST_ALL(test) cmocka_unit_test_setup_teardown(test, setup_all, netflow_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_template_is_as_rfc_3954_has_it),
		TEST(test_record_is_as_its_template_says),
		TEST(test_icmp_of_both_versions_is_type_32),
		TEST_ALL(test_has_of_other_groups_what_v9_has_numbers_for),
		TEST_ALL(test_templates_of_all_groups_fit_the_smallest_mtu),
		TEST(test_sequence_counts_packets_those_of_templates_too),
		TEST(test_sequence_wraps_at_32_bits),
		TEST(test_messages_are_full_and_every_flow_in_them_is_exact),
		TEST(test_dropped_messages_are_a_gap_of_as_many_packets),
		TEST(test_cut_message_is_padded_in_both_parts),
		TEST(test_times_hold_through_every_wrap_of_the_uptime),
		TEST(test_records_of_one_message_far_apart_are_told_in_order),
		TEST(test_message_that_waited_for_months_keeps_its_times),
		cmocka_unit_test(test_base_of_times_is_kept_until_it_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
