/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exporters that share records: each gets all of them (mirror), each those of its
 * Flows (balance), or one after the other all that come while it is in order
 * (failover). Every record is accepted by the exporters its mode names, and no other.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "probe/config.h"
#include "probe/exporter.h"
#include "probe/record.h"

struct exporter_group {
	const struct group_config *cfg; /* outlives the group */
	struct exporter *member[CONFIG_MAX_EXPORTERS]; /* by preference, not owned */
	size_t n_members;
	size_t active; /* failover: the one that gets the records */
};

/* Add an exporter, behind those that are there. */
void exporter_group_add(struct exporter_group *g, struct exporter *e);

/* Hand one record on (a record_sink_fn; arg is the group). */
void exporter_group_record(void *arg, const struct flow_record *r);

/* Hand both directions of a conversation on, to the same exporters (a biflow_sink_fn). */
void exporter_group_biflow(void *arg, const struct flow_record *forward,
			   const struct flow_record *reverse);

/* Hand an event on, to those that want events: all, one by its eventId, or the active one. */
void exporter_group_event(struct exporter_group *g, const struct anomaly_event *e);

/*
 * Of failover, choose who gets the records from now on: the first that is not away,
 * once it was in order for stable_s; with all away, the first. What is queued at one
 * that is away goes along. To be called before exporter_run() of the members.
 *
 * now_ns  as there
 */
void exporter_group_run(struct exporter_group *g, uint64_t now_ns);

/*
 * Which of n exporters a record is for. Both directions of a Flow have one; so have
 * all records of it, whatever interface they are from.
 */
size_t exporter_group_choice(const struct flow_record *r, size_t n);
