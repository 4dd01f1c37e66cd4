/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of incidents: what detectors report, tick by tick, becomes a start, an
 * update where there is news, and an end. Bounded: so many incidents at once, of all and
 * of one class, so many events in a second; what has no room is counted and told in a
 * summary.
 *
 *	idle -> open        value reaches the threshold
 *	open -> open        update: news (twice the value, the next time four times,
 *	                    then eight; another class or target), at most once a minute
 *	open -> ended       nothing fresh above half the threshold for quiet_ms
 *	ended -> open       again by the same means within five minutes: the same
 *	                    eventId, an update
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/anomaly_event.h"
#include "probe/clock.h"
#include "probe/network.h"

#define INCIDENTS_MAX	   1024
#define INCIDENTS_OF_CLASS (INCIDENTS_MAX / 2) /* who forges one class hides no other */
#define INCIDENTS_PER_S	   50 /* events at most, of all classes */
#define INCIDENT_UPDATE_NS (60 * NS_PER_S)
#define INCIDENT_REOPEN_NS (300 * NS_PER_S)

/* What a detector reports about one incident, each time it looks at it. */
struct incident_report {
	uint64_t key; /* detector and entity: one incident, of the event's host   */
	uint64_t family; /* what incidents that are part of it know it by; 0 = nothing    */
	uint64_t parent; /* family of what absorbs it while that is open, of another
			  * class; 0 = nothing does                                       */
	bool is_fresh; /* there is new evidence since the last report              */
	bool has_new_target; /* ... of a kind worth an update                            */
	bool is_allowed; /* by a list of the detector's own                          */
	uint32_t quiet_ms; /* without anything fresh it ends after this               */
	struct anomaly_event *event; /* all but eventId, sequence, state and times of it */
};

struct incident;

struct incidents {
	const struct wall_clock *clock;
	const struct network_list *allow; /* hosts that no event is raised about */
	anomaly_sink_fn sink;
	void *sink_arg;
	bool is_dry_run; /* marked in each event */

	uint64_t *key; /* [INCIDENTS_MAX] 0 = free */
	struct incident *incident; /* [INCIDENTS_MAX] */
	uint32_t n_used; /* places beyond were never used */
	uint64_t now_ns;
	uint64_t budget_ns; /* events are paid from the time passed */
	uint32_t held_back
		[ANOMALY_CLASSES]; /* starts without room or budget, since the last summary */
	uint64_t n_held_back;
	uint64_t summary_due_ns;
	uint64_t n_events; /* handed to the sink */
	uint64_t n_allowed; /* reports that the allow-list kept back */
};

/* clock, allow, sink, sink_arg and is_dry_run are set before. Returns 0 or -ENOMEM. */
int incidents_open(struct incidents *s);

/* Packet time is now_ns: what is reported from here on is of this moment. */
void incidents_advance(struct incidents *s, uint64_t now_ns);

/* Take a report. Changes report->event as it goes into the event. */
void incidents_report(struct incidents *s, struct incident_report *report);

/* True while the incident is open: below the threshold it has to be reported, too. */
bool incidents_has(const struct incidents *s, uint64_t key);

/* All reports of this moment are in: updates that waited, ends, the summary. */
void incidents_tick(struct incidents *s);

/*
 * The allow-list, or is_dry_run, has changed: what is allowed ends now, and if nothing
 * was told so far what is open starts to be.
 */
void incidents_reload(struct incidents *s, bool is_dry_run);

/* When something ends or is due by itself; UINT64_MAX: nothing is open. */
uint64_t incidents_next_due_ns(const struct incidents *s);

/* The run is over: end all. */
void incidents_finish(struct incidents *s, uint64_t now_ns);

/* Call fn with the latest event of each incident, open or ended lately. */
void incidents_each(const struct incidents *s, anomaly_sink_fn fn, void *arg);

/* Free what incidents_open() allocated; idempotent. */
void incidents_close(struct incidents *s);
