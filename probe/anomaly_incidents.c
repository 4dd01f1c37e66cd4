/* SPDX-License-Identifier: BSD-2-Clause */
/* The life of incidents. See anomaly_incidents.h. */
#include "probe/anomaly_incidents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/distinct.h"
#include "probe/log.h"

#define EVENT_COST_NS	(NS_PER_S / INCIDENTS_PER_S)
#define BUDGET_MAX_NS	NS_PER_S
#define SUMMARY_EACH_NS (10 * NS_PER_S)
#define EVENT_ID_MAX	((1ULL << 53) - 1) /* what readers of JSON keep that know doubles only */
#define GROWN_TO_TELL	2 /* times the value told first; each update takes twice as many */

enum incident_life {
	INCIDENT_FREE,
	INCIDENT_OPEN,
	INCIDENT_ENDED,
};

struct incident {
	struct anomaly_event event; /* the latest */
	uint64_t family;
	uint64_t fresh_ns;
	uint64_t told_ns;
	uint64_t ended_ns;
	uint64_t quiet_ns;
	float told_value;
	float grown_to_tell; /* times that is news */
	uint8_t life; /* enum incident_life */
	bool is_silent; /* its start was held back */
	bool has_news;
};

int incidents_open(struct incidents *s)
{
	s->key = calloc(INCIDENTS_MAX, sizeof(*s->key));
	s->incident = calloc(INCIDENTS_MAX, sizeof(*s->incident));
	if (!s->key || !s->incident) {
		incidents_close(s);
		return log_errno(-ENOMEM, "allocate the list of incidents");
	}
	s->budget_ns = BUDGET_MAX_NS;
	return 0;
}

void incidents_close(struct incidents *s)
{
	free(s->key);
	free(s->incident);
	s->key = NULL;
	s->incident = NULL;
	s->n_used = 0;
}

/* Of a block the part that is named may be another one the next time: its network is the same. */
static bool is_same_destination(const struct anomaly_event *x, const struct anomaly_event *y)
{
	size_t octets = host_is_ipv4(&x->destination) ? 14 : 8;

	if (x->destination_length && y->destination_length)
		return !memcmp(x->destination.octets, y->destination.octets, octets);
	return host_equals(&x->destination, &y->destination);
}

/* Anybody can work out the key of an incident, and an address of his own that has it, too. */
static bool is_of_same_host(const struct anomaly_event *x, const struct anomaly_event *y)
{
	struct host x_site = host_site(&x->source), y_site = host_site(&y->source);

	if (x->has_source && y->has_source && host_equals(&x_site, &y_site))
		return true;
	if (x->has_destination && y->has_destination && is_same_destination(x, y))
		return true;
	return !(x->has_source || x->has_destination) || !(y->has_source || y->has_destination);
}

/* The incident that is reported. */
static struct incident *reported_find(const struct incidents *s, const struct incident_report *r)
{
	for (uint32_t i = 0; i < s->n_used; i++)
		if (s->key[i] == r->key && s->incident[i].life != INCIDENT_FREE &&
		    is_of_same_host(&s->incident[i].event, r->event))
			return &s->incident[i];
	return NULL;
}

static bool class_is_full(const struct incidents *s, uint8_t class)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->n_used; i++)
		n += s->incident[i].life == INCIDENT_OPEN && s->incident[i].event.class == class;
	return n >= INCIDENTS_OF_CLASS;
}

/* An open incident of another class that is about the same. */
static struct incident *family_find(const struct incidents *s, uint64_t family, uint8_t class)
{
	for (uint32_t i = 0; i < s->n_used; i++)
		if (s->incident[i].family == family && s->incident[i].life == INCIDENT_OPEN &&
		    s->incident[i].event.class != class)
			return &s->incident[i];
	return NULL;
}

bool incidents_has(const struct incidents *s, uint64_t key)
{
	for (uint32_t i = 0; i < s->n_used; i++)
		if (s->key[i] == key && s->incident[i].life == INCIDENT_OPEN)
			return true;
	return false;
}

/* A place for one more: unused, free, or of the one that ended first. NULL: all are open. */
static struct incident *incident_place(struct incidents *s, uint64_t key)
{
	struct incident *oldest = NULL;
	uint32_t i;

	for (i = 0; i < s->n_used && s->incident[i].life != INCIDENT_FREE; i++)
		if (s->incident[i].life == INCIDENT_ENDED &&
		    (!oldest || s->incident[i].ended_ns < oldest->ended_ns))
			oldest = &s->incident[i];
	if (i < INCIDENTS_MAX) {
		oldest = &s->incident[i];
		if (i == s->n_used)
			s->n_used++;
	}
	if (oldest)
		s->key[oldest - s->incident] = key;
	return oldest;
}

static bool budget_take(struct incidents *s)
{
	if (s->budget_ns < EVENT_COST_NS)
		return false;
	s->budget_ns -= EVENT_COST_NS;
	return true;
}

static uint64_t unix_ms(const struct incidents *s, uint64_t now_ns)
{
	return wall_clock_ns(s->clock, now_ns) / NS_PER_MS;
}

static void incident_tell(struct incidents *s, struct incident *i, enum anomaly_state state)
{
	i->event.state = state;
	i->event.time_ms = unix_ms(s, s->now_ns);
	i->event.is_dry_run = s->is_dry_run;
	i->told_ns = s->now_ns;
	/* what grows and grows is told of less and less often */
	if (i->event.value >= i->grown_to_tell * i->told_value)
		i->grown_to_tell *= GROWN_TO_TELL;
	i->told_value = i->event.value;
	i->has_news = false;
	s->n_events++;
	s->sink(s->sink_arg, &i->event);
	i->event.sequence++;
}

static void incident_end(struct incidents *s, struct incident *i)
{
	i->life = INCIDENT_ENDED;
	i->ended_ns = s->now_ns;
	if (i->is_silent)
		return;
	budget_take(s);
	incident_tell(s, i, ANOMALY_END);
}

/* The struck side counts only where there is no guilty one: that can be anybody's. */
/* Of a block all of it has to be allowed. */
static bool block_is_allowed(const struct network_list *allow, const struct anomaly_event *e)
{
	bool is_ipv4 = host_is_ipv4(&e->destination);
	uint8_t length = (uint8_t)(e->destination_length + (is_ipv4 ? IPV4_PREFIX_BITS : 0));

	for (size_t i = 0; i < allow->n; i++)
		if (allow->item[i].length <= length &&
		    network_has(&allow->item[i], &e->destination))
			return true;
	return false;
}

static bool is_allowed(const struct incidents *s, const struct anomaly_event *e)
{
	if (e->has_source)
		return networks_have(s->allow, &e->source);
	if (e->has_destination && e->destination_length)
		return block_is_allowed(s->allow, e);
	return e->has_destination && networks_have(s->allow, &e->destination);
}

/* Tell that it begins, or hold that back. */
static void incident_announce(struct incidents *s, struct incident *i)
{
	i->is_silent = !budget_take(s);
	if (!i->is_silent) {
		incident_tell(s, i, ANOMALY_START);
		return;
	}
	s->held_back[i->event.class]++;
	s->n_held_back++;
}

static void incident_start(struct incidents *s, const struct incident_report *r)
{
	struct incident *i = class_is_full(s, r->event->class) ? NULL : incident_place(s, r->key);

	if (!i) {
		s->held_back[r->event->class]++;
		s->n_held_back++;
		return;
	}
	*i = (struct incident){
		.event = *r->event,
		.family = r->family,
		.fresh_ns = s->now_ns,
		.quiet_ns = r->quiet_ms * NS_PER_MS,
		.life = INCIDENT_OPEN,
		.grown_to_tell = 1,
	};
	/* one pair may have several, one after the other, of one pattern with one start */
	i->event.event_id =
		distinct_mix(distinct_mix(r->key, r->event->start_ms), s->now_ns) & EVENT_ID_MAX;
	i->event.sequence = 0;
	i->event.suppressed = 0;
	incident_announce(s, i);
}

/* Take over what is reported; what identifies the incident stays. */
static void incident_keep(struct incident *i, const struct incident_report *r)
{
	struct anomaly_event *old = &i->event, *e = r->event;

	e->event_id = old->event_id;
	e->sequence = old->sequence;
	e->suppressed = old->suppressed;
	e->start_ms = old->start_ms;
	/* of times that run backwards */
	e->end_ms = old->end_ms > e->end_ms ? old->end_ms : e->end_ms;
	e->peak_pps = old->peak_pps > e->peak_pps ? old->peak_pps : e->peak_pps;
	e->peak_bps = old->peak_bps > e->peak_bps ? old->peak_bps : e->peak_bps;
	i->has_news |= e->value >= i->grown_to_tell * i->told_value || e->class != old->class ||
		       r->has_new_target;
	*old = *e;
}

static void incident_go_on(struct incidents *s, struct incident *i, const struct incident_report *r)
{
	if (!r->is_fresh || r->event->value < r->event->threshold / 2)
		return;
	i->fresh_ns = s->now_ns;
	i->quiet_ns = r->quiet_ms * NS_PER_MS;
	incident_keep(i, r);
	if (i->has_news && !i->is_silent && s->now_ns - i->told_ns >= INCIDENT_UPDATE_NS &&
	    budget_take(s))
		incident_tell(s, i, ANOMALY_UPDATE);
}

static void incident_reopen(struct incidents *s, struct incident *i,
			    const struct incident_report *r)
{
	i->life = INCIDENT_OPEN;
	i->fresh_ns = s->now_ns;
	incident_keep(i, r);
	i->has_news = true;
	if (!i->is_silent && s->now_ns - i->told_ns >= INCIDENT_UPDATE_NS && budget_take(s))
		incident_tell(s, i, ANOMALY_UPDATE);
}

/* A trigger of what is an incident already, or of none. True: taken care of. */
static bool report_folds(struct incidents *s, const struct incident_report *r)
{
	struct incident *parent = r->parent ? family_find(s, r->parent, r->event->class) : NULL;

	if (!parent)
		return false;
	if (r->is_fresh) {
		parent->event.suppressed++;
		parent->fresh_ns = s->now_ns;
	}
	return true;
}

/* One of another kind is another incident, however soon. */
static bool is_same_again(const struct incident *i, const struct incident_report *r)
{
	return i->event.class == r->event->class && i->event.subclass == r->event->subclass;
}

void incidents_report(struct incidents *s, struct incident_report *r)
{
	struct incident *i = reported_find(s, r);
	bool fires = r->event->value >= r->event->threshold;

	if (r->is_allowed || is_allowed(s, r->event)) {
		s->n_allowed++;
		if (i && i->life == INCIDENT_OPEN)
			incident_end(s, i);
		return;
	}
	if (i && i->life == INCIDENT_OPEN) {
		incident_go_on(s, i, r);
		return;
	}
	if (!fires || !r->is_fresh || report_folds(s, r))
		return;
	if (i && s->now_ns - i->ended_ns < INCIDENT_REOPEN_NS && is_same_again(i, r)) {
		incident_reopen(s, i, r);
		return;
	}
	if (i)
		i->life = INCIDENT_FREE;
	incident_start(s, r);
}

static void summary_tell(struct incidents *s)
{
	struct anomaly_event e = {
		.event_id = distinct_mix(s->n_held_back, s->now_ns) & EVENT_ID_MAX,
		.state = ANOMALY_SUMMARY,
		.severity = 5,
		.confidence = 100,
		.visibility = ANOMALY_BOTH,
		.is_dry_run = s->is_dry_run,
		.threshold = INCIDENTS_PER_S,
		.window_ms = SUMMARY_EACH_NS / NS_PER_MS,
	};
	size_t n = 0;

	for (int c = 0; c < ANOMALY_CLASSES && n < sizeof(e.reason); c++) {
		e.suppressed += s->held_back[c];
		if (s->held_back[c])
			n += (size_t)snprintf(e.reason + n, sizeof(e.reason) - n, "%s%u %s",
					      n ? ", " : "more events than may be told at once: ",
					      s->held_back[c], anomaly_class_name((uint8_t)c));
		s->held_back[c] = 0;
	}
	e.value = (float)e.suppressed;
	e.time_ms = e.start_ms = e.end_ms = unix_ms(s, s->now_ns);
	s->n_held_back = 0;
	s->summary_due_ns = s->now_ns + SUMMARY_EACH_NS;
	s->n_events++;
	s->sink(s->sink_arg, &e);
}

static void incident_tick(struct incidents *s, struct incident *i)
{
	if (i->life == INCIDENT_ENDED && s->now_ns - i->ended_ns >= INCIDENT_REOPEN_NS)
		i->life = INCIDENT_FREE;
	if (i->life != INCIDENT_OPEN)
		return;
	if (is_allowed(s, &i->event) || s->now_ns - i->fresh_ns >= i->quiet_ns) {
		incident_end(s, i);
		return;
	}
	if (i->has_news && !i->is_silent && s->now_ns - i->told_ns >= INCIDENT_UPDATE_NS &&
	    budget_take(s))
		incident_tell(s, i, ANOMALY_UPDATE);
}

void incidents_advance(struct incidents *s, uint64_t now_ns)
{
	uint64_t earned = s->now_ns && now_ns > s->now_ns ? now_ns - s->now_ns : 0;

	s->budget_ns =
		earned > BUDGET_MAX_NS - s->budget_ns ? BUDGET_MAX_NS : s->budget_ns + earned;
	if (now_ns > s->now_ns)
		s->now_ns = now_ns;
}

void incidents_tick(struct incidents *s)
{
	for (uint32_t i = 0; i < s->n_used; i++)
		incident_tick(s, &s->incident[i]);
	if (s->n_held_back && s->now_ns >= s->summary_due_ns && budget_take(s))
		summary_tell(s);
}

void incidents_reload(struct incidents *s, bool is_dry_run)
{
	bool is_first_told = s->is_dry_run && !is_dry_run;

	/* those of a dry run end in it */
	for (uint32_t i = 0; i < s->n_used; i++)
		if (s->incident[i].life == INCIDENT_OPEN && is_allowed(s, &s->incident[i].event))
			incident_end(s, &s->incident[i]);
	s->is_dry_run = is_dry_run;
	for (uint32_t i = 0; is_first_told && i < s->n_used; i++)
		if (s->incident[i].life == INCIDENT_OPEN)
			incident_announce(s, &s->incident[i]);
}

uint64_t incidents_next_due_ns(const struct incidents *s)
{
	uint64_t due = s->n_held_back ? s->summary_due_ns : UINT64_MAX;

	for (uint32_t i = 0; i < s->n_used; i++) {
		const struct incident *at = &s->incident[i];

		if (at->life != INCIDENT_OPEN)
			continue;
		if (at->fresh_ns + at->quiet_ns < due)
			due = at->fresh_ns + at->quiet_ns;
		if (at->has_news && at->told_ns + INCIDENT_UPDATE_NS < due)
			due = at->told_ns + INCIDENT_UPDATE_NS;
	}
	return due;
}

void incidents_finish(struct incidents *s, uint64_t now_ns)
{
	incidents_advance(s, now_ns);
	incidents_tick(s);
	for (uint32_t i = 0; i < s->n_used; i++)
		if (s->incident[i].life == INCIDENT_OPEN)
			incident_end(s, &s->incident[i]);
	if (s->n_held_back)
		summary_tell(s);
}

void incidents_each(const struct incidents *s, anomaly_sink_fn fn, void *arg)
{
	for (uint32_t i = 0; i < s->n_used; i++)
		if (s->incident[i].life != INCIDENT_FREE && !s->incident[i].is_silent)
			fn(arg, &s->incident[i].event);
}
