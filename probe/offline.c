/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The offline run. See offline.h.
 */
#include "probe/offline.h"

#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>

#include "probe/anomaly.h"
#include "probe/clock.h"
#include "probe/flow_cache.h"
#include "probe/detail_layout.h"
#include "probe/log.h"
#include "probe/model_file.h"
#include "probe/protocols.h"
#include "probe/sinks.h"
#include "probe/sweep.h"
#include "probe/sweep_ledger.h"

struct offline {
	struct capture capture;
	struct flow_cache cache;
	struct sweep sweep;
	struct sinks sinks;
	struct anomaly *anomaly; /* NULL: not looked for */
	struct obs_table obs;
	struct wall_clock clock; /* offset 0: packets carry Unix time */
	uint64_t interval_ns;
	uint64_t clock_ns; /* latest packet time; never goes back */
	uint64_t next_sweep_ns;
	bool has_news; /* packets since the last sweep        */
};

static void note_ignored(struct offline *o, uint64_t now_ns)
{
	struct xfp_ledger_row sum;

	ledger_sum_rows(&sum, o->cache.rows, o->cache.n_rows);
	sinks_note_ignored(&o->sinks, &sum, (uint32_t)(now_ns / NS_PER_S));
}

/* One sweep at packet time `now_ns`; no program runs beside us, so no grace period. */
static void offline_sweep(struct offline *o, uint64_t now_ns)
{
	native_meter_flush(&o->cache);
	sweep_begin(&o->sweep, now_ns);
	while (sweep_mark(&o->sweep))
		sweep_harvest(&o->sweep);
	note_ignored(o, now_ns);
	sinks_flush(&o->sinks, now_ns, 0);
	sinks_run(&o->sinks, now_ns, (uint32_t)(now_ns / NS_PER_S));
	o->has_news = false;
}

/* The first sweep of the time grid at or after `ns`. */
static uint64_t grid_ceil(const struct offline *o, uint64_t ns)
{
	uint64_t late;

	if (ns <= o->next_sweep_ns)
		return o->next_sweep_ns;
	late = ns - o->next_sweep_ns;
	return o->next_sweep_ns + (late + o->interval_ns - 1) / o->interval_ns * o->interval_ns;
}

/* When a sweep can find something to do without another packet. */
static uint64_t next_due_ns(const struct offline *o)
{
	uint64_t due = sweep_next_due_ns(&o->sweep);
	uint64_t anomaly = o->anomaly ? anomaly_next_due_ns(o->anomaly) : UINT64_MAX;

	return due < anomaly ? due : anomaly;
}

/* All sweeps before the packet at `now_ns`; hours in which nothing can expire cost nothing. */
static void offline_sweep_until(struct offline *o, uint64_t now_ns)
{
	while (o->next_sweep_ns <= now_ns) {
		if (!o->has_news) {
			uint64_t due = next_due_ns(o);

			o->next_sweep_ns = grid_ceil(o, due < now_ns ? due : now_ns);
			if (o->next_sweep_ns > now_ns)
				break;
		}
		offline_sweep(o, o->next_sweep_ns);
		o->next_sweep_ns += o->interval_ns;
	}
}

void offline_native_packet(const struct capture_packet *p, struct native_packet *packet)
{
	*packet = (struct native_packet){
		.data = p->data,
		.captured_octets = p->captured_octets,
		.wire_octets = p->wire_octets,
		.time_ns = p->time_ns,
		.is_ethernet = p->link == CAPTURE_ETHERNET,
	};
	if (packet->is_ethernet || !capture_network_header(p, &packet->ethertype, &packet->offset))
		return;
	packet->ethertype = ETH_P_IP; /* any that the Metering Process wants a header of */
	packet->offset = p->captured_octets;
}

static void offline_packet(struct offline *o, const struct capture_packet *p)
{
	struct native_packet packet;

	offline_native_packet(p, &packet);
	if (p->time_ns > o->clock_ns) {
		o->clock_ns = p->time_ns;
		if (!o->next_sweep_ns)
			o->next_sweep_ns = p->time_ns + o->interval_ns;
		if (o->clock_ns >= o->next_sweep_ns)
			offline_sweep_until(o, o->clock_ns);
	}
	native_meter_add(&o->cache, &packet);
	o->has_news = true;
}

static void offline_ledger(const struct offline *o, struct ledger *ledger)
{
	sweep_ledger(&o->sweep, ledger);
	ledger->seen_before = ledger->seen_after = ledger->accounts.seen;
	sinks_ledger(&o->sinks, ledger);
}

static int offline_finish(struct offline *o, const struct config *cfg)
{
	static struct ledger ledger;

	native_meter_flush(&o->cache);
	sweep_flush(&o->sweep, o->clock_ns, FLOW_END_FORCED);
	note_ignored(o, o->clock_ns);
	if (o->anomaly)
		anomaly_finish(o->anomaly, o->clock_ns);
	sinks_flush(&o->sinks, o->clock_ns, 0);
	sinks_drain(&o->sinks, o->clock_ns, (uint32_t)(o->clock_ns / NS_PER_S));
	offline_ledger(o, &ledger);
	if (o->sinks.is_json || cfg->verbose)
		sinks_print_ledger(&o->sinks, &ledger);
	if (!ledger_is_balanced(&ledger))
		log_warning("the ledger of %s does not balance: please report it with the capture",
			    cfg->read_path);
	return 0;
}

static int offline_open(struct offline *o, const struct config *cfg)
{
	const struct flow_cache_config *fc = &cfg->flow_cache;
	struct flow_cache_params params;
	int err;

	err = capture_open(&o->capture, cfg->read_path);
	if (!err)
		err = flow_cache_params_init(&params, fc->max_flows, fc->max_flows_ipv6);
	if (err)
		return err;
	params.detail = detail_layout(sweep_details_of_groups(fields_in_use(cfg)));
	params.is_watched = cfg->anomaly.enabled;
	params.unseen_seed = 0; /* as that of detection: a file gives the same in each run */
	params.has_switches = fc->protocols.is_given;
	params.joins_points = fc->deduplicate;
	params.n_buckets[FLOW_IPV4] = flow_cache_buckets_start(fc->max_flows);
	params.n_buckets[FLOW_IPV6] = flow_cache_buckets_start(fc->max_flows_ipv6);
	err = flow_cache_open(&o->cache, &params, fc->max_flows, fc->max_flows_ipv6, true);
	if (!err)
		protocols_switch_all(&o->cache, &fc->protocols);
	native_meter_open_tunnels(fc->tunnels == TUNNELS_INNER);
	if (!err)
		err = sinks_open(&o->sinks, cfg, false);
	if (!err && cfg->anomaly.enabled)
		err = anomaly_open(&o->anomaly, &(struct anomaly_setup){
							.cfg = &cfg->anomaly,
							.clock = &o->clock,
							.sink = sinks_event,
							.sink_arg = &o->sinks,
						});
	if (err)
		return err;
	/* loaded only: what is in a capture is not what a probe sees where it is */
	if (o->anomaly && cfg->anomaly.learning.enabled && cfg->anomaly.learning.path[0])
		model_file_load(o->anomaly, cfg->anomaly.learning.path,
				"and the file stays as it is");
	o->interval_ns = (uint64_t)(fc->sweep_interval_s * (double)NS_PER_S);
	o->obs.n = 1;
	o->sweep.cache = &o->cache;
	o->sweep.clock = &o->clock;
	o->sweep.obs = &o->obs;
	o->sweep.timeouts.active_ns = (uint64_t)(fc->active_timeout_s * (double)NS_PER_S);
	o->sweep.timeouts.idle_ns = (uint64_t)(fc->idle_timeout_s * (double)NS_PER_S);
	o->sweep.high_water_pct = fc->high_water_pct;
	o->sweep.sink = sinks_record;
	o->sweep.biflow_sink = biflow_in_use(cfg) ? sinks_biflow : NULL;
	o->sweep.sink_arg = &o->sinks;
	o->sweep.groups = fields_in_use(cfg);
	o->sweep.observer = o->anomaly ? anomaly_observer(o->anomaly) : NULL;
	return sweep_open(&o->sweep);
}

int offline_run(const struct config *cfg)
{
	static struct offline o;
	struct capture_packet packet;
	int err = offline_open(&o, cfg);

	if (!err) {
		while ((err = capture_next(&o.capture, &packet)) > 0)
			offline_packet(&o, &packet);
		offline_finish(&o, cfg);
	}
	sweep_close(&o.sweep);
	anomaly_close(o.anomaly);
	sinks_close(&o.sinks);
	flow_cache_close(&o.cache);
	capture_close(&o.capture);
	return err;
}
