/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups of networks. See config_groups.h. */
#include "probe/config_groups.h"

#include <errno.h>
#include <string.h>

#define GROUP_AT "anomaly.groups[]."

/* Members are where they are in struct config, from here on. */
#define LIMITS_AT offsetof(struct config, anomaly.limits)

bool config_is_in_group(const char *at, size_t length)
{
	return length == strlen(GROUP_AT) && !strncmp(at, GROUP_AT, length);
}

void *config_group_base(struct network_group *group)
{
	return (char *)&group->limits - LIMITS_AT;
}

const void *config_group_base_const(const struct network_group *group)
{
	return (const char *)&group->limits - LIMITS_AT;
}

uint32_t config_group_threshold(const struct network_group *group, const struct config_key *key)
{
	uint32_t value;

	if (!config_key_is_threshold(key))
		return 0;
	memcpy(&value, (const char *)&group->limits + key->offset - LIMITS_AT, sizeof(value));
	return value;
}

static bool has_equal(const struct network_list *list, const struct network *network)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->item[i].length == network->length &&
		    host_equals(&list->item[i].address, &network->address))
			return true;
	return false;
}

int config_group_check(const struct config_key *key, const struct config *cfg, void *base,
		       const char **reason)
{
	struct network_group *group = base;
	struct network network;
	bool is_taken;

	if (!config_is_in_group(key->path, strlen(GROUP_AT)))
		return 0;
	network = group->networks.item[--group->networks.n];
	is_taken = has_equal(&group->networks, &network);
	*reason = is_taken ? "is here a second time" : "is in another group, too; leave it in one";
	for (size_t i = 0; i < cfg->anomaly.n_groups && !is_taken; i++)
		is_taken = has_equal(&cfg->anomaly.groups[i].networks, &network);
	if (is_taken)
		return -EINVAL;
	group->networks.n++;
	return 0;
}

bool config_group_help(const char *at, size_t length, bool thresholds_only, const char *name,
		       char *allowed, size_t size, char nearest[static CONFIG_PATH_TEXT_MAX])
{
	static const char also[] = CONFIG_THRESHOLDS_AT;

	config_names_at(at, length, thresholds_only, allowed, size);
	if (config_is_in_group(at, length))
		config_names_add(also, strlen(also), true, allowed, size);
	if (config_find_nearest(at, length, thresholds_only, name, nearest))
		return true;
	return config_is_in_group(at, length) &&
	       config_find_nearest(also, strlen(also), true, name, nearest);
}

bool config_groups_equal(const struct anomaly_config *a, const struct anomaly_config *b)
{
	/* each began as zeros: nothing is behind the end of a name or list */
	return a->n_groups == b->n_groups &&
	       !memcmp(a->groups, b->groups, a->n_groups * sizeof(a->groups[0]));
}
