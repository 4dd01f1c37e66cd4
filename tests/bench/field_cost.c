/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nanoseconds that each group of fields adds to a packet of `base`, beside one
 * dependent random cache-line read of a table as large as the array of details it
 * needs. All of them take turns in every round. Details have a plain way
 * of their own: what that costs alone is measured, too.
 *
 *	field_cost [-r ROUNDS] [-k tc|xdp] [LIVE_FLOWS:NEW_PERCENT]...
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/config.h"
#include "probe/config_schema.h"
#include "probe/detail_layout.h"
#include "probe/sweep.h"
#include "tests/bench/chase.h"
#include "tests/bench/report.h"
#include "tests/bench/subject.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "tests/bench/bench.skel.h"
#pragma GCC diagnostic pop

#define MAX_ROUNDS   99
#define MAX_VARIANTS (N_GROUPS + 3)
#define NAME_OCTETS  80

/* What a group may add beside a read of each cache line of its details. */
#define GROUP_NS 15

/*
 * The Metering Process with something switched on. A switch that is no group of
 * fields becomes a member here, set by variants_list() and given to the kernel by
 * variant_open().
 */
struct variant {
	const char *name;
	uint32_t groups;
	bool is_general; /* takes the way of all details, though it has none */
	unsigned int n_judged; /* groups that add to it; 0: no target      */

	struct flow_cache_params params;
	struct subject subject;
	uint32_t n_lines; /* of one Flow's details, at most                      */
	struct chase *chase; /* as large as its details; NULL: it has none         */
	double ns[MAX_ROUNDS];
	double added[MAX_ROUNDS]; /* to base                       */
	double beyond[MAX_ROUNDS]; /* to the way of details         */
	double line[MAX_ROUNDS];
};

enum { VARIANT_BASE, VARIANT_WAY };

struct bench {
	struct variant variant[MAX_VARIANTS]; /* first VARIANT_BASE, VARIANT_WAY */
	unsigned int n;
	struct chase chase[MAX_VARIANTS]; /* one of each size */
	unsigned int n_chases;
	struct load load;
	unsigned int rounds;
	const char *hook;
};

/* ---- variants ------------------------------------------------------------------------ */

/* Only what a user can switch on. */
static bool is_available(const char *word)
{
	static struct config scratch;
	const char *reason;

	return !config_key_set_words(config_key_find("output_fields"), &scratch, word, &reason);
}

static struct variant *variant_add(struct bench *b, const char *name, uint32_t groups,
				   unsigned int n_judged)
{
	struct variant *v = &b->variant[b->n++];

	*v = (struct variant){.name = name, .groups = GROUP_BASE | groups, .n_judged = n_judged};
	return v;
}

static void variants_list(struct bench *b)
{
	static const struct {
		const char *word;
		uint32_t group;
	} groups[] = {
#define GROUP(NAME, word, doc) {#word, GROUP_##NAME},
#include "probe/group.def"
#undef GROUP
	};
	uint32_t all = 0;
	unsigned int n = 0;

	variant_add(b, "base", 0, 0);
	variant_add(b, "the way that details take, without any", 0, 0)->is_general = true;
	for (size_t i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		if (!is_available(groups[i].word))
			continue;
		variant_add(b, groups[i].word, groups[i].group, 1);
		all |= groups[i].group;
		n++;
	}
	variant_add(b, "all of them", all, n);
}

static uint64_t detail_array_octets(const struct variant *v)
{
	return (uint64_t)v->params.n_buckets[FLOW_IPV4] * XFP_BUCKET_SLOTS *
	       v->params.detail.octets;
}

/* The chase of a table of so many octets, shared by all variants that need it. */
static int chase_find(struct bench *b, uint64_t octets, struct chase **found)
{
	uint32_t n_lines = (uint32_t)(octets / CHASE_LINE);
	int err;

	for (unsigned int i = 0; i < b->n_chases; i++) {
		*found = &b->chase[i];
		if (b->chase[i].n_lines == n_lines)
			return 0;
	}
	*found = &b->chase[b->n_chases];
	err = chase_open(*found, n_lines);
	if (!err)
		b->n_chases++;
	return err;
}

static int variant_open(struct bench *b, struct variant *v, const struct flow_cache_params *params)
{
	struct kernel_table_options options = {.params = &v->params};
	uint32_t details = sweep_details_of_groups(v->groups);

	options.elf = bench_bpf__elf_bytes(&options.elf_octets);
	v->params = *params;
	v->params.detail = detail_layout(details);
	v->n_lines = (v->params.detail.octets + CHASE_LINE - 1) / CHASE_LINE;
	if (v->is_general)
		v->params.detail.octets = 8;
	if (details) {
		int err = chase_find(b, detail_array_octets(v), &v->chase);

		if (err)
			return err;
	}
	return subject_open(&v->subject, &b->load, options, b->hook);
}

/* ---- measuring ------------------------------------------------------------------------- */

/* Every other round goes backwards, so that what drifts meets all alike. */
static void round_run(struct bench *b, unsigned int round)
{
	const struct variant *base = &b->variant[VARIANT_BASE], *way = &b->variant[VARIANT_WAY];
	double line[MAX_VARIANTS];

	for (unsigned int i = 0; i < b->n; i++) {
		struct variant *v = &b->variant[round % 2 ? b->n - 1 - i : i];

		v->ns[round] = subject_block(&v->subject, &b->load, v->subject.meter);
	}
	for (unsigned int i = 0; i < b->n_chases; i++)
		line[i] = chase_run(&b->chase[i]);
	for (unsigned int i = 0; i < b->n; i++) {
		struct variant *v = &b->variant[i];

		v->added[round] = v->ns[round] - base->ns[round];
		v->beyond[round] = v->ns[round] - way->ns[round];
		v->line[round] = v->chase ? line[v->chase - b->chase] : 0;
	}
}

static void variant_report(struct variant *v, unsigned int rounds)
{
	char name[NAME_OCTETS];
	double line = report_median(v->line, rounds);
	struct report_line row = {name, report_median(v->added, rounds), "ns added", 0, 0, 0};

	if (v->chase)
		snprintf(name, sizeof(name), "  + %s (%u octets; %.0f beyond the way; line %.0f)",
			 v->name, v->params.detail.octets, report_median(v->beyond, rounds), line);
	else
		snprintf(name, sizeof(name), "  + %s", v->name);
	if (v->n_judged)
		row.at_most = (double)(long)(v->n_lines * line + v->n_judged * GROUP_NS + 0.5);
	report_print(&row);
}

static void bench_report(struct bench *b)
{
	char name[NAME_OCTETS];
	struct variant *base = &b->variant[VARIANT_BASE];
	double empty[MAX_ROUNDS];

	for (unsigned int i = 0; i < b->rounds; i++)
		empty[i] = subject_block(&base->subject, &b->load, base->subject.base);
	snprintf(name, sizeof(name), "%s, %u Flows, %u %% new: base", b->hook, b->load.max_flows,
		 b->load.new_percent);
	report_print(&(struct report_line){
		name, report_median(base->ns, b->rounds) - report_median(empty, b->rounds),
		"ns/packet", 0, 0, 0});
	for (unsigned int i = 1; i < b->n; i++)
		variant_report(&b->variant[i], b->rounds);
}

static int load_run(struct bench *b, struct load load)
{
	struct flow_cache_params params;
	int err = flow_cache_params_init(&params, load.max_flows, 1);

	b->load = load;
	b->n = 0;
	b->n_chases = 0;
	variants_list(b);
	for (unsigned int i = 0; i < b->n && !err; i++)
		err = variant_open(b, &b->variant[i], &params);
	for (unsigned int i = 0; i < b->rounds && !err; i++)
		round_run(b, i);
	if (!err)
		bench_report(b);
	for (unsigned int i = 0; i < b->n; i++)
		subject_close(&b->variant[i].subject);
	for (unsigned int i = 0; i < b->n_chases; i++)
		chase_close(&b->chase[i]);
	return err;
}

int main(int argc, char **argv)
{
	static const uint32_t loads[][2] = {{1024, 0}, {65536, 1}, {1048576, 5}};
	static struct bench b = {.rounds = 7, .hook = "tc"};
	int option, err = 0;

	while ((option = getopt(argc, argv, "r:k:")) != -1) {
		if (option == 'r')
			b.rounds = (unsigned int)atoi(optarg);
		else if (option == 'k')
			b.hook = optarg;
		else
			return 2;
	}
	if (b.rounds < 1 || b.rounds > MAX_ROUNDS)
		return 2;
	report_pin_to_last_cpu();
	report_go_first();
	for (size_t i = 0; optind == argc && i < sizeof(loads) / sizeof(*loads) && !err; i++)
		err = load_run(&b, load_of(loads[i][0], loads[i][1]));
	for (; optind < argc && !err; optind++)
		err = load_run(&b, load_parse(argv[optind]));
	return err ? 1 : 0;
}
