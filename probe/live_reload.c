/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration, read again while the probe runs: all of it is taken, or nothing.
 * What may fail comes first.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>

#include "probe/configure.h"
#include "probe/detail_layout.h"
#include "probe/interface_networks.h"
#include "probe/live_private.h"
#include "probe/log.h"
#include "probe/reload.h"
#include "probe/sinks_reload.h"

struct file_places {
	const char *path;
	const struct config_places *places;
};

/* A reload_refuse_fn. */
static void print_refusal(void *arg, const char *path)
{
	const struct file_places *file = arg;
	const struct config_place *at = config_places_find(file->places, path);

	if (at)
		log_error("%s:%zu:%zu: %s: a new value needs a restart of the probe", file->path,
			  at->line, at->column, path);
	else
		log_error("%s: %s: a new value needs a restart of the probe", file->path, path);
}

static int read_next(const struct options *opt, struct config *next, struct config_places *places)
{
	struct stat st;

	if (!opt->config_path) {
		log_error("there is no configuration to read again: the probe was started without "
			  "-c FILE");
		return -EINVAL;
	}
	if (!stat(opt->config_path, &st) && !S_ISREG(st.st_mode)) {
		log_error("%s is not a file that can be read again", opt->config_path);
		return -EINVAL;
	}
	return configure(next, opt, places);
}

/* The detector of hosts goes on with its file. */
static bool learns_on(const struct live *l, const struct config *next)
{
	const struct learning_config *was = &l->cfg.anomaly.learning;
	const struct learning_config *will = &next->anomaly.learning;

	return was->enabled && will->enabled && !strcmp(was->path, will->path);
}

/* What may fail. Nothing has changed if it does. */
static int prepare(struct live *l, const struct config *next, const struct reload_plan *plan,
		   struct sinks_fresh *fresh, uint64_t now_ns)
{
	struct network_list attached;
	int err = sinks_reload_prepare(&l->sinks, next, plan, fresh);

	if (err || !l->anomaly)
		return err;
	if (!learns_on(l, next))
		live_model_leave(&l->model, now_ns);
	err = anomaly_reload(l->anomaly, &next->anomaly, now_ns);
	if (err) {
		sinks_reload_abandon(fresh);
		return err;
	}
	interface_networks(next, &attached);
	anomaly_attach(l->anomaly, &attached);
	return 0;
}

static void set_sweep(struct live *l)
{
	const struct flow_cache_config *fc = &l->cfg.flow_cache;

	live_sweep_configure(l);
	sweep_look_again(&l->sweep);
	l->control_ops.groups = l->sweep.groups;
	l->interval_ns = (uint64_t)(fc->sweep_interval_s * (double)NS_PER_S);
	if (!l->is_sweeping)
		loop_timer_set(&l->sweep_timer, l->sweep_began_ns + l->interval_ns, 0);
}

static void commit(struct live *l, const struct config *next, const struct reload_plan *plan,
		   struct sinks_fresh *fresh, uint64_t now_ns)
{
	const struct sinks_moment at = {
		.exported = {.records = l->sweep.stats.exported_records,
			     .packets = l->sweep.stats.exported_packets,
			     .octets = l->sweep.stats.exported_octets},
		.now_ns = now_ns,
		.time_s = live_time_s(l, now_ns),
		.interval_ns = l->interval_ns,
	};

	bool learns_anew = next->anomaly.learning.enabled && !learns_on(l, next);

	l->cfg = *next;
	log_setup((enum log_level)l->cfg.log_level, l->cfg.log_json);
	if (learns_anew)
		live_model_load(&l->model);
	set_sweep(l);
	sinks_reload_commit(&l->sinks, &l->cfg, plan, fresh, &at);
	if (l->sinks.has_output)
		output_flush(&l->sinks.output); /* events */
	live_export(l, now_ns);
}

static void add_name(json_t *into, const char *key, const char *name)
{
	json_t *list = json_object_get(into, key);

	if (!list) {
		list = json_array();
		json_object_set_new(into, key, list);
	}
	json_array_append_new(list, json_string(name));
}

static void add_key(void *arg, const char *path)
{
	add_name(arg, "keys", path);
}

/* What becomes of the exporters, by name, and which other keys have changed. */
static json_t *describe(const struct config *old, const struct config *next,
			const struct reload_plan *plan)
{
	static const char *const actions[] = {
		[RELOAD_KEEP] = "kept",
		[RELOAD_ADJUST] = "adjusted",
		[RELOAD_CHANGE] = "changed",
		[RELOAD_ADD] = "added",
	};
	json_t *object = json_pack("{s:s}", "type", "reload");

	for (size_t i = 0; i < next->n_exporters; i++)
		add_name(object, actions[plan->exporter[i].action], next->exporters[i].name);
	for (size_t k = 0; k < old->n_exporters; k++)
		if (plan->is_removed[k])
			add_name(object, "removed", old->exporters[k].name);
	reload_news(old, next, add_key, object);
	return object;
}

static void print_done(const char *path, const json_t *done)
{
	log_info("%s read again: exporters: %zu kept, %zu adjusted, %zu changed, %zu added, "
		 "%zu removed; other keys with a new value: %zu",
		 path, json_array_size(json_object_get(done, "kept")),
		 json_array_size(json_object_get(done, "adjusted")),
		 json_array_size(json_object_get(done, "changed")),
		 json_array_size(json_object_get(done, "added")),
		 json_array_size(json_object_get(done, "removed")),
		 json_array_size(json_object_get(done, "keys")));
}

static int reload(struct live *l, struct config *next, json_t *answers)
{
	static struct reload_plan plan;
	static struct sinks_fresh fresh;
	struct config_places places = {0};
	struct file_places file = {l->opt->config_path, &places};
	uint64_t now_ns = clock_monotonic_ns();
	int err = read_next(l->opt, next, &places);

	next->output = l->cfg.output; /* not of the file, but what it made of none at start */
	if (!err && reload_plan(&plan, &l->cfg, next, detail_layout_set(&l->cache.params.detail),
				print_refusal, &file))
		err = -EINVAL;
	if (!err)
		err = prepare(l, next, &plan, &fresh, now_ns);
	configure_end(&places);
	if (err)
		return err;
	json_t *done = describe(&l->cfg, next, &plan);

	commit(l, next, &plan, &fresh, now_ns);
	print_done(l->opt->config_path, done);
	json_array_append_new(answers, done);
	return 0;
}

/* A log_copy_fn: what went wrong goes into the answer as well. */
static void copy_error(void *arg, enum log_level level, const char *message)
{
	if (level == LOG_ERROR)
		json_array_append_new(arg,
				      json_pack("{s:s, s:s}", "type", "error", "error", message));
}

int live_reload(struct live *l, json_t *answers)
{
	static struct config next;
	int err;

	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long)(clock_monotonic_ns() / 1000));
	log_copy(copy_error, answers);
	err = reload(l, &next, answers);
	if (err) {
		l->failed_reloads++;
		log_error("not reloaded: the configuration in force stays");
	} else {
		l->reloads++;
	}
	log_copy(NULL, NULL);
	sd_notify(0, "READY=1");
	return err;
}
