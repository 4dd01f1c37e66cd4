/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments natively: each row of the table is a test, and the bounds of the
 * table of first fragments.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "probe/native_meter.h"
#include "tests/lib/fragment_cases.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/parse_cases.h"

#define N_ENTRIES   (XFP_FRAGMENT_BUCKETS * XFP_FRAGMENT_ENTRIES)
#define N_DATAGRAMS (2 * N_ENTRIES)
#define MAX_TESTS   64

static struct flow_cache cache;
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	return meter_cache_open(&cache);
}

static int teardown(void **state)
{
	(void)state;
	flow_cache_close(&cache);
	return 0;
}

static void test_case(void **state)
{
	const struct fragment_case *c = *state;

	meter_cache_clear(&cache);
	for (unsigned int i = 0; fragment_case_build(c, i, &b); i++)
		fragment_run_native(&cache, &b, c->step[i].at_ns);
	fragment_case_assert(c, &cache, 0);
}

static void run(uint32_t id, bool is_first)
{
	const struct fragment_case c = {.step = {{.id = id,
						  .offset = is_first ? 0 : 24,
						  .has_more = is_first,
						  .payload = 24}}};

	assert_true(fragment_case_build(&c, 0, &b));
	fragment_run_native(&cache, &b, 1);
}

static uint64_t packets_of(uint16_t source_port, uint16_t destination_port)
{
	const struct meter_flow flow = {CASE_ENDS4, .protocol = IPPROTO_UDP,
					.source_port = source_port,
					.destination_port = destination_port};

	return flow_volume(meter_find_flow(&cache, &flow, 0)).packets;
}

static void test_full_table_loses_ports_and_no_packet(void **state)
{
	uint64_t lost;

	(void)state;
	meter_cache_clear(&cache);
	for (uint32_t id = 0; id < N_DATAGRAMS; id++)
		run(id, true);
	for (uint32_t id = 0; id < N_DATAGRAMS; id++)
		run(id, false);
	lost = packets_of(0, 0);
	assert_int_equal(packets_of(1234, 53), 2 * N_DATAGRAMS - lost);
	assert_int_equal(cache.rows->accounted.packets, 2 * N_DATAGRAMS);
	assert_in_range(lost, N_DATAGRAMS - N_ENTRIES, N_DATAGRAMS - N_ENTRIES * 9 / 10);
}

static void test_full_table_keeps_the_latest_datagrams(void **state)
{
	(void)state;
	meter_cache_clear(&cache);
	for (uint32_t id = 0; id < N_DATAGRAMS; id++)
		run(id, true);
	run(N_DATAGRAMS - 1, false);
	assert_int_equal(packets_of(1234, 53), N_DATAGRAMS + 1);
}

/* Two CPUs wrote one entry, and each a half of it remained. */
static void test_torn_entry_gives_no_ports(void **state)
{
	struct xfp_fragment *entry[2];
	unsigned int n = 0;
	uint64_t facts;

	(void)state;
	meter_cache_clear(&cache);
	run(7, true);
	run(8, true);
	for (uint32_t i = 0; i < N_ENTRIES; i++) {
		struct xfp_fragment *e =
			&cache.fragments[i / XFP_FRAGMENT_ENTRIES].entry[i % XFP_FRAGMENT_ENTRIES];

		if (e->facts)
			entry[n++] = e;
	}
	assert_int_equal(n, 2);
	entry[0]->facts ^= 1ULL << 40; /* as if of other ports */
	facts = entry[1]->facts;
	entry[1]->facts = entry[0]->facts;
	entry[0]->facts = facts ^ 1ULL << 41;
	run(7, false);
	run(8, false);
	assert_int_equal(packets_of(0, 0), 2);
}

int main(void)
{
	static struct CMUnitTest tests[MAX_TESTS] = {
		cmocka_unit_test(test_full_table_loses_ports_and_no_packet),
		cmocka_unit_test(test_full_table_keeps_the_latest_datagrams),
		cmocka_unit_test(test_torn_entry_gives_no_ports),
	};
	size_t n = 3;

	for (const struct fragment_case *c = fragment_cases; c->name; c++)
		tests[n++] = (struct CMUnitTest){.name = c->name,
						 .test_func = test_case,
						 .initial_state = (void *)(uintptr_t)c};
	return _cmocka_run_group_tests("fragments", tests, n, setup, teardown);
}
