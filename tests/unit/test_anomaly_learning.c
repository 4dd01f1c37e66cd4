/* SPDX-License-Identifier: BSD-2-Clause */
/* The learning detector on a scripted clock: what is told, what is not, and what is learned. */
#include <stdlib.h>
#include <string.h>

#include "probe/anomaly_model.h"
#include "tests/lib/learning_site.h"

#define FANNED	((struct site_minute){.peers = 100, .out = 10, .in = 10})
#define SENDING ((struct site_minute){.peers = 8, .out = 3000, .in = 10})

static uint8_t *model;
static size_t model_octets;

/* Trained once for all tests: each goes on from what was learned then. */
static int train(void **state)
{
	(void)state;
	site_open();
	site_usual_minutes(0, SITE_TRAINED);
	anomaly_fixture_run(&f, SITE_AT(SITE_TRAINED));
	assert_int_equal(f.n_events, 0);
	model = malloc(anomaly_model_max());
	assert_non_null(model);
	model_octets = anomaly_model_save(f.anomaly, model);
	assert_in_range(model_octets, 1000, anomaly_model_max());
	anomaly_fixture_close(&f);
	return 0;
}

static int forget(void **state)
{
	(void)state;
	free(model);
	return 0;
}

static void load(void)
{
	const char *why;

	assert_int_equal(anomaly_model_load(f.anomaly, model, model_octets, &why), 0);
}

static int setup_trained(void **state)
{
	(void)state;
	site_open();
	load();
	return 0;
}

static int setup_untrained(void **state)
{
	(void)state;
	site_open();
	return 0;
}

static struct anomaly_learning_stats stats_now(void)
{
	struct anomaly_stats stats;

	anomaly_stats(f.anomaly, &stats);
	return stats.learning;
}

static uint32_t starts(struct anomaly_event *e)
{
	return anomaly_fixture_count(&f, ANOMALY_LEARNING, ANOMALY_START, e);
}

static void test_ten_times_the_peers_are_told_after_five_minutes_with_the_features(void **state)
{
	struct anomaly_event e;

	(void)state;
	site_odd_minutes(SITE_TRAINED, SITE_TRAINED + 4, FANNED);
	anomaly_fixture_run(&f, SITE_AT(SITE_TRAINED + 4));
	assert_int_equal(f.n_events, 0);
	site_odd_minutes(SITE_TRAINED + 4, SITE_TRAINED + 5, FANNED);
	anomaly_fixture_run(&f, SITE_AT(SITE_TRAINED + 5) + 2000);
	assert_int_equal(f.n_events, 1);
	assert_int_equal(starts(&e), 1);
	assert_int_equal(host_ipv4(&e.source), 0x0a000101);
	assert_false(e.has_destination);
	assert_true(e.value >= e.threshold && e.threshold >= 6);
	assert_in_range(e.severity, 4, 5);
	assert_string_equal(e.rule, "anomaly.learning.deviation");
	assert_in_range(e.n_features, 2, 3);
	/* ninety peers, where 3 to 13 are usual */
	assert_true(!strcmp(e.feature[0].name, "peers") || !strcmp(e.feature[1].name, "peers"));
	assert_true(e.feature[0].value > 10 * e.feature[0].usual);
	assert_true(e.n_targets == ANOMALY_TARGETS && e.n_flow_ids == ANOMALY_FLOW_IDS);
	assert_ptr_equal(strstr(e.reason, "10.0.1.1 was unlike itself for 5 min"), e.reason);
	assert_non_null(strstr(e.reason, "hosts talked to (usually "));
	assert_true(e.end_ms - e.start_ms > 4 * SITE_MIN - 2000);
}

static void test_a_hundred_times_the_volume_is_told_and_ends_when_it_is_over(void **state)
{
	struct anomaly_event e;

	(void)state;
	/* 1.5 MB a minute: 50 packets a second, to who got some before */
	site_odd_minutes(SITE_TRAINED, SITE_TRAINED + 7, SENDING);
	site_usual_minutes(SITE_TRAINED + 7, SITE_TRAINED + 16);
	anomaly_fixture_run(&f, SITE_AT(SITE_TRAINED + 16));
	assert_int_equal(starts(&e), 1);
	assert_true(e.octets_out > 1000000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_LEARNING, ANOMALY_END, NULL), 1);
	assert_int_equal(f.n_events, 2);
}

static void test_what_comes_in_strikes_the_host(void **state)
{
	struct anomaly_event e;

	(void)state;
	site_odd_minutes(SITE_TRAINED, SITE_TRAINED + 6,
			 (struct site_minute){.peers = 8, .out = 10, .in = 3000});
	assert_int_equal(starts(&e), 1);
	assert_false(e.has_source);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000101);
}

static void test_four_odd_minutes_in_a_row_are_none(void **state)
{
	(void)state;
	for (uint32_t minute = SITE_TRAINED; minute < SITE_TRAINED + 20; minute += 5) {
		site_odd_minutes(minute, minute + 4, FANNED);
		site_usual_minutes(minute + 4, minute + 5);
	}
	anomaly_fixture_finish(&f, SITE_AT(SITE_TRAINED + 20));
	assert_int_equal(f.n_events, 0);
}

static void test_a_site_that_goes_on_as_ever_raises_nothing(void **state)
{
	(void)state;
	site_usual_minutes(SITE_TRAINED, SITE_TRAINED + 30);
	anomaly_fixture_finish(&f, SITE_AT(SITE_TRAINED + 30));
	assert_int_equal(f.n_events, 0);
}

static void test_while_it_learns_it_says_so_and_tells_nothing(void **state)
{
	struct anomaly_learning_stats stats;

	(void)state;
	stats = stats_now();
	assert_true(stats.is_enabled && stats.is_learning && !stats.trained_pct && !stats.hosts);
	site_odd_minutes(0, 31, FANNED);
	stats = stats_now();
	/* thirty minutes are over, of sixty */
	assert_true(stats.is_learning);
	assert_int_equal(stats.trained_pct, 50);
	assert_int_equal(stats.hosts, SITE_HOSTS);
	assert_int_equal(stats.known_hosts, 0);
	assert_int_equal(f.n_events, 0);
}

static void test_what_was_saved_is_ready_at_once(void **state)
{
	struct anomaly_learning_stats stats = stats_now();

	(void)state;
	assert_true(!stats.is_learning);
	assert_int_equal(stats.trained_pct, 100);
	assert_int_equal(stats.known_hosts, SITE_HOSTS);
}

static void test_what_is_allowed_raises_nothing(void **state)
{
	const struct network host = {.address = host_of_ipv4(htonl(0x0a000101)), .length = 128};

	(void)state;
	f.cfg.anomaly.allow.item[f.cfg.anomaly.allow.n++] = host;
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, 0), 0);
	site_odd_minutes(SITE_TRAINED, SITE_TRAINED + 7, FANNED);
	anomaly_fixture_finish(&f, SITE_AT(SITE_TRAINED + 7));
	assert_int_equal(f.n_events, 0);
}

/* A scan makes many peers, too: it is one incident, and no lesson. */
static void test_what_another_detector_tells_is_not_told_again_nor_learned(void **state)
{
	(void)state;
	f.cfg.anomaly.scan.window_s = 60;
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, 0), 0);
	for (uint32_t minute = SITE_TRAINED; minute < SITE_TRAINED + 8; minute++) {
		site_minute(minute, 0, FANNED);
		for (uint32_t i = 0; i < 60; i++)
			refuse(SITE_AT(minute + 1) - 2000 + i, "10.0.1.1", "198.51.100.9",
			       (uint16_t)(1 + i + minute % 8 * 60));
	}
	anomaly_fixture_finish(&f, SITE_AT(SITE_TRAINED + 8));
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_PORT_SCAN, ANOMALY_START, NULL), 1);
	assert_int_equal(starts(NULL), 0);
}

/*
 * Of 128 minutes that are the past 64 would have to be odd ones before the median is
 * theirs, and one of ten is learned: an hour of it changes next to nothing.
 */
static void test_an_hour_of_an_attack_does_not_become_usual(void **state)
{
	struct anomaly_event e;

	(void)state;
	site_odd_minutes(SITE_TRAINED, SITE_TRAINED + 60, FANNED);
	site_usual_minutes(SITE_TRAINED + 60, SITE_TRAINED + 72);
	assert_int_equal(starts(NULL), 1);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_LEARNING, ANOMALY_END, NULL), 1);
	site_odd_minutes(SITE_TRAINED + 72, SITE_TRAINED + 77, FANNED);
	anomaly_fixture_run(&f, SITE_AT(SITE_TRAINED + 77));
	assert_int_equal(starts(&e), 2);
	assert_true(e.feature[0].usual < 20);
}

/* A host that comes up after the others have been learned has to be known itself first. */
static void test_a_host_that_is_new_is_not_judged(void **state)
{
	(void)state;
	site_usual_minutes(SITE_TRAINED, SITE_TRAINED + 2);
	for (uint32_t minute = SITE_TRAINED + 2; minute < SITE_TRAINED + 12; minute++)
		for (uint32_t i = 0; i < (minute < SITE_TRAINED + 5 ? 5 : 120); i++) {
			char peer[24];

			snprintf(peer, sizeof(peer), "203.0.113.%u", 1 + i);
			send_udp(SITE_AT(minute) + i * 400, "10.0.2.1", (uint16_t)(9000 + minute),
				 peer, 4500);
			send_udp(SITE_AT(minute) + i * 400 + 1, peer, 4500, "10.0.2.1",
				 (uint16_t)(9000 + minute));
		}
	anomaly_fixture_finish(&f, SITE_AT(SITE_TRAINED + 12));
	assert_int_equal(starts(NULL), 0);
}

static void test_hosts_that_are_forged_take_no_place_of_one_that_is_known(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 20000; i++) {
		char from[24];

		snprintf(from, sizeof(from), "10.9.%u.%u", i / 250, 1 + i % 250);
		send_udp(SITE_AT(SITE_TRAINED) + i * 5, from, 5000, "198.51.100.1", 53);
	}
	anomaly_fixture_run(&f, SITE_AT(SITE_TRAINED + 3));
	assert_int_equal(stats_now().known_hosts, SITE_HOSTS);
	assert_in_range(stats_now().hosts, 2000, 2048);
	assert_int_equal(starts(NULL), 0);
}

int main(void)
{
#define TRAINED(name) cmocka_unit_test_setup_teardown(name, setup_trained, teardown)
	const struct CMUnitTest tests[] = {
		TRAINED(test_ten_times_the_peers_are_told_after_five_minutes_with_the_features),
		TRAINED(test_a_hundred_times_the_volume_is_told_and_ends_when_it_is_over),
		TRAINED(test_what_comes_in_strikes_the_host),
		TRAINED(test_four_odd_minutes_in_a_row_are_none),
		TRAINED(test_a_site_that_goes_on_as_ever_raises_nothing),
		cmocka_unit_test_setup_teardown(test_while_it_learns_it_says_so_and_tells_nothing,
						setup_untrained, teardown),
		TRAINED(test_what_was_saved_is_ready_at_once),
		TRAINED(test_what_is_allowed_raises_nothing),
		TRAINED(test_what_another_detector_tells_is_not_told_again_nor_learned),
		TRAINED(test_an_hour_of_an_attack_does_not_become_usual),
		TRAINED(test_a_host_that_is_new_is_not_judged),
		TRAINED(test_hosts_that_are_forged_take_no_place_of_one_that_is_known),
	};

	return cmocka_run_group_tests(tests, train, forget);
}
