/* SPDX-License-Identifier: BSD-2-Clause */
/* Data that leaves, and what looks like it. */
#include <string.h>

#include "tests/lib/anomaly_send.h"

#define MIN    (60 * 1000ULL)
#define HOUR   (60 * MIN)
#define SERVER "203.0.113.9"
#define OTHER  "203.0.113.10"
#define PACKET 65000 /* as GSO has them */

static uint16_t next_port = 1024;

/* Interfaces that all packets pass. */
static uint8_t first_interface, n_interfaces = 1;

static void packet_at_all(uint64_t ms, struct anomaly_packet p)
{
	for (uint8_t i = first_interface; i < first_interface + n_interfaces; i++) {
		p.obs_point = (uint8_t)(i << 1);
		anomaly_fixture_packet(&f, ms, p);
	}
}

static void packet(uint64_t ms, const char *from, uint16_t from_port, const char *to,
		   uint16_t to_port, uint8_t flags, uint16_t octets)
{
	packet_at_all(ms, (struct anomaly_packet){.from = from,
						  .to = to,
						  .from_port = from_port,
						  .to_port = to_port,
						  .flags = flags,
						  .payload = octets});
}

static int setup_without_beacons(void **state)
{
	(void)state;
	first_interface = 0;
	n_interfaces = 1;
	anomaly_fixture_init(&f);
	f.cfg.anomaly.beacon.enabled = false; /* what these tests do each hour is one */
	f.cfg.anomaly.exfiltration.mbyte_per_hour = 10;
	f.cfg.anomaly.exfiltration.mbyte_per_day = 50;
	anomaly_fixture_open(&f);
	return 0;
}

/* A connection that sends `out` and gets `in` packets, over some minutes. */
static void transfer(uint64_t ms, const char *from, const char *to, uint32_t out, uint32_t in)
{
	uint16_t port = next_port++;

	packet(ms, from, port, to, 443, TH_SYN, 0);
	packet(ms, to, 443, from, port, TH_SYN | TH_ACK, 0);
	packet(ms, from, port, to, 443, TH_ACK, 0);
	for (uint32_t i = 0; i < out || i < in; i++) {
		if (i < out)
			packet(ms + i * 50, from, port, to, 443, TH_ACK, PACKET);
		if (i < in)
			packet(ms + i * 50, to, 443, from, port, TH_ACK, PACKET);
	}
}

/* Hours in which the host does the like, so that its baseline is known. */
static void live(uint32_t from_hour, uint32_t to_hour)
{
	for (uint32_t h = from_hour; h < to_hour; h++)
		transfer(h * HOUR + 10 * MIN, LOCAL, OTHER, 15 + h % 3 * 2, 4);
}

static void test_much_to_a_new_server_is_told_with_ratio_and_baseline(void **state)
{
	struct anomaly_event e;

	(void)state;
	live(0, 8);
	transfer(8 * HOUR + 30 * MIN, LOCAL, SERVER, 170, 0);
	anomaly_fixture_finish(&f, 9 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, &e);
	assert_int_equal(host_ipv4(&e.source), 0x0a000001);
	assert_int_equal(host_ipv4(&e.destination), 0xcb007109);
	assert_int_equal(e.destination_port, 443);
	assert_in_range((uint64_t)e.value, 10, 11);
	assert_int_equal((int)e.threshold, 10);
	assert_in_range((uint64_t)(10 * e.baseline), 10, 15);
	assert_true(e.pcr > 0.99f);
	assert_int_equal(e.visibility, ANOMALY_BOTH);
	assert_int_equal(e.severity, 7);
	assert_non_null(strstr(e.reason, "nobody here knew it a day ago"));
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_EXFILTRATION, ANOMALY_END, NULL), 1);
}

static void test_less_than_the_threshold_is_none(void **state)
{
	(void)state;
	live(0, 8);
	transfer(8 * HOUR + 30 * MIN, LOCAL, SERVER, 150, 0);
	anomaly_fixture_finish(&f, 9 * HOUR);
	assert_nothing();
}

static void test_what_trickles_in_many_small_connections_adds_up(void **state)
{
	(void)state;
	live(0, 2);
	for (uint32_t i = 0; i < 180; i++)
		transfer(2 * HOUR + i * 10000, LOCAL, SERVER, 1, 0);
	anomaly_fixture_finish(&f, 3 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, NULL);
}

static void test_what_goes_slowly_is_told_by_the_day(void **state)
{
	struct anomaly_event e;

	(void)state;
	live(0, 2);
	for (uint32_t h = 2; h < 14; h++)
		transfer(h * HOUR, LOCAL, SERVER, 70, 1);
	anomaly_fixture_finish(&f, 14 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_SLOW, &e);
	assert_string_equal(e.rule, "anomaly.exfiltration.mbyte_per_day");
}

static void test_what_matters_in_a_day_may_be_little_in_an_hour(void **state)
{
	struct anomaly_event e;

	(void)state;
	f.cfg.anomaly.exfiltration.mbyte_per_hour = 1000;
	f.cfg.anomaly.exfiltration.mbyte_per_day = 20;
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, f.sweep.now_ns), 0);
	live(0, 2);
	for (uint32_t h = 2; h < 26; h++)
		transfer(h * HOUR, LOCAL, SERVER, 14, 1); /* 0.9 MB */
	anomaly_fixture_finish(&f, 26 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_SLOW, &e);
	assert_int_equal((int)e.threshold, 20);
}

static void test_a_server_known_from_before_is_told_when_the_host_never_sends_as_much(void **state)
{
	struct anomaly_event e;

	(void)state;
	live(0, 30);
	transfer(30 * HOUR + 30 * MIN, LOCAL, OTHER, 170, 0);
	anomaly_fixture_finish(&f, 31 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, &e);
	assert_int_equal(e.severity, 6);
}

static void test_an_incident_tells_the_begin_and_the_flows_of_its_own_window(void **state)
{
	struct anomaly_event e;

	(void)state;
	live(0, 30);
	transfer(30 * HOUR + 30 * MIN + 1234, LOCAL, OTHER, 170, 0);
	anomaly_fixture_finish(&f, 31 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, &e);
	assert_in_range(e.time_ms - e.start_ms, 1, 10000);
	assert_int_equal(e.n_flow_ids, 1);
}

static void test_a_clock_that_is_set_moves_no_window(void **state)
{
	(void)state;
	live(0, 8);
	transfer(8 * HOUR + 20 * MIN, LOCAL, SERVER, 90, 0);
	f.clock.offset_ns += 86400 * (int64_t)NS_PER_S;
	transfer(8 * HOUR + 30 * MIN, LOCAL, SERVER, 90, 0);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, NULL);
	teardown(state);
	setup_without_beacons(state);
	live(0, 8);
	transfer(8 * HOUR, LOCAL, SERVER, 90, 0);
	f.clock.offset_ns -= 3600 * (int64_t)NS_PER_S;
	transfer(9 * HOUR + 10 * MIN, LOCAL, SERVER, 90, 0);
	anomaly_fixture_finish(&f, 10 * HOUR);
	assert_nothing();
}

static void test_a_nightly_backup_to_a_known_server_is_none(void **state)
{
	(void)state;
	/* the first one while the network is learned */
	for (uint32_t day = 0; day < 5; day++) {
		transfer(day * 24 * HOUR + 20 * MIN, LOCAL, SERVER, 300 + 10 * (day % 2), 10);
		live(day * 24 + 8, day * 24 + 18);
	}
	anomaly_fixture_finish(&f, 5 * 24 * HOUR);
	assert_nothing();
}

static void test_a_nightly_backup_that_comes_later_is_told_once(void **state)
{
	(void)state;
	live(0, 10);
	for (uint32_t day = 1; day < 6; day++)
		transfer(day * 24 * HOUR, LOCAL, SERVER, 300 + 10 * (day % 2), 10);
	anomaly_fixture_finish(&f, 6 * 24 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, NULL);
}

static void test_a_video_call_and_a_download_are_none(void **state)
{
	(void)state;
	live(0, 8);
	transfer(8 * HOUR + 30 * MIN, LOCAL, SERVER, 300, 250);
	transfer(9 * HOUR, LOCAL, "203.0.113.77", 10, 300);
	anomaly_fixture_finish(&f, 10 * HOUR);
	assert_nothing();
}

static void test_a_video_that_is_uploaded_to_where_many_do_is_none(void **state)
{
	(void)state;
	for (uint32_t h = 0; h < 8; h++) {
		for (uint32_t i = 0; i < 8; i++)
			transfer(h * HOUR + i * MIN, host(i), SERVER, 2, 6);
		transfer(h * HOUR + 20 * MIN, LOCAL, OTHER, 30 + h % 3, 4);
	}
	transfer(8 * HOUR + 30 * MIN, LOCAL, SERVER, 400, 1);
	/* ten times as much, by one of which nothing is known to be usual */
	transfer(8 * HOUR + 40 * MIN, "10.0.0.9", SERVER, 1700, 1);
	anomaly_fixture_run(&f, 10 * HOUR);
	assert_nothing();
	transfer(10 * HOUR + 30 * MIN, LOCAL, SERVER, 1700, 1);
	anomaly_fixture_finish(&f, 11 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, NULL);
}

static void test_in_the_first_hour_it_takes_four_times_as_much(void **state)
{
	struct anomaly_event e;

	(void)state;
	transfer(MIN, LOCAL, SERVER, 300, 1);
	anomaly_fixture_finish(&f, 30 * MIN);
	assert_nothing();
	transfer(31 * MIN, LOCAL, SERVER, 400, 1);
	anomaly_fixture_finish(&f, 40 * MIN);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, &e);
	assert_int_equal((int)e.threshold, 40);
	assert_int_equal(e.severity, 6);
	teardown(state);
	f.n_events = 0;
	f.cfg.anomaly.exfiltration.learning_s = 0;
	anomaly_fixture_open(&f);
	transfer(0, LOCAL, SERVER, 300, 10); /* from before the first sweep on */
	anomaly_fixture_finish(&f, 30 * MIN);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, &e);
	assert_in_range(e.confidence, 30, 45); /* nothing is known to be usual */
	assert_null(strstr(e.reason, "seldom"));
}

static void test_what_stays_inside_or_comes_from_outside_is_none(void **state)
{
	(void)state;
	live(0, 2);
	transfer(2 * HOUR, LOCAL, TARGET, 300, 0);
	transfer(2 * HOUR + 10 * MIN, SERVER, LOCAL, 300, 0);
	anomaly_fixture_finish(&f, 3 * HOUR);
	assert_nothing();
}

static void test_a_server_of_ours_that_is_asked_for_much_is_the_source(void **state)
{
	struct anomaly_event e;

	(void)state;
	live(0, 8);
	/* whoever asks: what leaves is what counts */
	transfer(8 * HOUR, SERVER, LOCAL, 0, 200);
	anomaly_fixture_finish(&f, 9 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, &e);
	assert_int_equal(host_ipv4(&e.source), 0x0a000001);
}

static void test_where_answers_are_not_seen_acknowledgements_are_none_and_data_is(void **state)
{
	struct anomaly_event e;

	(void)state;
	f.cfg.anomaly.exfiltration.mbyte_per_hour = 1;
	f.cfg.anomaly.exfiltration.learning_s = 0;
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, f.sweep.now_ns), 0);
	/* acknowledgements of a download */
	for (uint32_t i = 0; i < 40000; i++)
		packet(MIN + i * 10, LOCAL, CLIENT, OTHER, 443, TH_ACK, 0);
	assert_nothing();
	for (uint32_t i = 0; i < 100; i++)
		packet(10 * MIN + i * 10, LOCAL, CLIENT, SERVER, 443, TH_ACK, PACKET);
	anomaly_fixture_finish(&f, 20 * MIN);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, &e);
	assert_int_equal(e.visibility, ANOMALY_INGRESS_ONLY);
	assert_null(strstr(e.reason, "back"));
}

static void test_an_allowed_server_may_get_all(void **state)
{
	struct network_list *allow = &f.cfg.anomaly.exfiltration.allow;
	const char *reason;

	(void)state;
	live(0, 2);
	transfer(2 * HOUR, LOCAL, SERVER, 180, 0);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, NULL);
	assert_int_equal(network_parse("203.0.113.0/28", &allow->item[0], &reason), 0);
	allow->n = 1;
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, f.sweep.now_ns), 0);
	anomaly_fixture_run(&f, 2 * HOUR + 2 * MIN);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_EXFILTRATION, ANOMALY_END, NULL), 1);
	transfer(2 * HOUR + 10 * MIN, LOCAL, OTHER, 900, 0);
	anomaly_fixture_finish(&f, 3 * HOUR);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_EXFILTRATION, ANOMALY_START, NULL), 1);
}

static void echo(uint64_t ms, uint16_t asked, uint16_t answered)
{
	packet_at_all(ms, (struct anomaly_packet){.from = LOCAL,
						  .to = SERVER,
						  .from_port = 0x0800,
						  .protocol = IPPROTO_ICMP,
						  .payload = asked});
	packet_at_all(ms, (struct anomaly_packet){.from = SERVER,
						  .to = LOCAL,
						  .protocol = IPPROTO_ICMP,
						  .payload = answered});
}

static void test_what_passes_several_interfaces_counts_once(void **state)
{
	struct anomaly_event e;

	(void)state;
	n_interfaces = 3;
	live(0, 8);
	for (uint32_t i = 0; i < 200; i++)
		echo(8 * HOUR + i * 3000, 100, 1000);
	assert_nothing();
	transfer(8 * HOUR + 30 * MIN, LOCAL, SERVER, 170, 0);
	anomaly_fixture_finish(&f, 9 * HOUR);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, &e);
	assert_in_range((uint64_t)e.value, 10, 11);
	assert_in_range((uint64_t)(10 * e.baseline), 10, 15);
}

static void test_what_goes_on_at_another_interface_goes_on(void **state)
{
	(void)state;
	live(0, 8);
	transfer(8 * HOUR + 10 * MIN, LOCAL, SERVER, 90, 0);
	first_interface = 3;
	transfer(8 * HOUR + 20 * MIN, LOCAL, SERVER, 90, 0);
	assert_one(ANOMALY_EXFILTRATION, ANOMALY_BY_NONE, NULL);
	teardown(state);
	setup_without_beacons(state);
	for (uint32_t i = 0; i < 90; i++) {
		first_interface = i < 30 ? 0 : 1;
		echo(i * 500, 100, 1000);
	}
	anomaly_fixture_finish(&f, 60000);
	assert_one(ANOMALY_ICMP_TUNNEL, ANOMALY_BY_ICMP, NULL);
}

static void test_echo_replies_that_repeat_no_request_are_a_tunnel(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 59; i++)
		echo(i * 1000, 100, 1000);
	assert_nothing();
	for (uint32_t i = 59; i < 70; i++)
		echo(i * 1000, 100, 1000);
	anomaly_fixture_finish(&f, 80000);
	assert_one(ANOMALY_ICMP_TUNNEL, ANOMALY_BY_ICMP, &e);
	assert_int_equal(host_ipv4(&e.source), 0x0a000001);
	assert_int_equal(host_ipv4(&e.destination), 0xcb007109);
	assert_int_equal(e.value, 60);
	assert_true(e.octets_in > 9 * e.octets_out / 2);
	assert_non_null(strstr(e.reason, "what came back is not what was sent"));
}

static void test_echo_messages_that_differ_from_one_to_the_next_are_a_tunnel(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 120; i++)
		echo(i * 200, (uint16_t)(100 + i * 37 % 900), (uint16_t)(100 + i * 37 % 900));
	anomaly_fixture_finish(&f, 60000);
	assert_one(ANOMALY_ICMP_TUNNEL, ANOMALY_BY_ICMP, NULL);
}

static void test_pings_are_no_tunnel(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 600; i++)
		echo(i * 100, 1400, 1400); /* large and many, all the same */
	for (uint32_t i = 0; i < 600; i++)
		echo(200000 + i * 100, (uint16_t)(8 + i % 60), (uint16_t)(8 + i % 60)); /* small */
	for (uint32_t i = 0; i < 300; i++)
		echo(400000 + i * 3000, (uint16_t)(100 + i), (uint16_t)(100 + i)); /* seldom */
	anomaly_fixture_finish(&f, 1400000);
	assert_nothing();
}

/* Each detector remembers something in a Flow, and none what is another one's. */
static void test_of_many_hosts_each_is_told(void **state)
{
	enum { HOSTS = 24, OTHERS = 1800 };
	char from[32], to[32];
	uint32_t n_begun = 0;

	(void)state;
	live(0, 8);
	for (uint32_t i = 0; i < OTHERS; i++) { /* tables are full of them */
		snprintf(from, sizeof(from), "10.1.%u.%u", i / 250, i % 250 + 1);
		packet(8 * HOUR + 25 * MIN + i * 10, from, 1024, OTHER, 443, TH_ACK, 100);
	}
	for (uint32_t i = 0; i < HOSTS; i++) {
		snprintf(from, sizeof(from), "10.0.1.%u", i + 1);
		snprintf(to, sizeof(to), "203.0.113.%u", i + 20);
		transfer(8 * HOUR + 30 * MIN + i * 20000ULL, from, to, 170, 0);
	}
	anomaly_fixture_finish(&f, 9 * HOUR);
	for (uint32_t i = 0; i < f.n_events; i++)
		n_begun += f.event[i].class == ANOMALY_EXFILTRATION &&
			   f.event[i].state == ANOMALY_START;
	assert_int_equal(n_begun, HOSTS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_without_beacons, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_much_to_a_new_server_is_told_with_ratio_and_baseline),
		TEST(test_less_than_the_threshold_is_none),
		TEST(test_what_trickles_in_many_small_connections_adds_up),
		TEST(test_what_goes_slowly_is_told_by_the_day),
		TEST(test_what_matters_in_a_day_may_be_little_in_an_hour),
		TEST(test_a_server_known_from_before_is_told_when_the_host_never_sends_as_much),
		TEST(test_an_incident_tells_the_begin_and_the_flows_of_its_own_window),
		TEST(test_a_clock_that_is_set_moves_no_window),
		TEST(test_a_nightly_backup_to_a_known_server_is_none),
		TEST(test_a_nightly_backup_that_comes_later_is_told_once),
		TEST(test_a_video_call_and_a_download_are_none),
		TEST(test_a_video_that_is_uploaded_to_where_many_do_is_none),
		TEST(test_in_the_first_hour_it_takes_four_times_as_much),
		TEST(test_what_stays_inside_or_comes_from_outside_is_none),
		TEST(test_a_server_of_ours_that_is_asked_for_much_is_the_source),
		TEST(test_where_answers_are_not_seen_acknowledgements_are_none_and_data_is),
		TEST(test_an_allowed_server_may_get_all),
		TEST(test_echo_replies_that_repeat_no_request_are_a_tunnel),
		TEST(test_echo_messages_that_differ_from_one_to_the_next_are_a_tunnel),
		TEST(test_pings_are_no_tunnel),
		TEST(test_what_passes_several_interfaces_counts_once),
		TEST(test_what_goes_on_at_another_interface_goes_on),
		TEST(test_of_many_hosts_each_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
