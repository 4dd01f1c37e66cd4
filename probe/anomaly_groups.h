/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which limits a host is measured by: those of the group of networks with the longest
 * prefix it is in, where that has some of its own, otherwise those for all.
 */
#pragma once

#include <stdint.h>

#include "probe/anomaly_config.h"
#include "probe/anomaly_event.h"

#define GROUP_NONE 0 /* number of those in no group */

struct anomaly_groups {
	uint32_t n_networks;
	struct group_network { /* the longest prefix first */
		struct host address;
		uint8_t length;
		uint8_t group; /* its number, from 1 */
	} network[NETWORK_GROUPS_MAX * NETWORKS_MAX];
	struct anomaly_limits limits[NETWORK_GROUPS_MAX + 1]; /* by number, complete */
	struct anomaly_limits least; /* the lowest thresholds of any host */
};

/* From the configuration; what *g held is gone. */
void anomaly_groups_set(struct anomaly_groups *g, const struct anomaly_config *cfg);

/* Number of the host's group, GROUP_NONE. */
uint32_t anomaly_groups_find(const struct anomaly_groups *g, const struct host *host);

/* Write into the event which group the host is in, and whether e->rule is a key of it. */
void anomaly_groups_tell(const struct anomaly_groups *g, const struct anomaly_config *cfg,
			 const struct host *host, struct anomaly_event *e);
