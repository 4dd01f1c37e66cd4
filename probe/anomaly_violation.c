/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protocol violations, by source and kind, by struck host where sources are forged: at once what has no good reason, the rest
 * when it is more than a few in a minute. Those of a scanner are part of its scan.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "probe/anomaly_private.h"

#define PLACE_SETS 512
#define PLACE_WAYS 8
#define PLACES	   (PLACE_SETS * PLACE_WAYS)
#define WINDOW_NS  (60 * NS_PER_S)
#define QUIET_MS   120000
#define HELD_MOST  3 /* seconds until a flood is told of */

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
	struct host host; /* the source; the struck host of GROUP_SOURCE, which is never true */
	struct host other; /* the other side */
	bool is_used;
	bool is_fresh;
	bool has_many; /* others */
	uint8_t n_held; /* seconds that it might have been part of a flood */
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

static bool violator_is(const struct violator *place, const struct host *host, enum violation v)
{
	return place->is_used && place->violation == v && host_equals(&place->host, host);
}

static struct violator *violator_set(struct violation_state *s, const struct anomaly *a,
				     const struct host *host, enum violation v)
{
	return &s->violator[anomaly_hash(a, host, v) % PLACE_SETS * PLACE_WAYS];
}

static struct violator *violator_find(struct violation_state *s, const struct anomaly *a,
				      const struct anomaly_flow *flow, enum violation v)
{
	struct host site =
		v == VIOLATION_GROUP_SOURCE ? flow->destination : host_site(&flow->source);
	struct violator *set = violator_set(s, a, &site, v), *least = set;

	for (int i = 0; i < PLACE_WAYS; i++) {
		if (violator_is(&set[i], &site, v))
			return &set[i];
		if (!set[i].is_used || (least->is_used && set[i].packets < least->packets))
			least = &set[i];
	}
	*least = (struct violator){
		.host = site, .is_used = true, .violation = v, .begun_ns = a->now_ns};
	place_use(s->used, (uint32_t)(least - s->violator));
	return least;
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	enum violation v = d->packets ? judge(flow) : VIOLATIONS;
	struct violator *place;
	const struct host *other;

	if (v == VIOLATIONS) {
		/* flags are looked at once, and the rest stays as it is */
		if (d->packets)
			flow_is_dull(flow, DETECTOR_violation);
		return;
	}
	place = violator_find(state, a, flow, v);
	place->is_fresh = true;
	place->obs_point = flow->obs_point;
	place->protocol = flow->protocol;
	other = v == VIOLATION_GROUP_SOURCE ? &flow->source : &flow->destination;
	if (!place->packets)
		place->other = *other;
	place->has_many |= !host_equals(&place->other, other);
	place->packets += d->packets;
	if (!place->first_ns || d->first_ns < place->first_ns)
		place->first_ns = d->first_ns;
	if (d->last_ns > place->last_ns)
		place->last_ns = d->last_ns;
	example_keep_destination(place->example, ANOMALY_TARGETS, flow);
}

static void sides_write(struct anomaly_event *e, const struct violator *v)
{
	bool is_struck = v->violation == VIOLATION_GROUP_SOURCE;
	char who[HOST_TEXT_MAX + 1];

	e->has_source = !is_struck || !v->has_many;
	e->source = is_struck ? v->other : v->host;
	e->has_destination = is_struck || !v->has_many;
	e->destination = is_struck ? v->host : v->other;
	/* nobody's packets to itself come from outside, and no host is a group */
	e->is_spoofed = v->violation == VIOLATION_LAND || is_struck;
	*host_put(who, e->has_source ? &e->source : &e->destination) = '\0';
	snprintf(e->reason, sizeof(e->reason), "%s %s %llu packets %s, against %s", who,
		 e->has_source ? "sent" : "was sent", (unsigned long long)v->packets,
		 violations[v->violation].text, violations[v->violation].clause);
}

/* What else the host did in the window, as violationBitmap. */
static uint64_t violations_of(struct violation_state *s, const struct anomaly *a,
			      const struct violator *of)
{
	uint64_t bits = 1ull << violations[of->violation].id;

	if (of->violation == VIOLATION_GROUP_SOURCE) /* whose host is the struck one */
		return bits;
	for (enum violation v = 0; v < VIOLATIONS; v++) {
		const struct violator *set = violator_set(s, a, &of->host, v);

		for (int i = 0; i < PLACE_WAYS && v != VIOLATION_GROUP_SOURCE; i++)
			if (violator_is(&set[i], &of->host, v) && set[i].packets)
				bits |= 1ull << violations[v].id;
	}
	return bits;
}

static void violator_report(struct anomaly *a, struct violation_state *s, struct violator *v)
{
	struct anomaly_event e = {.class = ANOMALY_PROTOCOL_VIOLATION};
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_violation, &v->host, v->violation),
		.parent = v->violation == VIOLATION_GROUP_SOURCE
				  ? anomaly_flood_family(&v->host)
				  : anomaly_key(DETECTOR_scan, &v->host, UINT64_MAX),
		.is_fresh = true,
		.quiet_ms = QUIET_MS,
		.event = &e,
	};

	e.subclass = violations[v->violation].subclass;
	e.violation_id = violations[v->violation].id;
	e.violations = violations_of(s, a, v);
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
	sides_write(&e, v);
	examples_tell(&e, v->example, ANOMALY_TARGETS,
		      v->protocol == IPPROTO_TCP || v->protocol == IPPROTO_UDP);
	incidents_report(&a->incidents, &report);
}

/* Sources drawn at random are those of a flood, and some of them groups. */
static bool violator_has_to_wait(struct violator *v)
{
	return v->violation == VIOLATION_GROUP_SOURCE && v->has_many && v->n_held < HELD_MOST &&
	       ++v->n_held;
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct violation_state *s = state;

	(void)passed_ns;
	FOR_PLACES(i, s->used, PLACES)
	{
		struct violator *v = &s->violator[i];

		if (v->is_fresh && !violator_has_to_wait(v)) {
			violator_report(a, s, v);
			v->is_fresh = false;
		}
		if (anomaly_since(a->now_ns, v->begun_ns) < WINDOW_NS)
			continue;
		v->is_used = v->packets != 0;
		v->packets = v->first_ns = 0;
		v->has_many = v->is_fresh = false;
		v->n_held = 0;
		v->begun_ns = a->now_ns;
		memset(v->example, 0, sizeof(v->example));
		if (!v->is_used)
			place_leave(s->used, i);
	}
}

const struct detector detector_violation = {
	.state_octets = sizeof(struct violation_state),
	.is_enabled = is_enabled,
	.on_flow = on_flow,
	.on_second = on_second,
};
