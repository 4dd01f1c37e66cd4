/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scans: what first contacts make one, at the thresholds and next to them, and what
 * looks like one and is none.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "tests/lib/anomaly_send.h"

static void test_fifteen_refused_ports_are_a_scan_and_fourteen_are_none(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 14; i++)
		refuse(100, LOCAL, TARGET, 1 + i);
	anomaly_fixture_run(&f, 10000);
	assert_nothing();
	refuse(10100, LOCAL, TARGET, 15);
	anomaly_fixture_run(&f, 11000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_int_equal(host_ipv4(&e.source), 0x0a000001);
	assert_true(e.has_destination);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_false(e.has_destination_port);
	assert_int_equal(e.value, 15);
	assert_int_equal(e.threshold, 15);
	assert_int_equal(e.n_ports, 15);
	assert_int_equal(e.visibility, ANOMALY_BOTH);
	assert_int_equal(e.severity, 7);
	assert_string_equal(e.rule, "anomaly.scan.contacts");
}

static void test_failures_further_apart_than_the_window_do_not_add_up(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 14; i++)
		refuse(100, LOCAL, TARGET, 1 + i);
	for (uint16_t i = 0; i < 14; i++)
		refuse(302000, LOCAL, TARGET, 101 + i);
	anomaly_fixture_run(&f, 310000);
	assert_nothing();
}

static void test_silent_ports_count_after_five_seconds(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 15; i++)
		send_tcp(100, LOCAL, CLIENT, TARGET, 1 + i, TH_SYN);
	anomaly_fixture_run(&f, 5000);
	assert_nothing();
	anomaly_fixture_run(&f, 6000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, NULL);
}

static void test_a_fast_silent_scan_is_told_within_two_seconds(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 100; i++)
		send_tcp(20 * i, LOCAL, CLIENT, TARGET, 1 + i, TH_SYN);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, NULL);
}

static void test_syn_of_an_operating_system_means_connect(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		anomaly_fixture_packet(&f, 100,
				       (struct anomaly_packet){.from = LOCAL,
							       .to = TARGET,
							       .from_port = CLIENT + i,
							       .to_port = 1 + i,
							       .flags = TH_SYN,
							       .is_os = true});
		send_tcp(100, TARGET, 1 + i, LOCAL, CLIENT + i, TH_RST | TH_ACK);
	}
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_CONNECT, NULL);
}

static void test_five_ports_probed_by_what_no_system_sends_are_a_scan(void **state)
{
	static const struct {
		uint8_t flags, subclass;
	} cases[] = {
		{0, ANOMALY_BY_NULL},
		{TH_FIN, ANOMALY_BY_FIN},
		{TH_FIN | TH_PUSH | TH_URG, ANOMALY_BY_XMAS},
	};

	for (size_t k = 0; k < 3; k++) {
		for (uint16_t i = 0; i < 4; i++)
			send_tcp(100, LOCAL, CLIENT, TARGET, 1 + i, cases[k].flags);
		anomaly_fixture_run(&f, 10000);
		assert_nothing();
		send_tcp(10100, LOCAL, CLIENT, TARGET, 5, cases[k].flags);
		anomaly_fixture_run(&f, 11000);
		assert_one(ANOMALY_PORT_SCAN, cases[k].subclass, NULL);
		teardown(state);
		setup(state);
	}
}

static void test_ack_and_fin_ack_without_a_connection_are_scans(void **state)
{
	static const struct {
		uint8_t flags, subclass;
	} cases[] = {{TH_ACK, ANOMALY_BY_ACK}, {TH_FIN | TH_ACK, ANOMALY_BY_MAIMON}};

	for (size_t k = 0; k < 2; k++) {
		for (uint16_t i = 0; i < 15; i++) {
			send_tcp(100, LOCAL, CLIENT, TARGET, 1 + i, cases[k].flags);
			send_tcp(100, TARGET, 1 + i, LOCAL, CLIENT, TH_RST);
		}
		anomaly_fixture_run(&f, 1000);
		assert_one(ANOMALY_PORT_SCAN, cases[k].subclass, NULL);
		teardown(state);
		setup(state);
	}
}

static void test_a_local_host_may_fail_at_ten_times_as_many_addresses(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		refuse(100, LOCAL, host(i), 445);
	anomaly_fixture_run(&f, 1000);
	assert_nothing();
	for (uint32_t i = 100; i < 200; i++)
		refuse(1100, LOCAL, host(i), 445);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_SYN, &e);
	assert_true(e.has_destination_port);
	assert_int_equal(e.destination_port, 445);
	assert_false(e.has_destination);
	assert_int_equal(e.threshold, 150);
}

static void test_a_remote_host_that_only_fails_is_a_scanner_at_nine(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 8; i++)
		refuse(100, REMOTE, host(i), 445);
	anomaly_fixture_run(&f, 1000);
	assert_nothing();
	refuse(1100, REMOTE, host(8), 445);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_SYN, NULL);
}

static void test_many_ports_of_many_hosts_are_a_block_scan(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		for (uint16_t k = 0; k < 10; k++)
			refuse(100, REMOTE, host(i), 20 + k);
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_BLOCK_SCAN, ANOMALY_BY_SYN, NULL);
}

static void test_udp_needs_fifty_silent_targets_or_ten_told_unreachable(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 49; i++)
		send_udp(100, LOCAL, CLIENT, TARGET, 2000 + i);
	anomaly_fixture_run(&f, 10000);
	assert_nothing();
	for (uint16_t i = 0; i < 10; i++)
		send_icmp(10100, TARGET, LOCAL, 0x0303);
	send_udp(10100, LOCAL, CLIENT, TARGET, 2049);
	anomaly_fixture_run(&f, 13000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_UDP, &e);
	assert_int_equal(e.threshold, 10);
}

static void test_pings_without_an_answer_are_a_scan_and_answered_ones_are_not(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		send_icmp(100, LOCAL, host(i), 0x0800);
		send_icmp(110, host(i), LOCAL, 0);
	}
	anomaly_fixture_run(&f, 20000);
	assert_nothing();
	for (uint32_t i = 0; i < 15; i++)
		send_icmp(20100, REMOTE, host(i), 0x0800);
	anomaly_fixture_run(&f, 26000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_ICMP, NULL);
}

static void test_ten_ip_protocols_of_a_host_are_a_scan(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < 10; i++)
		anomaly_fixture_packet(
			&f, 100,
			(struct anomaly_packet){.from = LOCAL, .to = TARGET, .protocol = 70 + i});
	anomaly_fixture_run(&f, 6000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_IP_PROTOCOL, NULL);
}

static void test_a_probe_every_five_minutes_is_told_within_the_day(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 60; i++)
		refuse(i * 301000ull, LOCAL, TARGET, (uint16_t)(1 + i));
	anomaly_fixture_run(&f, 60 * 301000ull);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SLOW, &e);
	assert_int_equal(e.threshold, 50);
	assert_in_range(e.value, 50, 52);
	assert_int_equal(f.n_events, 1);
}

static void test_no_threshold_is_more_than_can_be_counted(void **state)
{
	struct anomaly_event e;

	(void)state;
	teardown(state);
	f.cfg.anomaly.scan.contacts = 100;
	f.cfg.anomaly.scan.local_factor = 100;
	anomaly_fixture_open(&f);
	for (uint32_t i = 0; i < 3000; i++)
		refuse(100 + i, LOCAL, host(i), 445);
	anomaly_fixture_run(&f, 5000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_SYN, &e);
	assert_int_equal(e.threshold, 2000);
	teardown(state);
	f.n_events = 0;
	f.cfg.anomaly.scan.slow = 200;
	anomaly_fixture_open(&f);
	for (uint32_t i = 0; i < 1500; i++)
		refuse(50000ULL * i, LOCAL, host(i), 445);
	anomaly_fixture_run(&f, 50000ULL * 1500);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_SLOW, &e);
	assert_int_equal(e.threshold, 1000);
}

static void test_many_ports_by_many_sources_are_a_distributed_scan(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 150; i++)
		refuse(20 * i, host(i % 30), TARGET, 1 + i);
	anomaly_fixture_run(&f, 4000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_DISTRIBUTED, &e);
	assert_false(e.has_source);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_in_range(e.n_sources, 25, 35);
}

static void test_ipv6_addresses_of_one_site_are_one_source(void **state)
{
	char from[40];
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		snprintf(from, sizeof(from), "2001:db8::%x", i + 1);
		refuse(100, from, "fd00::2", 1 + i);
	}
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_false(host_is_ipv4(&e.source));
}

static void test_a_scan_ends_ten_minutes_after_its_last_failure(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 20; i++)
		refuse(100, LOCAL, TARGET, 1 + i);
	anomaly_fixture_run(&f, 600000);
	assert_int_equal(f.n_events, 1);
	anomaly_fixture_run(&f, 601000);
	assert_int_equal(f.n_events, 2);
	assert_int_equal(f.event[1].state, ANOMALY_END);
	assert_int_equal(f.event[1].event_id, f.event[0].event_id);
}

static void test_ports_of_their_own_of_many_hosts_are_a_block_scan(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 100; i++)
		refuse(10 * i, REMOTE, host(i % 10), 1 + i);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_BLOCK_SCAN, ANOMALY_BY_SYN, &e);
	assert_false(e.has_destination);
}

static void test_a_host_of_ours_in_a_hurry_is_told_within_two_seconds(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 200; i++)
		send_tcp(10 * i, LOCAL, CLIENT, host(i), 445, TH_SYN);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_SYN, NULL);
}

static void test_a_second_target_of_a_scanner_is_news(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 20; i++)
		refuse(100, LOCAL, TARGET, 1 + i);
	for (uint16_t i = 0; i < 10; i++)
		refuse(90000, LOCAL, "10.0.0.3", 1 + i);
	anomaly_fixture_run(&f, 91000);
	assert_int_equal(f.n_events, 2);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_PORT_SCAN, ANOMALY_UPDATE, &e), 1);
	assert_int_equal(e.n_destinations, 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_fifteen_refused_ports_are_a_scan_and_fourteen_are_none),
		TEST(test_failures_further_apart_than_the_window_do_not_add_up),
		TEST(test_silent_ports_count_after_five_seconds),
		TEST(test_a_fast_silent_scan_is_told_within_two_seconds),
		TEST(test_syn_of_an_operating_system_means_connect),
		TEST(test_five_ports_probed_by_what_no_system_sends_are_a_scan),
		TEST(test_ack_and_fin_ack_without_a_connection_are_scans),
		TEST(test_a_local_host_may_fail_at_ten_times_as_many_addresses),
		TEST(test_a_remote_host_that_only_fails_is_a_scanner_at_nine),
		TEST(test_many_ports_of_many_hosts_are_a_block_scan),
		TEST(test_udp_needs_fifty_silent_targets_or_ten_told_unreachable),
		TEST(test_pings_without_an_answer_are_a_scan_and_answered_ones_are_not),
		TEST(test_ten_ip_protocols_of_a_host_are_a_scan),
		TEST(test_a_probe_every_five_minutes_is_told_within_the_day),
		TEST(test_no_threshold_is_more_than_can_be_counted),
		TEST(test_many_ports_by_many_sources_are_a_distributed_scan),
		TEST(test_ipv6_addresses_of_one_site_are_one_source),
		TEST(test_a_scan_ends_ten_minutes_after_its_last_failure),
		TEST(test_ports_of_their_own_of_many_hosts_are_a_block_scan),
		TEST(test_a_host_of_ours_in_a_hurry_is_told_within_two_seconds),
		TEST(test_a_second_target_of_a_scanner_is_news),
	};
#undef TEST

	return cmocka_run_group_tests_name("scans", tests, NULL, NULL);
}
