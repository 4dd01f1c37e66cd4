/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the daemon's sweep costs per slot with a full table, in its own memory and
 * in the kernel's maps, and how much memory a Flow takes on both sides.
 *
 *	sweep_cost [MAX_FLOWS]
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <stdlib.h>
#include <string.h>

#include "probe/log.h"
#include "probe/native_meter.h"
#include "probe/sweep.h"
#include "tests/bench/report.h"
#include "tests/bench/trace.h"
#include "tests/lib/kernel_table.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "tests/bench/bench.skel.h"
#pragma GCC diagnostic pop

#define NS_PER_S 1000000000ULL
#define REPEATS	 7

/* An IPv4 TCP segment without payload, ACK set. */
struct segment {
	unsigned char octets[64];
};

static const struct segment blank = {
	{2, 0,	  0, 0, 0,  2, 2, 0, 0, 0,  0, 1,	    8,
	 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, [46] = 0x50, [47] = 0x10},
};

static uint64_t n_records;

static void count_record(void *arg, const struct flow_record *r)
{
	(void)arg;
	(void)r;
	n_records++;
}

/* ---- filling ---------------------------------------------------------------------- */

static void segment_address(struct segment *s, uint32_t flow)
{
	const uint32_t source = TRACE_SOURCE(flow), destination = TRACE_DESTINATION(flow);
	const uint16_t port = TRACE_SOURCE_PORT(flow);

	memcpy(s->octets + 26, &source, sizeof(source));
	memcpy(s->octets + 30, &destination, sizeof(destination));
	memcpy(s->octets + 34, &port, sizeof(port));
}

/* One packet of each Flow, at now_ns. */
static void native_fill(struct flow_cache *cache, uint32_t flows, uint64_t now_ns)
{
	struct segment s = blank;
	struct native_packet packet = {
		.data = &s,
		.captured_octets = sizeof(s.octets),
		.wire_octets = sizeof(s.octets),
		.time_ns = now_ns,
		.is_ethernet = true,
	};

	for (uint32_t flow = 1; flow <= flows; flow++) {
		segment_address(&s, flow);
		native_meter_packet(cache, &packet);
	}
}

static int kernel_fill(struct kernel_table *k, uint32_t flows)
{
	struct trace *trace = kernel_table_mmap(k, "bench_trace");
	int program = kernel_table_program(k, "ipv4_tc_meter");
	int ns;

	*trace = (struct trace){.random = 1, .next = 1, .births = flows, .newborn = 1ULL << 32};
	ns = kernel_table_run(program, blank.octets, sizeof(blank.octets), flows);
	return ns < 0 ? ns : 0;
}

/* ---- sweeping --------------------------------------------------------------------- */

/* A complete sweep, grace periods taken for granted; ns per slot of the IPv4 table. */
static double sweep_once(struct sweep *s, uint64_t now_ns)
{
	uint64_t start = report_cpu_ns();

	sweep_begin(s, now_ns);
	while (sweep_mark(s))
		sweep_harvest(s);
	return (double)(report_cpu_ns() - start) / s->cache->table[FLOW_IPV4].n_slots;
}

static void mark_news(struct flow_table *t)
{
	for (uint32_t i = 0; i < t->n_chunks; i++)
		t->news[i] = 1;
}

/* A sweep that expires everything; ns per record. */
static double expire_once(struct sweep *s, uint64_t now_ns)
{
	double per_slot;

	n_records = 0;
	per_slot = sweep_once(s, now_ns);
	return per_slot * s->cache->table[FLOW_IPV4].n_slots / (double)n_records;
}

/* One more packet for every Flow. */
static void receive_everywhere(struct flow_table *t, uint64_t now_ns)
{
	for (uint32_t slot = 0; slot < t->n_slots; slot++) {
		flow_counts_at(t, slot)->last_ns = now_ns;
		flow_counts_at(t, slot)->sum.low += xfp_sum_step(1, 0);
	}
}

static void report(const char *where, const char *what, double value, const char *unit,
		   double at_most)
{
	char name[96];

	snprintf(name, sizeof(name), "sweep, %s: %s", where, what);
	report_print(&(struct report_line){name, value, unit, 0, at_most, 0});
}

/* first_ns: the time of the packets that filled the table */
static int sweep_measure(struct flow_cache *cache, const char *where, uint64_t first_ns)
{
	struct flow_table *t = &cache->table[FLOW_IPV4];
	struct wall_clock clock = {};
	static struct obs_table obs = {.n = 1};
	struct sweep s = {
		.cache = cache,
		.clock = &clock,
		.obs = &obs,
		.timeouts = {.active_ns = 120 * NS_PER_S, .idle_ns = 15 * NS_PER_S},
		.high_water_pct = 100,
		.sink = count_record,
	};
	double idle[REPEATS], news[REPEATS], every[REPEATS], first;
	int err = sweep_open(&s);

	if (err)
		return err;
	first = sweep_once(&s, first_ns);
	for (int i = 0; i < REPEATS; i++) {
		idle[i] = sweep_once(&s, first_ns + NS_PER_S);
		mark_news(t);
		news[i] = sweep_once(&s, first_ns + NS_PER_S);
	}
	report(where, "every Flow new", first, "ns/slot", 0);
	report(where, "nothing happened", report_median(idle, REPEATS), "ns/slot", 8);
	report(where, "a Flow born in every chunk", report_median(news, REPEATS), "ns/slot", 8);

	/* the idle timeout is over by what the sweep knows, but packets have come since */
	n_records = 0;
	for (int i = 0; i < REPEATS; i++) {
		first_ns += 14 * NS_PER_S;
		receive_everywhere(t, first_ns);
		every[i] = sweep_once(&s, first_ns + 2 * NS_PER_S);
	}
	report(where, "every Flow read, none expires", report_median(every, REPEATS), "ns/slot", 8);
	if (n_records)
		log_warning("%llu Flows expired that should not", (unsigned long long)n_records);
	first_ns += 24 * NS_PER_S;
	receive_everywhere(t, first_ns);
	report(where, "active timeout of every Flow", expire_once(&s, first_ns + NS_PER_S),
	       "ns/record", 0);
	receive_everywhere(t, first_ns + 2 * NS_PER_S);
	report(where, "idle timeout of every Flow", expire_once(&s, first_ns + 20 * NS_PER_S),
	       "ns/record", 0);
	sweep_close(&s);
	return 0;
}

/* ---- memory ------------------------------------------------------------------------- */

static void memory_report(const struct flow_cache *cache, uint32_t max_flows)
{
	uint64_t kernel, total;

	flow_cache_memory(cache, &kernel, &total);
	report_print(&(struct report_line){"memory per IPv4 Flow in the kernel",
					   (double)kernel / max_flows, "octets", 0, 90, 0});
	report_print(&(struct report_line){"memory per IPv4 Flow with the daemon's share",
					   (double)total / max_flows, "octets", 0, 120, 0});
}

static int native_measure(const struct flow_cache_params *params, uint32_t max_flows,
			  uint32_t flows)
{
	struct flow_cache cache = {};
	int err = flow_cache_open(&cache, params, max_flows, 1, true);

	if (err)
		return err;
	native_fill(&cache, flows, 100 * NS_PER_S);
	err = sweep_measure(&cache, "own memory", 100 * NS_PER_S);
	flow_cache_close(&cache);
	return err;
}

static int kernel_measure(const struct flow_cache_params *params, uint32_t max_flows,
			  uint32_t flows)
{
	struct kernel_table k = {};
	struct kernel_table_options options = {
		.params = params,
		.max_flows = max_flows,
		.programs = "ipv4_tc_meter",
	};
	struct xfp_counts *last = NULL;
	int err;

	options.elf = bench_bpf__elf_bytes(&options.elf_octets);
	err = kernel_table_open(&k, &options);
	if (!err)
		err = kernel_fill(&k, flows);
	for (uint32_t i = 0; !err && i < k.cache.table[0].n_slots; i++) {
		struct xfp_counts *c = flow_counts_at(&k.cache.table[0], i);

		if (!last || c->last_ns > last->last_ns)
			last = c;
	}
	if (!err) {
		err = sweep_measure(&k.cache, "kernel's maps", last->last_ns);
		memory_report(&k.cache, max_flows);
	}
	kernel_table_close(&k);
	return err;
}

int main(int argc, char **argv)
{
	uint32_t max_flows = argc > 1 ? (uint32_t)atoi(argv[1]) : 1048576;
	uint32_t flows = max_flows - max_flows / 20;
	struct flow_cache_params params;
	int err;

	if (max_flows < 1024) {
		log_error("usage: sweep_cost [MAX_FLOWS]");
		return 2;
	}
	report_pin_to_last_cpu();
	err = flow_cache_params_init(&params, max_flows, 1);
	if (!err)
		err = native_measure(&params, max_flows, flows);
	if (!err)
		err = kernel_measure(&params, max_flows, flows);
	return err ? 1 : 0;
}
