/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between live.c (open, run, close), live_sweep.c (the sweep as steps of the
 * loop), live_reload.c (another configuration) and live_control.c (what the control
 * socket answers).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly.h"
#include "probe/config.h"
#include "probe/clock.h"
#include "probe/control.h"
#include "probe/flow_cache.h"
#include "probe/grace.h"
#include "probe/live_model.h"
#include "probe/loop.h"
#include "probe/obs_point.h"
#include "probe/options.h"
#include "probe/sinks.h"
#include "probe/sweep.h"

#define LIVE_MAX_READERS CONTROL_MAX_CLIENTS

/* Somebody who waits for a reading of the ledger. */
struct live_reader {
	control_ledger_fn done;
	void *ctx;
};

/* Whom the grace period in progress is for. */
enum grace_owner {
	GRACE_NOBODY,
	GRACE_SWEEP,
	GRACE_LEDGER,
};

struct live {
	struct config cfg; /* in force */
	const struct options *opt;
	struct loop loop;
	struct flow_cache cache;
	struct obs_points obs;
	struct grace grace;
	struct sweep sweep;
	struct sinks sinks;
	struct anomaly *anomaly; /* NULL: not looked for */
	struct live_model model; /* what it learns */
	struct wall_clock clock;
	struct control control;
	struct control_ops control_ops;

	struct loop_watch grace_watch;
	struct loop_timer sweep_timer;
	struct loop_timer export_timer;
	struct loop_timer duration_timer;

	uint64_t interval_ns;
	uint64_t started_ns;
	uint64_t sweep_began_ns;
	uint64_t sweep_took_ns; /* of the last complete sweep       */
	uint64_t sweep_scan_ns; /* of that, time on the loop        */
	bool is_sweeping;
	bool owes_harvest; /* marked, waiting for a grace period */
	enum grace_owner grace_owner;
	struct live_reader reader[LIVE_MAX_READERS];
	uint32_t n_readers; /* waiting                          */
	uint32_t n_reading; /* of them, served by the grace period in progress */
	struct xfp_volume seen_before;
	uint64_t reloads; /* done */
	uint64_t failed_reloads;
};

/* Tell the sweep what the configuration says of it. */
void live_sweep_configure(struct live *l);

/*
 * Read the configuration again: take all of it, or say why not and change nothing.
 *
 * answers  gets an object that tells what was done, or those of the errors (JSON array)
 *
 * Returns 0 or -errno, printed.
 */
int live_reload(struct live *l, json_t *answers);

/* Start a sweep now, unless one is in progress. */
void live_sweep_begin(struct live *l, uint64_t now_ns);

/* A grace period is over: harvest, or answer the readers of the ledger. */
void live_grace_over(struct live *l);

/* Start whatever waits for a grace period, if none is in progress. */
void live_grace_next(struct live *l);

/* Send what is due and set the timer for the rest. */
void live_export(struct live *l, uint64_t now_ns);

/* Unix time in seconds now, never before the end of a record read this moment. */
uint32_t live_time_s(const struct live *l, uint64_t now_ns);

/* Tell the exporters what was ignored so far; once a sweep. */
void live_note_ignored(struct live *l);

/* Fill in everything but seen_before. */
void live_ledger(const struct live *l, struct ledger *ledger);

/* The answers of the control socket. */
void live_control_ops(struct live *l, struct control_ops *ops);
