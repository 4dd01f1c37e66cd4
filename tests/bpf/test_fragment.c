/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of fragments behind every entry point of the program in the kernel:
 * each case must end as the table says, and as natively.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/fragment_cases.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

#define MAX_TESTS 64

static struct meter_fixture m;
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	meter_fixture_open(&m, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	meter_fixture_close(&m);
	return 0;
}

static void test_case(void **state)
{
	const struct fragment_case *c = *state;

	for (enum meter_hook hook = METER_NATIVE + 1; hook < METER_HOOKS; hook++) {
		uint8_t obs_point = meter_fixture_obs_point(hook);

		print_message("%s\n", meter_hook_name(hook));
		meter_fixture_clear(&m);
		for (unsigned int i = 0; fragment_case_build(c, i, &b); i++) {
			meter_fixture_run(&m, METER_NATIVE, b.data, b.len);
			meter_fixture_run(&m, hook, b.data, b.len);
		}
		fragment_case_assert(c, &m.kernel, obs_point);
		meter_assert_same(&m.native, &m.kernel, obs_point);
	}
}

/* Move the time of all that the table knows back by so many ticks of it. */
static void age(uint64_t ticks)
{
	for (int i = 0; i < XFP_FRAGMENT_BUCKETS; i++) {
		for (int n = 0; n < XFP_FRAGMENT_ENTRIES; n++) {
			struct xfp_fragment *e = &m.kernel.fragments[i].entry[n];
			uint64_t mark = e->mark ^ e->facts, time = (mark - ticks) & 0xffffff;

			e->mark = (mark >> 24 << 24 | time) ^ e->facts;
		}
	}
}

static void run(uint16_t offset)
{
	const struct fragment_case c = {
		.step = {{.id = 7, .offset = offset, .has_more = true, .payload = 24}}};

	assert_true(fragment_case_build(&c, 0, &b));
	meter_fixture_run(&m, METER_TC_INGRESS, b.data, b.len);
}

/* Ticks are of 4.2 ms; the first ageing leaves 150 ms, more than a run takes. */
static void test_ports_are_forgotten_after_some_seconds(void **state)
{
	const struct fragment_case expected = {
		.step = {{.payload = 1}, {.payload = 1}, {.payload = 1}},
		.flow = {{2, .source_port = 1234, .destination_port = 53}, {1}}};

	(void)state;
	meter_fixture_clear(&m);
	run(0);
	age(988);
	run(24);
	age(36);
	run(48);
	fragment_case_assert(&expected, &m.kernel, 0);
}

/* Ingress and egress of an interface see the same datagram each for itself. */
static void test_observation_points_share_no_datagram(void **state)
{
	const struct meter_flow flow = {CASE_ENDS4, .protocol = IPPROTO_UDP};

	(void)state;
	meter_fixture_clear(&m);
	run(0);
	run(24);
	meter_fixture_run(&m, METER_TC_EGRESS, b.data, b.len);
	assert_int_equal(flow_volume(meter_find_flow(&m.kernel, &flow, 1)).packets, 1);
}

int main(void)
{
	static struct CMUnitTest tests[MAX_TESTS] = {
		cmocka_unit_test(test_ports_are_forgotten_after_some_seconds),
		cmocka_unit_test(test_observation_points_share_no_datagram),
	};
	size_t n = 2;

	for (const struct fragment_case *c = fragment_cases; c->name; c++)
		if (!c->needs_time)
			tests[n++] = (struct CMUnitTest){.name = c->name,
							 .test_func = test_case,
							 .initial_state = (void *)(uintptr_t)c};
	return _cmocka_run_group_tests("fragments", tests, n, setup, teardown);
}
