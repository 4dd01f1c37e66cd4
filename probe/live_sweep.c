/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sweep as steps of the loop: mark a slice, let the helper thread wait for
 * a grace period, harvest, go on. Readings of the ledger share the thread.
 */
#include <string.h>

#include "probe/exporter_pace.h"
#include "probe/live_private.h"
#include "probe/log.h"
#include "probe/sweep_ledger.h"

/* Above the high-water mark, sweeps follow each other this fast. */
#define PRESSURE_INTERVAL_NS 100000000ULL

uint32_t live_time_s(const struct live *l, uint64_t now_ns)
{
	return (uint32_t)(wall_clock_ns(&l->clock, now_ns) / NS_PER_S);
}

void live_sweep_configure(struct live *l)
{
	const struct flow_cache_config *fc = &l->cfg.flow_cache;
	struct sweep *s = &l->sweep;

	s->timeouts.active_ns = (uint64_t)(fc->active_timeout_s * (double)NS_PER_S);
	s->timeouts.idle_ns = (uint64_t)(fc->idle_timeout_s * (double)NS_PER_S);
	s->high_water_pct = fc->high_water_pct;
	s->biflow_sink = biflow_in_use(&l->cfg) ? sinks_biflow : NULL;
	s->groups = fields_in_use(&l->cfg);
}

void live_export(struct live *l, uint64_t now_ns)
{
	uint64_t next = sinks_run(&l->sinks, now_ns, live_time_s(l, clock_monotonic_ns()));

	loop_timer_set(&l->export_timer, next, 0);
}

void live_note_ignored(struct live *l)
{
	struct xfp_ledger_row sum;

	ledger_sum_rows(&sum, l->cache.rows, l->cache.n_rows);
	sinks_note_ignored(&l->sinks, &sum, live_time_s(l, clock_monotonic_ns()));
}

static void sweep_complete(struct live *l, uint64_t now_ns)
{
	uint64_t due = l->sweep_began_ns + l->interval_ns;

	l->is_sweeping = false;
	l->sweep_took_ns = now_ns - l->sweep_began_ns;
	if (sweep_is_under_pressure(&l->sweep) && l->interval_ns > PRESSURE_INTERVAL_NS)
		due = now_ns + PRESSURE_INTERVAL_NS;
	live_note_ignored(l);
	/* over a whole interval, less of it after a sweep that took longer than one: no bursts */
	sinks_flush(&l->sinks, now_ns, pace_time_left(l->sweep_began_ns, l->interval_ns, now_ns));
	live_export(l, now_ns);
	loop_timer_set(&l->sweep_timer, due, 0);
}

/* Mark the next slice; complete the sweep when there is none. */
static void sweep_go_on(struct live *l)
{
	uint64_t before = clock_monotonic_ns();

	l->owes_harvest = sweep_mark(&l->sweep);
	l->sweep_scan_ns += clock_monotonic_ns() - before;
	if (!l->owes_harvest)
		sweep_complete(l, clock_monotonic_ns());
	else
		live_export(l, before);
}

void live_sweep_begin(struct live *l, uint64_t now_ns)
{
	if (l->is_sweeping)
		return;
	if (wall_clock_update(&l->clock))
		log_warning(
			"the system clock was stepped: start times of Flows follow the new one");
	l->is_sweeping = true;
	l->sweep_began_ns = now_ns;
	l->sweep_scan_ns = 0;
	sweep_begin(&l->sweep, clock_monotonic_ns());
	sweep_go_on(l);
	live_grace_next(l);
}

static void seen_read(const struct live *l, struct xfp_volume *seen)
{
	struct xfp_ledger_row sum;

	ledger_sum_rows(&sum, l->cache.rows, l->cache.n_rows);
	*seen = sum.seen;
}

void live_grace_next(struct live *l)
{
	if (l->grace_owner != GRACE_NOBODY)
		return;
	if (l->n_readers) {
		seen_read(l, &l->seen_before);
		l->n_reading = l->n_readers;
		l->grace_owner = GRACE_LEDGER;
	} else if (l->owes_harvest) {
		l->grace_owner = GRACE_SWEEP;
	} else {
		return;
	}
	if (grace_request(&l->grace)) {
		l->grace_owner = GRACE_NOBODY;
		loop_stop(&l->loop);
	}
}

void live_ledger(const struct live *l, struct ledger *ledger)
{
	sweep_ledger(&l->sweep, ledger);
	sinks_ledger(&l->sinks, ledger);
	seen_read(l, &ledger->seen_after);
}

static void readers_answer(struct live *l, bool is_good)
{
	static struct ledger ledger;
	uint32_t n = l->n_reading;
	struct live_reader reader[LIVE_MAX_READERS];

	memset(&ledger, 0, sizeof(ledger));
	ledger.seen_before = l->seen_before;
	if (is_good)
		live_ledger(l, &ledger);
	memcpy(reader, l->reader, sizeof(reader));
	l->n_readers -= n;
	l->n_reading = 0;
	memmove(l->reader, l->reader + n, l->n_readers * sizeof(l->reader[0]));
	for (uint32_t i = 0; i < n; i++)
		reader[i].done(reader[i].ctx, is_good ? &ledger : NULL);
}

void live_grace_over(struct live *l)
{
	int err = grace_result(&l->grace);
	enum grace_owner owner = l->grace_owner;

	l->grace_owner = GRACE_NOBODY;
	if (err)
		log_errno(
			err,
			"wait for a grace period of the kernel (expired Flows wait for the next)");
	if (owner == GRACE_LEDGER) {
		readers_answer(l, !err);
	} else if (owner == GRACE_SWEEP && !err) {
		uint64_t before = clock_monotonic_ns();

		sweep_harvest(&l->sweep);
		l->owes_harvest = false;
		uint64_t now_ns = clock_monotonic_ns();

		l->sweep_scan_ns += now_ns - before;
		sinks_spread(&l->sinks, now_ns,
			     pace_time_left(l->sweep_began_ns, l->interval_ns, now_ns));
		sweep_go_on(l);
	}
	live_grace_next(l);
}
