/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One Flow Cache in the kernel under load by BPF_PROG_TEST_RUN: packets uniform
 * over the living Flows, each so often a new one, the oldest dying. What the
 * programs that measure the cost of a packet have in common.
 */
#pragma once

#include <bpf/bpf.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/log.h"
#include "tests/bench/trace.h"
#include "tests/lib/kernel_table.h"

#define LOAD_PACKETS 65536 /* per run, at most */

/* A TCP segment without payload, ACK set, as the programs of that name expect it. */
struct kind {
	const char *name;
	enum flow_family family;
	uint16_t vlan; /* 0: no tag */
	uint32_t octets;
	unsigned char frame[80];
};

#define KIND_ETHERNET 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1
#define KIND_TAG      0x81, 0, 0, 1
#define KIND_ADDRESS4 0, 0, 0, 0
#define KIND_ADDRESS6 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0
#define KIND_IPV4     8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, KIND_ADDRESS4, KIND_ADDRESS4
#define KIND_IPV6     0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64, KIND_ADDRESS6, KIND_ADDRESS6
#define KIND_TCP      0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0

static const struct kind kinds[] = {
	{"ipv4", FLOW_IPV4, 0, 64, {KIND_ETHERNET, KIND_IPV4, KIND_TCP}},
	{"tagged", FLOW_IPV4, 1, 64, {KIND_ETHERNET, KIND_TAG, KIND_IPV4, KIND_TCP}},
	{"ipv6", FLOW_IPV6, 0, 80, {KIND_ETHERNET, KIND_IPV6, KIND_TCP}},
	{"tagged_ipv6", FLOW_IPV6, 1, 80, {KIND_ETHERNET, KIND_TAG, KIND_IPV6, KIND_TCP}},
};

/* Ends the program when there is none of that name. */
static inline const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	log_error("%s is not a kind of frame: ipv4, tagged, ipv6, tagged_ipv6", name);
	exit(2);
}

struct load {
	uint32_t max_flows;
	uint32_t new_percent;
	uint32_t packets; /* per run: few enough births to stay within max_flows */
	uint32_t births; /* of them, at most                                    */
	const struct kind *kind;
};

/* One table under load. Zeroed is closed. */
struct subject {
	struct kernel_table table;
	int hash_map; /* -1: the project's table */
	int base;
	int meter;
	const struct kind *kind;
	struct trace *trace; /* shared with the programs */
	uint64_t inserts; /* of the ledger when measuring began */
	uint64_t misses;
};

static inline struct load load_of(uint32_t max_flows, uint32_t new_percent)
{
	struct load l = {
		.max_flows = max_flows,
		.new_percent = new_percent,
		.packets = LOAD_PACKETS,
		.kind = &kinds[0],
	};

	if (new_percent && l.packets * new_percent / 100 > max_flows / 16)
		l.packets = max_flows / 16 * 100 / new_percent;
	l.births = l.packets * new_percent / 100;
	return l;
}

/* Its Flows of a family; of the other there is one at most. */
static inline uint32_t load_flows(const struct load *l, enum flow_family family)
{
	return l->kind->family == family ? l->max_flows : 1;
}

/* FLOWS:NEW_PERCENT; ends the program when it is not. */
static inline struct load load_parse(const char *text)
{
	uint32_t max_flows, new_percent;

	if (sscanf(text, "%u:%u", &max_flows, &new_percent) != 2 || max_flows < 1024 ||
	    new_percent > 100) {
		log_error("%s is not FLOWS:NEW_PERCENT, of at least 1024 Flows", text);
		exit(2);
	}
	return load_of(max_flows, new_percent);
}

/* ---- the trace --------------------------------------------------------------------- */

static inline uint64_t subject_living(const struct subject *s)
{
	return s->trace->next - 1 - s->trace->gone;
}

union subject_key {
	struct xfp_key4 v4;
	struct xfp_key6 v6;
};

static inline union subject_key subject_key(const struct kind *kind, uint64_t flow)
{
	union subject_key key;

	if (kind->family == FLOW_IPV4)
		key.v4 = (struct xfp_key4){
			.source = TRACE_SOURCE(flow),
			.destination = TRACE_DESTINATION(flow),
			.source_port = TRACE_SOURCE_PORT(flow),
			.destination_port = TRACE_DESTINATION_PORT(flow),
			.protocol = IPPROTO_TCP,
			.vlan = kind->vlan,
		};
	else
		key.v6 = (struct xfp_key6){
			.source = {htonl(0x20010db8), 0, 0, TRACE_SOURCE(flow)},
			.destination = {htonl(0x20010db8), 0, 0, TRACE_DESTINATION(flow)},
			.source_port = TRACE_SOURCE_PORT(flow),
			.destination_port = TRACE_DESTINATION_PORT(flow),
			.protocol = IPPROTO_TCP,
			.vlan = kind->vlan,
		};
	return key;
}

/* The oldest die, down to `living`, as the daemon (or its like) removes them. */
static inline void subject_kill(struct subject *s, uint64_t living)
{
	const struct flow_table *t = &s->table.cache.table[s->kind->family];

	while (subject_living(s) > living) {
		union subject_key key = subject_key(s->kind, ++s->trace->gone);
		uint32_t slot;

		if (s->hash_map >= 0) {
			bpf_map_delete_elem(s->hash_map, &key);
			continue;
		}
		slot = flow_cache_find(&s->table.cache, s->kind->family, &key, false, FLOW_NONE);
		if (slot == FLOW_NONE)
			continue;
		if (t->detail_octets)
			memset(flow_details_at(t, slot), 0, t->detail_octets);
		__atomic_store_n(flow_tag_at(t, slot), XFP_TAG_FREE, __ATOMIC_RELEASE);
	}
}

/* ---- measuring ----------------------------------------------------------------------- */

/* Mean nanoseconds per packet of a run in which so many Flows are born. */
static inline double subject_play(struct subject *s, int program, uint32_t packets, uint32_t births,
				  uint32_t new_percent)
{
	int ns;

	s->trace->births = births;
	s->trace->newborn = (1ULL << 32) * new_percent / 100;
	ns = kernel_table_run(program, s->kind->frame, s->kind->octets, packets);
	if (ns < 0) {
		log_errno(ns, "run a bench program");
		exit(1);
	}
	return ns;
}

/* One run of a program; with the meter's, Flows are born and die. */
static inline double subject_run(struct subject *s, const struct load *l, int program)
{
	double ns = subject_play(s, program, l->packets, program == s->meter ? l->births : 0,
				 l->new_percent);

	subject_kill(s, l->max_flows - l->births);
	return ns;
}

/* Mean of several runs, after as many that warm the caches up. */
static inline double subject_block(struct subject *s, const struct load *l, int program)
{
	uint32_t runs = 4 * LOAD_PACKETS / l->packets;
	double sum = 0;

	for (uint32_t i = 0; i < runs; i++)
		subject_run(s, l, program);
	for (uint32_t i = 0; i < runs; i++)
		sum += subject_run(s, l, program);
	return sum / runs;
}

/* Nothing but births, in steps, the oldest dying: every place is used anew twice. */
static inline void subject_warm_up(struct subject *s, const struct load *l)
{
	uint32_t step = l->max_flows / 16 < LOAD_PACKETS ? l->max_flows / 16 : LOAD_PACKETS;
	uint32_t living = l->max_flows - l->births;

	while (s->trace->next < 3ULL * l->max_flows) {
		subject_kill(s, l->max_flows - step);
		subject_play(s, s->meter, step, step, 100);
	}
	subject_kill(s, living);
	while (subject_living(s) < living) {
		uint32_t wanted = living - (uint32_t)subject_living(s);

		wanted = wanted < step ? wanted : step;
		subject_play(s, s->meter, wanted, wanted, 100);
	}
}

static inline void subject_ledger(const struct subject *s, uint64_t *inserts, uint64_t *misses)
{
	*inserts = 0;
	*misses = 0;
	for (uint32_t i = 0; i < s->table.cache.n_rows; i++) {
		*inserts += s->table.cache.rows[i].inserts;
		*misses += s->table.cache.rows[i].overflow[IPPROTO_TCP].packets;
	}
}

/*
 * Load KIND_HOOK_base and KIND_HOOK_meter as `options` say (but for `programs`,
 * which is filled here) and fill the table. Returns 0 or -errno, with a message.
 */
static inline int subject_open(struct subject *s, const struct load *l,
			       struct kernel_table_options options, const char *hook)
{
	char name[32];
	int err;

	snprintf(name, sizeof(name), "%s_%s_", l->kind->name, hook);
	s->kind = l->kind;
	options.max_flows = load_flows(l, FLOW_IPV4);
	options.max_flows_ipv6 = load_flows(l, FLOW_IPV6);
	options.programs = name;
	err = kernel_table_open(&s->table, &options);
	if (err)
		return err;
	snprintf(name, sizeof(name), "%s_%s_base", l->kind->name, hook);
	s->base = kernel_table_program(&s->table, name);
	snprintf(name, sizeof(name), "%s_%s_meter", l->kind->name, hook);
	s->meter = kernel_table_program(&s->table, name);
	s->hash_map = kernel_table_map(&s->table, s->kind->family == FLOW_IPV4 ? "bench_flows4"
									       : "bench_flows6");
	s->trace = kernel_table_mmap(&s->table, "bench_trace");
	s->trace->next = 1;
	s->trace->random = 88172645463325252ULL;
	subject_warm_up(s, l);
	subject_ledger(s, &s->inserts, &s->misses);
	return 0;
}

static inline void subject_close(struct subject *s)
{
	kernel_table_close(&s->table);
	*s = (struct subject){};
}
