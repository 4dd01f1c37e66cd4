/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exporter of NetFlow v9 and v5 puts on the wire. Time is scripted. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_netflow.h"
#include "probe/exporter_private.h"
#include "tests/lib/capture_stderr.h"
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/netflow_fixture.h"

#define S      1000000000ull
#define T0     (1000 * S)
#define TIME   1767400000u
#define DAY_MS 86400000ull

static struct {
	int fd;
	uint16_t port;
	struct exporter *e;
	struct netflow_wire w;
} f;

static int open_protocol(int protocol, uint32_t domain_id, uint32_t fields)
{
	struct exporter_config cfg = {.name = "test",
				      .transport = TRANSPORT_UDP,
				      .protocol = protocol,
				      .template_refresh_s = 60,
				      .fields = fields};

	memset(&f, 0, sizeof(f));
	f.fd = collector_open(AF_INET, &f.port);
	snprintf(cfg.address, sizeof(cfg.address), "127.0.0.1:%u", f.port);
	return exporter_open(&f.e, &cfg, domain_id, 32473, true);
}

static int setup9(void **state)
{
	(void)state;
	return open_protocol(EXPORT_NETFLOW9, 0x01020304, GROUP_BASE);
}

static int setup9_all(void **state)
{
	(void)state;
	return open_protocol(EXPORT_NETFLOW9, 7, GROUP_ALL);
}

static int setup5(void **state)
{
	(void)state;
	return open_protocol(EXPORT_NETFLOW5, 0x010203, GROUP_BASE);
}

static int teardown(void **state)
{
	(void)state;
	exporter_close(f.e);
	close(f.fd);
	return 0;
}

static struct flow_record known_record(void)
{
	return (struct flow_record){
		.start_ms = TIME * 1000ull - 5000,
		.end_ms = TIME * 1000ull - 1234,
		.octets = 0x0102030405060708,
		.packets = 12,
		.flow_id = 7,
		.source4 = 0xc0000201,
		.destination4 = 0xc6336407,
		.ingress = 2,
		.egress = 0x10003,
		.length_min = 40,
		.length_max = 70000,
		.source_port = 40000,
		.destination_port = 443,
		.tcp_flags = 0x11b,
		.vlan = 100,
		.protocol = 6,
		.tos = 0xb8,
		.ttl_min = 63,
		.ttl_max = 64,
		.direction = FLOW_EGRESS,
		.end_reason = FLOW_END_DETECTED,
	};
}

/* As sample_record(), of any n. */
static struct flow_record sample(uint32_t n)
{
	struct flow_record r = sample_record(n);

	r.start_ms = r.end_ms - n % 100000;
	return r;
}

static void record(const struct flow_record *r)
{
	exporter_record(f.e, r);
}

/* All that is recorded leaves at this time. */
static void send_at(uint32_t time_s)
{
	exporter_flush(f.e, T0, S);
	for (uint64_t now_ns = T0; exporter_stats(f.e)->queued.octets;) {
		now_ns = exporter_run(f.e, now_ns, time_s);
		netflow_read_socket(f.fd, &f.w);
		check_balance(f.e);
	}
}

static void check_known_header(const uint8_t *p, const uint8_t *start, size_t octets)
{
	assert_true(f.w.last_octets > octets);
	assert_memory_equal(p, start, octets);
}

static void test_v9_template_is_as_rfc_3954_has_it(void **state)
{
	static const uint8_t expected[] =
		{
			0,    9,    0,	  4, /* version, count of Templates */
			0x40, 0,    0,	  0xb0, /* sysUpTime: 12.4 days and what makes it a whole second */
			0x69, 0x58, 0x62, 0x40, /* TIME */
			0,    0,    0,	  0, /* sequence */
			1,    2,    3,	  4, /* Source ID */
			0,    0,    1,	  68, /* FlowSet 0, 4 + 84 + 84 + 76 + 76 */
			1,    0,    0,	  20, /* Template 256 of 20 fields */
			0,    22,   0,	  4,	0,  21, 0,  4, 0, 8,  0,   4,  0, 12, 0,  4,  0,
			7,    0,    2,	  0,	11, 0,	2,  0, 4, 0,  1,   0,  5, 0,  1,  0,  6,
			0,    1,    0,	  1,	0,  8,	0,  2, 0, 8,  0,   10, 0, 4,  0,  14, 0,
			4,    0,    58,	  0,	2,  0,	61, 0, 1, 0,  136, 0,  1, 0,  52, 0,  1,
			0,    53,   0,	  1,	0,  25, 0,  2, 0, 26, 0,   2,  1, 1, /* Template 257 */
		};

	(void)state;
	exporter_run(f.e, T0, TIME);
	netflow_read_socket(f.fd, &f.w);
	assert_int_equal(f.w.templates, 4);
	check_known_header(f.w.last, expected, sizeof(expected));
}

static void test_v9_record_is_as_its_template_says(void **state)
{
	static const uint8_t expected[] =
		{
			1,    0,    0, 64, /* FlowSet 256 of 57 octets and 3 of padding */
			0,    0,    0, 0,  0,	0,  0,	 0, /* times, see below */
			192,  0,    2, 1,  198, 51, 100, 7,  0x9c, 0x40, 0x01, 0xbb, 6,
			0xb8, 0x1b, 1, 2,  3,	4,  5,	 6,  7,	   8,	 0,    0,    0,
			0,    0,    0, 0,  12,	0,  0,	 0,  2,	   0,	 1,    0,    3,
			0,    100,  1, 3,  63,	64, 0,	 40, 0xff, 0xff, /* lengths: what is more than 65535 is told as that */
			0,    0,    0, /* padding */
		};
	struct flow_record r = known_record();

	(void)state;
	record(&r);
	send_at(TIME);
	assert_int_equal(f.w.last_octets, 20 + 64);
	memset(f.w.last + 24, 0, 8);
	assert_memory_equal(f.w.last + 20, expected, sizeof(expected));
	assert_int_equal(f.w.flows[0].start_ms, r.start_ms);
	assert_int_equal(f.w.flows[0].end_ms, r.end_ms);
	assert_int_equal(f.w.time_s, TIME);
}

static void test_v9_icmp_of_both_versions_is_type_32(void **state)
{
	struct flow_record r = known_record();

	(void)state;
	r.protocol = IPPROTO_ICMP;
	r.icmp_type_code = 0x0301;
	record(&r);
	r.protocol = IPPROTO_ICMPV6;
	r.is_ipv6 = true;
	r.icmp_type_code = 0x8700;
	record(&r);
	send_at(TIME);
	assert_int_equal(f.w.flows[0].field[32], 0x0301);
	assert_int_equal(f.w.flows[1].field[32], 0x8700);
	assert_int_equal(f.w.flows[1].field[139], 0);
	assert_int_equal(f.w.templates_of[2].record_octets, 54);
}

static void test_v9_has_of_other_groups_what_v9_has_numbers_for(void **state)
{
	struct flow_record r = known_record();

	(void)state;
	r.is_ipv6 = true;
	memcpy(r.l2.source_mac, "\2\0\0\0\0\1", 6);
	memcpy(r.l2.destination_mac, "\2\0\0\0\0\2", 6);
	r.ip.flow_label = 0xabcde;
	memcpy(r.tunnel.mpls_top, "\1\2\3", 3);
	record(&r);
	send_at(TIME);
	assert_int_equal(f.w.flows[0].field[56], 0x020000000001);
	assert_int_equal(f.w.flows[0].field[80], 0x020000000002);
	assert_int_equal(f.w.flows[0].field[31], 0xabcde);
	assert_int_equal(f.w.flows[0].field[70], 0x010203);
	for (int type = 128; type < NETFLOW_MAX_TYPE; type++)
		for (int kind = 0; kind < 4; kind++)
			for (uint32_t i = 0; i < f.w.templates_of[kind].n; i++)
				if (f.w.templates_of[kind].type[i] == type)
					assert_true(type == 136 || (type >= 176 && type <= 179));
}

static void test_v9_templates_of_all_groups_fit_the_smallest_mtu(void **state)
{
	(void)state;
	assert_in_range(f.e->templates_octets, 400, TEMPLATES_MESSAGE_OCTETS);
}

static void test_v9_sequence_counts_packets_those_of_templates_too(void **state)
{
	static const unsigned int at_s[] = {0, 4, 8, 68, 128};
	size_t copies = 0;

	(void)state;
	for (unsigned int s = 0; s <= 130; s++) {
		struct flow_record r = sample(s);

		exporter_run(f.e, T0 + s * S, TIME + s);
		record(&r);
		exporter_flush(f.e, T0 + s * S, S);
		exporter_run(f.e, T0 + s * S + 1, TIME + s);
		netflow_read_socket(f.fd, &f.w);
		copies += copies < 5 && at_s[copies] == s;
		assert_int_equal(f.w.template_messages, copies);
	}
	send_at(TIME + 131);
	assert_int_equal(f.w.data.records, 131);
	assert_int_equal(f.w.messages, 5 + 131);
	assert_int_equal(f.w.gap, 0);
	assert_int_equal(exporter_stats(f.e)->sequence, 5 + 131);
	assert_int_equal(exporter_stats(f.e)->templates_sent, 20);
}

static void test_v9_messages_are_full_and_every_flow_in_them_is_exact(void **state)
{
	struct exporter_volume expected = {0};

	(void)state;
	exporter_run(f.e, T0, TIME);
	for (uint32_t i = 0; i < 4000; i++) {
		struct flow_record r = sample(i);

		expected.records++;
		expected.packets += r.packets;
		expected.octets += r.octets;
		record(&r);
	}
	send_at(TIME);
	assert_memory_equal(&f.w.data, &expected, sizeof(expected));
	assert_int_equal(f.w.gap, 0);
	assert_int_equal(f.w.n_most, 26); /* (1500 - 28 - 24 - 3) / 54 */
	assert_true(f.w.padded > 10);
}

static void test_v9_dropped_messages_are_a_gap_of_as_many_packets(void **state)
{
	struct flow_record r = sample(1);

	(void)state;
	exporter_run(f.e, T0, TIME);
	f.e->queue.octets += QUEUE_MAX_OCTETS; /* full */
	for (int i = 0; i < 100; i++)
		record(&r);
	exporter_flush(f.e, T0, S);
	f.e->queue.octets -= QUEUE_MAX_OCTETS;
	assert_int_equal(exporter_stats(f.e)->not_sent_queue.records, 100);
	record(&r);
	send_at(TIME);
	assert_int_equal(f.w.data.records, 1);
	assert_int_equal(f.w.gap, 4); /* 100 records, 25 in each */
}

static void test_v9_cut_message_is_padded_in_both_parts(void **state)
{
	struct exporter_volume expected = {0};

	(void)state;
	exporter_run(f.e, T0, TIME);
	for (uint32_t i = 0; i < 500; i++) {
		struct flow_record r = sample(i);

		expected.records++;
		expected.packets += r.packets;
		expected.octets += r.octets;
		record(&r);
	}
	exporter_flush(f.e, T0, S);
	f.e->session.limit_octets = 484;
	for (uint64_t now_ns = T0; exporter_stats(f.e)->queued.records;) {
		now_ns = exporter_run(f.e, now_ns, TIME);
		f.e->session.limit_octets = 484;
		netflow_read_socket(f.fd, &f.w);
		check_balance(f.e);
		assert_true(f.w.last_octets <= 484);
	}
	assert_memory_equal(&f.w.data, &expected, sizeof(expected));
	assert_int_equal(f.w.gap, 0);
	for (size_t i = 0; i < 500; i++) /* a part's padding is on the first field of the next */
		assert_in_range(f.w.flows[i].end_ms - f.w.flows[i].start_ms, 0, 499);
}

/* A record that ended just now, every hour for four months, sent at once. */
static void test_v9_times_hold_through_every_wrap_of_the_uptime(void **state)
{
	uint64_t n = 0;

	(void)state;
	for (uint64_t ms = 1700000000123; ms < 1700000000123 + 120 * DAY_MS; ms += 3600777, n++) {
		struct flow_record r = known_record();

		r.start_ms = ms - n % 24 * 3600000; /* up to a day long */
		r.end_ms = ms;
		record(&r);
		exporter_flush(f.e, T0 + n * S, 1);
		exporter_run(f.e, T0 + n * S, (uint32_t)(ms / 1000));
		exporter_run(f.e, T0 + n * S + 1, (uint32_t)(ms / 1000));
		netflow_read_socket(f.fd, &f.w);
		assert_int_equal(f.w.data.records, n + 1);
		assert_int_equal(f.w.flows[n].start_ms, r.start_ms);
		assert_int_equal(f.w.flows[n].end_ms, r.end_ms);
		assert_int_equal(f.w.time_s, (ms + 999) / 1000); /* not before the end */
	}
	assert_in_range(f.w.uptime_steps_back, 3, 5);
}

static void test_v9_records_of_one_message_far_apart_are_told_in_order(void **state)
{
	struct flow_record r = known_record();

	(void)state;
	record(&r);
	r.start_ms = r.end_ms = 1000; /* 1970 */
	record(&r);
	r.end_ms = TIME * 1000ull + 100 * DAY_MS;
	record(&r);
	r.start_ms = r.end_ms;
	record(&r);
	send_at(TIME); /* the reader checks start <= end <= sysUpTime */
	assert_int_equal(f.w.data.records, 4);
	assert_int_equal(f.w.flows[0].end_ms, known_record().end_ms);
}

static void test_v9_message_that_waited_for_months_keeps_its_times(void **state)
{
	struct flow_record r = known_record();

	(void)state;
	record(&r);
	exporter_flush(f.e, T0, S);
	send_at(TIME + 86400 * 60);
	assert_int_equal(f.w.data.records, 1);
	assert_int_equal(f.w.flows[0].start_ms, r.start_ms);
	assert_int_equal(f.w.flows[0].end_ms, r.end_ms);
}

static void test_v5_header_and_record_are_as_documented(void **state)
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
	struct flow_record r = known_record();

	(void)state;
	r.octets = 0x05060708;
	record(&r);
	send_at(TIME);
	assert_int_equal(f.w.flows[0].start_ms, r.start_ms);
	assert_int_equal(f.w.flows[0].end_ms, r.end_ms);
	assert_int_equal(f.w.last_octets, sizeof(expected));
	assert_memory_equal(f.w.last, expected, sizeof(expected));
}

static void test_v5_icmp_has_type_and_code_as_destination_port(void **state)
{
	struct flow_record r = known_record();

	(void)state;
	r.octets = 84;
	r.protocol = IPPROTO_ICMP;
	r.source_port = r.destination_port = 0;
	r.icmp_type_code = 0x0301;
	record(&r);
	send_at(TIME);
	assert_memory_equal(f.w.flows[0].v5 + 32, "\0\0\3\1", 4);
}

static void test_v5_sequence_counts_flows_thirty_in_a_datagram(void **state)
{
	(void)state;
	exporter_run(f.e, T0, TIME); /* from now on it knows what fits */
	for (uint32_t i = 0; i < 1000; i++) {
		struct flow_record r = sample(3 * i + 1); /* IPv4 */

		record(&r);
	}
	send_at(TIME);
	assert_int_equal(f.w.data.records, 1000);
	assert_int_equal(f.w.n_most, 30);
	assert_int_equal(f.w.messages, 34);
	assert_int_equal(f.w.gap, 0);
	assert_int_equal(f.w.next_sequence, 1000);
	assert_int_equal(exporter_stats(f.e)->templates_sent, 0);
}

static void test_v5_counts_ipv6_as_unsupported_and_says_so_once(void **state)
{
	struct exporter_volume expected = {0};

	(void)state;
	capture_begin();
	for (uint32_t i = 0; i < 300; i++) {
		struct flow_record r = sample(i);

		record(&r);
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
	send_at(TIME);
	assert_memory_equal(&exporter_stats(f.e)->not_sent_unsupported, &expected,
			    sizeof(expected));
	assert_int_equal(exporter_stats(f.e)->accepted.records, 300);
	assert_int_equal(f.w.data.records, 200);
	assert_int_equal(f.w.gap, 0); /* they are no Flows of this protocol */
}

static void test_v5_splits_what_32_bits_do_not_hold(void **state)
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
		struct flow_record r = known_record();

		r.packets = rows[i].packets;
		r.octets = rows[i].octets;
		record(&r);
		send_at(TIME);
		f.w.data.packets -= r.packets;
		f.w.data.octets -= r.octets;
		assert_int_equal(f.w.data.records - records, rows[i].n);
		assert_int_equal(f.w.data.packets, 0);
		assert_int_equal(f.w.data.octets, 0);
		assert_int_equal(exporter_stats(f.e)->sent.records, i + 1);
		records = f.w.data.records;
	}
	assert_int_equal(f.w.gap, 0);
	assert_int_equal(f.w.next_sequence, records);
}

static void test_v5_parts_are_accounted_once_when_a_message_is_cut(void **state)
{
	struct flow_record r = known_record();
	uint64_t octets = 0;

	(void)state;
	exporter_run(f.e, T0, TIME);
	for (uint64_t i = 1; i <= 7; i++) {
		r.octets = i * UINT32_MAX;
		octets += r.octets;
		record(&r);
	}
	exporter_flush(f.e, T0, S);
	for (uint64_t now_ns = T0; exporter_stats(f.e)->queued.octets;) {
		f.e->session.limit_octets = 24 + 4 * 48;
		now_ns = exporter_run(f.e, now_ns, TIME);
		netflow_read_socket(f.fd, &f.w);
		check_balance(f.e);
		/* a record is sent when its last part is */
		uint64_t sent = exporter_stats(f.e)->sent.records;

		assert_true(f.w.data.records >= sent * (sent + 1) / 2);
		assert_true(f.w.data.records < (sent + 1) * (sent + 2) / 2);
	}
	assert_int_equal(f.w.data.records, 28);
	assert_int_equal(f.w.data.octets, octets);
	assert_int_equal(f.w.n_most, 4);
	assert_int_equal(exporter_stats(f.e)->sent.records, 7);
	assert_int_equal(f.w.gap, 0);
}

static void test_base_of_times_is_kept_until_it_runs_out(void **state)
{
	uint64_t now_ms = TIME * 1000ull;
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

#define V9(test)     cmocka_unit_test_setup_teardown(test, setup9, teardown)
#define V9_ALL(test) cmocka_unit_test_setup_teardown(test, setup9_all, teardown)
#define V5(test)     cmocka_unit_test_setup_teardown(test, setup5, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		V9(test_v9_template_is_as_rfc_3954_has_it),
		V9(test_v9_record_is_as_its_template_says),
		V9(test_v9_icmp_of_both_versions_is_type_32),
		V9_ALL(test_v9_has_of_other_groups_what_v9_has_numbers_for),
		V9_ALL(test_v9_templates_of_all_groups_fit_the_smallest_mtu),
		V9(test_v9_sequence_counts_packets_those_of_templates_too),
		V9(test_v9_messages_are_full_and_every_flow_in_them_is_exact),
		V9(test_v9_dropped_messages_are_a_gap_of_as_many_packets),
		V9(test_v9_cut_message_is_padded_in_both_parts),
		V9(test_v9_times_hold_through_every_wrap_of_the_uptime),
		V9(test_v9_records_of_one_message_far_apart_are_told_in_order),
		V9(test_v9_message_that_waited_for_months_keeps_its_times),
		V5(test_v5_header_and_record_are_as_documented),
		V5(test_v5_icmp_has_type_and_code_as_destination_port),
		V5(test_v5_sequence_counts_flows_thirty_in_a_datagram),
		V5(test_v5_counts_ipv6_as_unsupported_and_says_so_once),
		V5(test_v5_splits_what_32_bits_do_not_hold),
		V5(test_v5_parts_are_accounted_once_when_a_message_is_cut),
		cmocka_unit_test(test_base_of_times_is_kept_until_it_runs_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
