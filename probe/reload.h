/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the configuration in force to the next one: what becomes of each exporter, and
 * which keys stand in the way. Nothing is changed or read here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/config.h"
#include "probe/config_schema.h"

/* What becomes of an exporter of the next configuration. */
enum reload_action {
	RELOAD_KEEP, /* the same: its session does not notice */
	RELOAD_ADJUST, /* its session goes on, with new values of some keys */
	RELOAD_CHANGE, /* the one of this name leaves, a new one takes its place */
	RELOAD_ADD,
};

struct reload_exporter {
	enum reload_action action;
	size_t old; /* place among the exporters in force; not of RELOAD_ADD */
};

struct reload_plan {
	struct reload_exporter exporter[CONFIG_MAX_EXPORTERS]; /* by place in the next one */
	bool leaves[CONFIG_MAX_EXPORTERS]; /* by place in the one in force: changed or removed */
	bool is_removed[CONFIG_MAX_EXPORTERS]; /* ... and no other takes its name */
};

/* Told of each key whose new value needs a restart: path as in a file, `interfaces[1].name`. */
typedef void (*reload_refuse_fn)(void *arg, const char *path);

/* Told of each key outside exporters that has a new value. */
typedef void (*reload_news_fn)(void *arg, const char *path);

/*
 * Compare two configurations that both passed config_check(). Exporters are known by
 * their names.
 *
 * details  those the Flow Cache keeps, bits 1 << XFP_DETAIL_*
 * refuse   told of what cannot be; NULL: only counted
 *
 * Returns how many keys need a restart; *plan is for 0 only.
 */
size_t reload_plan(struct reload_plan *plan, const struct config *old, const struct config *next,
		   uint32_t details, reload_refuse_fn refuse, void *arg);

/* Call fn for each key outside exporters that differs. */
void reload_news(const struct config *old, const struct config *next, reload_news_fn fn, void *arg);
