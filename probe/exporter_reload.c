/* SPDX-License-Identifier: BSD-2-Clause */
/* What a reload asks of exporters: new values for one, counts of those that left. */
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

void exporter_stats_add(struct exporter_stats *to, const struct exporter_stats *v)
{
	const size_t n_volumes =
		offsetof(struct exporter_stats, messages) / sizeof(struct exporter_volume);

	for (size_t i = 0; i < n_volumes; i++)
		volume_add((struct exporter_volume *)to + i, (const struct exporter_volume *)v + i);
	to->messages += v->messages;
	to->message_octets += v->message_octets;
	to->templates_sent += v->templates_sent;
	to->send_errors += v->send_errors;
	to->spool_octets = v->spool_octets;
	to->sequence = v->sequence;
}
