/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN floods, reflection and floods by volume, and the busy servers, resolvers and
 * downloads that look like them.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <netinet/tcp.h>

#include "tests/lib/anomaly_case.h"

#define VICTIM "10.0.0.2"

static int setup_for_few(void **state)
{
	(void)state;
	anomaly_fixture_init(&f);
	f.cfg.anomaly.ddos.packets_per_s = 1000;
	anomaly_fixture_open(&f);
	return 0;
}

static const char *host(uint32_t i)
{
	static char text[16];

	snprintf(text, sizeof(text), "198.%u.%u.%u", 18 + i / 62500, i / 250 % 250, i % 250 + 1);
	return text;
}

static void send_packet(uint64_t ms, const char *from, uint16_t from_port, const char *to,
			uint16_t to_port, uint8_t protocol, uint8_t flags, uint16_t payload)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = from,
						       .to = to,
						       .from_port = from_port,
						       .to_port = to_port,
						       .protocol = protocol,
						       .flags = flags,
						       .payload = payload});
}

/* n SYN to port 80 within a second from `ms` on, each from a source of its own. */
static void flood(uint64_t ms, uint32_t n, uint8_t flags)
{
	for (uint32_t i = 0; i < n; i++)
		send_packet(ms + i * 900 / n, host(i), (uint16_t)(1024 + i), VICTIM, 80,
			    IPPROTO_TCP, flags, 0);
}

/* n clients that complete their handshakes. */
static void serve(uint64_t ms, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(1024 + i);
		uint64_t at = ms + i * 900 / n;

		send_packet(at, host(i), port, VICTIM, 80, IPPROTO_TCP, TH_SYN, 0);
		send_packet(at, VICTIM, 80, host(i), port, IPPROTO_TCP, TH_SYN | TH_ACK, 0);
		send_packet(at, host(i), port, VICTIM, 80, IPPROTO_TCP, TH_ACK, 0);
	}
}

static void assert_nothing(void)
{
	if (f.n_events)
		fail_msg("raised: %s", f.event[0].reason);
}

static void assert_one(uint8_t class, uint8_t subclass, struct anomaly_event *e)
{
	if (anomaly_fixture_count(&f, class, ANOMALY_START, e) != 1)
		fail_msg("%u events, not one %s: %s", f.n_events, anomaly_class_name(class),
			 f.n_events ? f.event[0].reason : "");
	assert_string_equal(anomaly_subclass_name(e->subclass), anomaly_subclass_name(subclass));
	for (uint32_t i = 0; i < f.n_events; i++)
		assert_int_equal(f.event[i].event_id, e->event_id);
}

static void test_a_syn_flood_is_told_in_its_second_second(void **state)
{
	struct anomaly_event e;

	(void)state;
	flood(0, 1200, TH_SYN);
	anomaly_fixture_run(&f, 1000);
	assert_nothing();
	flood(1000, 1200, TH_SYN);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_SYN_FLOOD, ANOMALY_BY_SYN, &e);
	assert_true(e.has_destination && e.has_destination_port);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_int_equal(e.destination_port, 80);
	assert_false(e.has_source);
	assert_true(e.is_spoofed);
	assert_int_equal(e.value, 1200);
	assert_int_equal(e.n_syn, 2400);
	assert_in_range(e.n_sources, 1000, 1400);
}

static void test_five_times_the_threshold_is_a_flood_at_once_whatever_flags_are_set(void **state)
{
	struct anomaly_event e;

	(void)state;
	flood(0, 5000, TH_SYN | 0xc0);
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_SYN_FLOOD, ANOMALY_BY_SYN, &e);
}

static void test_a_busy_server_is_not_flooded(void **state)
{
	(void)state;
	f.cfg.anomaly.ddos.enabled = false;
	teardown(state);
	anomaly_fixture_open(&f);
	for (uint64_t s = 0; s < 5; s++)
		serve(1000 * s, 6000);
	anomaly_fixture_finish(&f, 10000);
	assert_nothing();
}

static void test_a_burst_whose_handshakes_come_with_the_next_second_is_no_flood(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2000; i++)
		send_packet(999, host(i), 1024 + i, VICTIM, 80, IPPROTO_TCP, TH_SYN, 0);
	for (uint32_t i = 0; i < 2000; i++) {
		send_packet(1001, VICTIM, 80, host(i), 1024 + i, IPPROTO_TCP, TH_SYN | TH_ACK, 0);
		send_packet(1001, host(i), 1024 + i, VICTIM, 80, IPPROTO_TCP, TH_ACK, 0);
	}
	anomaly_fixture_finish(&f, 10000);
	assert_nothing();
}

static void test_less_than_the_threshold_for_a_minute_is_no_flood(void **state)
{
	(void)state;
	for (uint64_t s = 0; s < 60; s++)
		flood(1000 * s, 490, TH_SYN);
	anomaly_fixture_finish(&f, 70000);
	assert_nothing();
}

static void test_a_flood_from_one_host_names_it(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 6000; i++)
		send_packet(i / 7, "203.0.113.5", 1024 + i, VICTIM, 80, IPPROTO_TCP, TH_SYN, 0);
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_SYN_FLOOD, ANOMALY_BY_SYN, &e);
	assert_true(e.has_source);
	assert_int_equal(host_ipv4(&e.source), 0xcb007105);
	assert_false(e.is_spoofed);
}

static void test_a_flood_ends_within_a_minute_and_is_the_same_when_it_comes_back(void **state)
{
	(void)state;
	flood(0, 6000, TH_SYN);
	anomaly_fixture_run(&f, 60000);
	assert_int_equal(f.n_events, 2);
	assert_int_equal(f.event[1].state, ANOMALY_END);
	flood(120000, 6000, TH_SYN);
	anomaly_fixture_finish(&f, 130000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_SYN_FLOOD, ANOMALY_START, NULL), 1);
	for (uint32_t i = 0; i < f.n_events; i++)
		assert_int_equal(f.event[i].event_id, f.event[0].event_id);
}

static void test_a_flood_by_volume_is_part_of_the_syn_flood_it_is(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint64_t s = 0; s < 5; s++)
		flood(1000 * s, 6000, TH_SYN);
	anomaly_fixture_finish(&f, 6000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_DDOS, ANOMALY_START, NULL), 0);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_SYN_FLOOD, ANOMALY_END, &e), 1);
	assert_in_range(e.suppressed, 1, 5);
}

static void test_answers_of_many_servers_nobody_asked_are_a_reflection(void **state)
{
	struct anomaly_event e;

	(void)state;
	/* somebody is answered here, so both directions are observed */
	serve(0, 20);
	for (uint32_t i = 0; i < 60; i++)
		send_packet(1000 + i, host(i), 123, VICTIM, 4444, IPPROTO_UDP, 0, 440);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_REFLECTION, ANOMALY_BY_NTP, &e);
	assert_int_equal(e.reflector_port, 123);
	assert_in_range(e.n_sources, 50, 70);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
}

static void test_answers_that_were_asked_for_are_none(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 300; i++) {
		send_packet(10 * i, VICTIM, 5000 + i, host(i), 53, IPPROTO_UDP, 0, 40);
		send_packet(10 * i + 5, host(i), 53, VICTIM, 5000 + i, IPPROTO_UDP, 0, 1400);
	}
	anomaly_fixture_finish(&f, 10000);
	assert_nothing();
}

static void test_small_answers_where_questions_are_not_observed_are_none(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		send_packet(10 * i, host(i), 53, VICTIM, 5000 + i, IPPROTO_UDP, 0, 200);
	anomaly_fixture_finish(&f, 10000);
	assert_nothing();
}

static void test_syn_ack_of_many_servers_nobody_asked_are_a_reflection(void **state)
{
	struct anomaly_event e;

	(void)state;
	f.cfg.anomaly.ddos.packets_per_s = 1000000;
	teardown(state);
	anomaly_fixture_open(&f);
	for (uint32_t i = 0; i < 3000; i++)
		send_packet(i / 4, host(i), 80, VICTIM, 1024 + i, IPPROTO_TCP, TH_SYN | TH_ACK, 0);
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_REFLECTION, ANOMALY_BY_SYN_ACK, &e);
}

static void test_two_seconds_of_much_udp_without_an_answer_are_a_flood(void **state)
{
	struct anomaly_event e;

	(void)state;
	serve(0, 20);
	for (uint32_t i = 0; i < 4500; i++)
		send_packet(1000 + i * 2 / 3, host(i % 200), 4000, VICTIM, 9999, IPPROTO_UDP, 0,
			    500);
	anomaly_fixture_run(&f, 4000);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_UDP, &e);
	assert_string_equal(e.rule, "anomaly.ddos.packets_per_s");
	assert_in_range(e.n_sources, 180, 220);
}

static void test_pings_a_victim_has_to_answer_are_a_flood(void **state)
{
	struct anomaly_event e;

	(void)state;
	serve(0, 20);
	for (uint32_t i = 0; i < 4500; i++) {
		send_packet(1000 + i * 2 / 3, host(i % 12), 0x0800, VICTIM, 0, IPPROTO_ICMP, 0, 56);
		send_packet(1000 + i * 2 / 3, VICTIM, 0, host(i % 12), 0, IPPROTO_ICMP, 0, 56);
	}
	anomaly_fixture_run(&f, 4000);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_ICMP, &e);
}

static void test_a_flood_of_ack_that_are_all_refused_is_a_flood(void **state)
{
	struct anomaly_event e;

	(void)state;
	serve(0, 20);
	for (uint32_t i = 0; i < 4500; i++) {
		send_packet(1000 + i * 2 / 3, host(i), 4000, VICTIM, 8443, IPPROTO_TCP, TH_ACK, 0);
		send_packet(1000 + i * 2 / 3, VICTIM, 8443, host(i), 4000, IPPROTO_TCP, TH_RST, 0);
	}
	anomaly_fixture_run(&f, 4000);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_ACK, &e);
}

/* Of n packets by UDP in three seconds, one in `each` is answered. */
static void send_udp_answered(uint32_t n, uint32_t each)
{
	for (uint32_t i = 0; i < n; i++) {
		send_packet(1000 + i * 3000 / n, host(i % 20), 4000, VICTIM, 53, IPPROTO_UDP, 0,
			    100);
		if (i / 20 % each == 0)
			send_packet(1000 + i * 3000 / n, VICTIM, 53, host(i % 20), 4000,
				    IPPROTO_UDP, 0, 100);
	}
}

static void test_a_flood_is_one_though_a_few_of_it_are_answered(void **state)
{
	struct anomaly_event e;

	(void)state;
	serve(0, 20);
	send_udp_answered(24000, 400);
	anomaly_fixture_run(&f, 4000);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_UDP, &e);
}

static void test_many_questions_of_which_most_are_answered_are_no_flood(void **state)
{
	(void)state;
	send_udp_answered(24000, 2);
	anomaly_fixture_finish(&f, 5000);
	assert_nothing();
}

static void test_one_host_that_floods_from_all_its_ports_is_told_by_its_packets(void **state)
{
	struct anomaly_event e;

	(void)state;
	f.cfg.anomaly.ddos.flows_per_s = 100;
	teardown(state);
	anomaly_fixture_open(&f);
	serve(0, 20);
	for (uint32_t i = 0; i < 4500; i++)
		send_packet(1000 + i * 2 / 3, host(1), (uint16_t)(1024 + i), VICTIM, 443,
			    IPPROTO_TCP, TH_ACK, 0);
	anomaly_fixture_run(&f, 4000);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_ACK, &e);
	assert_string_equal(e.rule, "anomaly.ddos.packets_per_s");
	assert_true(e.has_source);
}

static void test_bots_that_flood_all_ports_are_no_scanners(void **state)
{
	struct anomaly_event e;

	(void)state;
	serve(0, 20);
	for (uint32_t i = 0; i < 8000; i++)
		send_packet(1500 + i / 2, host(i % 20), 4000, VICTIM, (uint16_t)(1 + i),
			    IPPROTO_UDP, 0, 100);
	anomaly_fixture_finish(&f, 7000);
	for (uint32_t i = 0; i < f.n_events; i++)
		assert_string_equal(anomaly_class_name(f.event[i].class), "ddos");
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_DDOS, ANOMALY_END, &e), 1);
	assert_in_range(e.suppressed, 20, 1000);
}

static void test_a_flood_by_other_means_is_another_incident(void **state)
{
	struct anomaly_event udp, icmp;

	(void)state;
	serve(0, 20);
	send_udp_answered(6000, 400);
	anomaly_fixture_run(&f, 80000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_DDOS, ANOMALY_END, &udp), 1);
	for (uint32_t i = 0; i < 4500; i++)
		send_packet(90000 + i * 2 / 3, host(i % 50), 0x0800, VICTIM, 0, IPPROTO_ICMP, 0,
			    56);
	anomaly_fixture_run(&f, 93000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_DDOS, ANOMALY_START, &icmp), 2);
	assert_int_equal(icmp.subclass, ANOMALY_BY_ICMP);
	assert_int_not_equal(icmp.event_id, udp.event_id);
}

static void test_groups_among_forged_sources_are_part_of_the_flood(void **state)
{
	struct anomaly_event e;
	char from[16];

	(void)state;
	for (uint32_t i = 0; i < 9000; i++) {
		snprintf(from, sizeof(from), "%u.1.%u.%u", i % 10 ? 11 + i % 90 : 224 + i % 16,
			 i / 250 % 250, i % 250 + 1);
		send_packet(500 + i / 3, from, 4000, VICTIM, 80, IPPROTO_TCP, TH_SYN, 0);
	}
	anomaly_fixture_finish(&f, 8000);
	assert_one(ANOMALY_SYN_FLOOD, ANOMALY_BY_SYN, &e);
}

static void test_a_download_is_no_flood(void **state)
{
	(void)state;
	send_packet(0, VICTIM, 5000, host(1), 443, IPPROTO_TCP, TH_SYN, 0);
	send_packet(1, host(1), 443, VICTIM, 5000, IPPROTO_TCP, TH_SYN | TH_ACK, 0);
	for (uint32_t i = 0; i < 9000; i++) {
		send_packet(2 + i / 2, host(1), 443, VICTIM, 5000, IPPROTO_TCP, TH_ACK, 1000);
		if (i % 2)
			send_packet(2 + i / 2, VICTIM, 5000, host(1), 443, IPPROTO_TCP, TH_ACK, 0);
	}
	anomaly_fixture_finish(&f, 10000);
	assert_nothing();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_for_few, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_syn_flood_is_told_in_its_second_second),
		TEST(test_five_times_the_threshold_is_a_flood_at_once_whatever_flags_are_set),
		TEST(test_a_busy_server_is_not_flooded),
		TEST(test_a_burst_whose_handshakes_come_with_the_next_second_is_no_flood),
		TEST(test_less_than_the_threshold_for_a_minute_is_no_flood),
		TEST(test_a_flood_from_one_host_names_it),
		TEST(test_a_flood_ends_within_a_minute_and_is_the_same_when_it_comes_back),
		TEST(test_a_flood_by_volume_is_part_of_the_syn_flood_it_is),
		TEST(test_answers_of_many_servers_nobody_asked_are_a_reflection),
		TEST(test_answers_that_were_asked_for_are_none),
		TEST(test_small_answers_where_questions_are_not_observed_are_none),
		TEST(test_syn_ack_of_many_servers_nobody_asked_are_a_reflection),
		TEST(test_two_seconds_of_much_udp_without_an_answer_are_a_flood),
		TEST(test_pings_a_victim_has_to_answer_are_a_flood),
		TEST(test_a_flood_of_ack_that_are_all_refused_is_a_flood),
		TEST(test_a_flood_is_one_though_a_few_of_it_are_answered),
		TEST(test_many_questions_of_which_most_are_answered_are_no_flood),
		TEST(test_one_host_that_floods_from_all_its_ports_is_told_by_its_packets),
		TEST(test_bots_that_flood_all_ports_are_no_scanners),
		TEST(test_a_flood_by_other_means_is_another_incident),
		TEST(test_groups_among_forged_sources_are_part_of_the_flood),
		TEST(test_a_download_is_no_flood),
	};
#undef TEST

	return cmocka_run_group_tests_name("floods", tests, NULL, NULL);
}
