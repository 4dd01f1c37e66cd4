/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the control socket answers about a live run.
 */
#include <errno.h>

#include "probe/clock.h"
#include "probe/live_private.h"
#include "probe/log.h"
#include "probe/protocols.h"

static json_t *interfaces_describe(const struct live *l)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < l->obs.n; i++) {
		const struct obs_point *p = &l->obs.point[i];

		json_array_append_new(list,
				      json_pack("{s:s, s:i, s:s, s:s}", "name", p->name, "index",
						(int)p->ifindex, "ingress", hook_name(p->ingress),
						"egress", hook_name(p->egress)));
	}
	return list;
}

static json_t *cache_describe(const struct live *l)
{
	const struct flow_table *t = l->cache.table;
	uint64_t kernel, total;

	flow_cache_memory(&l->cache, &kernel, &total);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "flows_ipv4",
			 (json_int_t)t[FLOW_IPV4].n_live, "max_flows_ipv4",
			 (json_int_t)t[FLOW_IPV4].max_flows, "flows_ipv6",
			 (json_int_t)t[FLOW_IPV6].n_live, "max_flows_ipv6",
			 (json_int_t)t[FLOW_IPV6].max_flows, "kernel_memory_octets",
			 (json_int_t)kernel, "memory_octets", (json_int_t)total,
			 "pressure_permille", (json_int_t)l->sweep.timeouts.pressure_permille);
}

static json_t *sweep_describe_stats(const struct live *l)
{
	const struct sweep_stats *s = &l->sweep.stats;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f}", "sweeps", (json_int_t)s->sweeps,
			 "retired", (json_int_t)s->retired, "twins_folded",
			 (json_int_t)s->twins_folded, "stranded", (json_int_t)s->stranded,
			 "looked_at", (json_int_t)s->looked_at, "last_s",
			 (double)l->sweep_took_ns / (double)NS_PER_S, "last_busy_s",
			 (double)l->sweep_scan_ns / (double)NS_PER_S);
}

static json_t *learning_describe(const struct live *l, const struct anomaly_learning_stats *stats)
{
	if (!stats->is_enabled)
		return json_pack("{s:s}", "state", "off");
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I}", "state",
			 stats->is_learning ? "learning" : "ready", "trained_pct",
			 (json_int_t)stats->trained_pct, "hosts", (json_int_t)stats->hosts,
			 "known_hosts", (json_int_t)stats->known_hosts, "saves",
			 (json_int_t)l->model.saves, "failed_saves", (json_int_t)l->model.failed);
}

static json_t *anomaly_describe(const struct live *l)
{
	struct anomaly_stats stats;

	anomaly_stats(l->anomaly, &stats);
	return json_pack("{s:I, s:I, s:I, s:b, s:o}", "events", (json_int_t)stats.events, "allowed",
			 (json_int_t)stats.allowed, "memory_octets",
			 (json_int_t)stats.memory_octets, "baseline_learning", stats.is_learning,
			 "learning", learning_describe(l, &stats.learning));
}

static json_t *reload_describe(const struct live *l)
{
	return json_pack("{s:I, s:I}", "reloads", (json_int_t)l->reloads, "failed",
			 (json_int_t)l->failed_reloads);
}

static int ops_status(void *arg, json_t *into)
{
	const struct live *l = arg;
	uint64_t up = clock_monotonic_ns() - l->started_ns;
	int err = 0;

	err |= json_object_set_new(into, "version", json_string(XFP_VERSION));
	err |= json_object_set_new(into, "uptime_s", json_real((double)up / (double)NS_PER_S));
	err |= json_object_set_new(into, "interfaces", interfaces_describe(l));
	err |= json_object_set_new(into, "flow_cache", cache_describe(l));
	err |= json_object_set_new(into, "sweep", sweep_describe_stats(l));
	if (l->anomaly)
		err |= json_object_set_new(into, "anomaly", anomaly_describe(l));
	err |= json_object_set_new(into, "reload", reload_describe(l));
	return err ? -ENOMEM : 0;
}

static int ops_templates(void *arg, bool sends, json_t *list)
{
	struct live *l = arg;
	int err = sinks_templates(&l->sinks, sends, list);

	if (sends)
		live_export(l, clock_monotonic_ns());
	return err;
}

static int ops_protocols(void *arg, int number, json_t *list)
{
	const struct live *l = arg;
	struct xfp_volume totals[XFP_N_PROTOCOLS];
	struct flow_cache_content content;
	struct xfp_ledger_row accounts;

	ledger_sum_rows(&accounts, l->cache.rows, l->cache.n_rows);
	flow_cache_content(&l->cache, &content);
	protocols_total(&content, &l->sweep.stats, &accounts, totals);
	return protocols_list(&l->cache, totals, &accounts, number, list);
}

static int ops_switch_protocol(void *arg, uint8_t number, bool is_on)
{
	struct live *l = arg;
	int err = protocols_switch(&l->cache, number, is_on);

	if (!err)
		log_info("protocol %u is switched %s", number, is_on ? "on" : "off");
	return err;
}

static int ops_reload(void *arg, json_t *answers)
{
	return live_reload(arg, answers);
}

static void ops_ledger(void *arg, control_ledger_fn done, void *ctx)
{
	struct live *l = arg;

	if (l->n_readers == LIVE_MAX_READERS) {
		done(ctx, NULL);
		return;
	}
	l->reader[l->n_readers++] = (struct live_reader){.done = done, .ctx = ctx};
	live_grace_next(l);
}

static void ops_each_flow(void *arg, record_test_fn wants_state, record_sink_fn fn, void *fn_arg)
{
	struct live *l = arg;

	sweep_each_flow(&l->sweep, wants_state, fn, fn_arg);
}

static bool ops_each_event(void *arg, anomaly_sink_fn fn, void *fn_arg)
{
	const struct live *l = arg;

	if (l->anomaly)
		anomaly_each(l->anomaly, fn, fn_arg);
	return l->anomaly != NULL;
}

void live_control_ops(struct live *l, struct control_ops *ops)
{
	*ops = (struct control_ops){
		.arg = l,
		.groups = l->sweep.groups,
		.status = ops_status,
		.templates = ops_templates,
		.protocols = ops_protocols,
		.switch_protocol = ops_switch_protocol,
		.reload = ops_reload,
		.ledger = ops_ledger,
		.each_flow = ops_each_flow,
		.each_event = ops_each_event,
	};
}
