/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnels in ICMP, by what the sizes of echo messages tell. What is asked comes back as
 * it was (RFC 792, RFC 4443 4.2), and who pings asks the same each time: many large
 * messages whose answers are of another size, or that differ from one to the next, carry
 * something else.
 */
#include <stdio.h>

#include "probe/anomaly_points.h"
#include "probe/anomaly_private.h"

#define ECHO_REQUEST  0x0800 /* type << 8 */
#define ECHO_REPLY    0x0000
#define ECHO6_REQUEST 0x8000
#define ECHO6_REPLY   0x8100

#define TUNNEL_SETS    256
#define TUNNEL_WAYS    4
#define TUNNELS	       (TUNNEL_SETS * TUNNEL_WAYS)
#define SLICES	       6 /* of a minute */
#define SLICE_NS       (10 * NS_PER_S)
#define HEADERS4       28 /* octets of IP and ICMP */
#define HEADERS6       48
#define PAYLOAD_LEAST  100
#define VARIES	       32 /* octets between the smallest and the largest */
#define DIFFERS_PCT    10 /* of the mean, between requests and replies */
#define RATIO_MOST     2 /* times as many one way as the other */
#define QUIET_MS       120000
#define POINT_SILENT_S 5

enum echo {
	ECHO_ASKED,
	ECHO_ANSWERED,
	ECHOES,
};

struct tunnel {
	struct host source; /* ours */
	struct host destination;
	bool is_used;
	bool is_dirty;
	bool varies; /* messages of one way differ in size */
	bool is_asking; /* ours is who asks */
	uint8_t headers;
	uint8_t obs_point;
	struct point point[ECHOES];
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t slice; /* number of the current one */
	uint32_t packets[ECHOES][SLICES]; /* by number of the slice */
	uint64_t octets[ECHOES][SLICES];
	uint64_t flow_id[ECHOES];
};

struct icmp_tunnel {
	uint64_t used[PLACES_WORDS(TUNNELS)];
	struct tunnel tunnel[TUNNELS];
};

/* What is counted of a pair in a minute. */
struct echo_counts {
	uint32_t packets[ECHOES];
	uint64_t octets[ECHOES];
	float mean[ECHOES]; /* payload octets of a message; 0: there is none */
};

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->exfiltration.enabled;
}

/* Whether it is an echo message, and which. */
static bool is_echo(const struct anomaly_flow *flow, enum echo *echo)
{
	*echo = flow->icmp_type_code == (flow->is_ipv6 ? ECHO6_REPLY : ECHO_REPLY) ? ECHO_ANSWERED
										   : ECHO_ASKED;
	return flow->is_icmp &&
	       (*echo == ECHO_ANSWERED ||
		flow->icmp_type_code == (flow->is_ipv6 ? ECHO6_REQUEST : ECHO_REQUEST));
}

static uint32_t packets_of(const struct tunnel *t)
{
	uint32_t n = 0;

	for (int i = 0; i < SLICES; i++)
		n += t->packets[ECHO_ASKED][i] + t->packets[ECHO_ANSWERED][i];
	return n;
}

static struct tunnel *tunnel_find(const struct anomaly *a, struct icmp_tunnel *s,
				  const struct host *ours, const struct host *theirs)
{
	uint64_t hash = distinct_mix(anomaly_hash(a, ours, 0), anomaly_hash(a, theirs, 0));
	struct tunnel *set = &s->tunnel[hash % TUNNEL_SETS * TUNNEL_WAYS], *least = set;

	for (int i = 0; i < TUNNEL_WAYS; i++) {
		if (set[i].is_used && host_equals(&set[i].source, ours) &&
		    host_equals(&set[i].destination, theirs))
			return &set[i];
		if (!set[i].is_used || (least->is_used && packets_of(&set[i]) < packets_of(least)))
			least = &set[i];
	}
	*least = (struct tunnel){.source = *ours, .destination = *theirs, .is_used = true};
	place_use(s->used, (uint32_t)(least - s->tunnel));
	return least;
}

static void tunnel_age(struct tunnel *t, uint64_t now_ns)
{
	uint64_t slice = now_ns / SLICE_NS;

	for (uint64_t i = t->slice + 1; i <= slice && i <= t->slice + SLICES; i++)
		for (int echo = 0; echo < ECHOES; echo++)
			t->packets[echo][i % SLICES] = t->octets[echo][i % SLICES] = 0;
	t->slice = slice > t->slice ? slice : t->slice;
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	bool is_leaving;
	struct tunnel *t;
	enum echo echo;

	if (!is_echo(flow, &echo)) {
		flow_is_dull(flow, DETECTOR_icmp_tunnel);
		return;
	}
	if (!d->packets || anomaly_direction(a, flow) == FLOW_STAYING)
		return;
	is_leaving = anomaly_direction(a, flow) == FLOW_LEAVING;
	t = is_leaving ? tunnel_find(a, state, &flow->source, &flow->destination)
		       : tunnel_find(a, state, &flow->destination, &flow->source);
	if (!point_counts(&t->point[echo], flow->obs_point, a->now_ns, POINT_SILENT_S))
		return;
	tunnel_age(t, a->now_ns);
	t->obs_point = flow->obs_point;
	t->is_dirty = true;
	t->is_asking = is_leaving == (echo == ECHO_ASKED);
	t->headers = flow->is_ipv6 ? HEADERS6 : HEADERS4;
	t->varies |= d->length_max >= d->length_min + VARIES;
	t->packets[echo][t->slice % SLICES] += (uint32_t)d->packets;
	t->octets[echo][t->slice % SLICES] += d->octets;
	t->flow_id[echo] = flow_delta_id(d);
	if (!t->first_ns || d->first_ns < t->first_ns)
		t->first_ns = d->first_ns;
	t->last_ns = d->last_ns > t->last_ns ? d->last_ns : t->last_ns;
}

static void count(const struct tunnel *t, struct echo_counts *c)
{
	*c = (struct echo_counts){.packets = {0}};
	for (int echo = 0; echo < ECHOES; echo++) {
		for (int i = 0; i < SLICES; i++) {
			c->packets[echo] += t->packets[echo][i];
			c->octets[echo] += t->octets[echo][i];
		}
		if (c->packets[echo])
			c->mean[echo] = (float)c->octets[echo] / (float)c->packets[echo] -
					(float)t->headers;
	}
}

static float larger(const struct echo_counts *c)
{
	return c->mean[ECHO_ASKED] > c->mean[ECHO_ANSWERED] ? c->mean[ECHO_ASKED]
							    : c->mean[ECHO_ANSWERED];
}

/* Both ways alike in number, where both are seen. */
static bool is_exchange(const struct echo_counts *c)
{
	uint64_t asked = c->packets[ECHO_ASKED], answered = c->packets[ECHO_ANSWERED];

	return !asked || !answered ||
	       (asked <= RATIO_MOST * answered && answered <= RATIO_MOST * asked);
}

/* What comes back is not what was sent, by its size. */
static bool differs(const struct echo_counts *c)
{
	float off = c->mean[ECHO_ASKED] - c->mean[ECHO_ANSWERED];

	if (!c->packets[ECHO_ASKED] || !c->packets[ECHO_ANSWERED])
		return false;
	return (off < 0 ? -off : off) * 100 >= larger(c) * DIFFERS_PCT;
}

static void tunnel_report(struct anomaly *a, const struct tunnel *t, const struct echo_counts *c,
			  float messages)
{
	struct anomaly_event e = {.class = ANOMALY_ICMP_TUNNEL, .subclass = ANOMALY_BY_ICMP};
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_icmp_tunnel, &t->source,
				   anomaly_key(DETECTOR_icmp_tunnel, &t->destination, 0)),
		.is_fresh = true,
		.quiet_ms = QUIET_MS,
		.event = &e,
	};
	char from[HOST_TEXT_MAX + 1], to[HOST_TEXT_MAX + 1];

	e.visibility = c->packets[ECHO_ASKED] && c->packets[ECHO_ANSWERED] ? ANOMALY_BOTH
									   : ANOMALY_INGRESS_ONLY;
	/* where answers are seen, who gets none may be anybody */
	e.is_spoofed = e.visibility != ANOMALY_BOTH &&
		       anomaly_visibility_at(a, t->obs_point) == ANOMALY_BOTH;
	e.severity = 6;
	e.value = messages;
	e.threshold = (float)anomaly_limits(a, &t->source)->exfiltration.echo_per_min;
	e.confidence = anomaly_confidence(e.value, e.threshold, e.visibility);
	e.window_ms = (uint32_t)(SLICES * SLICE_NS / NS_PER_MS);
	e.rule = "anomaly.exfiltration.echo_per_min";
	anomaly_tell_group(a, &e, &t->source);
	e.allow = "anomaly.exfiltration.allow";
	e.start_ms = anomaly_unix_ms(a, t->first_ns);
	e.end_ms = anomaly_unix_ms(a, t->last_ns);
	e.protocol = host_is_ipv4(&t->source) ? 1 : 58;
	e.has_source = e.has_destination = true;
	e.source = t->source;
	e.destination = t->destination;
	e.octets_out = c->octets[t->is_asking ? ECHO_ASKED : ECHO_ANSWERED];
	e.octets_in = c->octets[t->is_asking ? ECHO_ANSWERED : ECHO_ASKED];
	e.pcr = ((float)e.octets_out - (float)e.octets_in) / (float)(e.octets_out + e.octets_in);
	for (int echo = 0; echo < ECHOES; echo++)
		if (t->flow_id[echo])
			e.flow_id[e.n_flow_ids++] = t->flow_id[echo];
	*host_put(from, &t->source) = '\0';
	*host_put(to, &t->destination) = '\0';
	snprintf(e.reason, sizeof(e.reason),
		 "%s and %s exchanged %u echo requests and %u replies in a minute, of %.0f octets "
		 "and %.0f in the mean, %s%s",
		 from, to, c->packets[ECHO_ASKED], c->packets[ECHO_ANSWERED],
		 (double)c->mean[ECHO_ASKED], (double)c->mean[ECHO_ANSWERED],
		 differs(c) ? "so what came back is not what was sent" : "of one size and another",
		 e.is_spoofed ? "; spoofed likely" : "");
	incidents_report(&a->incidents, &report);
}

static void tunnel_judge(struct anomaly *a, const struct tunnel *t)
{
	struct echo_counts c;
	uint32_t messages;

	if (networks_have(&a->cfg->exfiltration.allow, &t->destination))
		return;
	count(t, &c);
	messages = c.packets[ECHO_ASKED] > c.packets[ECHO_ANSWERED] ? c.packets[ECHO_ASKED]
								    : c.packets[ECHO_ANSWERED];
	if (messages * 2 >= anomaly_limits(a, &t->source)->exfiltration.echo_per_min &&
	    larger(&c) > PAYLOAD_LEAST && is_exchange(&c) && (differs(&c) || t->varies))
		tunnel_report(a, t, &c, (float)messages);
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct icmp_tunnel *s = state;

	(void)passed_ns;
	FOR_PLACES(i, s->used, TUNNELS)
	{
		struct tunnel *t = &s->tunnel[i];

		tunnel_age(t, a->now_ns);
		if (t->is_dirty)
			tunnel_judge(a, t);
		t->is_dirty = false;
		if (!packets_of(t)) {
			t->is_used = false;
			place_leave(s->used, i);
		}
	}
}

const struct detector detector_icmp_tunnel = {
	.state_octets = sizeof(struct icmp_tunnel),
	.is_enabled = is_enabled,
	.on_flow = on_flow,
	.on_second = on_second,
};
