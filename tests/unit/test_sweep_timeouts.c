/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timeouts that change while Flows are in the cache, as a reload changes them.
 */
#include "tests/lib/sweep_case.h"

static void test_shorter_timeouts_are_for_flows_that_were_put_off_too(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < 1000; id++)
		meter(0, (struct fixture_packet){.id = id});
	sweep(1000);
	f.sweep.timeouts.idle_ns = 2 * FIXTURE_S;
	sweep_look_again(&f.sweep);
	sweep(1900);
	assert_int_equal(f.n_records, 0);
	sweep(2001);
	assert_records(1000, FLOW_END_IDLE_TIMEOUT);
	/* and longer ones put off again */
	meter(3000, (struct fixture_packet){.id = 1});
	sweep(4000);
	f.sweep.timeouts.idle_ns = 30 * FIXTURE_S;
	sweep_look_again(&f.sweep);
	sweep(32999);
	assert_int_equal(f.n_records, 1000);
	sweep(33001);
	assert_int_equal(f.n_records, 1001);
}

static void test_timeouts_may_change_while_flows_are_retiring(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < 1000; id++)
		meter(0, (struct fixture_packet){.id = id});
	sweep_begin(&f.sweep, START + 16 * FIXTURE_S);
	while (sweep_mark(&f.sweep)) {
		f.sweep.timeouts.idle_ns = 60 * FIXTURE_S;
		sweep_look_again(&f.sweep);
		sweep_harvest(&f.sweep);
	}
	assert_in_range(f.n_records, 1, 999);
	sweep(61000);
	assert_int_equal(f.n_records, 1000);
	assert_int_equal(fixture_flows(&f), 0);
}

/* Each is passed over in many sweeps, as others of its chunk end before it. */
static void test_flows_that_were_passed_over_end_no_later_for_that(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 900; i++)
		meter(i, (struct fixture_packet){.id = i});
	sweep(1000);
	for (uint32_t i = 0; i < 900; i++) {
		sweep(15000 + i);
		assert_int_equal(f.n_records, i + 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_shorter_timeouts_are_for_flows_that_were_put_off_too),
		WITH_CACHE(test_timeouts_may_change_while_flows_are_retiring),
		WITH_CACHE(test_flows_that_were_passed_over_end_no_later_for_that),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
