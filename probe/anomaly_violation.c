/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protocol violations, by source and kind, by struck host where sources are forged: at once
 * what has no good reason, the rest when it is more than a few in a minute. Fifty hosts that
 * do the same in a minute are told of as one. Those of a scanner are part of its scan.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "probe/anomaly_private.h"

#define PLACE_SETS   512
#define PLACE_WAYS   8
#define PLACES	     (PLACE_SETS * PLACE_WAYS)
#define WINDOW_NS    (60 * NS_PER_S)
#define QUIET_MS     120000
#define FORGED_LEAST 10 /* sources */
#define HELD_MOST    3 /* seconds until a flood is told of */
#define CROWD_LEAST  50 /* hosts of one violation in a minute: more are one incident */

enum violation {
#define VIOLATION(NAME, id, severity, always, clause, text) VIOLATION_##NAME,
#include "probe/anomaly_violation.def"
#undef VIOLATION
	VIOLATIONS,
};

static const struct {
	uint16_t id;
	uint8_t severity;
	bool always;
	uint8_t subclass;
	const char *clause;
	const char *text;
} violations[] = {
#define VIOLATION(NAME, id, severity, always, clause, text)                                        \
	[VIOLATION_##NAME] = {id, severity, always, ANOMALY_BY_##NAME, clause, text},
#include "probe/anomaly_violation.def"
#undef VIOLATION
};

struct violator {
	struct host host; /* the source; the struck host where that is never true, or forged */
	struct host other; /* the other side */
	bool is_used;
	bool is_fresh;
	bool is_struck; /* the host is */
	bool has_many; /* others */
	uint8_t n_held; /* seconds that it might have been part of a flood */
	bool has_no_flow; /* its packets have none */
	uint8_t violation; /* enum violation */
	uint8_t obs_point;
	uint8_t protocol;
	uint64_t packets; /* since begun_ns */
	uint64_t begun_ns; /* the window */
	uint64_t first_ns;
	uint64_t last_ns;
	struct example example[ANOMALY_TARGETS];
};

struct violation_state {
	uint64_t used[PLACES_WORDS(PLACES)];
	struct violator violator[PLACES];
	struct crowd {
		struct violator all; /* that minute's, of any host */
		struct distinct_many hosts;
		bool is_one; /* they are told of as one, this minute and the next */
	} crowd[VIOLATIONS];
};

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->violation.enabled;
}

static enum violation judge_tcp(const struct anomaly_flow *flow)
{
	uint8_t flags = flow->delta->first_flags;

	if (!(flags & TH_SYN) || !flow->delta->is_new)
		return VIOLATIONS;
	if (flags & TH_FIN)
		return VIOLATION_SYN_FIN;
	if (flags & TH_RST)
		return VIOLATION_SYN_RST;
	if (flow->source_port == flow->destination_port &&
	    host_equals(&flow->source, &flow->destination))
		return VIOLATION_LAND;
	return VIOLATIONS;
}

/* VIOLATIONS: none. */
static enum violation judge(const struct anomaly_flow *flow)
{
	bool has_ports = (flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP) &&
			 !flow->is_later_fragment;
	enum violation v = VIOLATIONS;

	if (has_ports && flow->protocol == IPPROTO_TCP)
		v = judge_tcp(flow);
	if (v == VIOLATIONS && host_is_group(&flow->source))
		v = VIOLATION_GROUP_SOURCE;
	if (v == VIOLATIONS && has_ports && (!flow->source_port || !flow->destination_port))
		v = VIOLATION_PORT_ZERO;
	return v;
}

static bool violator_is(const struct violator *place, const struct host *host, enum violation v,
			bool is_struck)
{
	return place->is_used && place->violation == v && place->is_struck == is_struck &&
	       host_equals(&place->host, host);
}

static struct violator *violator_set(struct violation_state *s, const struct anomaly *a,
				     const struct host *host, enum violation v)
{
	return &s->violator[anomaly_hash(a, host, v) % PLACE_SETS * PLACE_WAYS];
}

/* site  the host, of a source its /64. NULL: there is none, and none is to be made. */
static struct violator *violator_find(struct violation_state *s, const struct anomaly *a,
				      const struct host *site, enum violation v, bool is_struck,
				      bool may_make)
{
	struct violator *set = violator_set(s, a, site, v), *least = set;

	for (int i = 0; i < PLACE_WAYS; i++) {
		if (violator_is(&set[i], site, v, is_struck))
			return &set[i];
		if (!set[i].is_used || (least->is_used && set[i].packets < least->packets))
			least = &set[i];
	}
	if (!may_make)
		return NULL;
	*least = (struct violator){
		.host = *site,
		.is_used = true,
		.is_struck = is_struck,
		.violation = v,
		.begun_ns = a->now_ns,
	};
	place_use(s->used, (uint32_t)(least - s->violator));
	return least;
}

static void violator_count(struct violator *v, const struct host *other, uint64_t packets,
			   uint64_t first_ns, uint64_t last_ns)
{
	v->is_fresh = true;
	if (!v->packets)
		v->other = *other;
	v->has_many |= !host_equals(&v->other, other);
	v->packets += packets;
	if (!v->first_ns || first_ns < v->first_ns)
		v->first_ns = first_ns;
	if (last_ns > v->last_ns)
		v->last_ns = last_ns;
}

static void violator_note(struct violator *v, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;

	v->obs_point = flow->obs_point;
	v->protocol = flow->protocol;
	violator_count(v, v->is_struck ? &flow->source : &flow->destination, d->packets,
		       d->first_ns, d->last_ns);
	example_keep_destination(v->example, ANOMALY_TARGETS, flow);
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	struct violation_state *s = state;
	enum violation v = flow->delta->packets ? judge(flow) : VIOLATIONS;
	bool is_struck = v == VIOLATION_GROUP_SOURCE;
	struct host site = is_struck ? flow->destination : host_site(&flow->source);
	struct crowd *crowd;

	if (v == VIOLATIONS) {
		/* flags are looked at once, and the rest stays as it is */
		if (flow->delta->packets)
			flow_is_dull(flow, DETECTOR_violation);
		return;
	}
	crowd = &s->crowd[v];
	distinct_many_add(&crowd->hosts, anomaly_hash(a, &site, v));
	crowd->all.violation = v;
	crowd->all.is_struck = is_struck;
	violator_note(&crowd->all, flow);
	if (!crowd->is_one)
		violator_note(violator_find(s, a, &site, v, is_struck, true), flow);
}

/* What the Metering Process found, by the name it has there; VIOLATIONS: nothing to tell. */
static enum violation violation_of(uint16_t what)
{
	switch (what) {
	case XFP_truncated:
		return VIOLATION_TRUNCATED;
	case XFP_bad_version:
		return VIOLATION_BAD_VERSION;
	case XFP_bad_header_length:
		return VIOLATION_BAD_HEADER_LENGTH;
	case XFP_bad_total_length:
		return VIOLATION_BAD_TOTAL_LENGTH;
	case XFP_too_deep:
		return VIOLATION_TOO_DEEP;
	case XFP_N_REASONS + XFP_tiny_fragment:
		return VIOLATION_TINY_FRAGMENT;
	case XFP_N_REASONS + XFP_overlapping_fragment:
		return VIOLATION_OVERLAPPING_FRAGMENT;
	case XFP_N_REASONS + XFP_oversized_fragment:
		return VIOLATION_OVERSIZED_FRAGMENT;
	case XFP_N_REASONS + XFP_uneven_fragment:
		return VIOLATION_UNEVEN_FRAGMENT;
	default:
		return VIOLATIONS;
	}
}

static bool is_unknown(const struct host *h)
{
	static const struct host unspecified;

	return host_equals(h, &unspecified);
}

/* Many sources that come once: they are forged, and the struck host tells of them all. */
static bool is_of_forged(const struct unseen_news *news)
{
	uint32_t n = distinct_many_count(&news->distinct[XFP_UNSEEN_OTHERS]);

	return is_unknown(&news->host) || (n >= FORGED_LEAST && news->packets < 2ULL * n);
}

/* Told of by the host they struck. */
static bool is_told_of(struct violation_state *s, const struct anomaly *a,
		       const struct unseen_news *news, enum violation v)
{
	const struct violator *struck = violator_find(s, a, &news->other, v, true, false);

	return distinct_many_count(&news->distinct[XFP_UNSEEN_OTHERS]) == 1 && struck &&
	       struck->is_fresh;
}

static void violator_note_unseen(struct violator *v, const struct unseen_news *news)
{
	v->obs_point = news->obs_point;
	v->protocol = news->protocol;
	violator_count(v, &news->other, news->packets, news->first_ns, news->last_ns);
	v->has_many |= distinct_many_count(&news->distinct[XFP_UNSEEN_OTHERS]) > 1;
	v->has_no_flow = news->what < XFP_N_REASONS;
}

/* True when its source is one of so many that they are told of as one. */
static bool crowd_note(struct violation_state *s, const struct anomaly *a,
		       const struct unseen_news *news, enum violation v)
{
	struct crowd *crowd = &s->crowd[v];

	distinct_many_add(&crowd->hosts, anomaly_hash(a, &news->host, v));
	crowd->all.violation = v;
	violator_note_unseen(&crowd->all, news);
	return crowd->is_one;
}

/* Packets against their protocol, most of which have no Flow: struck hosts come first. */
static void on_unseen(struct anomaly *a, void *state, const struct unseen_news *news)
{
	bool is_struck = news->view == XFP_UNSEEN_VIOLATED;
	enum violation v = violation_of(news->what);
	struct violator *place;

	if ((!is_struck && news->view != XFP_UNSEEN_VIOLATOR) || v == VIOLATIONS)
		return;
	if (is_struck ? !is_of_forged(news) : is_told_of(state, a, news, v))
		return;
	if (!is_struck && crowd_note(state, a, news, v))
		return;
	place = violator_find(state, a, &news->host, v, is_struck, true);
	violator_note_unseen(place, news);
	if (!is_struck && !place->has_many)
		example_keep(place->example, ANOMALY_TARGETS,
			     &(struct example){.first_ns = news->first_ns, .host = news->other});
}

/* Of many hosts none is told of as guilty: who sends one packet and no more is forged. */
static void crowd_sides_write(struct anomaly_event *e, const struct crowd *crowd)
{
	const struct violator *v = &crowd->all;
	bool is_struck = v->is_struck;
	uint32_t n = distinct_many_count(&crowd->hosts);
	char whom[HOST_TEXT_MAX + 1] = "many hosts";

	e->has_destination = !is_struck && !v->has_many;
	e->destination = v->other;
	if (is_struck)
		e->n_destinations = n;
	else
		e->n_sources = n;
	e->is_spoofed = is_struck || v->violation == VIOLATION_LAND || v->packets < 2ULL * n;
	if (e->has_destination)
		*host_put(whom, &v->other) = '\0';
	snprintf(e->reason, sizeof(e->reason), "%s %s sent %llu packets %s, against %s%s", whom,
		 e->has_destination ? "was" : "were", (unsigned long long)v->packets,
		 violations[v->violation].text, violations[v->violation].clause,
		 e->is_spoofed ? "; spoofed likely" : "");
}

static void sides_write(struct anomaly_event *e, const struct violator *v)
{
	bool is_struck = v->is_struck, is_nobody = is_unknown(&v->host);
	char who[HOST_TEXT_MAX + 1];

	e->has_source = !is_nobody && (!is_struck || !v->has_many);
	e->source = is_struck ? v->other : v->host;
	e->has_destination = !is_nobody && (is_struck || !v->has_many);
	e->destination = is_struck ? v->host : v->other;
	/* nobody's packets to itself come from outside, and no host is a group */
	e->is_spoofed = v->violation == VIOLATION_LAND || (is_struck && !is_nobody);
	*host_put(who, e->has_source ? &e->source : &e->destination) = '\0';
	snprintf(e->reason, sizeof(e->reason), "%s %s %llu packets %s, against %s%s%s",
		 is_nobody ? "somebody" : who, e->has_source || is_nobody ? "sent" : "was sent",
		 (unsigned long long)v->packets, violations[v->violation].text,
		 violations[v->violation].clause, v->has_no_flow ? "; they have no Flow" : "",
		 is_nobody ? ", and their addresses cannot be read" : "");
	e->n_unseen = v->has_no_flow ? v->packets : 0;
}

/* What else the host did in the window, as violationBitmap. */
static uint64_t violations_of(struct violation_state *s, const struct anomaly *a,
			      const struct violator *of)
{
	uint64_t bits = 1ull << violations[of->violation].id;

	if (of->is_struck)
		return bits;
	for (enum violation v = 0; v < VIOLATIONS; v++) {
		const struct violator *set = violator_set(s, a, &of->host, v);

		for (int i = 0; i < PLACE_WAYS; i++)
			if (violator_is(&set[i], &of->host, v, false) && set[i].packets)
				bits |= 1ull << violations[v].id;
	}
	return bits;
}

/* crowd  that *v is of, all of it; NULL: one host */
static void violator_report(struct anomaly *a, struct violation_state *s, const struct violator *v,
			    const struct crowd *crowd)
{
	struct anomaly_event e = {.class = ANOMALY_PROTOCOL_VIOLATION};
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_violation, &v->host,
				   v->violation | (uint64_t)v->is_struck << 32),
		.parent = v->is_struck ? anomaly_flood_family(&v->host)
				       : anomaly_key(DETECTOR_scan, &v->host, UINT64_MAX),
		.is_fresh = true,
		.quiet_ms = QUIET_MS,
		.event = &e,
	};

	e.subclass = violations[v->violation].subclass;
	e.violation_id = violations[v->violation].id;
	e.violations = crowd ? 1ull << e.violation_id : violations_of(s, a, v);
	e.severity = violations[v->violation].severity;
	e.visibility = anomaly_visibility_at(a, v->obs_point);
	e.value = (float)v->packets;
	e.threshold = violations[v->violation].always
			      ? 1
			      : (float)anomaly_limits(a, &v->host)->violation.packets;
	e.confidence = 90; /* the packet is its own proof; who sent it may be forged */
	e.window_ms = WINDOW_NS / NS_PER_MS;
	e.rule = "anomaly.violation.packets";
	anomaly_tell_group(a, &e, &v->host);
	e.start_ms = anomaly_unix_ms(a, v->first_ns);
	e.end_ms = anomaly_unix_ms(a, v->last_ns);
	e.protocol = v->protocol;
	if (crowd)
		crowd_sides_write(&e, crowd);
	else
		sides_write(&e, v);
	examples_tell(&e, v->example, ANOMALY_TARGETS,
		      (v->protocol == IPPROTO_TCP || v->protocol == IPPROTO_UDP) &&
			      v->violation < VIOLATION_TRUNCATED);
	incidents_report(&a->incidents, &report);
}

/* Sources drawn at random are those of a flood, and some of them groups. */
static bool violator_has_to_wait(struct violator *v)
{
	return v->violation == VIOLATION_GROUP_SOURCE && v->has_many && v->n_held < HELD_MOST &&
	       ++v->n_held;
}

/* A minute is over: what is known of it goes. */
static void violator_turn(struct violator *v, uint64_t now_ns)
{
	v->packets = v->first_ns = 0;
	v->has_many = v->is_fresh = false;
	v->n_held = 0;
	v->begun_ns = now_ns;
	memset(v->example, 0, sizeof(v->example));
}

static void crowd_second(struct anomaly *a, struct violation_state *s, struct crowd *crowd)
{
	bool is_many = crowd->all.packets && distinct_many_count(&crowd->hosts) >= CROWD_LEAST;

	crowd->is_one |= is_many && violations[crowd->all.violation].always;
	if (crowd->is_one && crowd->all.is_fresh && !violator_has_to_wait(&crowd->all))
		violator_report(a, s, &crowd->all, crowd);
	crowd->all.is_fresh = false;
	if (anomaly_since(a->now_ns, crowd->all.begun_ns) < WINDOW_NS)
		return;
	crowd->is_one &= is_many;
	violator_turn(&crowd->all, a->now_ns);
	memset(&crowd->hosts, 0, sizeof(crowd->hosts));
}

static void violator_second(struct anomaly *a, struct violation_state *s, struct violator *v)
{
	const struct crowd *crowd = &s->crowd[v->violation];

	if (v->is_fresh && crowd->is_one && v->is_struck == crowd->all.is_struck)
		v->is_fresh = false;
	if (v->is_fresh && !violator_has_to_wait(v)) {
		violator_report(a, s, v, NULL);
		v->is_fresh = false;
	}
	if (anomaly_since(a->now_ns, v->begun_ns) < WINDOW_NS)
		return;
	v->is_used = v->packets != 0;
	violator_turn(v, a->now_ns);
	if (!v->is_used)
		place_leave(s->used, (uint32_t)(v - s->violator));
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct violation_state *s = state;

	(void)passed_ns;
	for (int i = 0; i < VIOLATIONS; i++)
		crowd_second(a, s, &s->crowd[i]);
	FOR_PLACES(i, s->used, PLACES)
	{
		violator_second(a, s, &s->violator[i]);
	}
}

const struct detector detector_violation = {
	.state_octets = sizeof(struct violation_state),
	.is_enabled = is_enabled,
	.on_flow = on_flow,
	.on_unseen = on_unseen,
	.on_second = on_second,
};
