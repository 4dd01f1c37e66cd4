/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the sweep's observer is told: every Flow's packets exactly once, its start
 * and its end once each, whatever grows, folds or ends meanwhile.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "tests/lib/sweep_fixture.h"

#define START	  (1000 * FIXTURE_S)
#define MAX_FLOWS 65536
#define MAX_ID	  20000

/* What was told of one direction of a conversation. */
struct told {
	uint64_t packets;
	uint64_t octets;
	uint32_t n_new;
	uint32_t n_ended;
	uint32_t n_calls;
	uint32_t n_reverse; /* calls at which the other direction was found */
	uint64_t id;
	uint8_t end_reason;
};

static struct sweep_fixture f;
static struct told told[MAX_ID][2];
static uint32_t n_sweeps;
static bool wants_watch, has_twins;

static void on_flow(void *arg, const struct flow_delta *d)
{
	const struct xfp_key4 *k = d->key;
	bool is_reverse = ntohs(k->source_port) == 443;
	uint32_t id = ntohl(is_reverse ? k->destination : k->source) & 0xffffff;
	struct told *t = &told[id][is_reverse];
	struct flow_reverse reverse;

	assert_ptr_equal(arg, &f);
	assert_int_equal(d->family, FLOW_IPV4);
	t->packets += d->packets;
	t->octets += d->octets;
	if (!has_twins) {
		assert_int_equal(t->packets, d->total_packets);
		assert_int_equal(t->octets, d->total_octets);
	}
	assert_int_equal(d->is_new, t->n_calls == 0);
	assert_int_equal(*d->state & 0xffff, t->n_calls);
	(*d->state)++;
	if (wants_watch)
		*d->state |= SWEEP_WATCH;
	t->n_calls++;
	t->n_new += d->is_new;
	t->n_ended += d->is_ended;
	t->end_reason = d->end_reason;
	t->n_reverse += flow_delta_reverse(d, &reverse);
	t->id = flow_delta_id(d);
}

static void on_sweep(void *arg, uint64_t now_ns)
{
	assert_ptr_equal(arg, &f);
	assert_int_equal(now_ns, f.sweep.now_ns);
	n_sweeps++;
}

static const struct sweep_observer observer = {.arg = &f, .on_flow = on_flow, .on_sweep = on_sweep};

static int setup(void **state)
{
	(void)state;
	memset(told, 0, sizeof(told));
	n_sweeps = 0;
	wants_watch = has_twins = false;
	fixture_open_observed(&f, MAX_FLOWS, &observer);
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

static void test_a_flow_is_told_of_when_it_has_counted_and_when_it_ends(void **state)
{
	const struct told *t = &told[7][0];

	(void)state;
	meter(0, (struct fixture_packet){.id = 7, .octets = 100});
	sweep(1000);
	assert_int_equal(t->n_calls, 1);
	assert_int_equal(t->n_new, 1);
	assert_int_equal(t->packets, 1);
	sweep(2000);
	assert_int_equal(t->n_calls, 1);
	meter(2500, (struct fixture_packet){.id = 7, .octets = 200});
	meter(2600, (struct fixture_packet){.id = 7, .octets = 300});
	sweep(3000);
	assert_int_equal(t->n_calls, 2);
	assert_int_equal(t->packets, 3);
	assert_int_equal(t->octets, 600);
	sweep(18000);
	assert_int_equal(t->n_calls, 3);
	assert_int_equal(t->n_ended, 1);
	assert_int_equal(t->end_reason, FLOW_END_IDLE_TIMEOUT);
	assert_int_equal(t->id, f.record[0].flow_id);
	assert_int_equal(n_sweeps, 4);
	sweep(19000);
	assert_int_equal(t->n_calls, 3);
}

static void test_a_flow_that_is_watched_is_told_of_without_packets(void **state)
{
	(void)state;
	wants_watch = true;
	meter(0, (struct fixture_packet){.id = 7});
	sweep(1000);
	sweep(2000);
	wants_watch = false;
	sweep(3000);
	assert_int_equal(told[7][0].n_calls, 3);
	sweep(4000);
	assert_int_equal(told[7][0].n_calls, 3);
	assert_int_equal(told[7][0].packets, 1);
}

static void test_a_place_used_again_is_a_new_flow(void **state)
{
	(void)state;
	meter(0, (struct fixture_packet){.id = 7});
	sweep(1000);
	sweep(16000);
	assert_int_equal(told[7][0].n_ended, 1);
	memset(told, 0, sizeof(told));
	meter(16500, (struct fixture_packet){.id = 7});
	sweep(17000);
	assert_int_equal(told[7][0].n_new, 1);
	assert_int_equal(told[7][0].packets, 1);
}

static void test_the_other_direction_is_found_also_while_both_end(void **state)
{
	(void)state;
	meter(0, (struct fixture_packet){.id = 7, .protocol = IPPROTO_TCP, .tcp_flags = TH_SYN});
	sweep(1000);
	assert_int_equal(told[7][0].n_reverse, 0);
	meter(1500, (struct fixture_packet){.id = 7,
					    .is_reverse = true,
					    .protocol = IPPROTO_TCP,
					    .tcp_flags = TH_RST | TH_ACK});
	sweep(2000);
	assert_int_equal(told[7][1].n_reverse, 1);
	sweep(4000);
	for (int side = 0; side < 2; side++) {
		assert_int_equal(told[7][side].n_ended, 1);
		assert_int_equal(told[7][side].end_reason, FLOW_END_DETECTED);
	}
	assert_int_equal(told[7][0].n_reverse, 1);
	assert_int_equal(told[7][1].n_reverse, 2);
}

static void test_twins_are_told_of_as_one_flow(void **state)
{
	struct xfp_counts counts = {.sum = xfp_sum_of(5, 500), .first_ns = START};
	struct fixture_packet p = {.id = fixture_twin_id(&f, 1, false)};
	const struct told *t = &told[p.id][0];

	(void)state;
	counts.last_ns = START;
	has_twins = true;
	f.cache.is_native = false; /* where twins are looked for */
	meter(0, p);
	fixture_twin(&f, &p, &counts);
	sweep(1000);
	assert_int_equal(t->n_new, 1);
	assert_int_equal(t->packets, 1);
	sweep(16000);
	f.cache.is_native = true;
	assert_int_equal(t->n_new, 1);
	assert_int_equal(t->n_ended, 1);
	assert_int_equal(t->packets, 6);
	assert_int_equal(t->octets, 600);
}

static void test_all_of_many_flows_is_told_of_exactly_once_while_the_table_grows(void **state)
{
	static uint32_t sent[MAX_ID][2];
	uint32_t n_slots = f.cache.table[FLOW_IPV4].n_slots;

	(void)state;
	srand(1);
	memset(sent, 0, sizeof(sent));
	/* each id in a span of its own, so that no Flow ends and comes back */
	for (uint32_t ms = 0; ms < 40000; ms += 2) {
		uint32_t id = ms / 2000 * 1000 + (uint32_t)rand() % 1000;
		bool is_reverse = rand() % 2;

		meter(ms, (struct fixture_packet){.id = id, .is_reverse = is_reverse});
		sent[id][is_reverse]++;
		if (ms % 1000 == 0)
			sweep(ms);
	}
	assert_true(f.cache.table[FLOW_IPV4].n_slots > n_slots);
	sweep_flush(&f.sweep, START + 40000 * FIXTURE_MS, FLOW_END_FORCED);
	for (uint32_t id = 0; id < MAX_ID; id++) {
		for (int side = 0; side < 2; side++) {
			assert_int_equal(told[id][side].packets, sent[id][side]);
			assert_int_equal(told[id][side].n_new, sent[id][side] != 0);
			assert_int_equal(told[id][side].n_ended, sent[id][side] != 0);
		}
	}
}

static void test_nobody_observing_costs_no_memory(void **state)
{
	uint64_t kernel, watched, plain;

	(void)state;
	flow_cache_memory(&f.cache, &kernel, &watched);
	fixture_close(&f);
	fixture_open_small(&f, MAX_FLOWS);
	assert_null(f.cache.table[FLOW_IPV4].watch);
	flow_cache_memory(&f.cache, &kernel, &plain);
	assert_int_equal(watched - plain,
			 2 * 16 * f.cache.table[FLOW_IPV4].n_slots +
				 XFP_UNSEEN_ALL * sizeof(struct xfp_unseen_bucket));
	meter(0, (struct fixture_packet){.id = 7});
	sweep(1000);
	assert_int_equal(told[7][0].n_calls, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_flow_is_told_of_when_it_has_counted_and_when_it_ends),
		TEST(test_a_flow_that_is_watched_is_told_of_without_packets),
		TEST(test_a_place_used_again_is_a_new_flow),
		TEST(test_the_other_direction_is_found_also_while_both_end),
		TEST(test_twins_are_told_of_as_one_flow),
		TEST(test_all_of_many_flows_is_told_of_exactly_once_while_the_table_grows),
		TEST(test_nobody_observing_costs_no_memory),
	};
#undef TEST

	return cmocka_run_group_tests_name("sweep observer", tests, NULL, NULL);
}
