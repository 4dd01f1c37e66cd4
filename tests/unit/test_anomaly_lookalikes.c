/* SPDX-License-Identifier: BSD-2-Clause */
/* What looks like a scan and is none; and packets that break their protocol. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/anomaly_send.h"

static void test_two_dead_servers_tried_again_and_again_are_no_scan(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 200; i++)
		send_tcp(100 * i, LOCAL, CLIENT + i, TARGET, 80 + i % 2, TH_SYN);
	anomaly_fixture_finish(&f, 60000);
	assert_nothing();
}

static void test_who_succeeds_as_often_as_it_fails_is_no_scanner(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		connect_to(100 * i, REMOTE, host(i), 443);
		connect_to(100 * i, REMOTE, host(100 + i), 443);
		refuse(100 * i, REMOTE, host(200 + i), 6881);
	}
	anomaly_fixture_finish(&f, 60000);
	assert_nothing();
}

static void test_peers_that_have_gone_are_no_scan(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 40; i++)
		refuse(1000 * i, LOCAL, host(i), 5000 + 7 * i);
	for (uint16_t i = 0; i < 20; i++)
		connect_to(2000 * i, LOCAL, host(100 + i), 6881 + i);
	anomaly_fixture_finish(&f, 60000);
	assert_nothing();
}

static void test_peers_that_icmp_says_have_gone_are_no_scan(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 30; i++)
		send_icmp(10 * i, "10.9.9.9", LOCAL, 0x0301);
	for (uint16_t i = 0; i < 80; i++)
		refuse(1000 + 500 * i, LOCAL, host(i), 5000 + 7 * i);
	anomaly_fixture_finish(&f, 60000);
	assert_nothing();
}

static void test_peers_that_have_gone_all_day_are_no_scan(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 150; i++)
		refuse(120000ULL * i, LOCAL, host(i), 5000 + 7 * i);
	anomaly_fixture_finish(&f, 19000000);
	assert_nothing();
}

static void test_the_rest_of_older_connections_is_no_scan(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 100; i++) {
		/* a server that closes what its clients have forgotten */
		send_tcp(100, LOCAL, 443, host(i), CLIENT + i, TH_FIN | TH_ACK);
		/* a client whose connection goes on after a pause */
		send_tcp(100, LOCAL, CLIENT + i, host(i), 80 + i, TH_ACK);
		send_tcp(200, host(i), 80 + i, LOCAL, CLIENT + i, TH_ACK);
	}
	anomaly_fixture_finish(&f, 60000);
	assert_nothing();
}

static void test_a_traceroute_and_its_like_are_no_scan(void **state)
{
	(void)state;
	/* answers are observed here */
	connect_to(0, LOCAL, TARGET, 80);
	for (uint16_t i = 0; i < 90; i++) {
		send_udp(10 * i, LOCAL, CLIENT, TARGET, 33434 + i);
		send_icmp(10 * i, "10.9.9.9", LOCAL, 0x0b00);
		/* answers whose questions are not seen */
		send_udp(10 * i, LOCAL, 53, TARGET, 20000 + i);
		/* to a group nobody answers for */
		send_udp(10 * i, LOCAL, CLIENT, "239.1.1.1", 1000 + i);
	}
	anomaly_fixture_finish(&f, 60000);
	assert_nothing();
}

static void test_many_that_fail_at_the_same_ports_are_no_scan(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 600; i++)
		refuse(20 * i, host(i), TARGET, 1 + i / 5);
	anomaly_fixture_finish(&f, 20000);
	assert_nothing();
}

static void test_one_that_scans_and_many_at_one_port_share_no_scan(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 200; i++)
		refuse(10 * i, REMOTE, TARGET, 1 + i);
	for (uint16_t i = 0; i < 300; i++)
		refuse(3000 + i, host(i), TARGET, 80);
	anomaly_fixture_finish(&f, 20000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
}

static void test_forged_sources_are_no_scanners_and_hide_none(void **state)
{
	struct anomaly_event e;
	char from[16];

	(void)state;
	f.cfg.anomaly.syn_flood.enabled = false;
	teardown(state);
	anomaly_fixture_open(&f);
	f.n_events = 0;
	for (uint32_t i = 0; i < 40000; i++) {
		snprintf(from, sizeof(from), "%u.%u.%u.1", 11 + i % 100, i / 100 % 250, i / 25000);
		send_tcp(i / 4, from, (uint16_t)(1024 + i % 50000), TARGET, 80, TH_SYN);
		if (i % 1000 == 0)
			refuse(i / 4, "203.0.113.9", TARGET, (uint16_t)(1000 + i / 1000));
	}
	anomaly_fixture_finish(&f, 30000);
	for (uint32_t i = 0; i < f.n_events; i++)
		if (f.event[i].class <= ANOMALY_BLOCK_SCAN)
			assert_int_equal(host_ipv4(&f.event[i].source), 0xcb007109);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_PORT_SCAN, ANOMALY_START, &e), 1);
}

static void test_answers_to_what_others_sent_in_our_name_are_nothing(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 400; i++) {
		send_tcp(100 * i, REMOTE, 80, host(i), 1024 + i, TH_SYN | TH_ACK);
		send_tcp(100 * i, host(i), 1024 + i, REMOTE, 80, TH_RST);
		send_tcp(100 * i, REMOTE, 81, host(i), 1024 + i, TH_RST | TH_ACK);
		send_icmp(100 * i, REMOTE, host(i), 0x0303);
	}
	anomaly_fixture_finish(&f, 60000);
	assert_nothing();
}

static void test_a_host_that_is_allowed_raises_nothing(void **state)
{
	const char *reason;

	teardown(state);
	f.cfg.anomaly.allow.n = 1;
	assert_int_equal(network_parse("10.0.0.0/28", &f.cfg.anomaly.allow.item[0], &reason), 0);
	anomaly_fixture_open(&f);
	for (uint16_t i = 0; i < 100; i++)
		refuse(100, LOCAL, TARGET, 1 + i);
	anomaly_fixture_finish(&f, 1000);
	assert_nothing();
}

static void test_packets_without_a_good_reason_are_told_at_once_with_the_clause(void **state)
{
	static const struct {
		const char *from, *to, *clause;
		uint16_t from_port;
		uint8_t flags, subclass;
	} cases[] = {
		{TARGET, TARGET, "RFC 9293 3.10.7.3", 80, TH_SYN, ANOMALY_BY_LAND},
		{REMOTE, TARGET, "RFC 9293 3.10.7", CLIENT, TH_SYN | TH_FIN, ANOMALY_BY_SYN_FIN},
		{REMOTE, TARGET, "RFC 9293 3.10.7", CLIENT, TH_SYN | TH_RST, ANOMALY_BY_SYN_RST},
		{"224.0.0.5", TARGET, "RFC 1122 3.2.1.3", CLIENT, TH_SYN, ANOMALY_BY_GROUP_SOURCE},
	};

	for (size_t i = 0; i < 4; i++) {
		struct anomaly_event e;

		send_tcp(100, cases[i].from, cases[i].from_port, cases[i].to, 80, cases[i].flags);
		anomaly_fixture_run(&f, 1000);
		assert_one(ANOMALY_PROTOCOL_VIOLATION, cases[i].subclass, &e);
		assert_non_null(strstr(e.reason, cases[i].clause));
		teardown(state);
		setup(state);
	}
}

static void test_a_violation_names_the_host_it_struck_if_it_is_one(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 3; i++)
		send_tcp(100, REMOTE, CLIENT + i, TARGET, 80, TH_SYN | TH_FIN);
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_SYN_FIN, &e);
	assert_true(e.has_destination);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_false(e.is_spoofed);
	send_tcp(1100, REMOTE, CLIENT, LOCAL, 80, TH_SYN | TH_FIN);
	anomaly_fixture_finish(&f, 2000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_PROTOCOL_VIOLATION, ANOMALY_END, &e), 1);
	assert_false(e.has_destination);
}

static void test_who_sends_to_itself_is_struck_by_another(void **state)
{
	struct anomaly_event e;

	(void)state;
	send_tcp(100, TARGET, 139, TARGET, 139, TH_SYN);
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_LAND, &e);
	assert_true(e.has_destination && e.is_spoofed);
}

static void test_sources_that_are_groups_are_one_violation_of_who_is_struck(void **state)
{
	struct anomaly_event e;
	char from[16];

	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		snprintf(from, sizeof(from), "224.1.1.%u", i + 1);
		send_udp(100 * i, from, CLIENT, TARGET, 514);
	}
	anomaly_fixture_finish(&f, 10000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_GROUP_SOURCE, &e);
	assert_false(e.has_source);
	assert_true(e.has_destination && e.is_spoofed);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
}

static void test_port_zero_may_happen_nine_times_a_minute(void **state)
{
	(void)state;
	for (int i = 0; i < 9; i++)
		send_udp(100, REMOTE, CLIENT + i, TARGET, 0);
	anomaly_fixture_run(&f, 3000);
	assert_nothing();
	send_udp(3100, REMOTE, CLIENT + 9, TARGET, 0);
	anomaly_fixture_run(&f, 4000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_PORT_ZERO, NULL);
}

static void test_violations_of_a_scanner_are_part_of_its_scan(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 20; i++)
		refuse(100, REMOTE, TARGET, 1 + i);
	anomaly_fixture_run(&f, 1000);
	for (uint16_t i = 0; i < 3; i++)
		send_tcp(1100, REMOTE, CLIENT, TARGET, 100 + i, TH_SYN | TH_FIN);
	anomaly_fixture_finish(&f, 3000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_PORT_SCAN, ANOMALY_END, &e), 1);
	assert_int_equal(e.suppressed, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_two_dead_servers_tried_again_and_again_are_no_scan),
		TEST(test_who_succeeds_as_often_as_it_fails_is_no_scanner),
		TEST(test_peers_that_have_gone_are_no_scan),
		TEST(test_peers_that_icmp_says_have_gone_are_no_scan),
		TEST(test_peers_that_have_gone_all_day_are_no_scan),
		TEST(test_the_rest_of_older_connections_is_no_scan),
		TEST(test_a_traceroute_and_its_like_are_no_scan),
		TEST(test_many_that_fail_at_the_same_ports_are_no_scan),
		TEST(test_one_that_scans_and_many_at_one_port_share_no_scan),
		TEST(test_forged_sources_are_no_scanners_and_hide_none),
		TEST(test_answers_to_what_others_sent_in_our_name_are_nothing),
		TEST(test_a_host_that_is_allowed_raises_nothing),
		TEST(test_packets_without_a_good_reason_are_told_at_once_with_the_clause),
		TEST(test_a_violation_names_the_host_it_struck_if_it_is_one),
		TEST(test_who_sends_to_itself_is_struck_by_another),
		TEST(test_sources_that_are_groups_are_one_violation_of_who_is_struck),
		TEST(test_port_zero_may_happen_nine_times_a_minute),
		TEST(test_violations_of_a_scanner_are_part_of_its_scan),
	};
#undef TEST

	return cmocka_run_group_tests_name("lookalikes", tests, NULL, NULL);
}
