/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two CPUs meter the same few Flows, which a sweep retires and reports all the
 * time; stalls of microseconds open the windows in which a broken protocol loses
 * packets. At the end each Flow's records are compared with what was sent. Two
 * mutants, without a grace period and with tags published too early, must fail.
 *
 * timeout: 90
 */
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/clock.h"
#include "probe/grace.h"
#include "probe/ledger.h"
#include "probe/sweep.h"
#include "tests/lib/kernel_table.h"
#include "tests/lib/pkt.h"
#include "tests/lib/race_abi.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "tests/bpf/race.skel.h"
#include "tests/bpf/race_publish_first.skel.h"
#pragma GCC diagnostic pop

#define MAX_FLOWS	700 /* four chunks: room for the successors of what retires */
#define REPEAT		256 /* more would let a run hold up the grace period       */
#define IDLE_NS		50000
#define ACTIVE_NS	200000
#define RUN_NS		3000000000ULL
#define MUTANT_ATTEMPTS 5

/* What the records said of one Flow. */
struct exported {
	uint64_t packets;
	uint64_t octets;
	uint32_t tcp_flags;
	uint16_t ttl_min;
	uint16_t ttl_max;
};

struct race {
	struct kernel_table table;
	struct grace grace;
	struct sweep sweep;
	struct wall_clock clock;
	struct obs_table obs;
	const struct race_truth *truth; /* [RACE_CPUS][RACE_FLOWS] */
	struct exported exported[RACE_FLOWS];
	uint64_t strange; /* records of no Flow, or with times that cannot be */
	struct pkt_builder packet;
	bool has_grace;
	bool wants_stop;
	uint64_t ledger_checks;
	uint64_t ledger_faults;
};

/* How much of what was sent the records do not tell rightly. */
struct verdict {
	uint64_t sent;
	uint64_t packets_lost; /* sum over Flows of the difference, either way */
	uint64_t octets_lost;
	uint64_t wrong_flows; /* flags or extremes differ */
};

struct runner {
	struct race *race;
	int cpu;
	int status;
};

static void take_record(void *arg, const struct flow_record *r)
{
	struct race *race = arg;
	uint32_t flow = r->source4 - RACE_SOURCE;
	struct exported *e = &race->exported[flow % RACE_FLOWS];

	if (flow >= RACE_FLOWS || r->end_ms < r->start_ms || !r->packets) {
		race->strange++;
		return;
	}
	e->packets += r->packets;
	e->octets += r->octets;
	e->tcp_flags |= r->tcp_flags;
	if (!e->ttl_min || r->ttl_min < e->ttl_min)
		e->ttl_min = r->ttl_min;
	if (r->ttl_max > e->ttl_max)
		e->ttl_max = r->ttl_max;
}

static void *run_packets(void *arg)
{
	struct runner *runner = arg;
	struct race *race = runner->race;
	int program = kernel_table_program(&race->table, "race");
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(runner->cpu, &cpus);
	runner->status = -pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	while (runner->status >= 0 && !__atomic_load_n(&race->wants_stop, __ATOMIC_RELAXED))
		runner->status = kernel_table_run(program, race->packet.data,
						  (uint32_t)race->packet.len, REPEAT);
	return NULL;
}

static void sweep_once(struct race *race)
{
	sweep_begin(&race->sweep, clock_monotonic_ns());
	while (sweep_mark(&race->sweep)) {
		if (race->has_grace)
			assert_int_equal(grace_wait(&race->grace), 0);
		sweep_harvest(&race->sweep);
	}
}

/* seen, grace period, accounts, seen: the accounts must lie between. */
static void check_ledger(struct race *race)
{
	const struct flow_cache *cache = &race->table.cache;
	struct flow_cache_content content;
	struct xfp_ledger_row row;
	struct ledger ledger = {0};

	ledger_sum_rows(&row, cache->rows, cache->n_rows);
	ledger.seen_before = row.seen;
	assert_int_equal(grace_wait(&race->grace), 0);
	ledger_sum_rows(&ledger.accounts, cache->rows, cache->n_rows);
	flow_cache_content(cache, &content);
	ledger.exported.packets = race->sweep.stats.exported_packets;
	ledger.exported.octets = race->sweep.stats.exported_octets;
	ledger.in_cache.packets = content.packets;
	ledger.in_cache.octets = content.octets;
	ledger_sum_rows(&row, cache->rows, cache->n_rows);
	ledger.seen_after = row.seen;
	race->ledger_checks++;
	race->ledger_faults += !ledger_is_balanced(&ledger);
}

static void race_open(struct race *race, const void *elf, size_t elf_octets)
{
	struct flow_cache_params params;
	struct kernel_table_options options = {
		.elf = elf,
		.elf_octets = elf_octets,
		.params = &params,
		.max_flows = MAX_FLOWS,
		.programs = "race",
	};

	memset(race, 0, sizeof(*race));
	assert_int_equal(flow_cache_params_init(&params, MAX_FLOWS, 1), 0);
	assert_int_equal(kernel_table_open(&race->table, &options), 0);
	race->truth = kernel_table_mmap(&race->table, "race_truth");
	assert_non_null(race->truth);
	assert_int_equal(grace_open(&race->grace, kernel_table_map(&race->table, "xfp_grace")), 0);
	race->obs.n = 1;
	race->sweep.cache = &race->table.cache;
	race->sweep.clock = &race->clock;
	race->sweep.obs = &race->obs;
	race->sweep.timeouts.active_ns = ACTIVE_NS;
	race->sweep.timeouts.idle_ns = IDLE_NS;
	race->sweep.high_water_pct = 100;
	race->sweep.sink = take_record;
	race->sweep.sink_arg = race;
	assert_int_equal(sweep_open(&race->sweep), 0);
	pkt_init(&race->packet);
	pkt_eth(&race->packet);
	pkt_ipv4(&race->packet, "10.0.0.0", "192.0.2.1");
	pkt_tcp(&race->packet, 1024, 443, 0);
	pkt_payload(&race->packet, RACE_FRAME_OCTETS - race->packet.len);
	pkt_finish(&race->packet);
}

static void race_close(struct race *race)
{
	sweep_close(&race->sweep);
	grace_close(&race->grace);
	kernel_table_close(&race->table);
}

/* Both CPUs send and the sweep works for RUN_NS; then everything is exported. */
static void race_run(struct race *race)
{
	struct runner runner[RACE_CPUS] = {0};
	pthread_t thread[RACE_CPUS];
	uint64_t until = clock_monotonic_ns() + RUN_NS;

	for (int i = 0; i < RACE_CPUS; i++) {
		runner[i] = (struct runner){.race = race, .cpu = i};
		assert_int_equal(pthread_create(&thread[i], NULL, run_packets, &runner[i]), 0);
	}
	while (clock_monotonic_ns() < until) {
		sweep_once(race);
		if (race->has_grace)
			check_ledger(race);
	}
	__atomic_store_n(&race->wants_stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < RACE_CPUS; i++) {
		pthread_join(thread[i], NULL);
		assert_true(runner[i].status >= 0);
	}
	assert_int_equal(grace_wait(&race->grace), 0);
	check_ledger(race);
	sweep_flush(&race->sweep, clock_monotonic_ns(), FLOW_END_FORCED);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static void judge_flow(const struct race *race, uint32_t flow, struct verdict *v)
{
	const struct exported *e = &race->exported[flow];
	struct race_truth sum = {.ttl_min = UINT16_MAX};
	uint64_t in_flows;

	for (int cpu = 0; cpu < RACE_CPUS; cpu++) {
		const struct race_truth *t = &race->truth[cpu * RACE_FLOWS + flow];

		sum.packets += t->packets;
		sum.packets_overflowed += t->packets_overflowed;
		sum.tcp_flags |= t->tcp_flags;
		if (t->ttl_min && t->ttl_min < sum.ttl_min)
			sum.ttl_min = t->ttl_min;
		if (t->ttl_max > sum.ttl_max)
			sum.ttl_max = t->ttl_max;
	}
	in_flows = sum.packets - sum.packets_overflowed;
	v->sent += sum.packets;
	v->packets_lost += distance(in_flows, e->packets);
	v->octets_lost += distance(in_flows * RACE_OCTETS(flow), e->octets);
	v->wrong_flows += sum.tcp_flags != e->tcp_flags || sum.ttl_min != e->ttl_min ||
			  sum.ttl_max != e->ttl_max;
}

static struct verdict judge(const struct race *race)
{
	struct verdict v = {0};

	for (uint32_t flow = 0; flow < RACE_FLOWS; flow++)
		judge_flow(race, flow, &v);
	print_message("%llu packets, %llu sweeps, %llu places retired, %llu records, "
		      "%llu twins folded, %llu ledger readings; lost: %llu packets, "
		      "%llu octets, %llu Flows described wrongly\n",
		      (unsigned long long)v.sent, (unsigned long long)race->sweep.stats.sweeps,
		      (unsigned long long)race->sweep.stats.retired,
		      (unsigned long long)race->sweep.stats.exported_records,
		      (unsigned long long)race->sweep.stats.twins_folded,
		      (unsigned long long)race->ledger_checks, (unsigned long long)v.packets_lost,
		      (unsigned long long)v.octets_lost, (unsigned long long)v.wrong_flows);
	return v;
}

static void test_two_cpus_and_the_sweep_lose_and_misplace_nothing(void **state)
{
	static struct race race;
	struct verdict v;
	size_t octets;
	const void *elf = race_bpf__elf_bytes(&octets);

	(void)state;
	race_open(&race, elf, octets);
	race.has_grace = true;
	race_run(&race);
	v = judge(&race);
	assert_int_equal(v.packets_lost, 0);
	assert_int_equal(v.octets_lost, 0);
	assert_int_equal(v.wrong_flows, 0);
	assert_int_equal(race.strange, 0);
	assert_int_equal(race.ledger_faults, 0);
	assert_int_equal(race.sweep.stats.stranded, 0);
	/* the attack took place */
	assert_true(v.sent > 100000);
	assert_true(race.sweep.stats.twins_folded > 0);
	assert_true(race.sweep.stats.retired > RACE_FLOWS);
	assert_true(race.sweep.stats.by_reason[FLOW_END_ACTIVE_TIMEOUT] > 0);
	race_close(&race);
}

/* The mutant must be caught; the windows are small, so it may need more than one run. */
static void assert_loses(const void *elf, size_t octets, bool has_grace)
{
	static struct race race;

	for (int i = 0; i < MUTANT_ATTEMPTS; i++) {
		struct verdict v;

		race_open(&race, elf, octets);
		race.has_grace = has_grace;
		race_run(&race);
		v = judge(&race);
		race_close(&race);
		if (v.packets_lost > 0)
			return;
	}
	fail_msg("the mutant lost nothing in %d runs: this test sees nothing", MUTANT_ATTEMPTS);
}

static void test_mutant_without_grace_period_is_caught(void **state)
{
	size_t octets;
	const void *elf = race_bpf__elf_bytes(&octets);

	(void)state;
	assert_loses(elf, octets, false);
}

static void test_mutant_that_publishes_first_is_caught(void **state)
{
	size_t octets;
	const void *elf = race_publish_first_bpf__elf_bytes(&octets);

	(void)state;
	assert_loses(elf, octets, true);
}

/* With one CPU nothing races. */
static int setup(void **state)
{
	(void)state;
	if (sysconf(_SC_NPROCESSORS_ONLN) < RACE_CPUS) {
		print_error("the race test needs %d CPUs\n", RACE_CPUS);
		return -1;
	}
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_cpus_and_the_sweep_lose_and_misplace_nothing),
		cmocka_unit_test(test_mutant_without_grace_period_is_caught),
		cmocka_unit_test(test_mutant_that_publishes_first_is_caught),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
