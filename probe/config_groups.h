/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups of networks, `anomaly.groups.NAME`: thresholds stand in them under the names
 * they have outside of them, with the ranges of the one row each has in the schema.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/config.h"
#include "probe/config_schema.h"

#define CONFIG_THRESHOLDS_AT "anomaly." /* what their paths outside of a group begin with */

/* True when the first `length` octets of `at` are the place of a group's keys. */
bool config_is_in_group(const char *at, size_t length);

/* What a threshold's row takes for the struct config to keep a value in the group instead. */
void *config_group_base(struct network_group *group);
const void *config_group_base_const(const struct network_group *group);

/* The threshold of this key that a group has of its own; 0: none, or the key is no threshold. */
uint32_t config_group_threshold(const struct network_group *group, const struct config_key *key);

/*
 * Check the network that was added last to `base`, if that is a group of *cfg: no other
 * may have the same. Returns 0, or -EINVAL with *reason set, static; it is removed then.
 */
int config_group_check(const struct config_key *key, const struct config *cfg, void *base,
		       const char **reason);

/*
 * What a name that is none may be: the names there are at a place, in a group those of
 * its thresholds, too; true, and the nearest one, if it may be a misspelling of that.
 */
bool config_group_help(const char *at, size_t length, bool thresholds_only, const char *name,
		       char *allowed, size_t size, char nearest[static CONFIG_PATH_TEXT_MAX]);

/* True when both have the same groups, in the same order. */
bool config_groups_equal(const struct anomaly_config *a, const struct anomaly_config *b);
