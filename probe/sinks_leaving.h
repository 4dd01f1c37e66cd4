/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exporters that a reload took out. Each sends what it has, for a few seconds at most;
 * what it cannot send is counted as at the end of a run, and then only its counts stay.
 * Nothing here waits, but for leaving_drain().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/config.h"
#include "probe/exporter.h"
#include "probe/ledger.h"

/* One that has left. */
struct left_exporter {
	char name[CONFIG_LABEL_MAX];
	char spool_path[CONFIG_PATH_MAX];
	struct exporter_stats stats;
};

struct leaving_exporter {
	struct exporter *exporter;
	uint64_t deadline_ns; /* as now_ns */
	bool waits; /* for an earlier one: not begun, and nothing of it is due */
	bool is_waited_for; /* by a later one: its cap on the rate does not hold that up */
	bool is_hurried; /* without the cap */
};

/* A zeroed one is empty. */
struct leaving {
	struct leaving_exporter leaving[CONFIG_MAX_EXPORTERS]; /* the earliest first */
	size_t n_leaving;
	struct left_exporter
		left[CONFIG_MAX_EXPORTERS + 1]; /* the last: all there is no place for */
	size_t n_left;
};

/*
 * Take an exporter over, to send what it has. If there are too many, the earliest has
 * no more time.
 *
 * waits        it was only prepared, as one that leaves is in its way: it begins when that
 *              has gone
 * interval_ns  as of exporter_flush()
 */
void leaving_add(struct leaving *l, struct exporter *e, bool waits, uint64_t now_ns,
		 uint32_t time_s, uint64_t interval_ns);

/* What one that leaves may be to another one. */
typedef bool (*leaving_test_fn)(const struct exporter_config *leaves,
				const struct exporter_config *other);

/* True when they share a spool. */
bool leaving_holds_spool(const struct exporter_config *a, const struct exporter_config *b);

/* True when one of the two has to be gone before the other begins: they share Collector, file or spool. */
bool leaving_is_in_the_way(const struct exporter_config *a, const struct exporter_config *b);

/* True when `is` is true of one that leaves and `cfg`. */
bool leaving_any(const struct leaving *l, const struct exporter_config *cfg, leaving_test_fn is);

/* An exporter has begun: what it found in its spool may be what another one left there. */
void leaving_hand_spool(struct leaving *l, const struct exporter *e);

/* Send what is due; as exporter_run(). */
uint64_t leaving_run(struct leaving *l, uint64_t now_ns, uint32_t time_s);

/* End of the run: all leave, and take timeout_ms together at most to wait for Collectors. */
void leaving_drain(struct leaving *l, uint64_t now_ns, uint32_t time_s, int timeout_ms);

/* Add their part to the ledger. */
void leaving_ledger(const struct leaving *l, struct ledger *ledger);

/* Nothing is sent. */
void leaving_close(struct leaving *l);
