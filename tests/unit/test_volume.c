/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets and octets of a Flow in one sum: exact at any moment, also where the halves
 * of the sum run over. tests/bpf/test_volume.c has two CPUs do the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/sweep_fixture.h"

#define START  (1000 * FIXTURE_S)
#define OCTETS 1500
#define ROUND  64

static struct sweep_fixture f;

static const uint64_t edges[] = {
	0,	    1,		 0x7ffffffe,  0x7fffffff,  0x80000000,		 0x80000001,
	0xffffffff, 0x100000000, 0x17fffffff, 0x180000000, 0x123456789abcdefULL, (1ULL << 62) + 5,
};

#define N_EDGES (sizeof(edges) / sizeof(*edges))

static void assert_volume(struct xfp_volume is, uint64_t packets, uint64_t octets)
{
	assert_int_equal(is.packets, packets);
	assert_int_equal(is.octets, octets);
}

static void test_volume_is_what_was_summed(void **state)
{
	(void)state;
	for (size_t p = 0; p < N_EDGES; p++) {
		for (size_t o = 0; o < N_EDGES; o++) {
			struct xfp_sum sum = xfp_sum_of(edges[p], edges[o]);

			assert_int_equal(xfp_sum_carry(sum.low, sum.carries), 0);
			assert_volume(xfp_sum_volume(sum.low, sum.carries), edges[p], edges[o]);
		}
	}
}

static void test_sum_that_is_not_carried_yet_is_read_rightly(void **state)
{
	(void)state;
	for (size_t p = 0; p < N_EDGES; p++) {
		for (size_t o = 0; o < N_EDGES; o++) {
			struct xfp_sum before = xfp_sum_of(edges[p], edges[o]);
			uint64_t low = before.low + xfp_sum_step(3, 9000);

			assert_volume(xfp_sum_volume(low, before.carries), edges[p] + 3,
				      edges[o] + 9000);
		}
	}
}

/* ---- through the Metering Process and the sweep -------------------------------------- */

static int setup(void **state)
{
	(void)state;
	fixture_open(&f, 64);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

/* As if the Flow had accumulated and exported so much. */
static struct xfp_counts *flow_put(const struct fixture_packet *p, uint64_t packets,
				   uint64_t octets)
{
	struct flow_table *t = &f.cache.table[p->is_ipv6 ? FLOW_IPV6 : FLOW_IPV4];
	uint32_t slot = fixture_slot(&f, p);

	t->marks[slot] = (struct flow_mark){packets, octets};
	flow_counts_at(t, slot)->sum = xfp_sum_of(packets, octets);
	return flow_counts_at(t, slot);
}

/* From some packets before both edges to some behind them. */
static void assert_exact_over(uint64_t packets, uint64_t octets, bool is_ipv6)
{
	const struct fixture_packet p = {.id = 7, .octets = OCTETS, .is_ipv6 = is_ipv6};
	uint64_t exported = f.sweep.stats.exported_octets;
	struct xfp_counts *c;

	packets -= packets < ROUND / 2 ? packets : ROUND / 2;
	octets -= octets < ROUND / 2 * OCTETS ? octets : ROUND / 2 * OCTETS;
	fixture_meter(&f, START, &p);
	c = flow_put(&p, packets, octets);
	for (unsigned int i = 1; i <= ROUND; i++) {
		fixture_meter(&f, START, &p);
		assert_volume(flow_volume(c), packets + i, octets + (uint64_t)i * OCTETS);
	}
	/* what the last packet carried is left to the next */
	assert_int_equal(c->sum.carries,
			 xfp_sum_of(packets + ROUND - 1, octets + (ROUND - 1ULL) * OCTETS).carries);
	fixture_forget(&f);
	sweep_flush(&f.sweep, START + FIXTURE_S, FLOW_END_FORCED);
	assert_int_equal(f.n_records, 1);
	assert_int_equal(f.record[0].packets, ROUND);
	assert_int_equal(f.record[0].octets, ROUND * OCTETS);
	assert_int_equal(f.sweep.stats.exported_octets - exported, ROUND * OCTETS);
}

static void test_flow_is_exact_where_its_sum_runs_over(void **state)
{
	(void)state;
	for (size_t p = 0; p < N_EDGES; p++)
		for (size_t o = 0; o < N_EDGES; o++)
			for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++)
				assert_exact_over(edges[p], edges[o], is_ipv6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volume_is_what_was_summed),
		cmocka_unit_test(test_sum_that_is_not_carried_yet_is_read_rightly),
		cmocka_unit_test_setup_teardown(test_flow_is_exact_where_its_sum_runs_over, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
