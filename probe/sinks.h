/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where Flow Records go: every exporter, and stdout. One fan-out for the live
 * and the offline run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/anomaly_event.h"
#include "probe/config.h"
#include "probe/exporter.h"
#include "probe/exporter_group.h"
#include "probe/exporter_options.h"
#include "probe/ledger.h"
#include "probe/output.h"
#include "probe/sinks_leaving.h"

struct sinks {
	struct exporter *exporter[CONFIG_MAX_EXPORTERS];
	bool waits[CONFIG_MAX_EXPORTERS]; /* for one that is leaving: not begun */
	size_t n_exporters;
	struct leaving leaving;
	bool is_paced;
	struct options_facts facts; /* for the exporters; read_interfaces is the owner's to set */
	struct exporter_group group[CONFIG_MAX_GROUPS + 1]; /* those that have exporters */
	size_t n_groups;
	uint32_t share[CONFIG_MAX_EXPORTERS]; /* of the ledger, by exporter */
	struct exporter_volume exported_before; /* the ledger's, as are these: at the last reload */
	struct exporter_volume accepted_before[CONFIG_MAX_EXPORTERS];
	struct exporter_volume moved_before[CONFIG_MAX_EXPORTERS];
	bool was_unbalanced;
	struct output_stream output;
	bool has_output; /* Flow Records go to it, too, unless is_for_events */
	bool is_for_events;
	uint64_t n_dry; /* events that were not raised */
	bool is_json;
};

/*
 * Open what the configuration names. is_paced: false offline.
 * Returns 0 or -errno, printed; then nothing stays open.
 */
int sinks_open(struct sinks *s, const struct config *cfg, bool is_paced);

/* Hand one record to all; arg is the struct sinks (a record_sink_fn). */
void sinks_record(void *arg, const struct flow_record *r);

/* Hand both directions to all (a biflow_sink_fn); each takes them as it wants to. */
void sinks_biflow(void *arg, const struct flow_record *forward, const struct flow_record *reverse);

/*
 * Take note of what the Metering Process ignored: IP packets under any reason of
 * the ledger, and those that found the Flow Cache full (RFC 7011 4.2). Call it once
 * a sweep, as a change since the last call is told to have happened at time_s.
 */
void sinks_note_ignored(struct sinks *s, const struct xfp_ledger_row *sum, uint32_t time_s);

/* Hand an event to all that take events; arg is the struct sinks (an anomaly_sink_fn). */
void sinks_event(void *arg, const struct anomaly_event *e);

/* End of a sweep; see exporter_flush(). */
void sinks_flush(struct sinks *s, uint64_t now_ns, uint64_t interval_ns);

/* Within a sweep; see exporter_spread(). */
void sinks_spread(struct sinks *s, uint64_t now_ns, uint64_t interval_ns);

/* Send what is due; returns when to call again, UINT64_MAX: not before the next record. */
uint64_t sinks_run(struct sinks *s, uint64_t now_ns, uint32_t time_s);

/* End of the run: send and print everything. */
void sinks_drain(struct sinks *s, uint64_t now_ns, uint32_t time_s);

/*
 * Add an object to the list for each exporter: its Templates, and with `sends` whether
 * they are sent again now. Returns 0 or -ENOMEM.
 */
int sinks_templates(struct sinks *s, bool sends, json_t *list);

/* Fill in the exporters' part of the ledger. */
void sinks_ledger(const struct sinks *s, struct ledger *ledger);

/* Print the ledger as a JSON line on stdout, behind the records. */
void sinks_print_ledger(struct sinks *s, const struct ledger *ledger);

/* Put the exporters into the groups that cfg says, which outlives the sinks. */
void sinks_form_groups(struct sinks *s, const struct config *cfg);

/* The elements of JSON on stdout, OR of GROUP_*. */
uint32_t sinks_output_groups(const struct config *cfg);

/* True when stdout gets the events, as no exporter does, and no Flow Records. */
bool sinks_print_only_events(const struct config *cfg);

/* Open stdout for that; as output_open(). */
int sinks_open_events(struct output_stream *o);

/* Close; idempotent. */
void sinks_close(struct sinks *s);
