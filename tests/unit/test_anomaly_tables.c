/* SPDX-License-Identifier: BSD-2-Clause */
/* Tables that detectors share: what they remember of hosts and services, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "probe/anomaly_known.h"
#include "probe/clock.h"

#define DAY_NS	 (86400 * NS_PER_S)
#define START_NS (1000 * DAY_NS)
#define HASH	 0x123456789abcdef0ULL

static void test_a_host_is_known_since_the_earliest_time_it_was_seen(void **state)
{
	struct known *k = calloc(1, sizeof(*k));

	(void)state;
	assert_int_equal(known_since(k, HASH, START_NS), START_NS);
	assert_int_equal(known_since(k, HASH, START_NS - DAY_NS), START_NS - DAY_NS);
	assert_int_equal(known_since(k, HASH, START_NS + DAY_NS), START_NS - DAY_NS);
	free(k);
}

static void test_time_that_runs_backwards_forgets_no_host(void **state)
{
	struct known *k = calloc(1, sizeof(*k));

	(void)state;
	known_since(k, HASH, START_NS);
	known_since(k, HASH, START_NS + 13 * DAY_NS);
	known_since(k, HASH, START_NS + DAY_NS);
	assert_int_equal(known_since(k, HASH, START_NS + 20 * DAY_NS), START_NS);
	/* but two weeks without it do */
	assert_int_equal(known_since(k, HASH, START_NS + 35 * DAY_NS), START_NS + 35 * DAY_NS);
	free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_host_is_known_since_the_earliest_time_it_was_seen),
		cmocka_unit_test(test_time_that_runs_backwards_forgets_no_host),
	};

	return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
