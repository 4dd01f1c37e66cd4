/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When the queued Messages may leave: spread evenly over most of the time to the
 * next sweep, so that a collector's socket buffer sees a stream and not a burst
 * (RFC 7011 10.3.1), and never more records per second than configured.
 */
#pragma once

#include <stdint.h>

#define PACE_BURST_MESSAGES 64 /* most in one go, however late the call is */

struct pace {
	uint64_t start_ns;
	uint64_t window_ns;
	uint64_t total; /* Messages to spread over the window */
	uint64_t done; /* of these, sent or dropped */
	uint64_t at_once; /* Messages besides, that are due: their pace is not this one */
	uint64_t record_ns; /* least time per record, 0 = no cap */
	uint64_t records_free_ns; /* when the cap lets the next Message go */
};

/* max_records_per_s  0 = no cap */
void pace_init(struct pace *p, uint32_t max_records_per_s);

/* Another limit from now on. */
void pace_limit(struct pace *p, uint32_t max_records_per_s);

/*
 * Spread n_messages from now over 90 % of interval_ns, or at the pace there is while it has
 * not come to its end and is faster: when sweeps follow faster than their interval,
 * nothing is put off again.
 */
void pace_spread(struct pace *p, uint64_t now_ns, uint64_t interval_ns, uint64_t n_messages);

/*
 * How long what a sweep has found so far may take to leave, when it has come to now_ns: an
 * interval, but where the sweep takes longer than that, all has left two intervals after
 * it began; a quarter of one at least.
 */
uint64_t pace_time_left(uint64_t began_ns, uint64_t interval_ns, uint64_t now_ns);

/* Spread n_messages as if there had been none before, though some were put off. */
void pace_restart(struct pace *p, uint64_t now_ns, uint64_t n_messages);

/* How many Messages may leave now, at most PACE_BURST_MESSAGES. */
uint64_t pace_due(const struct pace *p, uint64_t now_ns);

/* False when the cap on records holds the next Message back. */
int pace_allows_records(const struct pace *p, uint64_t now_ns);

/* One Message of n_records has left or was dropped. */
void pace_count(struct pace *p, uint64_t now_ns, uint64_t n_records);

/* A Message that was to leave goes elsewhere. */
void pace_withdraw(struct pace *p);

/*
 * After how many ns, at most 1 ms, one that is late may send the next burst: at twice the
 * pace. The Collector was held up too, if it was a busy machine.
 */
uint64_t pace_late_ns(const struct pace *p);

/* When the next Message is due; UINT64_MAX when all of them are done. */
uint64_t pace_next(const struct pace *p);
