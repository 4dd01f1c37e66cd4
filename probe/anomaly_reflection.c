/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reflection: answers that nobody asked for, to one address, from many servers. Of
 * UDP those of services that are used so, fragments among them; of TCP the SYN-ACK.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "probe/anomaly_private.h"

#define STRUCK_SETS   128
#define STRUCK_WAYS   8
#define STRUCK_MAX    (STRUCK_SETS * STRUCK_WAYS)
#define GENERATION_NS (5 * NS_PER_S)
#define GENERATIONS   2
#define UNASKED_PCT   90 /* of the answers */
#define LARGE_OCTETS  1000 /* of a packet: so large are few answers that were asked for */
#define LARGE_LEAST   10 /* servers that suffice where answers are large */
#define SMALL_OCTETS  200 /* below, what goes from 123 to 123 may well be a question */
#define QUIET_MS      60000

/* Answers by UDP to one address in one generation. */
struct answers {
	uint64_t unasked; /* packets */
	uint64_t asked;
	uint64_t octets; /* of the unasked, each as answer_octets() says */
	struct distinct_many servers; /* of the unasked */
};

/* Questions to one service, the one that was asked last. */
struct questions {
	uint16_t port;
	uint64_t packets;
	uint64_t octets;
};

struct struck {
	struct host host;
	bool is_used;
	uint8_t obs_point;
	uint16_t port; /* of most answers, by votes */
	uint32_t votes;
	struct questions questions; /* of the host itself */
	struct answers answers[GENERATIONS]; /* [0] current */
	uint64_t second_octets;
	uint64_t syn_ack; /* unasked, since the last second */
	struct distinct_many syn_ack_servers; /* of the seconds with many */
	uint64_t all_syn_ack;
	uint64_t peak_bps;
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t weight; /* of this generation: who has least makes room */
	struct example example[ANOMALY_FLOW_IDS];
};

struct reflection {
	uint64_t turned_ns;
	uint64_t used[PLACES_WORDS(STRUCK_MAX)];
	struct struck struck[STRUCK_MAX];
};

static const struct {
	uint16_t port;
	uint8_t subclass;
} services[] = {
#define SERVICE(port, SUBCLASS) {port, ANOMALY_BY_##SUBCLASS},
#include "probe/anomaly_service.def"
#undef SERVICE
};

static uint8_t service_of(uint16_t port)
{
	for (size_t i = 0; i < sizeof(services) / sizeof(services[0]); i++)
		if (services[i].port == port)
			return services[i].subclass;
	return ANOMALY_BY_NONE;
}

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->ddos.enabled;
}

static struct struck *struck_find(struct reflection *r, const struct anomaly *a,
				  const struct anomaly_flow *flow)
{
	uint64_t hash = anomaly_hash(a, &flow->destination, 0);
	struct struck *set = &r->struck[hash % STRUCK_SETS * STRUCK_WAYS], *least = set;

	for (int i = 0; i < STRUCK_WAYS; i++) {
		if (set[i].is_used && host_equals(&set[i].host, &flow->destination))
			return &set[i];
		if (!set[i].is_used || (least->is_used && set[i].weight < least->weight))
			least = &set[i];
	}
	*least = (struct struck){.host = flow->destination, .is_used = true};
	place_use(r->used, (uint32_t)(least - r->struck));
	return least;
}

/*
 * Whether nobody asked, found out when the Flow is new: a question comes first. Of a
 * new Flow that was asked for *question becomes what there is of the question.
 */
static bool is_unasked(const struct anomaly_flow *flow, struct flow_reverse *question)
{
	const struct flow_delta *d = flow->delta;

	if (!d->is_new)
		return *d->state & FLOW_UNSOLICITED;
	if (!flow_delta_reverse(d, question))
		*d->state |= FLOW_UNSOLICITED;
	else if (flow->protocol == IPPROTO_TCP && !(question->first_flags & TH_RST))
		*d->state |= FLOW_SEEN_BOTH;
	return *d->state & FLOW_UNSOLICITED;
}

static void struck_note(struct struck *s, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;

	s->obs_point = flow->obs_point;
	s->weight += d->packets;
	if (!s->first_ns || d->first_ns < s->first_ns)
		s->first_ns = d->first_ns;
	if (d->last_ns > s->last_ns)
		s->last_ns = d->last_ns;
	example_keep_source(s->example, ANOMALY_FLOW_IDS, flow);
}

/* The port of the majority, if there is one: R. Boyer, J. Moore, 1981. */
static void port_vote(struct struck *s, uint16_t port)
{
	if (s->port == port)
		s->votes++;
	else if (s->votes)
		s->votes--;
	else
		s->port = port;
}

static void question_note(struct questions *q, uint16_t port, const struct flow_reverse *question)
{
	if (q->port != port)
		*q = (struct questions){.port = port};
	q->packets += question->packets;
	q->octets += question->octets;
}

/*
 * How large the answers of a Flow are, as packets: their mean; but where the largest is
 * less than twice that, the largest. It is so with fragments, whatever the last of
 * a datagram has left: k of them, all but one full, are more than k / 2 full ones.
 */
static uint64_t answer_octets(const struct flow_delta *d)
{
	uint64_t mean = d->octets / d->packets;

	return d->length_max < 2 * mean ? d->length_max : mean;
}

static void on_udp(struct anomaly *a, struct reflection *r, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	struct flow_reverse question = {0};
	struct struck *s;

	if (flow->is_later_fragment) {
		struck_find(r, a, flow)->second_octets += d->octets;
		return;
	}
	if (!service_of(flow->source_port)) {
		flow_is_dull(flow, DETECTOR_reflection);
		return;
	}
	if (flow->destination_port == flow->source_port && d->length_max < SMALL_OCTETS)
		return;
	s = struck_find(r, a, flow);
	if (!is_unasked(flow, &question)) {
		s->answers[0].asked += d->packets;
		question_note(&s->questions, flow->source_port, &question);
		return;
	}
	s->answers[0].unasked += d->packets;
	s->answers[0].octets += answer_octets(d) * d->packets;
	s->second_octets += d->octets;
	distinct_many_add(&s->answers[0].servers, anomaly_hash(a, &flow->source, 0));
	port_vote(s, flow->source_port);
	struck_note(s, flow);
}

/* A SYN-ACK that stays alone: its connection does not go on. */
static void on_tcp(struct anomaly *a, struct reflection *r, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	struct flow_reverse question;
	struct struck *s;

	if ((d->first_flags & (TH_SYN | TH_ACK | TH_RST | TH_FIN)) != (TH_SYN | TH_ACK) ||
	    d->tcp_flags & (TH_FIN | TH_RST | TH_PUSH) || !is_unasked(flow, &question)) {
		flow_is_dull(flow, DETECTOR_reflection);
		return;
	}
	s = struck_find(r, a, flow);
	s->syn_ack += d->packets;
	s->all_syn_ack += d->packets;
	s->second_octets += d->octets;
	distinct_many_add(&s->syn_ack_servers, anomaly_hash(a, &flow->source, 0));
	struck_note(s, flow);
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	if (!flow->delta->packets || host_is_group(&flow->destination))
		return;
	if (flow->protocol == IPPROTO_UDP)
		on_udp(a, state, flow);
	else if (flow->protocol == IPPROTO_TCP && !flow->is_later_fragment)
		on_tcp(a, state, flow);
	else
		flow_is_dull(flow, DETECTOR_reflection);
}

/* What both kinds have in common, and telling it. */
static void struck_report(struct anomaly *a, struct struck *s, struct anomaly_event *e)
{
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_reflection, &s->host, e->subclass),
		.family = anomaly_flood_family(&s->host),
		.parent = anomaly_flood_family(&s->host),
		.is_fresh = true,
		.quiet_ms = QUIET_MS,
		.event = e,
	};

	e->class = ANOMALY_REFLECTION;
	anomaly_tell_group(a, e, &s->host);
	e->has_destination = true;
	e->destination = s->host;
	e->severity = 7;
	e->visibility = anomaly_visibility_at(a, s->obs_point);
	e->confidence = anomaly_confidence(e->value, e->threshold, e->visibility);
	e->start_ms = anomaly_unix_ms(a, s->first_ns);
	e->end_ms = anomaly_unix_ms(a, s->last_ns);
	e->peak_bps = s->peak_bps;
	e->reflector_port = s->port;
	for (int i = 0; i < ANOMALY_FLOW_IDS && s->example[i].first_ns; i++)
		e->flow_id[e->n_flow_ids++] = s->example[i].flow_id;
	incidents_report(&a->incidents, &report);
}

/* 0: no question is known. */
static float amplification(const struct struck *s, uint64_t answer_octets_mean)
{
	const struct questions *q = &s->questions;

	if (q->port != s->port || !q->octets)
		return 0;
	return (float)answer_octets_mean * (float)q->packets / (float)q->octets;
}

static void udp_judge(struct anomaly *a, struct struck *s)
{
	const struct answers *now = &s->answers[0], *before = &s->answers[1];
	uint64_t unasked = now->unasked + before->unasked, asked = now->asked + before->asked;
	uint64_t mean = unasked ? (now->octets + before->octets) / unasked : 0;
	uint32_t threshold = anomaly_limits(a, &s->host)->ddos.reflectors;
	struct distinct_many servers = now->servers;
	struct anomaly_event e = {.protocol = IPPROTO_UDP, .window_ms = 10000};
	char whom[HOST_TEXT_MAX + 1];

	if (!now->unasked || unasked * 100 < (unasked + asked) * UNASKED_PCT)
		return;
	distinct_many_merge(&servers, &before->servers);
	if (mean >= LARGE_OCTETS && threshold > LARGE_LEAST)
		threshold = LARGE_LEAST;
	/* where questions are not observed, every answer looks unasked for */
	else if (anomaly_visibility_at(a, s->obs_point) != ANOMALY_BOTH && mean < LARGE_OCTETS)
		return;
	e.subclass = service_of(s->port);
	e.rule = "anomaly.ddos.reflectors";
	e.n_sources = distinct_many_count(&servers);
	e.value = (float)e.n_sources;
	e.threshold = (float)threshold;
	e.amplification = amplification(s, mean);
	*host_put(whom, &s->host) = '\0';
	snprintf(e.reason, sizeof(e.reason),
		 "%s got %llu packets from port %u of %u servers in 10 s, of up to %llu octets "
		 "on average, and had asked for less than a tenth",
		 whom, (unsigned long long)unasked, s->port, e.n_sources, (unsigned long long)mean);
	struck_report(a, s, &e);
}

static void syn_ack_judge(struct anomaly *a, struct struck *s, float seconds)
{
	float rate = (float)s->syn_ack / seconds;
	struct anomaly_event e = {
		.subclass = ANOMALY_BY_SYN_ACK,
		.protocol = IPPROTO_TCP,
		.window_ms = 1000,
		.rule = "anomaly.syn_flood.syn_per_s",
		.n_syn_ack = s->all_syn_ack,
		.value = rate,
		.threshold = (float)anomaly_limits(a, &s->host)->syn_flood.syn_per_s,
	};
	char whom[HOST_TEXT_MAX + 1];

	if (rate < e.threshold / 2)
		return;
	e.n_sources = distinct_many_count(&s->syn_ack_servers);
	e.peak_pps = (uint64_t)rate;
	*host_put(whom, &s->host) = '\0';
	snprintf(e.reason, sizeof(e.reason),
		 "%s got %.0f SYN-ACK in a second from %u servers it had not sent a SYN", whom,
		 (double)rate, e.n_sources);
	if (e.n_sources >= LARGE_LEAST)
		struck_report(a, s, &e);
}

static void struck_turn(struct struck *s)
{
	s->answers[1] = s->answers[0];
	memset(&s->answers[0], 0, sizeof(s->answers[0]));
	if (!s->weight)
		s->is_used = false; /* nothing for a generation */
	s->weight = 0;
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct reflection *r = state;
	float seconds = (float)passed_ns / (float)NS_PER_S;
	bool turns = anomaly_since(a->now_ns, r->turned_ns) >= GENERATION_NS;

	FOR_PLACES(i, r->used, STRUCK_MAX)
	{
		struct struck *s = &r->struck[i];
		uint64_t bps = (uint64_t)((float)s->second_octets * 8 / seconds);

		if (bps > s->peak_bps)
			s->peak_bps = bps;
		syn_ack_judge(a, s, seconds);
		udp_judge(a, s);
		s->syn_ack = s->second_octets = 0;
		if (turns)
			struck_turn(s);
		if (!s->is_used)
			place_leave(r->used, i);
	}
	if (turns)
		r->turned_ns = a->now_ns;
}

const struct detector detector_reflection = {
	.state_octets = sizeof(struct reflection),
	.is_enabled = is_enabled,
	.on_flow = on_flow,
	.on_second = on_second,
};
