/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon. See live.h.
 */
#include "probe/live.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-daemon.h>

#include "probe/detail_layout.h"
#include "probe/interface_networks.h"
#include "probe/live_private.h"
#include "probe/log.h"
#include "probe/privileges.h"
#include "probe/protocols.h"

static void on_signal(void *arg, int signo)
{
	struct live *l = arg;

	if (signo == SIGHUP) {
		json_t *nobody = json_array();

		live_reload(l, nobody);
		json_decref(nobody);
		return;
	}
	log_info("%s: expiring and exporting everything", strsignal(signo));
	loop_stop(&l->loop);
}

static void on_grace(void *arg, uint64_t now_ns, uint32_t events)
{
	(void)now_ns;
	(void)events;
	live_grace_over(arg);
}

static void on_sweep_timer(void *arg, uint64_t now_ns)
{
	live_sweep_begin(arg, now_ns);
}

static void on_export_timer(void *arg, uint64_t now_ns)
{
	live_export(arg, now_ns);
}

static void on_duration(void *arg, uint64_t now_ns)
{
	struct live *l = arg;

	(void)now_ns;
	loop_stop(&l->loop);
}

static int timers_open(struct live *l)
{
	int err;

	l->sweep_timer = (struct loop_timer){.fn = on_sweep_timer, .arg = l};
	l->export_timer = (struct loop_timer){.fn = on_export_timer, .arg = l};
	l->duration_timer = (struct loop_timer){.fn = on_duration, .arg = l};
	err = loop_timer_open(&l->loop, &l->sweep_timer);
	if (!err)
		err = loop_timer_open(&l->loop, &l->export_timer);
	if (!err)
		err = loop_timer_open(&l->loop, &l->duration_timer);
	if (!err) {
		l->grace_watch = (struct loop_watch){.fn = on_grace, .arg = l};
		err = loop_watch_fd(&l->loop, &l->grace_watch, l->grace.event_fd, EPOLLIN);
	}
	return err ? log_errno(err, "set up the timers of the loop") : 0;
}

static void timers_start(struct live *l)
{
	uint64_t now = clock_monotonic_ns();

	l->started_ns = now;
	loop_timer_set(&l->sweep_timer, now + l->interval_ns, 0);
	loop_timer_set(&l->export_timer, now, 0);
	if (l->cfg.duration_s > 0)
		loop_timer_set(&l->duration_timer,
			       now + (uint64_t)(l->cfg.duration_s * (double)NS_PER_S), 0);
}

static int sweep_setup(struct live *l)
{
	const struct flow_cache_config *fc = &l->cfg.flow_cache;

	l->interval_ns = (uint64_t)(fc->sweep_interval_s * (double)NS_PER_S);
	l->sweep.cache = &l->cache;
	l->sweep.clock = &l->clock;
	l->sweep.obs = &l->obs.table;
	l->sweep.sink = sinks_record;
	l->sweep.sink_arg = &l->sinks;
	l->sweep.observer = l->anomaly ? anomaly_observer(l->anomaly) : NULL;
	live_sweep_configure(l);
	return sweep_open(&l->sweep);
}

/* Metering goes on without a control socket; a second probe may well hold it. */
static void control_setup(struct live *l)
{
	if (!l->cfg.control_socket[0])
		return;
	live_control_ops(l, &l->control_ops);
	if (control_open(&l->control, &l->loop, l->cfg.control_socket, &l->control_ops))
		log_warning("going on without a control socket: xflowctl cannot ask this probe "
			    "(set control.socket)");
}

static int anomaly_setup(struct live *l)
{
	struct network_list attached;
	struct anomaly_setup setup = {
		.cfg = &l->cfg.anomaly,
		.attached = &attached,
		.clock = &l->clock,
		.sink = sinks_event,
		.sink_arg = &l->sinks,
		.seed = l->cache.params.unseen_seed,
	};

	if (!l->cfg.anomaly.enabled)
		return 0;
	interface_networks(&l->cfg, &attached);
	return anomaly_open(&l->anomaly, &setup);
}

static int cache_setup(struct live *l)
{
	const struct flow_cache_config *fc = &l->cfg.flow_cache;
	struct flow_cache_params params;
	int err = flow_cache_params_init(&params, fc->max_flows, fc->max_flows_ipv6);

	params.detail = detail_layout(sweep_details_of_groups(fields_in_use(&l->cfg)));
	params.is_watched = l->cfg.anomaly.enabled;
	params.has_switches = fc->protocols.is_given;
	params.joins_points = fc->deduplicate;
	if (!err)
		err = flow_cache_open(&l->cache, &params, fc->max_flows, fc->max_flows_ipv6, false);
	return err;
}

/* Exporting Process first, Observation Points last. */
static int live_open(struct live *l)
{
	const struct config *cfg = &l->cfg;
	int err;

	wall_clock_update(&l->clock); /* the first Templates leave before the first sweep */
	err = loop_open(&l->loop, on_signal, l);
	if (!err)
		err = cache_setup(l);
	if (!err)
		err = obs_points_open(&l->obs, cfg, &l->cache);
	if (!err)
		protocols_switch_all(&l->cache, &cfg->flow_cache.protocols);
	if (!err)
		err = grace_open(&l->grace, obs_points_grace_fd(&l->obs));
	if (!err)
		err = sinks_open(&l->sinks, cfg, true);
	l->sinks.facts.read_interfaces = interfaces_read;
	if (!err)
		err = anomaly_setup(l);
	if (!err)
		err = sweep_setup(l);
	if (!err)
		err = live_model_open(&l->model, &l->loop, &l->cfg.anomaly.learning, l->anomaly,
				      clock_monotonic_ns());
	if (!err)
		err = timers_open(l);
	if (!err)
		err = obs_points_attach(&l->obs, cfg);
	if (!err)
		control_setup(l);
	if (!err)
		err = privileges_drop(&l->grace, obs_points_need_net_admin(&l->obs));
	return err;
}

/* Detach, let the last programs end, take everything out, send it, print the ledger. */
static int live_finish(struct live *l)
{
	static struct ledger ledger;
	uint64_t now;
	int err;

	obs_points_detach(&l->obs);
	err = grace_wait(&l->grace);
	if (err)
		return log_errno(err,
				 "wait for the last packets: Flows in the cache are not exported");
	wall_clock_update(&l->clock);
	now = clock_monotonic_ns();
	sweep_flush(&l->sweep, now, FLOW_END_FORCED);
	live_note_ignored(l);
	if (l->anomaly)
		anomaly_finish(l->anomaly, now);
	sinks_flush(&l->sinks, now, 1);
	sinks_drain(&l->sinks, now, live_time_s(l, clock_monotonic_ns()));
	live_ledger(l, &ledger);
	ledger.seen_before = ledger.seen_after;
	if (l->sinks.is_json || l->cfg.verbose)
		sinks_print_ledger(&l->sinks, &ledger);
	if (!ledger_is_balanced(&ledger))
		log_warning("the ledger does not balance: please report it with the output of "
			    "`xflowctl ledger --json`");
	live_model_finish(&l->model); /* last: a disk may keep it waiting */
	return 0;
}

static void live_close(struct live *l)
{
	control_close(&l->control);
	obs_points_detach(&l->obs);
	loop_unwatch(&l->loop, &l->grace_watch);
	grace_close(&l->grace);
	loop_timer_close(&l->loop, &l->sweep_timer);
	loop_timer_close(&l->loop, &l->export_timer);
	loop_timer_close(&l->loop, &l->duration_timer);
	live_model_close(&l->model, &l->loop);
	sweep_close(&l->sweep);
	anomaly_close(l->anomaly);
	sinks_close(&l->sinks);
	flow_cache_close(&l->cache);
	obs_points_close(&l->obs);
	loop_close(&l->loop);
}

int live_run(const struct config *cfg, const struct options *opt)
{
	static struct live l;
	int err;

	l.cfg = *cfg;
	l.opt = opt;
	err = live_open(&l);

	if (!err) {
		timers_start(&l);
		sd_notify(0, "READY=1");
		err = loop_run(&l.loop);
		sd_notify(0, "STOPPING=1");
		if (!err)
			err = live_finish(&l);
	}
	live_close(&l);
	return err;
}
