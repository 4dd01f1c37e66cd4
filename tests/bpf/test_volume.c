/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two CPUs add to one Flow where the halves of its sum run over, while somebody reads:
 * every reading is of one moment, none is less than the one before, and at the end
 * there is every packet with its octets. As on x86, and as where reads are not in order.
 */
#include <net/ethernet.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/kernel_table.h"
#include "tests/lib/pkt.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "bpf/flow.skel.h"
#pragma GCC diagnostic pop

#define N_CPUS	  2
#define REPEAT	  4096 /* packets of a CPU in a round: long enough to meet the other */
#define N_ROUNDS  300
#define IP_OCTETS 140
#define EDGE	  (1ULL << 31)

static struct kernel_table table;
static struct pkt_builder b;
static struct xfp_counts *counts;
static pthread_barrier_t barrier;

struct runner {
	pthread_t thread;
	int cpu;
	int status;
	unsigned int n_done; /* rounds; read by the judge */
};

static void table_open(bool is_unordered)
{
	struct flow_cache_params params;
	struct kernel_table_options options = {.params = &params,
					       .max_flows = 16,
					       .programs = "xfp_tc_ingress",
					       .is_unordered = is_unordered};
	const struct flow_table *t = &table.cache.table[FLOW_IPV4];

	options.elf = flow_bpf__elf_bytes(&options.elf_octets);
	assert_int_equal(flow_cache_params_init(&params, 16, 1), 0);
	assert_int_equal(kernel_table_open(&table, &options), 0);
	pkt_init(&b);
	pkt_eth(&b);
	pkt_ipv4(&b, "10.0.0.1", "192.0.2.1");
	pkt_tcp(&b, 1024, 443, PKT_ACK);
	pkt_payload(&b, IP_OCTETS + ETH_HLEN - b.len);
	pkt_finish(&b);
	assert_true(kernel_table_run(kernel_table_program(&table, "xfp_tc_ingress"), b.data,
				     (uint32_t)b.len, 1) >= 0);
	counts = NULL;
	for (uint32_t slot = 0; slot < t->n_slots; slot++)
		if (*flow_tag_at(t, slot) >= XFP_TAG_FLOW)
			counts = flow_counts_at(t, slot);
	assert_non_null(counts);
	assert_int_equal(flow_volume(counts).octets, IP_OCTETS);
}

/* What was accumulated before a round: the edges are within it, and not in its last packets. */
static struct xfp_volume volume_before(unsigned int round)
{
	uint64_t part = round * 977 % (N_CPUS * REPEAT - 100);

	return (struct xfp_volume){
		.packets = round % 3 == 0 ? 12345 : (1 + round % 5) * EDGE - part,
		.octets = round % 3 == 1 ? 67890 : (1 + round % 7) * EDGE - part * IP_OCTETS,
	};
}

static void *send_packets(void *arg)
{
	struct runner *r = arg;
	int program = kernel_table_program(&table, "xfp_tc_ingress");
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(r->cpu, &cpus);
	r->status = -pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	for (unsigned int i = 0; i < N_ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		if (r->status >= 0)
			r->status = kernel_table_run(program, b.data, (uint32_t)b.len, REPEAT);
		__atomic_store_n(&r->n_done, i + 1, __ATOMIC_RELEASE);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

/* Whether a reading is of one moment, and not before the last one. */
static bool is_right(const struct xfp_volume *is, const struct xfp_volume *before,
		     struct xfp_volume *last)
{
	uint64_t packets = is->packets - before->packets, octets = is->octets - before->octets;
	bool result = packets <= N_CPUS * REPEAT && octets == packets * IP_OCTETS &&
		      is->packets >= last->packets;

	*last = *is;
	return result;
}

/* Returns how many readings were wrong; the last is of all packets, and carried. */
static unsigned int read_while_sent(const struct runner *r, unsigned int round,
				    const struct xfp_volume *before)
{
	struct xfp_volume last = *before, is;
	unsigned int n_wrong = 0;

	while (__atomic_load_n(&r[0].n_done, __ATOMIC_ACQUIRE) <= round ||
	       __atomic_load_n(&r[1].n_done, __ATOMIC_ACQUIRE) <= round) {
		is = flow_volume(counts);
		n_wrong += !is_right(&is, before, &last);
	}
	is = flow_volume(counts);
	return n_wrong + (is.packets != before->packets + N_CPUS * REPEAT ||
			  xfp_sum_carry(counts->sum.low, counts->sum.carries) ||
			  !is_right(&is, before, &last));
}

static void assert_exact(bool is_unordered)
{
	struct runner runner[N_CPUS] = {{.cpu = 0}, {.cpu = 1}};
	unsigned int n_wrong = 0;

	table_open(is_unordered);
	pthread_barrier_init(&barrier, NULL, N_CPUS + 1);
	for (int i = 0; i < N_CPUS; i++)
		assert_int_equal(pthread_create(&runner[i].thread, NULL, send_packets, &runner[i]),
				 0);
	for (unsigned int round = 0; round < N_ROUNDS; round++) {
		const struct xfp_volume before = volume_before(round);

		counts->sum = xfp_sum_of(before.packets, before.octets);
		pthread_barrier_wait(&barrier);
		n_wrong += read_while_sent(runner, round, &before);
		pthread_barrier_wait(&barrier);
	}
	for (int i = 0; i < N_CPUS; i++) {
		pthread_join(runner[i].thread, NULL);
		assert_true(runner[i].status >= 0);
	}
	pthread_barrier_destroy(&barrier);
	kernel_table_close(&table);
	assert_int_equal(n_wrong, 0);
}

static void test_two_cpus_add_exactly_where_the_sum_runs_over(void **state)
{
	(void)state;
	assert_exact(false);
}

static void test_two_cpus_add_exactly_where_reads_are_not_in_order(void **state)
{
	(void)state;
	assert_exact(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_cpus_add_exactly_where_the_sum_runs_over),
		cmocka_unit_test(test_two_cpus_add_exactly_where_reads_are_not_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
