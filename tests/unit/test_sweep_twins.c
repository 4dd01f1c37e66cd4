/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Twins: two slots of one Flow, made by two CPUs at the same moment. Whatever
 * the order the sweep meets them in, the collector sees one Flow and every
 * packet once.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "tests/lib/sweep_fixture.h"

#define START	  (1000 * FIXTURE_S)
#define START_MS  (START / FIXTURE_MS)
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

static void sweep(uint64_t after_ms)
{
	fixture_sweep(&f, START + after_ms * FIXTURE_MS);
}

static void meter(uint64_t after_ms, const struct fixture_packet *p)
{
	fixture_meter(&f, START + after_ms * FIXTURE_MS, p);
}

/* A Flow of one packet of 100 octets at START, and its twin of 3 packets, 2000 octets. */
static struct fixture_packet twins(bool is_shadow_first)
{
	struct fixture_packet p = {.id = fixture_twin_id(&f, 1, is_shadow_first), .ttl = 64};
	struct xfp_counts counts = {
		.sum = xfp_sum_of(3, 2000),
		.first_ns = START - 2 * FIXTURE_MS,
		.last_ns = START + 3 * FIXTURE_MS,
		.lengths = 1400u << 16 | 60,
		.ttl_flags = 70u << 24 | 50u << 16 | TH_URG,
	};

	meter(0, &p);
	fixture_twin(&f, &p, &counts);
	return p;
}

static void assert_whole_flow(const struct flow_record *r, uint64_t packets, uint64_t octets)
{
	assert_int_equal(r->packets, packets);
	assert_int_equal(r->octets, octets);
	assert_int_equal(r->start_ms, START_MS - 2);
	assert_int_equal(r->length_min, 60);
	assert_int_equal(r->length_max, 1400);
	assert_int_equal(r->ttl_min, 50);
	assert_int_equal(r->ttl_max, 70);
	assert_int_equal(r->tcp_flags, TH_URG);
}

static void test_twins_that_end_in_one_sweep_are_one_record(void **state)
{
	(void)state;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		twins(is_shadow_first);
		sweep(15010);
		assert_int_equal(f.n_records, 1);
		assert_whole_flow(&f.record[0], 4, 2100);
		assert_int_equal(f.record[0].end_ms, START_MS + 3);
		assert_int_equal(f.record[0].end_reason, FLOW_END_IDLE_TIMEOUT);
		assert_int_equal(f.sweep.stats.twins_folded, is_shadow_first + 1);
		assert_int_equal(fixture_flows(&f), 0);
		fixture_forget(&f);
	}
}

/* One of the two was created moments later: it is not due with the other. */
static void test_twin_that_is_not_due_itself_leaves_with_its_flow(void **state)
{
	(void)state;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		twins(is_shadow_first);
		sweep(15001);
		sweep(15010);
		assert_int_equal(f.n_records, 1);
		assert_whole_flow(&f.record[0], 4, 2100);
		assert_int_equal(f.sweep.stats.twins_folded, is_shadow_first + 1);
		assert_int_equal(fixture_flows(&f), 0);
		fixture_forget(&f);
	}
}

static void test_shadow_is_folded_into_the_flow_that_lives_on(void **state)
{
	(void)state;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		struct fixture_packet p = twins(is_shadow_first);

		for (uint64_t ms = 1000; ms <= 20000; ms += 1000) {
			meter(ms, &p);
			sweep(ms + 10);
		}
		assert_int_equal(f.n_records, 0);
		assert_int_equal(f.sweep.stats.twins_folded, is_shadow_first + 1);
		assert_int_equal(fixture_flows(&f), 1);
		sweep(35001);
		assert_int_equal(f.n_records, 1);
		assert_whole_flow(&f.record[0], 24, 4100);
		assert_int_equal(f.record[0].end_ms, START_MS + 20000);
		fixture_forget(&f);
	}
}

/*
 * The shadow's rest comes after the first report: the second has it, begins
 * where the first ended, and is of the same Flow.
 */
static void test_reports_before_and_after_the_fold_add_up(void **state)
{
	(void)state;
	f.sweep.timeouts.active_ns = 2 * FIXTURE_S;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		struct fixture_packet p = twins(is_shadow_first);
		uint64_t packets = 0, octets = 0;

		for (uint64_t ms = 500; ms <= 20000; ms += 500) {
			meter(ms, &p);
			sweep(ms + 10);
		}
		sweep(35001);
		assert_true(f.n_records >= 8);
		for (uint32_t i = 0; i < f.n_records; i++) {
			packets += f.record[i].packets;
			octets += f.record[i].octets;
			assert_int_equal(f.record[i].flow_id, f.record[0].flow_id);
			if (i > 0)
				assert_int_equal(f.record[i].start_ms, f.record[i - 1].end_ms);
		}
		assert_int_equal(packets, 44);
		assert_int_equal(octets, 6100);
		assert_int_equal(f.sweep.stats.twins_folded, is_shadow_first + 1);
		fixture_forget(&f);
	}
}

/* A mark moved back by the shadow's rest can be what an untouched Flow has: 0. */
static void test_mark_that_folding_brings_back_to_zero_is_still_a_mark(void **state)
{
	struct fixture_packet p = {.id = 7};
	struct xfp_counts counts = {
		.sum = xfp_sum_of(1, 60),
		.first_ns = START - 2 * FIXTURE_MS,
		.last_ns = START + 900 * FIXTURE_MS,
		.lengths = 60u << 16 | 60,
	};

	(void)state;
	f.sweep.timeouts.active_ns = 1000 * FIXTURE_MS;
	meter(0, &p);
	fixture_twin(&f, &p, &counts);
	f.cache.table[FLOW_IPV4].news[fixture_slot(&f, &p) / XFP_CHUNK_SLOTS] = 1;
	meter(500, &p);
	meter(1200, &p);
	for (uint64_t ms = 1001; ms < 18000; ms += 100)
		sweep(ms);
	assert_true(f.n_records >= 2);
	assert_int_equal(f.record[0].packets + f.record[1].packets, 4);
	for (uint32_t i = 1; i < f.n_records; i++) {
		assert_int_equal(f.record[i].flow_id, f.record[0].flow_id);
		assert_int_equal(f.record[i].start_ms, f.record[i - 1].end_ms);
	}
}

static void test_both_directions_with_twins_leave_as_two_records(void **state)
{
	struct fixture_packet p = {.id = 7, .is_ipv6 = true}, back = p;
	struct xfp_counts counts = {.sum = xfp_sum_of(1, 60),
				    .first_ns = START,
				    .last_ns = START,
				    .lengths = 60u << 16 | 60};

	(void)state;
	back.is_reverse = true;
	meter(0, &p);
	meter(0, &back);
	fixture_twin(&f, &p, &counts);
	fixture_twin(&f, &back, &counts);
	sweep(15001);
	assert_int_equal(f.n_records, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(f.record[i].packets, 2);
		assert_int_equal(f.record[i].octets, 160);
	}
	assert_int_equal(f.sweep.stats.twins_folded, 2);
	assert_int_equal(fixture_flows(&f), 0);
}

static void test_flush_folds_twins_first(void **state)
{
	(void)state;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		twins(is_shadow_first);
		sweep_flush(&f.sweep, START + FIXTURE_S, FLOW_END_FORCED);
		assert_int_equal(f.n_records, 1);
		assert_whole_flow(&f.record[0], 4, 2100);
		fixture_forget(&f);
	}
}

/*
 * Between marking and harvest the Flow's packets make a new one: the shadow's
 * rest belongs to the old Flow, not to that.
 */
static void test_flow_born_while_its_predecessor_retires_is_new(void **state)
{
	struct fixture_packet p;

	(void)state;
	p = twins(false);
	sweep_begin(&f.sweep, START + 15010 * FIXTURE_MS);
	assert_true(sweep_mark(&f.sweep));
	meter(15020, &p);
	sweep_harvest(&f.sweep);
	assert_false(sweep_mark(&f.sweep));
	assert_int_equal(f.n_records, 1);
	assert_whole_flow(&f.record[0], 4, 2100);
	sweep(30021);
	assert_int_equal(f.n_records, 2);
	assert_int_equal(f.record[1].packets, 1);
	assert_int_equal(f.record[1].start_ms, START_MS + 15020);
	assert_int_not_equal(f.record[1].flow_id, f.record[0].flow_id);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_twins_that_end_in_one_sweep_are_one_record),
		WITH_CACHE(test_twin_that_is_not_due_itself_leaves_with_its_flow),
		WITH_CACHE(test_shadow_is_folded_into_the_flow_that_lives_on),
		WITH_CACHE(test_reports_before_and_after_the_fold_add_up),
		WITH_CACHE(test_mark_that_folding_brings_back_to_zero_is_still_a_mark),
		WITH_CACHE(test_both_directions_with_twins_leave_as_two_records),
		WITH_CACHE(test_flush_folds_twins_first),
		WITH_CACHE(test_flow_born_while_its_predecessor_retires_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
