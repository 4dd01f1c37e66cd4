/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections that come back like clockwork, and what looks like it. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/anomaly_send.h"

#define MIN    (60 * 1000ULL)
#define SERVER "203.0.113.9"

/* A connection that is answered, exchanges a little and ends. */
static void exchange(uint64_t ms, const char *from, uint16_t from_port, const char *to,
		     uint16_t to_port, uint16_t octets)
{
	send_tcp(ms, from, from_port, to, to_port, TH_SYN);
	send_tcp(ms, to, to_port, from, from_port, TH_SYN | TH_ACK);
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = from,
						       .to = to,
						       .from_port = from_port,
						       .to_port = to_port,
						       .flags = TH_ACK | TH_PUSH,
						       .payload = octets});
	send_tcp(ms, to, to_port, from, from_port, TH_ACK | TH_FIN);
	send_tcp(ms, from, from_port, to, to_port, TH_ACK | TH_FIN);
}

static void ask(uint64_t ms, const char *from, uint16_t from_port, const char *to, uint16_t to_port)
{
	send_udp(ms, from, from_port, to, to_port);
	send_udp(ms, to, to_port, from, from_port);
}

/* Up to `most` either way, the same in each run. */
static int64_t random_within(int64_t most)
{
	static uint32_t x = 1;

	x = x * 1664525 + 1013904223;
	return (int64_t)(x >> 8) % (2 * most + 1) - most;
}

static void beacon(uint32_t n, uint64_t every_ms, int64_t jitter_ms)
{
	for (uint32_t i = 0; i < n; i++)
		exchange(10000 + i * every_ms + (uint64_t)random_within(jitter_ms), LOCAL,
			 (uint16_t)(CLIENT + i), SERVER, 443, 200);
}

static void test_a_beacon_is_told_at_its_24th_beat_with_period_and_jitter(void **state)
{
	struct anomaly_event e;

	(void)state;
	beacon(24, MIN, 3000);
	assert_nothing();
	anomaly_fixture_run(&f, 23 * MIN + 10000 + MIN);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, &e);
	assert_int_equal(host_ipv4(&e.source), 0x0a000001);
	assert_int_equal(host_ipv4(&e.destination), 0xcb007109);
	assert_int_equal(e.destination_port, 443);
	assert_int_equal(e.connections, 24);
	assert_in_range(e.interval_median_ms, 58500, 61500);
	assert_in_range(e.interval_mad_ms, 1, 3000);
	assert_true(e.interval_cv > 0 && e.interval_cv < 0.1f);
	assert_int_equal(e.severity, 3);
	assert_in_range(e.confidence, 1, 40);
	assert_int_equal(e.visibility, ANOMALY_BOTH);
	assert_string_equal(anomaly_technique(e.class), "T1071");
	assert_non_null(strstr(e.reason, "10.0.0.1 connected to port 443 of 203.0.113.9 every"));
}

static void test_23_beats_are_none(void **state)
{
	(void)state;
	beacon(23, MIN, 3000);
	anomaly_fixture_finish(&f, 60 * MIN);
	assert_nothing();
}

static void test_24_beats_in_less_than_ten_minutes_are_none(void **state)
{
	(void)state;
	beacon(24, 20000, 0);
	anomaly_fixture_finish(&f, 12 * MIN);
	assert_nothing();
}

static void test_severity_rises_with_hours_and_it_ends_after_five_missed_beats(void **state)
{
	struct anomaly_event e;
	uint32_t n = 8 * 12;

	(void)state;
	beacon(n, 5 * MIN, 10000);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, &e);
	assert_int_equal(e.severity, 5);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_UPDATE, &e), 1);
	assert_int_equal(e.severity, 7);
	assert_true(__builtin_popcount(e.hours_bitmap) >= 6);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_END, NULL), 0);
	anomaly_fixture_run(&f, (n + 4) * 5 * MIN);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_END, NULL), 0);
	anomaly_fixture_run(&f, (n + 8) * 5 * MIN);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_END, NULL), 1);
}

static void test_a_beacon_that_comes_back_is_another_incident(void **state)
{
	struct anomaly_event first, second;

	(void)state;
	beacon(40, MIN, 0);
	anomaly_fixture_run(&f, 120 * MIN);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_END, NULL), 1);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_START, &first), 1);
	for (uint32_t i = 120; i < 160; i++)
		exchange(i * MIN + 10000, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443, 200);
	anomaly_fixture_finish(&f, 161 * MIN);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_START, &second), 2);
	assert_true(first.event_id != second.event_id);
}

static void test_beats_that_are_missed_or_come_in_bursts_are_beats(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 60; i++)
		if (i % 5 != 3)
			exchange(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443, 200);
	anomaly_fixture_finish(&f, 61 * MIN);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, NULL);
	teardown(state);
	setup(state);
	for (uint32_t i = 0; i < 60; i++) {
		/* parallel connections, and one more behind */
		exchange(i * MIN, LOCAL, (uint16_t)(CLIENT + 3 * i), SERVER, 443, 200);
		exchange(i * MIN + 20, LOCAL, (uint16_t)(CLIENT + 3 * i + 1), SERVER, 443, 200);
		exchange(i * MIN + 4000, LOCAL, (uint16_t)(CLIENT + 3 * i + 2), SERVER, 443, 200);
	}
	anomaly_fixture_finish(&f, 61 * MIN);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, NULL);
}

static void test_a_beacon_by_udp_and_one_by_ipv6_are_found(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		ask(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 8443);
	anomaly_fixture_finish(&f, 41 * MIN);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, NULL);
	teardown(state);
	setup(state);
	for (uint32_t i = 0; i < 40; i++)
		exchange(i * MIN, "fd00::1", (uint16_t)(CLIENT + i), "2001:db8::9", 443, 200);
	anomaly_fixture_finish(&f, 41 * MIN);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, NULL);
}

static void test_a_beacon_is_found_where_answers_are_not_observed_and_says_so(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		send_tcp(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443, TH_SYN);
		send_tcp(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443, TH_ACK | TH_FIN);
	}
	anomaly_fixture_finish(&f, 41 * MIN);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, &e);
	assert_int_equal(e.visibility, ANOMALY_INGRESS_ONLY);
}

static void test_attempts_without_an_answer_are_no_beacon(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		send_tcp(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443, TH_SYN);
		connect_to(i * MIN, LOCAL, TARGET, 80); /* answers are observed here */
		send_udp(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 4444);
		refuse(i * MIN, LOCAL, SERVER, 8080);
	}
	anomaly_fixture_finish(&f, 61 * MIN);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_START, NULL), 0);
}

static void test_services_that_are_polled_by_nature_are_none(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		ask(i * MIN, LOCAL, 123, SERVER, 123);
		ask(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 53);
		exchange(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 993, 200);
	}
	anomaly_fixture_finish(&f, 61 * MIN);
	assert_nothing();
}

static void test_what_all_hosts_call_for_updates_is_none(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 60; i++)
		for (uint32_t h = 0; h < 8; h++)
			exchange(i * MIN + 5000 * h, host(h), (uint16_t)(CLIENT + i), SERVER, 443,
				 200);
	anomaly_fixture_finish(&f, 61 * MIN);
	assert_nothing();
}

static void test_a_connection_that_is_kept_alive_is_none(void **state)
{
	(void)state;
	connect_to(0, LOCAL, SERVER, 443);
	for (uint32_t i = 1; i < 300; i++) {
		/* longer apart than the idle timeout: a Flow of its own each */
		send_tcp(i * 45000, LOCAL, CLIENT, SERVER, 443, TH_ACK);
		send_tcp(i * 45000, SERVER, 443, LOCAL, CLIENT, TH_ACK);
		ask(i * 45000, LOCAL, CLIENT, SERVER, 443);
		/* and one that the active timeout cuts every minute */
		for (uint32_t j = 0; j < 5; j++)
			ask(i * 45000 + 9000 * j, LOCAL, CLIENT, SERVER, 51820);
	}
	anomaly_fixture_finish(&f, 300 * 45000);
	assert_nothing();
}

static void test_a_user_who_reads_pages_is_none(void **state)
{
	uint64_t ms = 0;

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		/* think, click, fetch what is on the page */
		ms += (uint64_t)(5000 + 100 * random_within(40) + (i % 7 ? 0 : 300000)) * 2;
		for (uint32_t j = 0; j < 4; j++)
			exchange(ms + 150 * j, LOCAL, (uint16_t)(CLIENT + 4 * i + j), SERVER, 443,
				 (uint16_t)(400 + random_within(300)));
		ms += (uint64_t)(abs((int)random_within(30)) * abs((int)random_within(30))) * 100;
	}
	anomaly_fixture_finish(&f, ms + MIN);
	assert_nothing();
}

static void test_a_pace_that_holds_a_little_more_than_half_of_the_time_is_none(void **state)
{
	uint64_t ms = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		ms += i % 5 < 3 ? MIN
				: 4 * MIN + MIN / 2 + (uint64_t)(30000 + random_within(30000));
		exchange(ms, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443, 200);
	}
	anomaly_fixture_finish(&f, ms + MIN);
	assert_nothing();
}

static void test_guessing_of_passwords_and_callers_from_outside_are_none(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 400; i++) {
		exchange(i * 5000, LOCAL, (uint16_t)(CLIENT + i), SERVER, 22, 300);
		exchange(i * 5000, SERVER, (uint16_t)(CLIENT + i), LOCAL, 443, 300);
		exchange(i * 5000, LOCAL, (uint16_t)(CLIENT + i), TARGET, 443, 300);
	}
	anomaly_fixture_finish(&f, 400 * 5000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_START, NULL), 0);
}

static void allow(struct network_list *list, const char *text)
{
	const char *reason;

	assert_int_equal(network_parse(text, &list->item[list->n], &reason), 0);
	list->n++;
}

static void test_an_allowed_service_is_none_and_ends_what_is_open(void **state)
{
	(void)state;
	beacon(40, MIN, 0);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, NULL);
	allow(&f.cfg.anomaly.beacon.allow, "203.0.113.0/24");
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, f.sweep.now_ns), 0);
	anomaly_fixture_run(&f, 41 * MIN + 10000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_END, NULL), 1);
	for (uint32_t i = 42; i < 100; i++)
		exchange(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443, 200);
	anomaly_fixture_finish(&f, 100 * MIN);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_START, NULL), 1);
}

static void test_what_is_told_of_late_counts_as_no_beat_of_its_own(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 40; i++) {
		uint64_t ms = i * MIN + 100;

		exchange(ms, LOCAL, (uint16_t)(CLIENT + 3 * i), SERVER, 443, 200);
		exchange(ms + 1500, LOCAL, (uint16_t)(CLIENT + 3 * i + 1), SERVER, 443, 200);
		anomaly_fixture_run(&f, ms + 2000);
		/* between both, and close to either */
		exchange(ms + 900, LOCAL, (uint16_t)(CLIENT + 3 * i + 2), SERVER, 443, 200);
	}
	anomaly_fixture_finish(&f, 41 * MIN);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_END, &e), 1);
	assert_in_range(e.connections, 38, 43);
}

static void test_a_beacon_that_starts_again_after_a_month_is_seen(void **state)
{
	const uint64_t month = 30 * 24 * 60;

	(void)state;
	exchange(0, LOCAL, CLIENT, SERVER, 443, 200);
	exchange(MIN, LOCAL, CLIENT + 1, SERVER, 443, 200);
	for (uint64_t i = month; i < month + 30; i++)
		exchange(i * MIN, LOCAL, (uint16_t)(CLIENT + 2 + i - month), SERVER, 443, 200);
	anomaly_fixture_finish(&f, (month + 31) * MIN);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, NULL);
}

static void test_time_that_runs_backwards_breaks_nothing(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		exchange((uint64_t)(100 + i) * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443,
			 200);
	for (uint32_t i = 0; i < 100; i++)
		exchange((uint64_t)(100 - i) * MIN, LOCAL, (uint16_t)(i + 1), SERVER, 443, 200);
	anomaly_fixture_finish(&f, 200 * MIN);
	assert_one(ANOMALY_BEACON, ANOMALY_BY_NONE, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_beacon_is_told_at_its_24th_beat_with_period_and_jitter),
		TEST(test_23_beats_are_none),
		TEST(test_24_beats_in_less_than_ten_minutes_are_none),
		TEST(test_severity_rises_with_hours_and_it_ends_after_five_missed_beats),
		TEST(test_a_beacon_that_comes_back_is_another_incident),
		TEST(test_beats_that_are_missed_or_come_in_bursts_are_beats),
		TEST(test_a_beacon_by_udp_and_one_by_ipv6_are_found),
		TEST(test_a_beacon_is_found_where_answers_are_not_observed_and_says_so),
		TEST(test_attempts_without_an_answer_are_no_beacon),
		TEST(test_services_that_are_polled_by_nature_are_none),
		TEST(test_what_all_hosts_call_for_updates_is_none),
		TEST(test_a_connection_that_is_kept_alive_is_none),
		TEST(test_a_user_who_reads_pages_is_none),
		TEST(test_a_pace_that_holds_a_little_more_than_half_of_the_time_is_none),
		TEST(test_guessing_of_passwords_and_callers_from_outside_are_none),
		TEST(test_an_allowed_service_is_none_and_ends_what_is_open),
		TEST(test_what_is_told_of_late_counts_as_no_beat_of_its_own),
		TEST(test_a_beacon_that_starts_again_after_a_month_is_seen),
		TEST(test_time_that_runs_backwards_breaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
