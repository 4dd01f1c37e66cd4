/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where Flow Records go. See sinks.h.
 */
#include "probe/sinks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/clock.h"
#include "probe/log.h"

#define DRAIN_TIMEOUT_MS 5000

/* The one that need not be configured. */
static const struct group_config main_group = {.name = "main", .mode = MODE_MIRROR};

static void join_group(struct sinks *s, const struct config *cfg, size_t i)
{
	const struct group_config *group = config_group(cfg, cfg->exporters[i].group);
	size_t k = 0;

	if (!group)
		group = &main_group;
	while (k < s->n_groups && s->group[k].cfg != group)
		k++;
	if (k == s->n_groups)
		s->group[s->n_groups++].cfg = group;
	exporter_group_add(&s->group[k], s->exporter[i]);
	if (group->mode != MODE_MIRROR)
		s->share[i] = (uint32_t)k + 1;
}

static bool has_event_exporter(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_exporters; i++)
		if (cfg->exporters[i].events)
			return true;
	return false;
}

int sinks_open(struct sinks *s, const struct config *cfg, bool is_paced)
{
	int err = 0;

	if (cfg->output == OUTPUT_JSON || cfg->output == OUTPUT_TABLE) {
		uint32_t biflow = cfg->output_biflow == BIFLOW_RFC5103 ? GROUP_BIFLOW : 0;

		err = output_open(&s->output, STDOUT_FILENO, cfg->output,
				  cfg->output_fields | biflow);
		s->has_output = !err;
		s->is_json = cfg->output == OUTPUT_JSON;
	}
	if (!s->has_output && !err && cfg->anomaly.enabled && !has_event_exporter(cfg)) {
		err = output_open(&s->output, STDOUT_FILENO, OUTPUT_JSON, GROUP_BASE);
		s->has_output = s->is_for_events = !err;
	}
	for (size_t i = 0; i < cfg->n_exporters && !err; i++) {
		err = exporter_open(&s->exporter[i], &cfg->exporters[i], cfg->observation_domain_id,
				    cfg->enterprise_number, is_paced);
		if (!err) {
			exporter_set_facts(s->exporter[s->n_exporters], &s->facts);
			join_group(s, cfg, s->n_exporters++);
		}
	}
	if (err)
		sinks_close(s);
	return err;
}

void sinks_record(void *arg, const struct flow_record *r)
{
	struct sinks *s = arg;

	for (size_t i = 0; i < s->n_groups; i++)
		exporter_group_record(&s->group[i], r);
	if (s->has_output && !s->is_for_events)
		output_record(&s->output, r);
}

void sinks_biflow(void *arg, const struct flow_record *forward, const struct flow_record *reverse)
{
	struct sinks *s = arg;

	for (size_t i = 0; i < s->n_groups; i++)
		exporter_group_biflow(&s->group[i], forward, reverse);
	if (s->has_output && !s->is_for_events)
		output_biflow(&s->output, forward, reverse);
}

void sinks_note_ignored(struct sinks *s, const struct xfp_ledger_row *sum, uint32_t time_s)
{
	const struct xfp_volume reasons = ledger_sum_reasons(sum), full = ledger_sum_overflow(sum);
	const struct xfp_volume *not_ip = &sum->reason[XFP_not_ip];
	struct options_loss *known = &s->facts.ignored;
	uint64_t packets = reasons.packets - not_ip->packets + full.packets;

	if (packets == known->packets)
		return;
	*known = (struct options_loss){
		.packets = packets,
		.octets = reasons.octets - not_ip->octets + full.octets,
		.first_s = known->first_s ? known->first_s : time_s,
		.last_s = time_s,
	};
}

void sinks_event(void *arg, const struct anomaly_event *e)
{
	struct sinks *s = arg;
	char line[ANOMALY_JSON_MAX];

	if (e->is_dry_run)
		s->n_dry += e->state == ANOMALY_START;
	else if (s->has_output)
		output_line(&s->output, line, (size_t)(anomaly_put_json(line, e) - line));
	for (size_t i = 0; i < s->n_groups && !e->is_dry_run; i++)
		exporter_group_event(&s->group[i], e);
}

void sinks_flush(struct sinks *s, uint64_t now_ns, uint64_t interval_ns)
{
	for (size_t i = 0; i < s->n_exporters; i++)
		exporter_flush(s->exporter[i], now_ns, interval_ns);
	if (s->has_output)
		output_flush(&s->output);
}

uint64_t sinks_run(struct sinks *s, uint64_t now_ns, uint32_t time_s)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < s->n_groups; i++)
		exporter_group_run(&s->group[i], now_ns);
	for (size_t i = 0; i < s->n_exporters; i++) {
		uint64_t due = exporter_run(s->exporter[i], now_ns, time_s);

		if (due < next)
			next = due;
	}
	return next;
}

void sinks_drain(struct sinks *s, uint64_t now_ns, uint32_t time_s)
{
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t deadline_ns = start_ns + DRAIN_TIMEOUT_MS * NS_PER_MS;

	/* one deadline for all: collectors that are away do not add up */
	for (size_t i = 0; i < s->n_exporters; i++) {
		uint64_t clock_ns = clock_monotonic_ns();
		uint64_t left_ns = deadline_ns > clock_ns ? deadline_ns - clock_ns : 0;

		uint64_t took_ns = clock_ns - start_ns;

		exporter_drain(s->exporter[i], now_ns + took_ns, time_s + clock_round_s(took_ns),
			       (int)(left_ns / NS_PER_MS));
	}
	if (s->has_output)
		output_flush(&s->output);
	if (s->n_dry)
		log_info("dry run: %llu incidents would have been told of",
			 (unsigned long long)s->n_dry);
}

int sinks_templates(struct sinks *s, bool sends, json_t *list)
{
	int err = 0;

	for (size_t i = 0; i < s->n_exporters && !err; i++) {
		struct exporter *e = s->exporter[i];
		json_t *ids = json_array();

		for (size_t k = 0; k < exporter_templates(e); k++)
			json_array_append_new(ids, json_integer(exporter_template_id(e, k)));
		json_t *object = json_pack("{s:s, s:s, s:o}", "type", "templates", "exporter",
					   exporter_name(e), "template_ids", ids);

		if (object && sends)
			json_object_set_new(object, "sent_again",
					    json_boolean(exporter_resend_templates(e)));
		err = json_array_append_new(list, object);
	}
	return err ? -ENOMEM : 0;
}

void sinks_ledger(const struct sinks *s, struct ledger *ledger)
{
	ledger->n_exporters = s->n_exporters;
	for (size_t i = 0; i < s->n_exporters; i++) {
		struct ledger_exporter *e = &ledger->exporters[i];

		snprintf(e->name, sizeof(e->name), "%s", exporter_name(s->exporter[i]));
		e->stats = *exporter_stats(s->exporter[i]);
		e->has_all_records = true;
		e->share = s->share[i];
	}
}

void sinks_print_ledger(struct sinks *s, const struct ledger *ledger)
{
	json_t *json = ledger_to_json(ledger);
	char *line = json ? json_dumps(json, JSON_COMPACT) : NULL;

	if (!line) {
		log_error("print the ledger: out of memory");
	} else if (s->has_output) {
		output_line(&s->output, line, strlen(line));
		output_line(&s->output, "\n", 1);
	} else {
		puts(line);
	}
	free(line);
	json_decref(json);
	if (s->has_output)
		output_flush(&s->output);
}

void sinks_close(struct sinks *s)
{
	for (size_t i = 0; i < s->n_exporters; i++)
		exporter_close(s->exporter[i]);
	if (s->has_output)
		output_close(&s->output);
	memset(s, 0, sizeof(*s));
}
