/* SPDX-License-Identifier: BSD-2-Clause */
/* When queued Messages may leave. Time is scripted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probe/exporter_pace.h"

#define MS 1000000ull
#define S  (1000 * MS)
#define T0 (1000 * S)

/* What is due is sent, every millisecond until that time. Returns how many are left. */
static uint64_t send_until(struct pace *p, uint64_t from_ns, uint64_t until_ns)
{
	for (uint64_t now_ns = from_ns; now_ns < until_ns; now_ns += MS) {
		for (uint64_t n = pace_due(p, now_ns); n; n--)
			pace_count(p, now_ns, 1);
	}
	return p->total - p->done;
}

static void test_messages_leave_within_the_interval_though_sweeps_follow_faster(void **state)
{
	struct pace p;
	uint64_t left = 50000;

	(void)state;
	pace_init(&p, 0);
	for (uint64_t now_ns = T0; now_ns < T0 + S; now_ns += 100 * MS) {
		pace_spread(&p, now_ns, S, left);
		left = send_until(&p, now_ns, now_ns + 100 * MS);
		/* evenly: a ninth of all in each of nine */
		uint64_t nth = (now_ns - T0) / (100 * MS) + 1;
		uint64_t expected = nth < 9 ? 50000 - 50000 * nth / 9 : 0;

		assert_in_range(left, expected, expected + 600);
	}
}

static void test_what_is_new_does_not_put_off_what_was_there(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 0);
	pace_spread(&p, T0, S, 900);
	assert_in_range(send_until(&p, T0, T0 + 450 * MS), 445, 455);
	/* as many again: the first 450 are due within 450 ms, so all are within 900 ms */
	pace_spread(&p, T0 + 450 * MS, S, 900);
	assert_in_range(send_until(&p, T0 + 450 * MS, T0 + 900 * MS), 440, 455);
	/* a few more hurry nobody, but the old ones stay in time */
	pace_spread(&p, T0 + 900 * MS, S, 460);
	assert_in_range(send_until(&p, T0 + 900 * MS, T0 + 1350 * MS), 0, 15);
}

static void test_what_was_put_off_is_spread_anew_by_a_new_session(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 0);
	pace_spread(&p, T0, S, 900);
	pace_restart(&p, T0 + 890 * MS, 900);
	assert_in_range(send_until(&p, T0 + 890 * MS, T0 + 1340 * MS), 445, 455);
}

static void test_sweep_that_finds_nothing_makes_the_pace_no_faster(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 0);
	pace_spread(&p, T0, S, 900);
	pace_spread(&p, T0 + S / 10, S, 0);
	assert_int_equal(p.window_ns, 900 * MS);
	assert_int_equal(pace_due(&p, T0 + S / 10), 0);
}

static void test_what_is_due_at_once_leaves_the_pace_of_others(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 0);
	pace_spread(&p, T0, S, 10);
	pace_count(&p, T0, 1);
	assert_true(pace_next(&p) > T0);
	p.at_once = 20;
	for (int i = 20; i > 0; i--) {
		assert_int_equal(pace_due(&p, T0), i);
		assert_int_equal(pace_next(&p), T0);
		pace_count(&p, T0, 1);
	}
	assert_int_equal(pace_due(&p, T0), 0);
	assert_int_equal(pace_due(&p, T0 + 450 * MS), 4);
}

static void test_one_that_is_late_sends_at_twice_the_pace(void **state)
{
	struct pace p;

	(void)state;
	pace_init(&p, 0);
	pace_spread(&p, T0, S, 90000); /* 100 in a millisecond */
	assert_int_equal(pace_due(&p, T0 + 50 * MS), PACE_BURST_MESSAGES);
	assert_in_range(pace_late_ns(&p), MS * 64 / 201, MS * 64 / 199);
	pace_restart(&p, T0, 900); /* a slow pace has 64 in a millisecond, too */
	assert_int_equal(pace_late_ns(&p), MS);
}

static void test_message_that_is_due_leaves_however_rarely_that_is(void **state)
{
	struct pace p;
	uint64_t now_ns = T0;

	(void)state;
	pace_init(&p, 0);
	pace_spread(&p, T0, 1000 * S, 10);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(pace_due(&p, now_ns), 1);
		pace_count(&p, now_ns, 1);
		assert_int_equal(pace_due(&p, now_ns), 0);
		assert_true(pace_next(&p) > now_ns);
		now_ns = pace_next(&p);
	}
	assert_int_equal(now_ns, UINT64_MAX);
}

static void test_what_a_long_sweep_finds_has_left_two_intervals_after_it_began(void **state)
{
	struct pace p;
	uint64_t left = 0, now_ns = T0;

	(void)state;
	assert_int_equal(pace_time_left(T0, S, T0 + MS), S);
	assert_int_equal(pace_time_left(T0, S, T0 + S), S);
	assert_int_equal(pace_time_left(T0, S, T0 + 3 * S), S / 4);
	pace_init(&p, 0);
	/* 32 slices of 50 ms with 2000 Messages each: none waits for the end of the sweep */
	for (int slice = 1; slice <= 32; slice++) {
		now_ns += 50 * MS;
		pace_spread(&p, now_ns, pace_time_left(T0, S, now_ns), left + 2000);
		left = send_until(&p, now_ns, now_ns + 50 * MS);
	}
	assert_in_range(left, 1, 32000);
	assert_int_equal(send_until(&p, now_ns + 50 * MS, T0 + 2 * S), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_messages_leave_within_the_interval_though_sweeps_follow_faster),
		cmocka_unit_test(test_what_is_new_does_not_put_off_what_was_there),
		cmocka_unit_test(test_what_was_put_off_is_spread_anew_by_a_new_session),
		cmocka_unit_test(test_sweep_that_finds_nothing_makes_the_pace_no_faster),
		cmocka_unit_test(test_what_is_due_at_once_leaves_the_pace_of_others),
		cmocka_unit_test(test_one_that_is_late_sends_at_twice_the_pace),
		cmocka_unit_test(test_message_that_is_due_leaves_however_rarely_that_is),
		cmocka_unit_test(
			test_what_a_long_sweep_finds_has_left_two_intervals_after_it_began),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
