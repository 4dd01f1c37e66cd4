/* SPDX-License-Identifier: BSD-2-Clause */
/* Limits by group of networks. See anomaly_groups.h. */
#include "probe/anomaly_groups.h"

#include <stdlib.h>
#include <string.h>

#include "probe/config_groups.h"

static int compare(const void *a, const void *b)
{
	const struct group_network *x = a, *y = b;

	if (x->length != y->length)
		return x->length > y->length ? -1 : 1;
	return memcmp(&x->address, &y->address, sizeof(x->address));
}

static void networks_set(struct anomaly_groups *g, const struct anomaly_config *cfg)
{
	g->n_networks = 0;
	for (size_t i = 0; i < cfg->n_groups; i++) {
		const struct network_list *list = &cfg->groups[i].networks;

		for (size_t k = 0; k < list->n; k++)
			g->network[g->n_networks++] = (struct group_network){
				.address = list->item[k].address,
				.length = list->item[k].length,
				.group = (uint8_t)(i + 1),
			};
	}
	qsort(g->network, g->n_networks, sizeof(g->network[0]), compare);
}

/* Where a threshold is in limits. */
static uint32_t *threshold_at(struct anomaly_limits *limits, const struct config_key *key)
{
	return (uint32_t *)((char *)limits + key->offset - offsetof(struct config, anomaly.limits));
}

static void threshold_set(struct anomaly_groups *g, const struct anomaly_config *cfg,
			  const struct config_key *key)
{
	uint32_t *least = threshold_at(&g->least, key);

	for (size_t i = 0; i < cfg->n_groups; i++) {
		uint32_t own = config_group_threshold(&cfg->groups[i], key);

		if (own)
			*threshold_at(&g->limits[i + 1], key) = own;
		if (own && own < *least)
			*least = own;
	}
}

void anomaly_groups_set(struct anomaly_groups *g, const struct anomaly_config *cfg)
{
	networks_set(g, cfg);
	g->least = cfg->limits;
	for (size_t i = 0; i <= cfg->n_groups; i++)
		g->limits[i] = cfg->limits;
	for (size_t i = 0; i < config_n_keys; i++)
		if (config_key_is_threshold(&config_keys[i]))
			threshold_set(g, cfg, &config_keys[i]);
}

/* The address without its bits behind the length. */
static struct host cut(const struct host *host, uint8_t length)
{
	struct host h = *host;

	for (uint32_t i = length / 8; i < sizeof(h.octets); i++)
		h.octets[i] &= i == length / 8 ? (uint8_t)(0xff00 >> length % 8) : 0;
	return h;
}

uint32_t anomaly_groups_find(const struct anomaly_groups *g, const struct host *host)
{
	uint32_t i = 0;

	while (i < g->n_networks) {
		struct group_network key = {.length = g->network[i].length}, *found;
		uint32_t end = i + 1;

		while (end < g->n_networks && g->network[end].length == key.length)
			end++;
		key.address = cut(host, key.length);
		found = bsearch(&key, &g->network[i], end - i, sizeof(key), compare);
		if (found)
			return found->group;
		i = end;
	}
	return GROUP_NONE;
}

void anomaly_groups_tell(const struct anomaly_groups *g, const struct anomaly_config *cfg,
			 const struct host *host, struct anomaly_event *e)
{
	uint32_t n = anomaly_groups_find(g, host);
	const struct config_key *key = e->rule ? config_key_find(e->rule) : NULL;

	if (n == GROUP_NONE)
		return;
	strcpy(e->group, cfg->groups[n - 1].name);
	e->is_group_rule = key && config_group_threshold(&cfg->groups[n - 1], key);
}
