/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timeouts that change while Flows are in the cache, as a reload changes them.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "tests/lib/sweep_fixture.h"

#define START	  (1000 * FIXTURE_S)
#define MAX_FLOWS 4096

static struct sweep_fixture f;

static int setup(void **state)
{
	(void)state;
	fixture_open(&f, MAX_FLOWS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

static void meter(uint64_t after_ms, struct fixture_packet p)
{
	fixture_meter(&f, START + after_ms * FIXTURE_MS, &p);
}

static void sweep(uint64_t after_ms)
{
	fixture_sweep(&f, START + after_ms * FIXTURE_MS);
}

/* The records since the last call are n, all with this reason. */
static void assert_records(uint32_t n, uint8_t reason)
{
	assert_int_equal(f.n_records, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(f.record[i].end_reason, reason);
}

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

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_shorter_timeouts_are_for_flows_that_were_put_off_too),
		WITH_CACHE(test_timeouts_may_change_while_flows_are_retiring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
