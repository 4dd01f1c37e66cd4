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
#include "probe/config_complain.h"
#include "probe/log.h"

#define DRAIN_TIMEOUT_MS 5000
#define LEAVE_TIMEOUT_MS 500 /* those have had their time, or most of it */

/* The one that need not be configured. */
static const struct group_config main_group = {.name = "main", .mode = MODE_MIRROR};

/* The place of a group among those that have exporters, made if it is not there. */
static size_t place_group(struct sinks *s, const struct group_config *cfg)
{
	size_t k = 0;

	while (k < s->n_groups && s->group[k].cfg != cfg)
		k++;
	if (k == s->n_groups)
		s->group[s->n_groups++] = (struct exporter_group){.cfg = cfg};
	return k;
}

/* Of what was formed before; its configuration may be gone. */
static bool is_active(const struct sinks *s, const struct exporter *e)
{
	for (size_t k = 0; k < s->n_groups; k++)
		if (s->group[k].member[s->group[k].active] == e)
			return true;
	return false;
}

void sinks_form_groups(struct sinks *s, const struct config *cfg)
{
	bool was_active[CONFIG_MAX_EXPORTERS] = {0};

	for (size_t i = 0; i < s->n_exporters; i++)
		was_active[i] = is_active(s, s->exporter[i]);
	s->n_groups = 0;
	for (size_t i = 0; i < s->n_exporters; i++) {
		const struct group_config *group = config_group(cfg, cfg->exporters[i].group);
		size_t k = place_group(s, group ? group : &main_group);

		exporter_group_add(&s->group[k], s->exporter[i]);
		if (was_active[i])
			s->group[k].active = s->group[k].n_members - 1;
		s->share[i] = s->group[k].cfg->mode == MODE_MIRROR ? 0 : (uint32_t)k + 1;
	}
}

uint32_t sinks_output_groups(const struct config *cfg)
{
	return cfg->output_fields | (cfg->output_biflow == BIFLOW_RFC5103 ? GROUP_BIFLOW : 0);
}

static bool has_event_exporter(const struct config *cfg)
{
	for (size_t i = 0; i < cfg->n_exporters; i++)
		if (cfg->exporters[i].events)
			return true;
	return false;
}

static bool prints_records(const struct config *cfg)
{
	return cfg->output == OUTPUT_JSON || cfg->output == OUTPUT_TABLE;
}

bool sinks_print_only_events(const struct config *cfg)
{
	return !prints_records(cfg) && cfg->anomaly.enabled && !has_event_exporter(cfg);
}

int sinks_open_events(struct output_stream *o)
{
	return output_open(o, STDOUT_FILENO, OUTPUT_JSON, GROUP_BASE);
}

int sinks_open(struct sinks *s, const struct config *cfg, bool is_paced)
{
	int err = 0;

	s->is_paced = is_paced;
	if (prints_records(cfg)) {
		err = output_open(&s->output, STDOUT_FILENO, cfg->output, sinks_output_groups(cfg));
		s->has_output = !err;
		s->is_json = cfg->output == OUTPUT_JSON;
	}
	if (sinks_print_only_events(cfg)) {
		err = sinks_open_events(&s->output);
		s->has_output = s->is_for_events = !err;
	}
	for (size_t i = 0; i < cfg->n_exporters && !err; i++) {
		err = exporter_open(&s->exporter[i], &cfg->exporters[i], cfg->observation_domain_id,
				    cfg->enterprise_number, is_paced);
		config_complain_unusable(cfg, i, err);
		if (!err)
			exporter_set_facts(s->exporter[s->n_exporters++], &s->facts);
	}
	if (err)
		sinks_close(s);
	else
		sinks_form_groups(s, cfg);
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

/* Reasons of what there were to be no records of, so that nothing was lost. */
static const enum xfp_reason none_lost[] = {XFP_not_ip, XFP_protocol_off, XFP_duplicate};

void sinks_note_ignored(struct sinks *s, const struct xfp_ledger_row *sum, uint32_t time_s)
{
	const struct xfp_volume reasons = ledger_sum_reasons(sum), full = ledger_sum_overflow(sum);
	struct xfp_volume meant = {0};
	struct options_loss *known = &s->facts.ignored;
	uint64_t packets;

	for (size_t i = 0; i < sizeof(none_lost) / sizeof(*none_lost); i++) {
		meant.packets += sum->reason[none_lost[i]].packets;
		meant.octets += sum->reason[none_lost[i]].octets;
	}
	packets = reasons.packets - meant.packets + full.packets;
	if (packets == known->packets)
		return;
	*known = (struct options_loss){
		.packets = packets,
		.octets = reasons.octets - meant.octets + full.octets,
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

void sinks_spread(struct sinks *s, uint64_t now_ns, uint64_t interval_ns)
{
	for (size_t i = 0; i < s->n_exporters; i++)
		exporter_spread(s->exporter[i], now_ns, interval_ns);
}

/* True while the exporter waits for another one to leave. */
static bool check_waiting(struct sinks *s, size_t i)
{
	struct exporter *e = s->exporter[i];

	if (!s->waits[i])
		return false;
	if (leaving_any(&s->leaving, exporter_config(e), leaving_is_in_the_way))
		return true;
	s->waits[i] = false;
	exporter_begin(e); /* what fails was printed, and is tried again or done without */
	leaving_hand_spool(&s->leaving, e);
	return false;
}

uint64_t sinks_run(struct sinks *s, uint64_t now_ns, uint32_t time_s)
{
	uint64_t next = leaving_run(&s->leaving, now_ns, time_s);

	for (size_t i = 0; i < s->n_groups; i++)
		exporter_group_run(&s->group[i], now_ns);
	for (size_t i = 0; i < s->n_exporters; i++) {
		if (check_waiting(s, i))
			continue;
		uint64_t due = exporter_run(s->exporter[i], now_ns, time_s);

		if (due < next)
			next = due;
	}
	return next;
}

void sinks_drain(struct sinks *s, uint64_t now_ns, uint32_t time_s)
{
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t left_ns = DRAIN_TIMEOUT_MS * NS_PER_MS;

	leaving_drain(&s->leaving, now_ns, time_s, LEAVE_TIMEOUT_MS);
	/* one patience for all: collectors that are away do not add up */
	for (size_t i = 0; i < s->n_exporters; i++) {
		uint64_t took_ns, waited_ns;

		check_waiting(s, i);
		took_ns = clock_monotonic_ns() - start_ns;
		waited_ns =
			exporter_drain(s->exporter[i], now_ns + took_ns,
				       time_s + clock_round_s(took_ns), (int)(left_ns / NS_PER_MS));

		left_ns -= waited_ns < left_ns ? waited_ns : left_ns;
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
		json_t *object = exporter_describe(e);

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
		e->accepted_before = s->accepted_before[i];
		e->moved_before = s->moved_before[i];
		e->has_all_records = true;
		e->is_removed = false;
		e->share = s->share[i];
	}
	ledger->exported_before = s->exported_before;
	ledger->was_unbalanced = s->was_unbalanced;
	leaving_ledger(&s->leaving, ledger);
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
	leaving_close(&s->leaving);
	if (s->has_output)
		output_close(&s->output);
	memset(s, 0, sizeof(*s));
}
