/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the detectors add to a sweep in which every Flow has news: conversations of many
 * clients of ours with servers elsewhere, each fifth by UDP, both directions seen, all
 * detectors on.
 *
 *	anomaly_cost [FLOWS [SECONDS [off]]]
 *
 * With `off` there is no detector: to be counted apart, as by `perf stat` or callgrind.
 */
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/anomaly.h"
#include "probe/config.h"
#include "probe/log.h"
#include "probe/native_meter.h"
#include "probe/sweep.h"
#include "tests/bench/report.h"

#define NS_PER_S 1000000000ULL
#define BASE_NS	 (1000000 * NS_PER_S)
#define CLIENTS	 20000 /* of ours */
#define SERVERS	 30000
#define MIB	 (1024.0 * 1024)

#define UDP_EACH 5 /* conversations, of which one is by UDP */

/* An IPv4 TCP segment without payload, or a UDP datagram as long. */
static unsigned char segment[64] = {
	[12] = 0x08, [14] = 0x45, [17] = 40, [22] = 64, [23] = 6, [46] = 0x50};

static void drop_record(void *arg, const struct flow_record *r)
{
	(void)arg;
	(void)r;
}

static void count_event(void *arg, const struct anomaly_event *e)
{
	(void)e;
	++*(uint64_t *)arg;
}

static void put32(unsigned char *p, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* Of conversation i, one way or the other. */
static void send_segment(struct flow_cache *cache, uint32_t i, bool is_answer, uint8_t flags,
			 uint64_t ns)
{
	uint32_t client = 0x0a000000 + i % CLIENTS, server = 0xc6120000 + i * 7 % SERVERS;
	uint16_t port = (uint16_t)(1024 + i / CLIENTS + i * 13 % 50000);
	unsigned char *from = segment + (is_answer ? 36 : 34),
		      *to = segment + (is_answer ? 34 : 36);
	struct native_packet packet = {
		.data = segment,
		.captured_octets = sizeof(segment),
		.wire_octets = sizeof(segment),
		.time_ns = ns,
		.is_ethernet = true,
	};

	put32(segment + 26, is_answer ? server : client);
	put32(segment + 30, is_answer ? client : server);
	from[0] = (unsigned char)(port >> 8);
	from[1] = (unsigned char)port;
	to[0] = 443 >> 8;
	to[1] = 443 & 0xff;
	segment[23] = i % UDP_EACH ? IPPROTO_TCP : IPPROTO_UDP;
	segment[39] = 20; /* Length of UDP, Sequence Number of TCP */
	segment[47] = flags;
	native_meter_packet(cache, &packet);
}

static void fill(struct flow_cache *cache, uint32_t flows)
{
	for (uint32_t i = 0; i < flows / 2; i++) {
		send_segment(cache, i, false, TH_SYN, BASE_NS + 1);
		send_segment(cache, i, true, TH_SYN | TH_ACK, BASE_NS + 2);
		send_segment(cache, i, false, TH_ACK, BASE_NS + 3);
	}
}

/* Ten packets more for every Flow; returns how many there are. */
static uint32_t receive_everywhere(struct flow_table *t, uint64_t now_ns)
{
	uint32_t n = 0;

	for (uint32_t slot = 0; slot < t->n_slots; slot++) {
		struct xfp_counts *c = flow_counts_at(t, slot);

		if (*flow_tag_at(t, slot) < XFP_TAG_FLOW)
			continue;
		c->last_ns = now_ns;
		c->sum.low += xfp_sum_step(10, 8000);
		n++;
	}
	return n;
}

static double sweep_ms(struct sweep *s, uint64_t now_ns)
{
	uint64_t begin = report_cpu_ns();

	sweep_begin(s, now_ns);
	while (sweep_mark(s))
		sweep_harvest(s);
	return (double)(report_cpu_ns() - begin) / 1e6;
}

static void report(const char *name, double value, const char *unit, double ratio, double at_most)
{
	report_print(&(struct report_line){name, value, unit, ratio, at_most, 0});
}

/* Milliseconds of a sweep, in the median. */
static double measure(struct sweep *s, uint32_t seconds)
{
	struct flow_table *t = &s->cache->table[FLOW_IPV4];
	double *ms = calloc(seconds, sizeof(*ms)), median;

	for (uint32_t i = 0; ms && i < 2 + seconds; i++) { /* the first have new Flows */
		uint64_t now_ns = BASE_NS + (i + 1) * NS_PER_S;

		receive_everywhere(t, now_ns);
		median = sweep_ms(s, now_ns);
		if (i >= 2)
			ms[i - 2] = median;
	}
	median = ms ? report_median(ms, seconds) : 0;
	free(ms);
	return median;
}

static int run(struct flow_cache *cache, uint32_t seconds, bool is_off)
{
	static struct config cfg;
	static struct obs_table obs = {.n = 1};
	struct wall_clock clock = {0};
	struct anomaly *anomaly = NULL;
	struct anomaly_stats stats;
	uint64_t n_events = 0;
	double off, on;
	struct sweep s = {
		.cache = cache,
		.clock = &clock,
		.obs = &obs,
		.timeouts = {.active_ns = 3600 * NS_PER_S, .idle_ns = 15 * NS_PER_S},
		.high_water_pct = 100,
		.sink = drop_record,
	};
	int err = sweep_open(&s);

	if (err)
		return err;
	off = measure(&s, seconds);
	report("sweep of active Flows, detectors off", off, "ms", 0, 0);
	config_init(&cfg);
	if (!is_off)
		err = anomaly_open(&anomaly, &(struct anomaly_setup){.cfg = &cfg.anomaly,
								     .clock = &clock,
								     .sink = count_event,
								     .sink_arg = &n_events});
	if (!err && !is_off) {
		s.observer = anomaly_observer(anomaly);
		on = measure(&s, seconds);
		anomaly_stats(anomaly, &stats);
		report("... all detectors on", on, "ms", 0, 100);
		report("... on to off", on / off, "times", 0, 0);
		report("memory of the detectors", (double)stats.memory_octets / MIB, "MiB", 0, 128);
		report("events of it", (double)n_events, "events", 0, 0.5);
	}
	anomaly_close(anomaly);
	sweep_close(&s);
	return err;
}

int main(int argc, char **argv)
{
	uint32_t flows = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000000;
	uint32_t seconds = argc > 2 ? (uint32_t)atoi(argv[2]) : 9;
	struct flow_cache_params params;
	struct flow_cache cache = {0};
	int err;

	if (flows < 1024 || !seconds) {
		log_error("usage: anomaly_cost [FLOWS [SECONDS [off]]]");
		return 2;
	}
	report_pin_to_last_cpu();
	err = flow_cache_params_init(&params, flows, 1);
	params.is_watched = true;
	if (!err)
		err = flow_cache_open(&cache, &params, flows, 1, true);
	if (err)
		return 1;
	fill(&cache, flows);
	err = run(&cache, seconds, argc > 3);
	flow_cache_close(&cache);
	return err ? 1 : 0;
}
