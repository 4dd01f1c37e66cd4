/* SPDX-License-Identifier: BSD-2-Clause */
/* What a new configuration changes. See reload.h. */
#include "probe/reload.h"

#include <stdio.h>
#include <string.h>

#include "probe/config_groups.h"
#include "probe/sweep.h"

/* Whom to tell of what needs a restart. */
struct refusal {
	reload_refuse_fn fn;
	void *arg;
	size_t n;
};

static void refuse(struct refusal *r, const char *path)
{
	r->n++;
	if (r->fn)
		r->fn(r->arg, path);
}

/* The path of a list's key in its i-th item. */
static void item_path(char path[static CONFIG_PATH_TEXT_MAX], const struct config_key *key,
		      size_t i)
{
	const struct config_list *list = config_list_of(key);

	snprintf(path, CONFIG_PATH_TEXT_MAX, "%s[%zu].%s", list->path, i, config_key_name(key));
}

/* Key number i, if it belongs to this list and has a member; else NULL. */
static const struct config_key *key_of(const struct config_list *list, size_t i)
{
	const struct config_key *key = &config_keys[i];

	return config_list_of(key) == list && key->size ? key : NULL;
}

static const struct config_list *list_of(const char *path)
{
	return config_list_of(config_key_find(path));
}

static void plan_top(struct refusal *r, const struct config *old, const struct config *next)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = key_of(NULL, i);

		if (key && key->reload == CONFIG_RESTART && !config_key_equals(key, old, next))
			refuse(r, key->path);
	}
}

static const struct interface_config *interface_find(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_interfaces; i++)
		if (!strcmp(cfg->interfaces[i].name, name))
			return &cfg->interfaces[i];
	return NULL;
}

/* Their order means nothing. */
static void plan_interfaces(struct refusal *r, const struct config *old, const struct config *next)
{
	const struct config_list *list = list_of("interfaces[].name");
	char path[CONFIG_PATH_TEXT_MAX];

	for (size_t k = 0; k < next->n_interfaces; k++) {
		const struct interface_config *now = &next->interfaces[k];
		const struct interface_config *before = interface_find(old, now->name);

		for (size_t i = 0; i < config_n_keys; i++) {
			const struct config_key *key = key_of(list, i);

			if (!key || (before && config_key_equals(key, before, now)))
				continue;
			item_path(path, key, k);
			refuse(r, path);
			if (!before)
				break;
		}
	}
	for (size_t k = 0; k < old->n_interfaces; k++)
		if (!interface_find(next, old->interfaces[k].name)) {
			refuse(r, list->path);
			return;
		}
}

/* What records are made of has to be there already. */
static void plan_details(struct refusal *r, const struct config *next, uint32_t details)
{
	const struct config_key *fields = config_key_find("exporters[].fields");
	char path[CONFIG_PATH_TEXT_MAX];

	if (sweep_details_of_groups(next->output_fields) & ~details)
		refuse(r, "output_fields");
	for (size_t k = 0; k < next->n_exporters; k++) {
		if (!(sweep_details_of_groups(next->exporters[k].fields) & ~details))
			continue;
		item_path(path, fields, k);
		refuse(r, path);
	}
}

/* What an exporter of a failover group does is not what others do: it keeps what it sent. */
static bool is_in_failover(const struct config *cfg, const struct exporter_config *e)
{
	const struct group_config *group = config_group(cfg, e->group);

	return group && group->mode == MODE_FAILOVER;
}

static enum reload_action plan_one(const struct config *old, const struct exporter_config *before,
				   const struct config *next, const struct exporter_config *now)
{
	const struct config_list *list = list_of("exporters[].name");
	enum reload_action action = RELOAD_KEEP;

	if (is_in_failover(old, before) != is_in_failover(next, now))
		return RELOAD_CHANGE;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = key_of(list, i);

		if (!key || config_key_equals(key, before, now))
			continue;
		if (key->reload == CONFIG_SESSION)
			return RELOAD_CHANGE;
		action = RELOAD_ADJUST;
	}
	return action;
}

static void plan_exporters(struct reload_plan *plan, const struct config *old,
			   const struct config *next)
{
	for (size_t k = 0; k < old->n_exporters; k++)
		plan->leaves[k] = plan->is_removed[k] = true;
	for (size_t i = 0; i < next->n_exporters; i++) {
		struct reload_exporter *e = &plan->exporter[i];
		const struct exporter_config *now = &next->exporters[i];

		*e = (struct reload_exporter){.action = RELOAD_ADD};
		for (size_t k = 0; k < old->n_exporters; k++) {
			const struct exporter_config *before = &old->exporters[k];

			if (strcmp(before->name, now->name) != 0)
				continue;
			e->old = k;
			e->action = plan_one(old, before, next, now);
			plan->is_removed[k] = false;
			plan->leaves[k] = e->action == RELOAD_CHANGE;
		}
	}
}

size_t reload_plan(struct reload_plan *plan, const struct config *old, const struct config *next,
		   uint32_t details, reload_refuse_fn fn, void *arg)
{
	struct refusal r = {.fn = fn, .arg = arg};

	*plan = (struct reload_plan){0};
	plan_top(&r, old, next);
	plan_interfaces(&r, old, next);
	plan_details(&r, next, details);
	plan_exporters(plan, old, next);
	return r.n;
}

static bool are_groups_equal(const struct config *old, const struct config *next)
{
	const struct config_list *list = list_of("groups[].mode");

	if (old->n_groups != next->n_groups)
		return false;
	for (size_t k = 0; k < old->n_groups; k++) {
		if (strcmp(old->groups[k].name, next->groups[k].name) != 0)
			return false;
		for (size_t i = 0; i < config_n_keys; i++) {
			const struct config_key *key = key_of(list, i);

			if (key && !config_key_equals(key, &old->groups[k], &next->groups[k]))
				return false;
		}
	}
	return true;
}

void reload_news(const struct config *old, const struct config *next, reload_news_fn fn, void *arg)
{
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = key_of(NULL, i);

		if (key && !config_key_equals(key, old, next))
			fn(arg, key->path);
	}
	if (!are_groups_equal(old, next))
		fn(arg, "groups");
	if (!config_groups_equal(&old->anomaly, &next->anomaly))
		fn(arg, "anomaly.groups");
}
