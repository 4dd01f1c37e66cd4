/* SPDX-License-Identifier: BSD-2-Clause */
/* New values of keys that an exporter's session does not notice. See exporter.h. */
#include "probe/exporter_private.h"

#include "probe/clock.h"
#include "probe/config_schema.h"

static void not_later(uint64_t *due_ns, uint64_t now_ns, uint32_t seconds)
{
	uint64_t latest_ns = now_ns + seconds * NS_PER_S;

	if (*due_ns != UINT64_MAX && *due_ns > latest_ns)
		*due_ns = latest_ns;
}

void exporter_adjust(struct exporter *e, const struct exporter_config *cfg)
{
	const struct config_list *list = config_list_of(config_key_find("exporters[].name"));

	for (size_t i = 0; i < config_n_keys; i++)
		if (config_list_of(&config_keys[i]) == list &&
		    config_keys[i].reload == CONFIG_AT_ONCE)
			config_key_copy(&config_keys[i], &e->cfg, cfg);
	pace_limit(&e->pace, e->is_paced ? cfg->max_records_per_s : 0);
	pace_limit(&e->restore_pace, cfg->spool_max_records_per_s);
	not_later(&e->templates_due_ns, e->now_ns, cfg->template_refresh_s);
	not_later(&e->options.due_ns, e->now_ns, cfg->template_refresh_s);
	if (cfg->transport == TRANSPORT_TCP)
		not_later(&e->session.retry_ns, e->now_ns, cfg->reconnect_s);
}
