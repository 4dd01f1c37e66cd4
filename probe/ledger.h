/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loss ledger: where every packet went that an Observation Point saw, as
 * one snapshot, the identities it has to fulfil, and its JSON.
 *   seen      = accounted + sum of the reasons          packets, frame octets
 *   accounted = exported + in the Flow Cache + overflow packets, IP octets
 *   accepted + recovered = sent + queued + spooled + moved + sum of the losses    per exporter
 *   exported  = accepted - moved, over the exporters of a group that share records
 * The last one holds for all since they share: from the start, or the latest reload.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "bpf/flow_abi.h"
#include "probe/config.h"
#include "probe/exporter.h"

/* Those in force, those leaving, those that have left, and one for more of these. */
#define LEDGER_MAX_EXPORTERS (3 * CONFIG_MAX_EXPORTERS + 1)

struct ledger_exporter {
	char name[CONFIG_NAME_MAX];
	struct exporter_stats stats;
	struct exporter_volume accepted_before; /* when it began to share as it does now */
	struct exporter_volume moved_before;
	bool has_all_records; /* since then, alone or with those of its share */
	bool is_removed; /* by a reload; it takes no more */
	uint32_t share; /* number of the group that shares records; 0 = it gets all */
};

/*
 * Filled by the owner of the Flow Cache. Under load: read seen_before, let a
 * grace period pass, read the accounts, read seen_after. Without packets in
 * between, or with one thread, both are the same.
 */
struct ledger {
	struct xfp_volume seen_before; /* frame octets                            */
	struct xfp_volume seen_after;
	struct xfp_ledger_row accounts; /* summed over CPUs; its seen is not used  */
	struct exporter_volume exported; /* Flow Records handed on; IP octets       */
	struct exporter_volume in_cache; /* Flows, and what no record has told yet  */
	struct xfp_volume protocols[XFP_N_PROTOCOLS]; /* accounted; IP octets      */
	uint64_t stranded; /* places found BUSY after a grace period  */
	struct exporter_volume exported_before; /* when exporters began to share as they do now */
	bool was_unbalanced; /* then, or before */
	struct ledger_exporter exporters[LEDGER_MAX_EXPORTERS];
	size_t n_exporters;
};

/* Name of a ledger reason (enum xfp_reason below XFP_N_REASONS) and what it means. */
const char *ledger_reason_name(enum xfp_reason reason);
const char *ledger_reason_meaning(enum xfp_reason reason);

/* The same of a ledger notice (enum xfp_notice below XFP_N_NOTICES). */
const char *ledger_notice_name(enum xfp_notice notice);
const char *ledger_notice_meaning(enum xfp_notice notice);

/*
 * Add up the rows of all CPUs while the CPUs go on counting: every counter is
 * read once and whole, but not all at the same moment.
 *
 * sum   replaced
 * rows  [n_rows], one per possible CPU
 */
void ledger_sum_rows(struct xfp_ledger_row *sum, const struct xfp_ledger_row *rows, size_t n_rows);

/*
 * Move packets from accounted to the reason `duplicate`: when they were counted nobody
 * knew. Of their octets only those of IP are known, so those of frames stay.
 */
void ledger_move_duplicates(struct ledger *ledger, const struct xfp_volume *duplicates);

/* Sum of all named reasons (frame octets), and of all overflow classes (IP octets). */
struct xfp_volume ledger_sum_reasons(const struct xfp_ledger_row *row);
struct xfp_volume ledger_sum_overflow(const struct xfp_ledger_row *row);

/* Records, packets and octets that the exporter could not send, over all causes. */
struct exporter_volume ledger_sum_not_sent(const struct exporter_stats *stats);

/* The identities of the exporters alone; part of ledger_is_balanced(). */
bool ledger_exporters_are_balanced(const struct ledger *ledger);

/*
 * True when every identity holds. With packets arriving between the two
 * readings of seen, the accounts have to lie between them, in packets; at rest
 * they are equal, and octets are compared as well.
 */
bool ledger_is_balanced(const struct ledger *ledger);

/*
 * The ledger as one JSON object, "type":"ledger" first; names as in xflowctl(8).
 * Returns a new reference, or NULL when memory ran out.
 */
json_t *ledger_to_json(const struct ledger *ledger);
