/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nanoseconds per packet of the whole program in the kernel while Flows are born
 * and die, against the same program around BPF_MAP_TYPE_HASH and against one
 * dependent random cache-line read. All of them take turns in every round.
 *
 *	packet_cost [-r ROUNDS] [-k tc|xdp] [LIVE_FLOWS:NEW_PERCENT]...
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "probe/log.h"
#include "tests/bench/report.h"
#include "tests/bench/trace.h"
#include "tests/lib/kernel_table.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "tests/bench/bench.skel.h"
#include "tests/bench/bench_hash.skel.h"
#pragma GCC diagnostic pop

#define MAX_ROUNDS  99
#define CHASE_LINES 1310720 /* 84 MB: the slots of 1 M Flows at load 0.80 */
#define CHASE_STEPS 200000

struct cell {
	uint32_t max_flows;
	uint32_t new_percent;
	uint32_t packets; /* per run: few enough births to stay within max_flows */
	uint32_t births; /* of them, at most                                    */
	double hash_ratio; /* targets; 0: none                                    */
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

/* One table under load: Flows numbered gone + 1 .. next - 1 are alive. */
struct subject {
	struct kernel_table table;
	int hash_map; /* -1: the project's table */
	int base;
	int meter;
	uint64_t *trace;
	uint32_t position;
	uint64_t next;
	uint64_t gone;
	uint64_t random;
	uint64_t inserts; /* of the ledger when measuring began */
	uint64_t misses;
};

struct samples {
	double base[MAX_ROUNDS];
	double table[MAX_ROUNDS];
	double hash[MAX_ROUNDS];
	double line[MAX_ROUNDS];
	double hash_ratio[MAX_ROUNDS];
	double line_ratio[MAX_ROUNDS];
};

/* ---- the trace --------------------------------------------------------------------- */

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Packets of the next run: uniform over the living, each so often a new one. */
static void trace_fill(struct subject *s, uint32_t packets, uint32_t births, uint32_t new_percent)
{
	for (uint32_t i = 0; i < packets; i++) {
		uint64_t *entry = &s->trace[(s->position + i) % TRACE_PACKETS];
		uint64_t r = random_next(&s->random);

		if (births && ((r >> 33) % 100 < new_percent || s->next == s->gone + 1)) {
			*entry = s->next++;
			births--;
		} else {
			*entry = s->gone + 1 + (r >> 20) % (s->next - s->gone - 1);
		}
	}
	s->position = (s->position + packets) % TRACE_PACKETS;
}

static struct xfp_key4 key_of(uint64_t flow)
{
	return (struct xfp_key4){
		.source = TRACE_SOURCE(flow),
		.destination = TRACE_DESTINATION(flow),
		.source_port = TRACE_SOURCE_PORT(flow),
		.destination_port = TRACE_DESTINATION_PORT(flow),
		.protocol = IPPROTO_TCP,
	};
}

/* The oldest die, down to `living`, as the daemon (or its like) removes them. */
static void flows_kill(struct subject *s, uint64_t living)
{
	const struct flow_table *t = &s->table.cache.table[FLOW_IPV4];

	while (s->next - 1 - s->gone > living) {
		struct xfp_key4 key = key_of(++s->gone);
		uint32_t slot;

		if (s->hash_map >= 0) {
			bpf_map_delete_elem(s->hash_map, &key);
			continue;
		}
		slot = flow_cache_find(&s->table.cache, FLOW_IPV4, &key, false, FLOW_NONE);
		if (slot != FLOW_NONE)
			__atomic_store_n(flow_tag_at(t, slot), XFP_TAG_FREE, __ATOMIC_RELEASE);
	}
}

/* ---- measuring ----------------------------------------------------------------------- */

/* An IPv4 TCP segment without payload, ACK set. */
static const unsigned char frame[64] = {
	2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0,	 64,   6,    0,
	0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,	0, 0, 0,  0, 0, 0, 0x50, 0x10, 0xff, 0xff,
};

static double run_once(struct subject *s, const struct cell *c, int program)
{
	uint32_t births = program == s->meter ? c->births : 0;
	int ns;

	trace_fill(s, c->packets, births, births ? c->new_percent : 0);
	ns = kernel_table_run(program, frame, sizeof(frame), c->packets);
	if (ns < 0) {
		log_errno(ns, "run a bench program");
		exit(1);
	}
	flows_kill(s, c->max_flows - c->births);
	return ns;
}

/* Mean of several runs, after as many that warm the caches up. */
static double run_block(struct subject *s, const struct cell *c, int program)
{
	uint32_t runs = 4 * TRACE_PACKETS / c->packets;
	double sum = 0;

	for (uint32_t i = 0; i < runs; i++)
		run_once(s, c, program);
	for (uint32_t i = 0; i < runs; i++)
		sum += run_once(s, c, program);
	return sum / runs;
}

/* Nothing but births, in steps, the oldest dying: every place is used anew twice. */
static void subject_warm_up(struct subject *s, const struct cell *c)
{
	struct cell step = *c;

	step.new_percent = 100;
	step.births = c->max_flows / 16 < TRACE_PACKETS ? c->max_flows / 16 : TRACE_PACKETS;
	step.packets = step.births;
	while (s->next < 3ULL * c->max_flows)
		run_once(s, &step, s->meter);
	while (s->next - 1 - s->gone < c->max_flows - c->births) {
		uint64_t wanted = c->max_flows - c->births - (s->next - 1 - s->gone);

		step.births = wanted < step.births ? (uint32_t)wanted : step.births;
		step.packets = step.births;
		trace_fill(s, step.packets, step.births, 100);
		kernel_table_run(s->meter, frame, sizeof(frame), step.packets);
	}
}

static void subject_ledger(const struct subject *s, uint64_t *inserts, uint64_t *misses)
{
	*inserts = 0;
	*misses = 0;
	for (uint32_t i = 0; i < s->table.cache.n_rows; i++) {
		*inserts += s->table.cache.rows[i].inserts;
		*misses += s->table.cache.rows[i].overflow[XFP_CLASS_TCP].packets;
	}
}

static int subject_open(struct subject *s, const struct cell *c, bool is_hash,
			const struct flow_cache_params *params, const char *hook)
{
	char name[32];
	struct kernel_table_options options = {
		.params = params,
		.max_flows = c->max_flows,
		.programs = name,
	};
	int err;

	snprintf(name, sizeof(name), "bench_%s_", hook);
	options.elf = is_hash ? bench_hash_bpf__elf_bytes(&options.elf_octets)
			      : bench_bpf__elf_bytes(&options.elf_octets);
	err = kernel_table_open(&s->table, &options);
	if (err)
		return err;
	snprintf(name, sizeof(name), "bench_%s_base", hook);
	s->base = kernel_table_program(&s->table, name);
	snprintf(name, sizeof(name), "bench_%s_meter", hook);
	s->meter = kernel_table_program(&s->table, name);
	s->hash_map = is_hash ? kernel_table_map(&s->table, "bench_flows4") : -1;
	s->trace = kernel_table_mmap(&s->table, "bench_trace");
	s->next = 1;
	s->random = 88172645463325252ULL;
	subject_warm_up(s, c);
	subject_ledger(s, &s->inserts, &s->misses);
	return 0;
}

/* ---- the cache-line read ------------------------------------------------------------- */

struct chase {
	unsigned char *lines; /* each begins with the number of the next */
	uint32_t at;
};

static int chase_open(struct chase *chase)
{
	uint32_t *order = malloc(CHASE_LINES * sizeof(*order));
	uint64_t random = 2463534242ULL;

	chase->lines = mmap(NULL, CHASE_LINES * 64UL, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!order || chase->lines == MAP_FAILED)
		return log_errno(-ENOMEM, "allocate %u cache lines", CHASE_LINES);
	madvise(chase->lines, CHASE_LINES * 64UL, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < CHASE_LINES; i++)
		order[i] = i;
	/* Sattolo: one cycle over all lines */
	for (uint32_t i = CHASE_LINES - 1; i > 0; i--) {
		uint32_t j = random_next(&random) % i, swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
	for (uint32_t i = 0; i < CHASE_LINES; i++)
		*(uint32_t *)(void *)(chase->lines + i * 64UL) = order[i];
	free(order);
	return 0;
}

static double chase_run(struct chase *chase)
{
	uint64_t start = report_cpu_ns();

	for (uint32_t i = 0; i < CHASE_STEPS; i++)
		chase->at = *(volatile uint32_t *)(void *)(chase->lines + chase->at * 64UL);
	return (double)(report_cpu_ns() - start) / CHASE_STEPS;
}

/* ---- a cell ---------------------------------------------------------------------------- */

static void cell_report(const struct cell *c, const char *hook, const struct subject *table,
			struct samples *v, unsigned int rounds)
{
	char name[3][80];
	uint64_t inserts, misses;
	double cost = report_median(v->table, rounds);

	snprintf(name[0], 80, "%s, %u Flows, %u %% new", hook, c->max_flows, c->new_percent);
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
	if (c->births)
		report_print(&(struct report_line){"  inserts without a place",
						   100.0 * misses / (inserts + misses), "%", 0, 0.1,
						   0});
}

static int cell_run(struct cell c, struct chase *chase, const char *hook, unsigned int rounds)
{
	static struct samples v;
	struct subject table = {}, hash = {};
	struct flow_cache_params params;
	int err = flow_cache_params_init(&params, c.max_flows, 1);

	c.packets = TRACE_PACKETS;
	if (c.new_percent && c.packets * c.new_percent / 100 > c.max_flows / 16)
		c.packets = c.max_flows / 16 * 100 / c.new_percent;
	c.births = c.packets * c.new_percent / 100;
	if (!err)
		err = subject_open(&table, &c, false, &params, hook);
	if (!err)
		err = subject_open(&hash, &c, true, &params, hook);
	for (unsigned int i = 0; i < rounds && !err; i++) {
		v.base[i] = run_block(&table, &c, table.base);
		v.table[i] = run_block(&table, &c, table.meter) - v.base[i];
		v.hash[i] = run_block(&hash, &c, hash.meter) - v.base[i];
		v.line[i] = chase_run(chase);
		v.hash_ratio[i] = v.table[i] / v.hash[i];
		v.line_ratio[i] = v.table[i] / v.line[i];
	}
	if (!err)
		cell_report(&c, hook, &table, &v, rounds);
	kernel_table_close(&table.table);
	kernel_table_close(&hash.table);
	return err;
}

static struct cell cell_parse(const char *text)
{
	struct cell c = {};

	if (sscanf(text, "%u:%u", &c.max_flows, &c.new_percent) != 2 || !c.max_flows ||
	    c.new_percent > 100) {
		log_error("%s is not FLOWS:NEW_PERCENT", text);
		exit(2);
	}
	for (size_t i = 0; i < N_GOALS; i++)
		if (goals[i].max_flows == c.max_flows && goals[i].new_percent == c.new_percent)
			return goals[i];
	return c;
}

int main(int argc, char **argv)
{
	unsigned int rounds = 7;
	const char *hook = "tc";
	struct chase chase = {};
	int option, err;

	while ((option = getopt(argc, argv, "r:k:")) != -1) {
		if (option == 'r')
			rounds = (unsigned int)atoi(optarg);
		else if (option == 'k')
			hook = optarg;
		else
			return 2;
	}
	if (rounds < 1 || rounds > MAX_ROUNDS)
		return 2;
	report_pin_to_last_cpu();
	err = chase_open(&chase);
	for (size_t i = 0; optind == argc && i < N_GOALS && !err; i++)
		err = cell_run(goals[i], &chase, hook, rounds);
	for (; optind < argc && !err; optind++)
		err = cell_run(cell_parse(argv[optind]), &chase, hook, rounds);
	return err ? 1 : 0;
}
