/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SYN floods, by address and port: many SYN, and few of them followed by the
 * client's own ACK, which shows also where answers are not observed. A scan never
 * looks like that: it has about one SYN a second for each port.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "probe/anomaly_private.h"

#define TARGET_SETS    512
#define TARGET_WAYS    8
#define TARGETS	       (TARGET_SETS * TARGET_WAYS)
#define USUAL_SHARE    0.05f /* of this second in the usual rate: some 20 s               */
#define USUAL_LEAST    50.0f /* handshakes in a second: below, chance alone varies as much */
#define CUSUM_DRIFT    0.5f
#define CUSUM_ALARM    5.0f
#define SECONDS_NEEDED 3 /* in a row, without CUSUM's alarm                           */
#define AT_ONCE	       5 /* times the threshold: no burst of clients is that large     */
#define QUIET_MS       55000
#define FORGET_NS      (60 * NS_PER_S)
#define SPOOFED_LEAST  50 /* sources */

struct flood_target {
	struct host host;
	uint16_t port;
	bool is_used;
	uint8_t obs_point;
	uint8_t n_over; /* seconds in a row above the threshold */
	uint64_t syn; /* since the last second */
	uint64_t established;
	float usual; /* handshakes completed in a second */
	float cusum;
	uint64_t last_ns; /* of a SYN */
	/* since it was quiet */
	uint64_t first_ns;
	uint64_t all_syn;
	uint64_t all_established;
	uint64_t unseen; /* SYN without a Flow, of all_syn */
	uint64_t peak;
	struct distinct_many sources;
	struct distinct_many flows;
	struct example example[ANOMALY_FLOW_IDS];
};

struct syn_flood {
	uint64_t used[PLACES_WORDS(TARGETS)];
	struct flood_target target[TARGETS];
};

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->syn_flood.enabled;
}

static struct flood_target *target_find(struct syn_flood *s, const struct anomaly *a,
					const struct host *host, uint16_t port, bool may_make)
{
	uint64_t hash = anomaly_hash(a, host, port);
	struct flood_target *set = &s->target[hash % TARGET_SETS * TARGET_WAYS], *least = set;

	for (int i = 0; i < TARGET_WAYS; i++) {
		if (set[i].is_used && set[i].port == port && host_equals(&set[i].host, host))
			return &set[i];
		if (!set[i].is_used || (least->is_used && set[i].all_syn < least->all_syn))
			least = &set[i];
	}
	if (!may_make)
		return NULL;
	place_use(s->used, (uint32_t)(least - s->target));
	*least = (struct flood_target){
		.host = *host,
		.port = port,
		.is_used = true,
	};
	return least;
}

static void target_extend(struct flood_target *t, uint64_t first_ns, uint64_t last_ns)
{
	if (last_ns > t->last_ns)
		t->last_ns = last_ns;
	if (!t->first_ns || first_ns < t->first_ns)
		t->first_ns = first_ns;
}

static void syn_count(const struct anomaly *a, struct flood_target *t,
		      const struct anomaly_flow *flow, uint64_t n_syn)
{
	const struct flow_delta *d = flow->delta;

	t->syn += n_syn;
	t->all_syn += n_syn;
	t->obs_point = flow->obs_point;
	target_extend(t, d->first_ns, d->last_ns);
	if (d->is_new)
		distinct_many_add(&t->flows, anomaly_flow_hash(a, flow));
	distinct_many_add(&t->sources, anomaly_hash(a, &flow->source, 0));
	example_keep_source(t->example, ANOMALY_FLOW_IDS, flow);
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	struct flood_target *t;
	uint64_t n_syn;

	/* by mask: floods set ECE and CWR, too */
	if (flow->protocol != IPPROTO_TCP || flow->is_later_fragment ||
	    (d->first_flags & (TH_SYN | TH_ACK | TH_RST | TH_FIN)) != TH_SYN) {
		flow_is_dull(flow, DETECTOR_syn_flood);
		return;
	}
	n_syn = d->tcp_flags & (TH_ACK | TH_RST | TH_FIN) ? d->is_new : d->packets;
	if (n_syn) {
		t = target_find(state, a, &flow->destination, flow->destination_port, true);
		syn_count(a, t, flow, n_syn);
	}
	if (!(d->tcp_flags & TH_ACK) || *d->state & FLOW_ESTABLISHED)
		return;
	*d->state |= FLOW_ESTABLISHED;
	flow_is_dull(flow, DETECTOR_syn_flood); /* of a connection nothing more is counted */
	t = target_find(state, a, &flow->destination, flow->destination_port, false);
	if (!t)
		return;
	t->established++;
	t->all_established++;
}

/* Would-be Flows that had a SYN and an ACK: both, less either. */
static uint64_t unseen_established(const struct unseen_news *news)
{
	struct distinct_many either = news->distinct[XFP_UNSEEN_FLOWS];
	uint64_t syn = distinct_many_count(&news->distinct[XFP_UNSEEN_FLOWS]);
	uint64_t ack = distinct_many_count(&news->distinct[XFP_UNSEEN_ACKS]), any;

	distinct_many_merge(&either, &news->distinct[XFP_UNSEEN_ACKS]);
	any = distinct_many_count(&either);
	any = syn + ack > any ? syn + ack - any : 0;
	return any < news->packets ? any : news->packets;
}

/* SYN that found no place in the Flow Cache. */
static void on_unseen(struct anomaly *a, void *state, const struct unseen_news *news)
{
	struct flood_target *t;
	uint64_t established;

	if (news->view != XFP_UNSEEN_SERVICE)
		return;
	t = target_find(state, a, &news->host, news->what, true);
	established = unseen_established(news);
	t->obs_point = news->obs_point;
	t->syn += news->packets;
	t->all_syn += news->packets;
	t->unseen += news->packets;
	t->established += established;
	t->all_established += established;
	target_extend(t, news->first_ns, news->last_ns);
	distinct_many_merge(&t->sources, &news->distinct[XFP_UNSEEN_OTHERS]);
	distinct_many_merge(&t->flows, &news->distinct[XFP_UNSEEN_FLOWS]);
}

static void sides_write(struct anomaly_event *e, const struct flood_target *t)
{
	e->protocol = IPPROTO_TCP;
	e->has_destination = e->has_destination_port = true;
	e->destination = t->host;
	e->destination_port = t->port;
	e->n_sources = distinct_many_count(&t->sources);
	e->has_source = e->n_sources == 1 && t->example[0].first_ns;
	e->source = t->example[0].host;
	/* forged sources come once and never again */
	e->is_spoofed = e->n_sources >= SPOOFED_LEAST &&
			distinct_many_count(&t->flows) < 2ULL * e->n_sources;
	for (int i = 0; i < ANOMALY_FLOW_IDS && t->example[i].first_ns; i++)
		e->flow_id[e->n_flow_ids++] = t->example[i].flow_id;
}

static void reason_write(struct anomaly_event *e, const struct flood_target *t, float rate,
			 float completed)
{
	char whom[HOST_TEXT_MAX + 1];
	int n;

	*host_put(whom, &t->host) = '\0';
	n = snprintf(e->reason, sizeof(e->reason),
		     "port %u of %s got %.0f SYN in a second and %.0f handshakes were completed; "
		     "%u sources%s",
		     t->port, whom, (double)rate, (double)completed, e->n_sources,
		     e->is_spoofed ? ", spoofed likely" : "");
	if (t->unseen)
		snprintf(e->reason + n, sizeof(e->reason) - (size_t)n,
			 "; %llu SYN found no place in the Flow Cache",
			 (unsigned long long)t->unseen);
}

static void target_report(struct anomaly *a, struct flood_target *t, float rate, float completed,
			  const struct anomaly_rate *known)
{
	struct anomaly_event e = {.class = ANOMALY_SYN_FLOOD, .subclass = ANOMALY_BY_SYN};
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_syn_flood, &t->host, t->port),
		.family = anomaly_flood_family(&t->host),
		.parent = anomaly_flood_family(&t->host),
		.is_fresh = true,
		.quiet_ms = QUIET_MS,
		.event = &e,
	};

	e.visibility = anomaly_visibility_at(a, t->obs_point);
	e.severity = t->usual >= 1 && completed < t->usual / 2 ? 8 : 6;
	e.value = rate;
	e.threshold = known->threshold;
	e.baseline = known->usual;
	e.is_learning = known->is_learning;
	/* a flood shows by what the clients themselves do not send */
	e.confidence = anomaly_confidence(e.value, e.threshold, ANOMALY_BOTH);
	e.window_ms = 1000;
	e.rule = "anomaly.syn_flood.syn_per_s";
	anomaly_tell_group(a, &e, &t->host);
	e.start_ms = anomaly_unix_ms(a, t->first_ns);
	e.end_ms = anomaly_unix_ms(a, t->last_ns);
	e.n_syn = t->all_syn;
	e.established = t->all_established;
	e.peak_pps = t->peak;
	e.n_unseen = t->unseen;
	sides_write(&e, t);
	reason_write(&e, t, rate, completed);
	incidents_report(&a->incidents, &report);
}

/* True when the rule fires: by CUSUM, or by three seconds in a row. */
static bool target_judge(const struct syn_flood_config *cfg, struct flood_target *t, float rate,
			 float completed, float threshold)
{
	float usual = t->usual > USUAL_LEAST ? t->usual : USUAL_LEAST;
	bool is_over = rate >= threshold && completed * 100 < rate * (float)cfg->completed_pct;

	t->cusum += (rate - completed) / usual - CUSUM_DRIFT;
	if (t->cusum < 0)
		t->cusum = 0;
	if (t->cusum > 4 * CUSUM_ALARM)
		t->cusum = 4 * CUSUM_ALARM; /* or it would take as long to calm down */
	t->n_over = is_over ? t->n_over + (t->n_over < UINT8_MAX) : 0;
	if (!is_over)
		return false;
	if (t->cusum > CUSUM_ALARM)
		return t->n_over > 1 || rate >= AT_ONCE * threshold;
	return t->n_over >= SECONDS_NEEDED;
}

static void target_second(struct anomaly *a, struct flood_target *t, uint64_t passed_ns)
{
	const struct syn_flood_config *cfg = &anomaly_limits(a, &t->host)->syn_flood;
	struct anomaly_rate known =
		anomaly_rate(a, DETECTOR_syn_flood, &t->host, t->port, (float)cfg->syn_per_s);
	float seconds = (float)passed_ns / (float)NS_PER_S;
	float rate = (float)t->syn / seconds, completed = (float)t->established / seconds;
	uint64_t key = anomaly_key(DETECTOR_syn_flood, &t->host, t->port);
	bool fires = target_judge(cfg, t, rate, completed, known.threshold);

	if ((uint64_t)rate > t->peak)
		t->peak = (uint64_t)rate;
	if (fires || (rate >= known.threshold / 2 && incidents_has(&a->incidents, key)))
		target_report(a, t, rate, completed, &known);
	else
		t->usual += USUAL_SHARE * (completed - t->usual);
	anomaly_rate_note(a, &known, (float)t->syn, seconds,
			  t->n_over || incidents_has(&a->incidents, key));
	t->syn = t->established = 0;
	if (anomaly_since(a->now_ns, t->last_ns) < FORGET_NS)
		return;
	t->first_ns = t->all_syn = t->all_established = t->unseen = t->peak = 0;
	memset(&t->flows, 0, sizeof(t->flows));
	memset(&t->sources, 0, sizeof(t->sources));
	memset(t->example, 0, sizeof(t->example));
	if (t->usual < 1)
		t->is_used = false;
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct syn_flood *s = state;

	FOR_PLACES(i, s->used, TARGETS)
	{
		target_second(a, &s->target[i], passed_ns);
		if (!s->target[i].is_used)
			place_leave(s->used, i);
	}
}

const struct detector detector_syn_flood = {
	.state_octets = sizeof(struct syn_flood),
	.is_enabled = is_enabled,
	.on_flow = on_flow,
	.on_unseen = on_unseen,
	.on_second = on_second,
};
