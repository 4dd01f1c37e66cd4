/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Beacons: a host of ours that connects to the same service elsewhere again and again,
 * evenly apart, as a program does that calls home for orders. Connections count, not
 * attempts: a dead server that is tried again looks the same. So do many honest programs:
 * services that are known for it (anomaly_periodic.def), that many of our hosts use, or
 * that are allowed, are none; nor is guessing of passwords.
 */
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "probe/anomaly_beacon_pairs.h"
#include "probe/anomaly_clients.h"
#include "probe/anomaly_private.h"

#define JUDGE_NS       (60 * NS_PER_S) /* each pair is looked at so often */
#define MEDIAN_LEAST   1000 /* ms: faster is no beacon but one long exchange */
#define CV_MOST	       0.5f
#define GUESSING_MS    60000 /* faster at a service that asks for a password is guessing */
#define ASSOCIATION_NS (120 * NS_PER_S) /* RFC 4787 4.3: a UDP mapping lasts so long */
#define MISSED_TO_END  5
#define SUSPECTED      1 /* stages, by how long it goes on */
#define LIKELY	       2
#define LIKELY_NS      (3600 * NS_PER_S)
#define SURE	       3
#define SURE_NS	       (6 * 3600 * NS_PER_S)
#define SURE_HOURS     6
#define RARE_HOSTS     50 /* of so many hosts of ours, few ones mean something */
#define RARE_PCT       2
#define COMMON_HOSTS   10
#define COMMON_PCT     50
#define ADJUSTED       0.15f
#define KNOWN_NS       (86400 * NS_PER_S)

struct beacon {
	uint64_t began_ns;
	uint32_t next; /* place to look at next */
	uint64_t look[PLACES_WORDS(PAIRS_MAX)]; /* with new beats, or of an open incident */
	struct distinct_many hosts; /* of ours, that connect to anything elsewhere */
	struct clients clients;
	struct beacon_pairs pairs;
};

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->beacon.enabled;
}

static bool is_periodic(const struct anomaly_flow *flow)
{
	switch ((uint32_t)flow->protocol << 16 | flow->destination_port) {
#define PERIODIC(PROTOCOL, number, name) case IPPROTO_##PROTOCOL << 16 | (number):
#include "probe/anomaly_periodic.def"
#undef PERIODIC
		return true;
	default:
		return false;
	}
}

/* Services that ask for a password. */
static bool is_login(const struct beacon_pair *p)
{
	static const uint16_t ports[] = {21, 22, 23, 25, 445, 3389};

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		if (p->port == ports[i])
			return true;
	return false;
}

/* Whoever it goes to. */
static bool is_connection(const struct anomaly_flow *flow)
{
	uint8_t flags = flow->delta->first_flags & (TH_SYN | TH_ACK | TH_RST | TH_FIN);

	if (flow->is_later_fragment || is_periodic(flow))
		return false;
	return flow->protocol == IPPROTO_UDP || (flow->protocol == IPPROTO_TCP && flags == TH_SYN);
}

static bool may_be_beat(const struct anomaly *a, const struct anomaly_flow *flow)
{
	if (!is_connection(flow)) {
		flow_is_dull(flow, DETECTOR_beacon);
		return false;
	}
	return anomaly_direction(a, flow) == FLOW_LEAVING &&
	       !networks_have(&a->cfg->beacon.allow, &flow->destination);
}

/* Whether somebody answered; where answers are not observed, UDP may have been. */
static bool is_answered(const struct anomaly *a, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	struct flow_reverse reverse;

	if (flow->protocol == IPPROTO_TCP) /* the client's own third step */
		return d->tcp_flags & TH_ACK;
	return flow_delta_reverse(d, &reverse) ||
	       (d->is_ended && anomaly_visibility_at(a, flow->obs_point) != ANOMALY_BOTH);
}

static uint64_t service_hash(const struct anomaly *a, const struct anomaly_flow *flow)
{
	return anomaly_hash(a, &flow->destination,
			    (uint64_t)flow->protocol << 16 | flow->destination_port);
}

static uint64_t pair_hash(const struct anomaly *a, const struct anomaly_flow *flow)
{
	return anomaly_hash(a, &flow->source, service_hash(a, flow));
}

/* Of UDP: the same exchange after a pause, or after the active timeout cut it. */
static bool goes_on(const struct beacon_pair *p, const struct anomaly_flow *flow)
{
	return flow->protocol == IPPROTO_UDP && p->source_port == flow->source_port &&
	       flow->delta->first_ns < p->packet_ns + ASSOCIATION_NS;
}

static void beat_add(struct beacon *s, struct beacon_pair *p, const struct anomaly_flow *flow)
{
	s->pairs.n_news += !p->new_beats;
	place_use(s->look, (uint32_t)(p - s->pairs.pair));
	p->new_beats += p->new_beats < UINT8_MAX;
	p->is_new = p->first_ns > s->began_ns + KNOWN_NS;
	if (p->n_flow_ids < ANOMALY_FLOW_IDS)
		p->flow_id[p->n_flow_ids++] = flow_delta_id(flow->delta);
}

/* Two beats have become one. */
static void beat_remove(struct beacon *s, struct beacon_pair *p)
{
	if (p->new_beats) {
		p->new_beats--;
		s->pairs.n_news -= !p->new_beats;
	} else if (p->regular_beats) {
		p->regular_beats--;
	}
}

static void flow_count(struct anomaly *a, struct beacon *s, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	uint64_t client = anomaly_hash(a, &flow->source, 0);
	struct beacon_pair *p = pairs_admit(&s->pairs, pair_hash(a, flow), flow);
	struct flow_reverse reverse;
	int more;

	distinct_many_add(&s->hosts, client);
	clients_add(&s->clients, service_hash(a, flow), client, d->now_ns);
	if (!p)
		return;
	more = goes_on(p, flow) ? 0 : beats_add(&p->beats, d->first_ns, &p->last_ns);
	if (more > 0)
		beat_add(s, p, flow);
	else if (more < 0)
		beat_remove(s, p);
	p->is_answered = p->is_answered || flow_delta_reverse(d, &reverse);
	p->source_port = flow->source_port;
	p->obs_point = flow->obs_point;
	p->packet_ns = d->last_ns > p->packet_ns ? d->last_ns : p->packet_ns;
}

static void flow_end(struct anomaly *a, struct beacon *s, const struct anomaly_flow *flow)
{
	struct beacon_pair *p = pairs_find(&s->pairs, pair_hash(a, flow), flow);
	const struct flow_delta *d = flow->delta;

	if (!p)
		return;
	beats_add_size(&p->beats, d->total_octets);
	p->packet_ns = d->last_ns > p->packet_ns ? d->last_ns : p->packet_ns;
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	uint32_t *bits = flow->delta->state;

	if (!(*bits & FLOW_BEAT_JUDGED)) {
		if (!may_be_beat(a, flow)) {
			*bits |= FLOW_BEAT_JUDGED;
		} else if (is_answered(a, flow)) {
			*bits |= FLOW_BEAT_JUDGED | FLOW_BEAT;
			flow_count(a, state, flow);
		}
	}
	if (flow->delta->is_ended && *bits & FLOW_BEAT)
		flow_end(a, state, flow);
}

/* Who else uses it, and since when: at most 0.15 each way for each. */
static float adjusted(const struct beacon *s, const struct beacon_pair *p, uint32_t n_clients)
{
	uint32_t n_hosts = distinct_many_count(&s->hosts);
	float by = p->is_new ? ADJUSTED : 0;

	if (n_hosts >= RARE_HOSTS && n_clients * 100 <= n_hosts * RARE_PCT)
		by += ADJUSTED;
	if (n_hosts >= COMMON_HOSTS && n_clients * 100 >= n_hosts * COMMON_PCT)
		by -= ADJUSTED;
	return by;
}

static uint8_t stage_of(const struct beacon_config *cfg, const struct beacon_pair *p)
{
	uint64_t span_ns = anomaly_since(p->last_ns, p->regular_ns);

	if (span_ns < cfg->span_s * NS_PER_S)
		return 0;
	if (span_ns >= SURE_NS && __builtin_popcount(p->hours) >= SURE_HOURS)
		return SURE;
	return span_ns >= LIKELY_NS ? LIKELY : SUSPECTED;
}

static char *put_interval(char *p, size_t size, uint32_t ms)
{
	if (ms < 120000)
		snprintf(p, size, "%.1f s", (double)ms / 1000);
	else
		snprintf(p, size, "%.1f min", (double)ms / 60000);
	return p;
}

static void reason_write(struct anomaly_event *e, const struct beats_pattern *pattern)
{
	char from[HOST_TEXT_MAX + 1], to[HOST_TEXT_MAX + 1], every[32];
	size_t n;

	*host_put(from, &e->source) = '\0';
	*host_put(to, &e->destination) = '\0';
	snprintf(
		e->reason, sizeof(e->reason),
		"%s connected to port %u of %s every %s, half of the times at most %.0f %% off, %u "
		"times in %.0f min, %s",
		from, e->destination_port, to,
		put_interval(every, sizeof(every), pattern->median_ms),
		ceil(100.0 * pattern->mad_ms / pattern->median_ms), e->connections,
		(double)e->window_ms / 60000,
		pattern->size_spread <= 0.1f ? "and sent about as much each time"
					     : "and sent now more, now less");
	if (!e->is_spoofed)
		return;
	n = strlen(e->reason);
	snprintf(e->reason + n, sizeof(e->reason) - n, "; got no answer, spoofed likely");
}

static void event_write(const struct anomaly *a, const struct beacon_pair *p, float score,
			uint8_t stage, struct anomaly_event *e)
{
	static const uint8_t severity[] = {3, 3, 5, 7}, surest[] = {0, 40, 80, 100};
	uint64_t window_ms = anomaly_since(p->last_ns, p->regular_ns) / NS_PER_MS;

	e->visibility = anomaly_visibility_at(a, p->obs_point);
	/* where answers are seen, who gets none may be anybody */
	e->is_spoofed = e->visibility == ANOMALY_BOTH && !p->is_answered;
	e->severity = severity[stage];
	e->value = 100 * score;
	e->threshold = (float)anomaly_limits(a, &p->source)->beacon.score;
	e->confidence = anomaly_confidence(e->value, e->threshold, e->visibility);
	if (e->confidence > surest[stage])
		e->confidence = surest[stage];
	e->window_ms = window_ms < UINT32_MAX ? (uint32_t)window_ms : UINT32_MAX;
	e->rule = "anomaly.beacon.score";
	anomaly_tell_group(a, e, &p->source);
	e->allow = "anomaly.beacon.allow";
	e->start_ms = anomaly_unix_ms(a, p->regular_ns);
	e->end_ms = anomaly_unix_ms(a, p->packet_ns);
	e->protocol = p->protocol;
	e->has_source = e->has_destination = e->has_destination_port = true;
	e->source = p->source;
	e->destination = p->destination;
	e->destination_port = p->port;
	e->connections = p->regular_beats;
	e->hours_bitmap = p->hours;
	e->n_flow_ids = p->n_flow_ids;
	memcpy(e->flow_id, p->flow_id, sizeof(e->flow_id));
}

static uint64_t incident_key(const struct beacon_pair *p)
{
	uint64_t service = anomaly_key(DETECTOR_beacon, &p->destination,
				       (uint64_t)p->protocol << 16 | p->port);

	return anomaly_key(DETECTOR_beacon, &p->source, service);
}

static void pair_report(struct anomaly *a, struct beacon_pair *p,
			const struct beats_pattern *pattern, float score, uint8_t stage)
{
	struct anomaly_event e = {.class = ANOMALY_BEACON};
	uint64_t quiet_ms = MISSED_TO_END * (uint64_t)pattern->median_ms + JUDGE_NS / NS_PER_MS;
	struct incident_report report = {
		.key = incident_key(p),
		.is_fresh = true,
		.has_new_target = stage > p->stage,
		.quiet_ms = quiet_ms < UINT32_MAX ? (uint32_t)quiet_ms : UINT32_MAX,
		.event = &e,
	};

	event_write(a, p, score, stage, &e);
	e.interval_median_ms = pattern->median_ms;
	e.interval_mad_ms = pattern->mad_ms;
	e.interval_cv = pattern->cv;
	reason_write(&e, pattern);
	incidents_report(&a->incidents, &report);
	p->stage = stage;
}

/* The pair became a service for all, or an allowed one: no event of it goes on. */
static void pair_allow(struct anomaly *a, struct beacon_pair *p)
{
	struct anomaly_event e = {.class = ANOMALY_BEACON};

	incidents_report(
		&a->incidents,
		&(struct incident_report){.key = incident_key(p), .is_allowed = true, .event = &e});
	p->stage = 0;
}

static void hours_add(const struct anomaly *a, struct beacon_pair *p, uint32_t n)
{
	for (uint32_t i = p->beats.n > n ? p->beats.n - n : 0; i < p->beats.n; i++)
		p->hours |= 1U << anomaly_unix_ms(a, beats_at_ns(&p->beats, i)) / 3600000 % 24;
}

/* Measure; true when its beats are regular. */
static bool pair_measure(const struct anomaly *a, struct beacon_pair *p,
			 struct beats_pattern *pattern)
{
	bool is_measured = beats_measure(&p->beats, pattern);
	uint32_t n = p->new_beats;

	p->new_beats = 0;
	if (!is_measured)
		return false;
	p->median_ms = pattern->median_ms;
	if (pattern->median_ms < MEDIAN_LEAST || pattern->cv > CV_MOST ||
	    (uint64_t)pattern->mad_ms * 100 >
		    (uint64_t)pattern->median_ms *
			    anomaly_limits(a, &p->source)->beacon.jitter_pct) {
		p->regular_ns = p->regular_beats = p->hours = p->stage = 0;
		return false;
	}
	if (!p->regular_ns) {
		p->regular_ns = beats_at_ns(&p->beats, 0);
		n = p->beats.n;
	}
	p->regular_beats += n;
	hours_add(a, p, n);
	return true;
}

static void pair_judge(struct anomaly *a, struct beacon *s, struct beacon_pair *p)
{
	const struct beacon_config *cfg = &anomaly_limits(a, &p->source)->beacon;
	uint64_t service = anomaly_hash(a, &p->destination, (uint64_t)p->protocol << 16 | p->port);
	uint32_t n_clients = clients_count(&s->clients, service, a->now_ns);
	struct beats_pattern pattern;
	uint8_t stage;
	float score;

	if (!pair_measure(a, p, &pattern) || pattern.n < cfg->connections)
		return;
	if (is_login(p) && pattern.median_ms < GUESSING_MS)
		return;
	stage = stage_of(cfg, p);
	if (!stage || (!p->stage && n_clients > cfg->clients))
		return;
	score = beats_score(&pattern, anomaly_since(p->last_ns, p->regular_ns)) +
		adjusted(s, p, n_clients);
	score = score > 1 ? 1 : score;
	if (score * 100 >= (float)cfg->score || p->stage)
		pair_report(a, p, &pattern, score, stage);
}

static void pair_look(struct anomaly *a, struct beacon *s, struct beacon_pair *p)
{
	if (p->stage && networks_have(&a->cfg->beacon.allow, &p->destination))
		pair_allow(a, p);
	if (p->new_beats) {
		s->pairs.n_news--;
		pair_judge(a, s, p);
	}
	if (p->stage && !incidents_has(&a->incidents, incident_key(p)))
		p->stage = 0; /* ended in silence, or never told of: its place may go */
	if (!p->stage)
		place_leave(s->look, (uint32_t)(p - s->pairs.pair));
}

static void places_look(struct anomaly *a, struct beacon *s, uint32_t from, uint32_t to)
{
	for (uint32_t i = place_next(s->look, from, to); i < to; i = place_next(s->look, i + 1, to))
		pair_look(a, s, &s->pairs.pair[i]);
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct beacon *s = state;
	uint64_t end = s->next + PAIRS_MAX;

	if (!s->began_ns)
		s->began_ns = a->now_ns;
	if (passed_ns < JUDGE_NS && !a->is_final)
		end = s->next + PAIRS_MAX * (passed_ns / NS_PER_MS) / (JUDGE_NS / NS_PER_MS) + 1;
	places_look(a, s, s->next, end < PAIRS_MAX ? (uint32_t)end : PAIRS_MAX);
	if (end > PAIRS_MAX)
		places_look(a, s, 0, (uint32_t)(end - PAIRS_MAX));
	s->next = (uint32_t)(end % PAIRS_MAX);
}

static bool is_waiting(const void *state)
{
	return ((const struct beacon *)state)->pairs.n_news > 0;
}

const struct detector detector_beacon = {
	.state_octets = sizeof(struct beacon),
	.is_enabled = is_enabled,
	.on_flow = on_flow,
	.on_second = on_second,
	.is_waiting = is_waiting,
};
