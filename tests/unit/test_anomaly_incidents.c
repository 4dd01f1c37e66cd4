/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of incidents: one start, one end, updates on news only, and what has no room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "probe/anomaly_incidents.h"

#define START_NS (1000000 * NS_PER_S)

static struct incidents s;
static struct wall_clock clock_;
static struct network_list allow;
static struct anomaly_event told[4096];
static uint32_t n_told;

static void keep(void *arg, const struct anomaly_event *e)
{
	(void)arg;
	assert_true(n_told < 4096);
	told[n_told++] = *e;
}

static int setup(void **state)
{
	(void)state;
	memset(&allow, 0, sizeof(allow));
	n_told = 0;
	s = (struct incidents){.clock = &clock_, .allow = &allow, .sink = keep};
	return incidents_open(&s);
}

static int teardown(void **state)
{
	(void)state;
	incidents_close(&s);
	return 0;
}

/* Host 10.0.x.x reported with a value, threshold 10, a minute of quiet to end. */
static void report_as(uint32_t id, uint8_t class, float value, uint64_t family, bool has_new_target)
{
	struct anomaly_event e = {
		.class = class,
		.has_source = true,
		.source = host_of_ipv4(__builtin_bswap32(0x0a000000 + id)),
		.value = value,
		.threshold = 10,
		.start_ms = 1,
	};

	incidents_report(&s, &(struct incident_report){.key = id + 1 + 100000ull * class,
						       .family = family,
						       .parent = family,
						       .is_fresh = true,
						       .has_new_target = has_new_target,
						       .quiet_ms = 60000,
						       .event = &e});
}

static void report(uint32_t id, float value)
{
	report_as(id, ANOMALY_PORT_SCAN, value, 0, false);
}

static void at(uint64_t seconds)
{
	incidents_advance(&s, START_NS + seconds * NS_PER_S);
}

static void tick(uint64_t seconds)
{
	at(seconds);
	incidents_tick(&s);
}

static void assert_told(const char *states)
{
	static const char letters[] = "?SUE+";
	char text[64] = "";

	for (uint32_t i = 0; i < n_told && i < 63; i++)
		text[i] = letters[told[i].state];
	assert_string_equal(text, states);
}

static void test_an_incident_starts_at_the_threshold_and_ends_after_quiet(void **state)
{
	(void)state;
	at(0);
	report(1, 9);
	assert_told("");
	report(1, 10);
	assert_told("S");
	tick(59);
	assert_told("S");
	tick(60);
	assert_told("SE");
	assert_int_equal(told[0].event_id, told[1].event_id);
	assert_int_equal(told[0].sequence, 0);
	assert_int_equal(told[1].sequence, 1);
	tick(1000);
	assert_told("SE");
}

/* Twice the value, then four times that, then eight: 10, 20, 80, 640. */
static void test_what_grows_without_an_end_is_told_of_less_and_less_often(void **state)
{
	(void)state;
	at(0);
	for (uint32_t minute = 0; minute < 130; minute++) {
		at(60ull * minute);
		report(1, 10.0f + 10.0f * (float)minute);
		tick(60ull * minute);
	}
	assert_told("SUUU");
	assert_int_equal(told[1].value, 20);
	assert_int_equal(told[2].value, 80);
	assert_int_equal(told[3].value, 640);
}

static void test_above_half_the_threshold_it_goes_on_and_below_it_does_not(void **state)
{
	(void)state;
	at(0);
	report(1, 10);
	at(50);
	report(1, 5);
	tick(100);
	assert_told("S");
	report(1, 4);
	tick(110);
	assert_told("SE");
}

static void test_only_news_is_told_and_at_most_once_a_minute(void **state)
{
	(void)state;
	for (uint64_t t = 0; t <= 300; t++) {
		at(t);
		report(1, 10);
		incidents_tick(&s);
	}
	assert_told("S");
	at(301);
	report(1, 20);
	assert_told("SU");
	for (uint64_t t = 302; t < 361; t++) {
		at(t);
		report(1, (float)t);
		incidents_tick(&s);
	}
	assert_told("SU");
	tick(361);
	assert_told("SUU");
}

static void test_another_class_or_target_is_news(void **state)
{
	(void)state;
	at(0);
	report(1, 10);
	at(61);
	report_as(1, ANOMALY_PORT_SCAN, 10, 0, true);
	assert_told("SU");
}

static void test_what_comes_back_within_five_minutes_is_the_same_incident(void **state)
{
	(void)state;
	at(0);
	report(1, 10);
	tick(60);
	at(300);
	report(1, 10);
	assert_told("SEU");
	assert_int_equal(told[2].event_id, told[0].event_id);
	tick(360);
	assert_told("SEUE");
	at(361 + 300);
	report(1, 10);
	assert_int_equal(told[4].state, ANOMALY_START);
	assert_int_equal(told[4].sequence, 0);
}

static void test_what_is_part_of_an_incident_is_counted_with_it(void **state)
{
	(void)state;
	at(0);
	report_as(1, ANOMALY_SYN_FLOOD, 10, 77, false);
	report_as(1, ANOMALY_DDOS, 100, 77, false);
	report_as(2, ANOMALY_DDOS, 100, 78, false);
	assert_told("SS");
	assert_int_equal(told[1].class, ANOMALY_DDOS);
	tick(60);
	assert_int_equal(told[2].class, ANOMALY_SYN_FLOOD);
	assert_int_equal(told[2].suppressed, 1);
}

static void test_an_allowed_host_starts_nothing_and_ends_what_is_open_at_once(void **state)
{
	const char *reason;

	(void)state;
	at(0);
	report(1, 10);
	allow.n = 1;
	assert_int_equal(network_parse("10.0.0.1", &allow.item[0], &reason), 0);
	tick(1);
	assert_told("SE");
	report(1, 100);
	report(2, 10);
	assert_told("SES");
	assert_int_equal(s.n_allowed, 1);
}

static void test_more_than_the_budget_is_held_back_and_summed_up(void **state)
{
	uint32_t n_summary = 0;

	(void)state;
	at(0);
	for (uint32_t i = 0; i < 500; i++)
		report(i, 10);
	assert_int_equal(n_told, INCIDENTS_PER_S);
	tick(1);
	assert_int_equal(told[n_told - 1].state, ANOMALY_SUMMARY);
	assert_int_equal(told[n_told - 1].suppressed, 500 - INCIDENTS_PER_S);
	assert_string_equal(told[n_told - 1].reason,
			    "more events than may be told at once: 450 port-scan");
	tick(200);
	incidents_finish(&s, START_NS + 200 * NS_PER_S);
	for (uint32_t i = 0; i < n_told; i++)
		n_summary += told[i].state == ANOMALY_SUMMARY;
	assert_int_equal(n_summary, 1);
	/* a start each that was told, and an end */
	assert_int_equal(n_told, 2 * INCIDENTS_PER_S + 1);
}

static void test_more_incidents_than_there_is_room_for_are_counted(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < INCIDENTS_MAX + 10; i++) {
		at(i / 40);
		report_as(i, i % 2 ? ANOMALY_PORT_SCAN : ANOMALY_SYN_FLOOD, 10, 0, false);
	}
	assert_int_equal(n_told, INCIDENTS_MAX);
	assert_int_equal(s.n_held_back, 10);
}

static void test_many_incidents_of_one_class_leave_room_for_others(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 2 * INCIDENTS_MAX; i++) {
		at(i / 40);
		report(i, 10);
	}
	assert_int_equal(n_told, INCIDENTS_MAX / 2);
	report_as(1, ANOMALY_SYN_FLOOD, 10, 0, false);
	assert_int_equal(n_told, INCIDENTS_MAX / 2 + 1);
}

static void test_an_equal_key_of_another_host_is_another_incident(void **state)
{
	struct anomaly_event e = {.has_source = true, .value = 10, .threshold = 10};
	struct incident_report r = {.key = 7, .is_fresh = true, .quiet_ms = 600000, .event = &e};

	(void)state;
	at(0);
	incidents_report(&s, &r);
	assert_told("S");
	e = (struct anomaly_event){.has_source = true, .value = 1000, .threshold = 10};
	e.source = host_of_ipv4(1);
	at(100);
	incidents_report(&s, &r);
	assert_told("SS");
	assert_true(told[0].event_id != told[1].event_id);
	assert_true(host_equals(&told[1].source, &e.source));
}

static void test_the_end_of_the_run_ends_all(void **state)
{
	(void)state;
	at(0);
	report(1, 10);
	report(2, 10);
	report(3, 10);
	incidents_finish(&s, START_NS + NS_PER_S);
	assert_told("SSSEEE");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_an_incident_starts_at_the_threshold_and_ends_after_quiet),
		TEST(test_what_grows_without_an_end_is_told_of_less_and_less_often),
		TEST(test_above_half_the_threshold_it_goes_on_and_below_it_does_not),
		TEST(test_only_news_is_told_and_at_most_once_a_minute),
		TEST(test_another_class_or_target_is_news),
		TEST(test_what_comes_back_within_five_minutes_is_the_same_incident),
		TEST(test_what_is_part_of_an_incident_is_counted_with_it),
		TEST(test_an_allowed_host_starts_nothing_and_ends_what_is_open_at_once),
		TEST(test_more_than_the_budget_is_held_back_and_summed_up),
		TEST(test_more_incidents_than_there_is_room_for_are_counted),
		TEST(test_many_incidents_of_one_class_leave_room_for_others),
		TEST(test_an_equal_key_of_another_host_is_another_incident),
		TEST(test_the_end_of_the_run_ends_all),
	};
#undef TEST

	return cmocka_run_group_tests_name("incidents", tests, NULL, NULL);
}
