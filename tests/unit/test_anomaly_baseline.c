/* SPDX-License-Identifier: BSD-2-Clause */
/* What is usual of a rate: learned slowly, and not to be raised in a hurry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "probe/anomaly_baseline.h"

#define DAY_S	86400
#define SERVER	0x1001
#define BIN_S	(BASELINE_BIN_NS / NS_PER_S)
#define BEGIN_S (1000 * DAY_S)

static struct baselines *t;
static uint64_t now_s;

static int setup(void **state)
{
	(void)state;
	t = calloc(1, sizeof(*t));
	now_s = BEGIN_S;
	baselines_begin(t, now_s * NS_PER_S);
	return !t;
}

static int teardown(void **state)
{
	(void)state;
	free(t);
	return 0;
}

/* A rate that stays for some bins. */
static void stay(uint64_t name, float rate, uint32_t n_bins, bool is_odd)
{
	for (uint32_t i = 0; i < n_bins; i++, now_s += BIN_S)
		baselines_note(t, name, now_s * NS_PER_S, rate * (float)BIN_S, is_odd, true);
}

static struct baseline_usual usual(uint64_t name)
{
	return baselines_usual(t, name, now_s * NS_PER_S, DAY_S);
}

static void assert_about(float rate, float expected)
{
	if (rate < 0.93f * expected || rate > 1.07f * expected)
		fail_msg("%f is not about %f", (double)rate, (double)expected);
}

static void test_it_is_learning_until_a_day_is_known(void **state)
{
	(void)state;
	stay(SERVER, 1000, 143, false);
	assert_true(usual(SERVER).is_learning);
	assert_about(usual(SERVER).rate, 1000);
	stay(SERVER, 1000, 1, false);
	assert_false(usual(SERVER).is_learning);
	assert_about(usual(SERVER).rate, 1000);
}

static void test_of_a_rate_that_was_never_worth_a_place_nothing_is_usual(void **state)
{
	(void)state;
	baselines_note(t, SERVER, now_s * NS_PER_S, 1, false, false);
	now_s += DAY_S;
	assert_false(usual(SERVER).is_learning);
	assert_true(usual(SERVER).rate == 0);
}

static void test_rates_are_told_to_six_percent_whatever_their_size(void **state)
{
	static const float rates[] = {20, 3000, 1.25e8f, 1e11f};

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		stay(SERVER + i, rates[i], 200, false);
		assert_about(usual(SERVER + i).rate, rates[i]);
	}
}

/* 5 % of a day are 7.2 bins: eight are above what 95 of 100 are not. */
static void test_eighty_minutes_of_a_day_change_nothing_and_ninety_do(void **state)
{
	(void)state;
	stay(SERVER, 1000, 144 - 8, false);
	stay(SERVER, 4000, 8, false);
	assert_about(usual(SERVER).rate, 1000);
	stay(SERVER, 4000, 1, false);
	assert_about(usual(SERVER).rate, 4000);
}

static void test_of_a_week_it_takes_more_than_eight_hours(void **state)
{
	(void)state;
	stay(SERVER, 1000, BASELINE_BINS, false);
	stay(SERVER, 4000, 6 * 8, false);
	assert_about(usual(SERVER).rate, 1000);
	stay(SERVER, 4000, 6, false);
	assert_about(usual(SERVER).rate, 4000);
}

static void test_a_peak_within_ten_minutes_counts_as_their_mean(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 200; i++, now_s += BIN_S)
		baselines_note(t, SERVER, now_s * NS_PER_S, 60 * 10000, false, true);
	assert_about(usual(SERVER).rate, 1000);
}

static void test_what_was_above_the_threshold_is_never_learned(void **state)
{
	(void)state;
	stay(SERVER, 1000, 150, false);
	stay(SERVER, 1e6f, 850, true);
	assert_about(usual(SERVER).rate, 1000);
	assert_false(usual(SERVER).is_learning);
	/* with nearly all of the week odd there is too little left to know anything */
	stay(SERVER, 1e6f, 100, true);
	assert_true(usual(SERVER).is_learning);
}

static void test_a_week_without_it_forgets_it(void **state)
{
	(void)state;
	stay(SERVER, 1000, 300, false);
	now_s += 7 * DAY_S + BIN_S;
	assert_true(usual(SERVER).rate == 0);
}

static void test_time_that_runs_backwards_is_of_now(void **state)
{
	(void)state;
	stay(SERVER, 1000, 200, false);
	baselines_note(t, SERVER, (now_s - DAY_S) * NS_PER_S, 1e9f, false, true);
	assert_about(usual(SERVER).rate, 1000);
}

/* Of a set of eight, those that had half a day keep their places. */
static void test_new_names_take_no_place_of_settled_ones(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < BASELINE_WAYS; i++) {
		now_s = BEGIN_S;
		stay(SERVER + BASELINE_SETS * i, 1000, 144, false);
	}
	for (uint64_t i = BASELINE_WAYS; i < 10000; i++)
		baselines_note(t, SERVER + BASELINE_SETS * i, now_s * NS_PER_S, 1e9f, false, true);
	for (uint64_t i = 0; i < BASELINE_WAYS; i++)
		assert_about(usual(SERVER + BASELINE_SETS * i).rate, 1000);
	assert_true(usual(SERVER + BASELINE_SETS * 9999).rate == 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_it_is_learning_until_a_day_is_known),
		TEST(test_of_a_rate_that_was_never_worth_a_place_nothing_is_usual),
		TEST(test_rates_are_told_to_six_percent_whatever_their_size),
		TEST(test_eighty_minutes_of_a_day_change_nothing_and_ninety_do),
		TEST(test_of_a_week_it_takes_more_than_eight_hours),
		TEST(test_a_peak_within_ten_minutes_counts_as_their_mean),
		TEST(test_what_was_above_the_threshold_is_never_learned),
		TEST(test_a_week_without_it_forgets_it),
		TEST(test_time_that_runs_backwards_is_of_now),
		TEST(test_new_names_take_no_place_of_settled_ones),
	};
#undef TEST

	return cmocka_run_group_tests_name("what is usual", tests, NULL, NULL);
}
