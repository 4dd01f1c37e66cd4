/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of packets behind every entry point: each case must end as the
 * table says, natively and in the kernel, and both caches must be the same; once
 * with the plain lane, once with all details kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

static struct meter_fixture m;
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	meter_fixture_open(&m, 1);
	return 0;
}

static int setup_with_details(void **state)
{
	(void)state;
	meter_fixture_open_details(&m, 1, (1u << XFP_N_DETAILS) - 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	meter_fixture_close(&m);
	return 0;
}

/* Returns the frames' octets together. */
static uint64_t run_case(const struct parse_case *c, enum meter_hook hook)
{
	unsigned int n = c->n_packets ? c->n_packets : 1;
	uint64_t octets = 0;

	for (unsigned int i = 0; i < n; i++) {
		c->build(&b, i);
		octets += b.len;
		meter_fixture_run(&m, hook, b.data, b.len);
	}
	return octets;
}

static void test_case(const struct parse_case *c)
{
	for (enum meter_hook hook = METER_NATIVE + 1; hook < METER_HOOKS; hook++) {
		uint8_t obs_point = meter_fixture_obs_point(hook);
		uint64_t octets;

		print_message("%s: %s\n", c->name, meter_hook_name(hook));
		meter_fixture_clear(&m);
		octets = run_case(c, METER_NATIVE);
		parse_case_assert(c, &m.native, 0, octets);
		run_case(c, hook);
		parse_case_assert(c, &m.kernel, obs_point, octets);
		meter_assert_same(&m.native, &m.kernel, obs_point);
	}
}

static void test_table(const struct parse_case *c)
{
	for (; c->name; c++)
		test_case(c);
}

static void test_link_layer(void **state)
{
	(void)state;
	test_table(parse_cases_link);
}

static void test_sessions_and_labels(void **state)
{
	(void)state;
	test_table(parse_cases_session);
}

static void test_ipv4(void **state)
{
	(void)state;
	test_table(parse_cases_ipv4);
}

static void test_ipv6(void **state)
{
	(void)state;
	test_table(parse_cases_ipv6);
}

static void test_transport(void **state)
{
	(void)state;
	test_table(parse_cases_transport);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link_layer), cmocka_unit_test(test_sessions_and_labels),
		cmocka_unit_test(test_ipv4),	   cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_transport),
	};

	return cmocka_run_group_tests_name("without details", tests, setup, teardown) +
	       cmocka_run_group_tests_name("with details", tests, setup_with_details, teardown);
}
