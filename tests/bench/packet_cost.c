/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nanoseconds per packet of the whole program in the kernel while Flows are born
 * and die, against the same program around BPF_MAP_TYPE_HASH and against one
 * dependent random cache-line read. All of them take turns in every round.
 *
 *	packet_cost [-r ROUNDS] [-k tc|xdp] [-f KIND] [LIVE_FLOWS:NEW_PERCENT]...
 *
 * KIND  of frame: ipv4, tagged, ipv6, tagged_ipv6
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bench/chase.h"
#include "tests/bench/report.h"
#include "tests/bench/subject.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "tests/bench/bench.skel.h"
#include "tests/bench/bench_hash.skel.h"
#pragma GCC diagnostic pop

#define MAX_ROUNDS  99
#define CHASE_LINES 1310720 /* 84 MB: the slots of 1 M Flows at load 0.80 */

/* Targets of a load; 0: none. */
struct cell {
	uint32_t max_flows;
	uint32_t new_percent;
	double hash_ratio;
	double line_ratio;
	double cost_ns;
};

static const struct cell goals[] = {
	{.max_flows = 1024, .new_percent = 0, .hash_ratio = 0.80, .cost_ns = 67},
	{.max_flows = 1024, .new_percent = 5, .hash_ratio = 0.80, .cost_ns = 67},
	{.max_flows = 65536, .new_percent = 1, .hash_ratio = 0.45},
	{.max_flows = 65536, .new_percent = 5, .hash_ratio = 0.45},
	{.max_flows = 1048576, .new_percent = 5, .hash_ratio = 0.55, .line_ratio = 1.7},
	{.max_flows = 1048576, .new_percent = 50, .hash_ratio = 0.70},
};

#define N_GOALS (sizeof(goals) / sizeof(*goals))

struct samples {
	double base[MAX_ROUNDS];
	double table[MAX_ROUNDS];
	double hash[MAX_ROUNDS];
	double line[MAX_ROUNDS];
	double hash_ratio[MAX_ROUNDS];
	double line_ratio[MAX_ROUNDS];
};

/* ---- a cell ---------------------------------------------------------------------------- */

static void cell_report(const struct cell *c, const char *hook, const struct subject *table,
			struct samples *v, unsigned int rounds)
{
	char name[3][80];
	uint64_t inserts, misses;
	double cost = report_median(v->table, rounds);

	snprintf(name[0], 80, "%s, %s, %u Flows, %u %% new", hook, table->kind->name, c->max_flows,
		 c->new_percent);
	snprintf(name[1], 80, "  / hash map (%.0f ns)", report_median(v->hash, rounds));
	snprintf(name[2], 80, "  / cache-line read (%.0f ns)", report_median(v->line, rounds));
	report_print(&(struct report_line){name[0], cost, "ns/packet", 0, c->cost_ns, 0});
	report_print(&(struct report_line){name[1], cost, "ns/packet",
					   report_median(v->hash_ratio, rounds), c->hash_ratio, 0});
	report_print(&(struct report_line){name[2], cost, "ns/packet",
					   report_median(v->line_ratio, rounds), c->line_ratio, 0});
	subject_ledger(table, &inserts, &misses);
	inserts -= table->inserts;
	misses -= table->misses;
	if (c->new_percent)
		report_print(&(struct report_line){"  inserts without a place",
						   100.0 * misses / (inserts + misses), "%", 0, 0.1,
						   0});
}

static int subjects_open(struct subject *table, struct subject *hash, const struct load *l,
			 const char *hook)
{
	struct flow_cache_params params;
	struct kernel_table_options own = {.params = &params}, other = {.params = &params};
	int err =
		flow_cache_params_init(&params, load_flows(l, FLOW_IPV4), load_flows(l, FLOW_IPV6));

	own.elf = bench_bpf__elf_bytes(&own.elf_octets);
	other.elf = bench_hash_bpf__elf_bytes(&other.elf_octets);
	if (!err)
		err = subject_open(table, l, own, hook);
	return err ? err : subject_open(hash, l, other, hook);
}

/* Targets are of the plain IPv4 packet. */
static struct cell cell_of(const struct load *l)
{
	for (size_t i = 0; i < N_GOALS && l->kind == &kinds[0]; i++)
		if (goals[i].max_flows == l->max_flows && goals[i].new_percent == l->new_percent)
			return goals[i];
	return (struct cell){.max_flows = l->max_flows, .new_percent = l->new_percent};
}

static int cell_run(const struct load *l, struct chase *chase, const char *hook,
		    unsigned int rounds)
{
	static struct samples v;
	const struct cell c = cell_of(l);
	struct subject table = {}, hash = {};
	int err = subjects_open(&table, &hash, l, hook);

	for (unsigned int i = 0; i < rounds && !err; i++) {
		v.base[i] = subject_block(&table, l, table.base);
		v.table[i] = subject_block(&table, l, table.meter) - v.base[i];
		v.hash[i] = subject_block(&hash, l, hash.meter) - v.base[i];
		v.line[i] = chase_run(chase);
		v.hash_ratio[i] = v.table[i] / v.hash[i];
		v.line_ratio[i] = v.table[i] / v.line[i];
	}
	if (!err)
		cell_report(&c, hook, &table, &v, rounds);
	subject_close(&table);
	subject_close(&hash);
	return err;
}

int main(int argc, char **argv)
{
	unsigned int rounds = 7;
	const char *hook = "tc";
	const struct kind *kind = &kinds[0];
	struct chase chase = {};
	size_t given;
	int option, err;

	while ((option = getopt(argc, argv, "r:k:f:")) != -1) {
		if (option == 'r')
			rounds = (unsigned int)atoi(optarg);
		else if (option == 'k')
			hook = optarg;
		else if (option == 'f')
			kind = kind_find(optarg);
		else
			return 2;
	}
	if (rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	given = (size_t)(argc - optind);
	report_pin_to_last_cpu();
	report_go_first();
	err = chase_open(&chase, CHASE_LINES);
	for (size_t i = 0; i < (given ? given : N_GOALS) && !err; i++) {
		struct load l = given ? load_parse(argv[optind + (int)i])
				      : load_of(goals[i].max_flows, goals[i].new_percent);

		l.kind = kind;
		err = cell_run(&l, &chase, hook, rounds);
	}
	chase_close(&chase);
	return err ? 1 : 0;
}
