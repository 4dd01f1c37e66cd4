/* SPDX-License-Identifier: BSD-2-Clause */
/* What an exporter puts on the wire, and when. Time is scripted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_private.h"
#include "probe/template.h"
#include "tests/lib/exporter_fixture.h"

#define MS   1000000ull
#define S    (1000 * MS)
#define T0   (1000 * S)
#define TIME 1767400000u

struct fixture {
	int fd;
	uint16_t port;
	struct exporter *e;
	struct wire w;
};

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	f = (struct fixture){0};
	f.fd = collector_open(AF_INET, &f.port);
	f.e = open_exporter(TRANSPORT_UDP, AF_INET, f.port, true);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	exporter_close(f.e);
	close(f.fd);
	return 0;
}

static void record_samples(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++) {
		struct flow_record r = sample_record(i);

		exporter_record(f.e, &r);
	}
}

/* Call as the loop does until nothing is queued, reading along. Returns the last time. */
static uint64_t run_until_sent(uint64_t now_ns, uint32_t time_s)
{
	for (int i = 0; i < 100000 && exporter_stats(f.e)->queued.records; i++) {
		uint64_t next_ns = exporter_run(f.e, now_ns, time_s);

		collector_read(f.fd, &f.w);
		check_balance(f.e);
		assert_true(next_ns > now_ns);
		now_ns = next_ns;
	}
	collector_read(f.fd, &f.w);
	return now_ns;
}

static void test_templates_come_first_three_times_then_by_refresh(void **state)
{
	static const unsigned int at_s[] = {0, 4, 8, 68, 128};
	size_t copies = 0;

	(void)state;
	for (unsigned int s = 0; s <= 130; s++) {
		uint64_t next_ns = exporter_run(f.e, T0 + s * S, TIME + s);

		collector_read(f.fd, &f.w);
		copies += copies < 5 && at_s[copies] == s;
		assert_int_equal(f.w.template_messages, copies);
		if (copies < 5)
			assert_int_equal(next_ns, T0 + at_s[copies] * S);
	}
	assert_int_equal(f.w.messages, 5);
	assert_int_equal(f.w.templates, 20);
	assert_int_equal(exporter_stats(f.e)->templates_sent, 20);
	assert_int_equal(f.w.next_sequence, 0);
}

static void test_templates_are_sent_again_on_demand(void **state)
{
	(void)state;
	for (unsigned int s = 0; s <= 30; s++)
		exporter_run(f.e, T0 + s * S, TIME + s);
	collector_read(f.fd, &f.w);
	assert_int_equal(f.w.template_messages, 3);
	assert_true(exporter_resend_templates(f.e));
	for (unsigned int s = 30; s <= 50; s++)
		exporter_run(f.e, T0 + s * S, TIME + s);
	collector_read(f.fd, &f.w);
	assert_int_equal(f.w.template_messages, 6);
}

static void test_mixed_records_arrive_whole_each_in_its_template(void **state)
{
	struct exporter_volume expected = {0};
	uint64_t kinds[4] = {0};

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		struct flow_record r = sample_record(i);

		expected.records++;
		expected.packets += r.packets;
		expected.octets += r.octets;
		kinds[(r.is_ipv6 ? 1 : 0) + (i % 7 ? 0 : 2)]++;
		exporter_record(f.e, &r);
	}
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	assert_memory_equal(&f.w.data, &expected, sizeof(expected));
	assert_memory_equal(&f.w.records_of[256], kinds, sizeof(kinds));
	assert_int_equal(f.w.gaps, 0);
	assert_int_equal(f.w.domain_id, 7);
	assert_int_equal(f.w.next_sequence, 5000);
	assert_int_equal(exporter_stats(f.e)->sequence, 5000);
	/* Full but for the last of each kind: 5000 records of 74 to 101 octets. */
	assert_in_range(f.w.messages, 280, 310);
}

static void test_every_field_is_where_its_element_says(void **state)
{
	static const uint8_t expected[] = {
		1,    0,    0,	  81, /* Set 256 */
		0,    0,    0x01, 0x9b, 0x7c, 0x91, 0x4b, 0x9e, 0,    0,    0x01, 0x9b, 0x7c,
		0x92, 0x33, 0x59, 192,	0,    2,    1,	  198,	51,   100,  7,	  0x9c, 0x40,
		0x01, 0xbb, 6,	  0xb8, 0x1b, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08,
		0,    0,    0,	  0,	0,    0,    0,	  12,	0,    0,    0,	  2,	0,
		1,    0,    3,	  0,	100,  1,    3,	  63,	64,   0,    0,	  0,	40,
		0,    0,    0x05, 0xdc, 0,    0,    0,	  0,	0,    0,    0,	  7,
	};
	struct flow_record r = {
		.start_ms = 0x019b7c914b9e,
		.end_ms = 0x019b7c923359,
		.octets = 0x0102030405060708,
		.packets = 12,
		.flow_id = 7,
		.source4 = 0xc0000201,
		.destination4 = 0xc6336407,
		.ingress = 2,
		.egress = 0x10003,
		.length_min = 40,
		.length_max = 1500,
		.source_port = 40000,
		.destination_port = 443,
		.tcp_flags = 0x11b,
		.vlan = 100,
		.protocol = 6,
		.tos = 0xb8,
		.ttl_min = 63,
		.ttl_max = 64,
		.direction = 1,
		.end_reason = 3,
	};

	(void)state;
	exporter_record(f.e, &r);
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	assert_int_equal(f.w.last_octets, 16 + sizeof(expected));
	assert_memory_equal(f.w.last + 16, expected, sizeof(expected));
}

static void test_icmpv6_record_is_laid_out_as_its_template(void **state)
{
	struct flow_record r = {.is_ipv6 = 1, .protocol = 58, .icmp_type_code = 0x8001};

	(void)state;
	memset(r.source6, 0x11, 16);
	memset(r.destination6, 0x22, 16);
	exporter_record(f.e, &r);
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	const uint8_t *record = f.w.last + 20;

	assert_int_equal(f.w.records_of[259], 1);
	assert_memory_equal(record + 16, r.source6, 16);
	assert_memory_equal(record + 32, r.destination6, 16);
	assert_int_equal(record[48] << 8 | record[49], 0x8001);
	assert_int_equal(record[50], 58);
}

static void test_sequence_wraps_at_32_bits(void **state)
{
	(void)state;
	exporter_run(f.e, T0, TIME);
	collector_read(f.fd, &f.w);
	f.e->stats.sequence = f.w.next_sequence = UINT32_MAX - 99;
	record_samples(0, 500);
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	assert_int_equal(f.w.gaps, 0);
	assert_int_equal(f.w.data.records, 500);
	assert_int_equal(f.w.next_sequence, 400);
}

/* The reader fails if Export Time goes back; the clock here does. */
static void test_export_time_never_goes_back(void **state)
{
	(void)state;
	record_samples(0, 1);
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	assert_int_equal(f.w.export_time_s, TIME);
	record_samples(1, 1);
	exporter_flush(f.e, T0 + S, S);
	run_until_sent(T0 + S, TIME - 3600);
	assert_int_equal(f.w.export_time_s, TIME);
	assert_int_equal(f.w.data.records, 2);
}

static void test_export_time_is_not_before_the_end_of_a_flow(void **state)
{
	struct flow_record r = sample_record(1);

	(void)state;
	r.end_ms = (TIME + 9) * 1000ull + 999;
	exporter_record(f.e, &r);
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	assert_int_equal(f.w.export_time_s, TIME + 9);
}

static void check_largest(uint32_t mtu, int family, size_t headers)
{
	struct exporter_config cfg;

	exporter_close(f.e);
	close(f.fd);
	f = (struct fixture){0};
	f.fd = collector_open(family, &f.port);
	f.e = open_exporter(TRANSPORT_UDP, family, f.port, true);
	cfg = f.e->cfg;
	exporter_close(f.e);
	cfg.mtu = mtu;
	assert_int_equal(exporter_open(&f.e, &cfg, 7, 32473, true), 0);
	exporter_run(f.e, T0, TIME);
	record_samples(0, 1000);
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	assert_int_equal(f.w.data.records, 1000);
	/* At most the limit, and no room left for another record of the shortest kind. */
	assert_in_range(f.w.largest, mtu - headers - 73, mtu - headers);
}

static void test_messages_fit_the_mtu(void **state)
{
	(void)state;
	check_largest(512, AF_INET, 28);
	check_largest(1280, AF_INET6, 48);
	check_largest(1500, AF_INET, 28);
}

/* Loopback says 65536; without a configured MTU Ethernet's is assumed. */
static void test_mtu_of_loopback_is_not_believed(void **state)
{
	(void)state;
	exporter_run(f.e, T0, TIME);
	assert_int_equal(f.e->session.limit_octets, 1500 - 28);
}

static void test_messages_are_spread_over_the_interval(void **state)
{
	uint64_t half = 0;
	uint64_t now_ns = T0;

	(void)state;
	exporter_run(f.e, T0, TIME);
	record_samples(0, 18000);
	exporter_flush(f.e, T0, S);
	while (exporter_stats(f.e)->queued.records) {
		uint64_t before = exporter_stats(f.e)->messages;

		now_ns = exporter_run(f.e, now_ns, TIME);
		assert_in_range(exporter_stats(f.e)->messages - before, 0, 5);
		collector_read(f.fd, &f.w);
		if (now_ns < T0 + S / 2)
			half = f.w.data.records;
	}
	assert_in_range(half, 18000 * 54 / 100, 18000 * 57 / 100);
	assert_int_equal(f.w.data.records, 18000);
}

static void test_late_call_catches_up_in_bursts_of_64(void **state)
{
	(void)state;
	exporter_run(f.e, T0, TIME);
	record_samples(0, 18000);
	exporter_flush(f.e, T0, S);
	uint64_t before = exporter_stats(f.e)->messages;
	uint64_t next_ns = exporter_run(f.e, T0 + S, TIME);

	assert_int_equal(exporter_stats(f.e)->messages - before, 64);
	assert_int_equal(next_ns, T0 + S + MS);
	collector_read(f.fd, &f.w);
	run_until_sent(next_ns, TIME);
	assert_int_equal(f.w.data.records, 18000);
}

static void test_cap_on_records_per_second_is_hard(void **state)
{
	uint64_t next_ns = T0;
	uint64_t now_ns = T0;

	(void)state;
	pace_init(&f.e->pace, 1000);
	exporter_run(f.e, T0, TIME);
	record_samples(0, 3000);
	exporter_flush(f.e, T0, S);
	while (exporter_stats(f.e)->queued.records) {
		now_ns = next_ns;
		next_ns = exporter_run(f.e, now_ns, TIME);
		collector_read(f.fd, &f.w);
		/* One Message, and 10 ms of credit, ahead of the clock at most. */
		assert_true(f.w.data.records <= (now_ns - T0) / MS + 30);
	}
	assert_in_range(now_ns - T0, 2900 * MS, 3100 * MS);
	assert_int_equal(f.w.data.records, 3000);
}

static void test_unpaced_exporter_sends_everything_at_once(void **state)
{
	(void)state;
	exporter_close(f.e);
	f.e = open_exporter(TRANSPORT_UDP, AF_INET, f.port, false);
	record_samples(0, 1400); /* more than one burst */
	exporter_flush(f.e, T0, S);
	exporter_run(f.e, T0, TIME);
	collector_read(f.fd, &f.w);
	assert_int_equal(f.w.data.records, 1400);
	check_balance(f.e);
}

static void test_drain_sends_what_is_staged_and_queued(void **state)
{
	(void)state;
	record_samples(0, 1000);
	exporter_drain(f.e, T0, TIME, 1000);
	collector_read(f.fd, &f.w);
	assert_int_equal(f.w.data.records, 1000);
	assert_int_equal(exporter_stats(f.e)->sent.records, 1000);
	check_balance(f.e);
}

static void test_drain_is_not_held_up_by_the_cap(void **state)
{
	(void)state;
	pace_init(&f.e->pace, 1);
	record_samples(0, 1000);
	exporter_drain(f.e, T0, TIME, 1000);
	assert_int_equal(exporter_stats(f.e)->sent.records, 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void test_every_group_arrives_in_its_own_templates_at_the_smallest_mtu(void **state)
{
	struct exporter_config cfg = {.name = "groups",
				      .transport = TRANSPORT_UDP,
				      .template_refresh_s = 60,
				      .mtu = 512,
				      .fields = GROUP_ALL};

	(void)state;
	exporter_close(f.e);
	snprintf(cfg.address, sizeof(cfg.address), "127.0.0.1:%u", f.port);
	assert_int_equal(exporter_open(&f.e, &cfg, 7, 32473, true), 0);
	record_samples(0, 700);
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	assert_int_equal(f.w.data.records, 700);
	assert_int_equal(f.w.templates % N_TEMPLATES, 0);
	assert_int_equal(f.w.templates, exporter_stats(f.e)->templates_sent);
	assert_true(f.w.template_messages > f.w.templates / N_TEMPLATES);
	assert_true(f.w.largest <= 512 - 28);
	for (int kind = 0; kind < N_TEMPLATES; kind++)
		assert_true(f.w.records_of[template_id((enum template_kind)kind, GROUP_ALL)] > 0);
}

/* A pair, and one direction of the next; `biflow` as in the configuration. */
static void export_pairs(int biflow, uint32_t n)
{
	struct exporter_config cfg = {.name = "pairs",
				      .transport = TRANSPORT_UDP,
				      .template_refresh_s = 60,
				      .biflow = biflow};

	exporter_close(f.e);
	snprintf(cfg.address, sizeof(cfg.address), "127.0.0.1:%u", f.port);
	assert_int_equal(exporter_open(&f.e, &cfg, 7, 32473, true), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct flow_record forward = sample_record(1), reverse = sample_record(1);

		forward.packets = 2;
		forward.octets = 200;
		reverse.packets = 3;
		reverse.octets = 3000;
		exporter_biflow(f.e, &forward, &reverse);
		exporter_record(f.e, &forward);
	}
	exporter_flush(f.e, T0, S);
	run_until_sent(T0, TIME);
	check_balance(f.e);
	assert_int_equal(exporter_stats(f.e)->sent.records, 3 * n);
	assert_int_equal(exporter_stats(f.e)->sent.packets, 7 * n);
	assert_int_equal(exporter_stats(f.e)->sent.octets, 3400 * n);
	assert_int_equal(f.w.gaps, 0);
}

static void test_biflow_is_one_record_of_a_template_of_its_own(void **state)
{
	(void)state;
	export_pairs(BIFLOW_RFC5103, 100);
	assert_int_equal(f.w.records_of[272], 100);
	assert_int_equal(f.w.records_of[256], 100);
	assert_int_equal(f.w.data.packets, 4 * 100); /* the forward ones */
	assert_int_equal(exporter_stats(f.e)->sequence, 200);
}

static void test_biflow_is_two_records_for_an_exporter_that_splits(void **state)
{
	(void)state;
	export_pairs(BIFLOW_SPLIT, 100);
	assert_int_equal(f.w.records_of[256], 300);
	assert_int_equal(f.w.data.packets, 7 * 100);
	assert_int_equal(f.w.data.octets, 3400 * 100);
	assert_int_equal(exporter_stats(f.e)->sequence, 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_templates_come_first_three_times_then_by_refresh),
		TEST(test_templates_are_sent_again_on_demand),
		TEST(test_mixed_records_arrive_whole_each_in_its_template),
		TEST(test_every_field_is_where_its_element_says),
		TEST(test_icmpv6_record_is_laid_out_as_its_template),
		TEST(test_sequence_wraps_at_32_bits),
		TEST(test_export_time_never_goes_back),
		TEST(test_export_time_is_not_before_the_end_of_a_flow),
		TEST(test_messages_fit_the_mtu),
		TEST(test_mtu_of_loopback_is_not_believed),
		TEST(test_messages_are_spread_over_the_interval),
		TEST(test_late_call_catches_up_in_bursts_of_64),
		TEST(test_cap_on_records_per_second_is_hard),
		TEST(test_unpaced_exporter_sends_everything_at_once),
		TEST(test_drain_sends_what_is_staged_and_queued),
		TEST(test_drain_is_not_held_up_by_the_cap),
		TEST(test_biflow_is_one_record_of_a_template_of_its_own),
		TEST(test_biflow_is_two_records_for_an_exporter_that_splits),
		TEST(test_every_group_arrives_in_its_own_templates_at_the_smallest_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
