/* SPDX-License-Identifier: BSD-2-Clause */
/* Even spreading over a window, and a virtual clock for the cap on records. */
#include "probe/exporter_pace.h"

#include "probe/clock.h"

#define LATE_MAX_NS   1000000ull
#define CREDIT_MAX_NS 10000000ull /* of unused cap that may be caught up: 10 ms */

void pace_limit(struct pace *p, uint32_t max_records_per_s)
{
	/* Rounded up: the cap is hard. */
	uint64_t record_ns =
		max_records_per_s ? (NS_PER_S + max_records_per_s - 1) / max_records_per_s : 0;

	if (record_ns != p->record_ns)
		p->records_free_ns = 0; /* was reckoned with the other one */
	p->record_ns = record_ns;
}

void pace_init(struct pace *p, uint32_t max_records_per_s)
{
	*p = (struct pace){0};
	pace_limit(p, max_records_per_s);
}

/* From one Message to the next. */
static double message_ns(const struct pace *p)
{
	return (double)p->window_ns / (double)p->total;
}

void pace_restart(struct pace *p, uint64_t now_ns, uint64_t n_messages)
{
	p->start_ns = now_ns;
	p->total = n_messages;
	p->done = p->at_once = 0;
}

void pace_spread(struct pace *p, uint64_t now_ns, uint64_t interval_ns, uint64_t n_messages)
{
	uint64_t window_ns = interval_ns / 10 * 9;

	if (p->done < p->total && n_messages) {
		double as_before_ns = message_ns(p) * (double)n_messages;

		if (as_before_ns < (double)window_ns)
			window_ns = (uint64_t)as_before_ns;
	}
	p->window_ns = window_ns;
	pace_restart(p, now_ns, n_messages);
}

uint64_t pace_time_left(uint64_t began_ns, uint64_t interval_ns, uint64_t now_ns)
{
	uint64_t end_ns = began_ns + 2 * interval_ns, least_ns = interval_ns / 4;
	uint64_t left_ns = end_ns > now_ns ? end_ns - now_ns : 0;

	if (left_ns > interval_ns)
		return interval_ns;
	return left_ns < least_ns ? least_ns : left_ns;
}

uint64_t pace_due(const struct pace *p, uint64_t now_ns)
{
	uint64_t elapsed_ns = now_ns > p->start_ns ? now_ns - p->start_ns : 0;
	uint64_t due = p->total;

	/* The first at once, the last at the end of the window. */
	if (elapsed_ns < p->window_ns && p->total)
		due = 1 + (uint64_t)((double)elapsed_ns / (double)p->window_ns *
				     (double)(p->total - 1));
	due = (due > p->done ? due - p->done : 0) + p->at_once;
	return due < PACE_BURST_MESSAGES ? due : PACE_BURST_MESSAGES;
}

int pace_allows_records(const struct pace *p, uint64_t now_ns)
{
	return !p->record_ns || p->records_free_ns <= now_ns;
}

void pace_count(struct pace *p, uint64_t now_ns, uint64_t n_records)
{
	uint64_t oldest_ns = now_ns > CREDIT_MAX_NS ? now_ns - CREDIT_MAX_NS : 0;

	if (p->at_once)
		p->at_once--;
	else
		p->done++;
	if (p->records_free_ns < oldest_ns)
		p->records_free_ns = oldest_ns;
	p->records_free_ns += n_records * p->record_ns;
}

void pace_withdraw(struct pace *p)
{
	if (p->total > p->done)
		p->total--;
	else
		p->at_once -= p->at_once > 0;
}

uint64_t pace_late_ns(const struct pace *p)
{
	double ns = p->total ? message_ns(p) * PACE_BURST_MESSAGES / 2 : 0;

	return ns < LATE_MAX_NS ? (uint64_t)ns : LATE_MAX_NS;
}

uint64_t pace_next(const struct pace *p)
{
	uint64_t due_ns = p->start_ns;

	if (p->done >= p->total && !p->at_once)
		return UINT64_MAX;
	if (p->total > 1 && !p->at_once)
		due_ns += (uint64_t)((double)p->window_ns / (double)(p->total - 1) *
				     (double)p->done) +
			  1;
	return due_ns > p->records_free_ns ? due_ns : p->records_free_ns;
}
