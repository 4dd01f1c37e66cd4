/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Floods by volume: more to one address, in two seconds in a row, than a threshold and
 * than some times what is usual. What is answered does not count, where answers are
 * observed: a download, a backup, a busy server. An address is followed once a rough
 * count shared by hash says that it gets much.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include "probe/anomaly_private.h"

#define ROUGH_SLOTS    16384
#define VICTIM_SETS    128
#define VICTIM_WAYS    8
#define VICTIMS	       (VICTIM_SETS * VICTIM_WAYS)
#define ROUGH_SHARE    8 /* an eighth of a threshold is worth following */
#define SECONDS_NEEDED 2
#define DOMINANT_PCT   90
#define HEAVY	       100 /* packets of a Flow in a second: worth looking for its answers again */
#define YOUNG	       16 /* packets of a Flow so far: its answers may just have come */
#define ANSWERS_SHARE  64 /* a conversation by UDP has an answer to so many packets */
#define ANSWERED       8 /* packets without a Flow, for each answer without one */
#define SOURCES_LEAST  10 /* where answers are not observed */
#define SPOOFED_LEAST  50
#define QUIET_MS       60000

enum kind {
	KIND_SYN = XFP_UNSEEN_SYN,
	KIND_SYN_ACK = XFP_UNSEEN_SYN_ACK,
	KIND_RST = XFP_UNSEEN_RST,
	KIND_ACK = XFP_UNSEEN_ACK,
	KIND_UDP = XFP_UNSEEN_UDP,
	KIND_ICMP = XFP_UNSEEN_ICMP,
	KIND_FRAGMENT = XFP_UNSEEN_FRAGMENT,
	KIND_OTHER = XFP_UNSEEN_OTHER,
	KINDS = XFP_UNSEEN_KINDS,
};

enum measure {
	MEASURE_PACKETS,
	MEASURE_OCTETS,
	MEASURE_FLOWS,
	MEASURES,
};

struct victim {
	struct host host;
	bool is_used;
	uint8_t obs_point;
	uint8_t told; /* subclass of its incident */
	uint8_t n_over;
	uint64_t sum[MEASURES]; /* since the last second */
	uint64_t kind[KINDS]; /* packets */
	uint64_t peak_pps;
	uint64_t peak_bps;
	uint64_t first_ns; /* since it was last below */
	uint64_t last_ns;
	uint64_t unseen; /* packets without a Flow */
	struct distinct_many sources;
	struct distinct_many flows;
	struct example example[ANOMALY_FLOW_IDS];
};

/* What all addresses of one hash got since the last second; small, for all to stay in a cache. */
struct rough {
	uint64_t octets;
	uint32_t packets; /* saturates */
	uint16_t flows; /* saturates */
	bool is_used;
	bool is_followed;
};

struct volume {
	uint64_t least[MEASURES]; /* of a rough count that is worth following; 0: not set yet */
	bool has_rough; /* anything since the last second, or what is followed */
	uint64_t used[PLACES_WORDS(VICTIMS)];
	struct rough rough[ROUGH_SLOTS];
	struct victim victim[VICTIMS];
};

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->ddos.enabled;
}

static float floor_of(const struct ddos_config *cfg, int measure)
{
	const float thresholds[MEASURES] = {
		[MEASURE_PACKETS] = (float)cfg->packets_per_s,
		[MEASURE_OCTETS] = (float)cfg->mbit_per_s * 125000,
		[MEASURE_FLOWS] = (float)cfg->flows_per_s,
	};

	return thresholds[measure];
}

static enum kind kind_of(const struct anomaly_flow *flow)
{
	uint8_t flags = flow->delta->first_flags;

	if (flow->is_later_fragment)
		return KIND_FRAGMENT;
	if (flow->protocol == IPPROTO_UDP)
		return KIND_UDP;
	if (flow->is_icmp)
		return KIND_ICMP;
	if (flow->protocol != IPPROTO_TCP)
		return KIND_OTHER;
	if (flags & TH_RST)
		return KIND_RST;
	if (flags & TH_SYN)
		return flags & TH_ACK ? KIND_SYN_ACK : KIND_SYN;
	return KIND_ACK;
}

static struct victim *victim_find(struct volume *v, uint64_t hash, const struct host *host)
{
	struct victim *set = &v->victim[hash % VICTIM_SETS * VICTIM_WAYS], *least = set;

	for (int i = 0; i < VICTIM_WAYS; i++) {
		if (set[i].is_used && host_equals(&set[i].host, host))
			return &set[i];
		if (!set[i].is_used ||
		    (least->is_used && set[i].sum[MEASURE_PACKETS] < least->sum[MEASURE_PACKETS]))
			least = &set[i];
	}
	*least = (struct victim){.host = *host, .is_used = true};
	place_use(v->used, (uint32_t)(least - v->victim));
	return least;
}

static void least_set(struct volume *v, const struct ddos_config *cfg)
{
	for (int i = 0; i < MEASURES; i++)
		v->least[i] = (uint64_t)(floor_of(cfg, i) / ROUGH_SHARE) + 1;
	if (v->least[MEASURE_FLOWS] > UINT16_MAX)
		v->least[MEASURE_FLOWS] = UINT16_MAX;
	if (v->least[MEASURE_PACKETS] > UINT32_MAX)
		v->least[MEASURE_PACKETS] = UINT32_MAX;
}

static void on_reload(const struct anomaly *a, void *state)
{
	least_set(state, &a->groups.least.ddos);
}

static bool rough_is_much(const struct volume *v, const struct rough *r)
{
	return r->packets >= v->least[MEASURE_PACKETS] || r->octets >= v->least[MEASURE_OCTETS] ||
	       r->flows >= v->least[MEASURE_FLOWS];
}

static void rough_count(const struct volume *v, struct rough *r, uint64_t packets, uint64_t octets,
			bool is_new)
{
	r->is_used = true;
	r->octets += octets;
	r->packets =
		packets > UINT32_MAX - r->packets ? UINT32_MAX : r->packets + (uint32_t)packets;
	r->flows += is_new && r->flows < UINT16_MAX;
	r->is_followed |= rough_is_much(v, r);
}

/*
 * A victim answers what it can of a flood by UDP; who talks with it is answered more
 * often. To segments of no connection its answer is RST (RFC 9293 3.10.7.1), and no more.
 */
static bool is_answer(const struct anomaly_flow *flow, const struct flow_reverse *reverse)
{
	if (flow->protocol == IPPROTO_TCP && reverse->first_flags & TH_RST)
		return false;
	return flow->protocol != IPPROTO_UDP || flow->delta->packets < HEAVY ||
	       reverse->packets >= flow->delta->total_packets / ANSWERS_SHARE;
}

/*
 * A young Flow, or one of many packets, is asked for its answers; others are as they
 * were. Who is asked by ICMP has to answer, and is flooded none the less.
 */
static bool is_unanswered(const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	struct flow_reverse reverse;

	if (flow->is_icmp)
		return true;
	if ((*d->state & FLOW_SEEN_BOTH && flow->protocol != IPPROTO_UDP) ||
	    (d->total_packets > YOUNG && d->packets < HEAVY))
		return !(*d->state & FLOW_SEEN_BOTH);
	if (flow_delta_reverse(d, &reverse) && is_answer(flow, &reverse))
		*d->state |= FLOW_SEEN_BOTH;
	else
		*d->state &= ~(uint32_t)FLOW_SEEN_BOTH;
	return !(*d->state & FLOW_SEEN_BOTH);
}

static void victim_extend(struct victim *v, uint64_t first_ns, uint64_t last_ns)
{
	if (!v->first_ns || first_ns < v->first_ns)
		v->first_ns = first_ns;
	if (last_ns > v->last_ns)
		v->last_ns = last_ns;
}

static void victim_count(const struct anomaly *a, struct victim *v, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;

	v->obs_point = flow->obs_point;
	v->sum[MEASURE_PACKETS] += d->packets;
	v->sum[MEASURE_OCTETS] += d->octets;
	v->sum[MEASURE_FLOWS] += d->is_new;
	v->kind[kind_of(flow)] += d->packets;
	if (d->is_new)
		distinct_many_add(&v->flows, anomaly_flow_hash(a, flow));
	victim_extend(v, d->first_ns, d->last_ns);
	distinct_many_add(&v->sources, anomaly_hash(a, &flow->source, 0));
	example_keep_source(v->example, ANOMALY_FLOW_IDS, flow);
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	struct volume *v = state;
	uint64_t hash;
	struct rough *r;

	if (host_is_group(&flow->destination) ||
	    (flow->protocol == IPPROTO_TCP && *flow->delta->state & FLOW_SEEN_BOTH)) {
		flow_is_dull(flow, DETECTOR_volume);
		return;
	}
	if (!flow->delta->packets)
		return;
	if (!v->least[0])
		least_set(v, &a->groups.least.ddos);
	hash = anomaly_hash(a, &flow->destination, 0);
	r = &v->rough[hash / VICTIM_SETS % ROUGH_SLOTS];
	rough_count(v, r, flow->delta->packets, flow->delta->octets, flow->delta->is_new);
	v->has_rough = true;
	if (r->is_followed && is_unanswered(flow))
		victim_count(a, victim_find(v, hash, &flow->destination), flow);
}

/*
 * How many of the packets without a place nobody answered. Answers without a place are
 * known by their number only: of a conversation there is one for a few packets.
 */
static uint64_t unseen_unanswered(const struct unseen_news *news)
{
	uint64_t asked = news->kind[XFP_UNSEEN_ICMP], answered = ANSWERED * news->answers;
	uint64_t rest = news->packets > asked ? news->packets - asked : 0;

	return asked + (rest > answered ? rest - answered : 0);
}

/*
 * Packets that found no place in the Flow Cache. Each that comes tries anew, so what has
 * many packets gets a Flow soon: here are floods of many Flows only.
 */
static void on_unseen(struct anomaly *a, void *state, const struct unseen_news *news)
{
	uint64_t hash = anomaly_hash(a, &news->host, 0), packets, octets;
	struct volume *v = state;
	struct victim *victim;
	struct rough *r;

	if (news->view != XFP_UNSEEN_TARGET || host_is_group(&news->host) ||
	    news->packets >=
		    (uint64_t)HEAVY * distinct_many_count(&news->distinct[XFP_UNSEEN_FLOWS]))
		return;
	if (!v->least[0])
		least_set(v, &a->groups.least.ddos);
	packets = unseen_unanswered(news);
	octets = (uint64_t)((double)news->octets * (double)packets / (double)news->packets);
	r = &v->rough[hash / VICTIM_SETS % ROUGH_SLOTS];
	rough_count(v, r, packets, octets, false);
	v->has_rough = true;
	if (!r->is_followed)
		return;
	victim = victim_find(v, hash, &news->host);
	victim->obs_point = news->obs_point;
	victim->sum[MEASURE_PACKETS] += packets;
	victim->sum[MEASURE_OCTETS] += octets;
	victim->unseen += packets;
	for (int i = 0; i < KINDS; i++)
		victim->kind[i] += news->kind[i] * packets / news->packets;
	victim_extend(victim, news->first_ns, news->last_ns);
	distinct_many_merge(&victim->sources, &news->distinct[XFP_UNSEEN_OTHERS]);
	distinct_many_merge(&victim->flows, &news->distinct[XFP_UNSEEN_FLOWS]);
}

static uint8_t subclass_of(const struct victim *v)
{
	static const uint8_t subclasses[KINDS] = {
		[KIND_SYN] = ANOMALY_BY_SYN,	       [KIND_SYN_ACK] = ANOMALY_BY_SYN_ACK,
		[KIND_RST] = ANOMALY_BY_RST,	       [KIND_ACK] = ANOMALY_BY_ACK,
		[KIND_UDP] = ANOMALY_BY_UDP,	       [KIND_ICMP] = ANOMALY_BY_ICMP,
		[KIND_FRAGMENT] = ANOMALY_BY_FRAGMENT, [KIND_OTHER] = ANOMALY_BY_IP_PROTOCOL,
	};

	for (int i = 0; i < KINDS; i++)
		if (v->kind[i] * 100 >= v->sum[MEASURE_PACKETS] * DOMINANT_PCT)
			return subclasses[i];
	return ANOMALY_BY_MIXED;
}

/*
 * The measure that is furthest above its threshold. Few that make many Flows scan, and
 * flood only by what they send.
 */
static int measure_of(const struct victim *v, const struct anomaly_rate rate[MEASURES],
		      float seconds, float *value)
{
	int most = 0;
	float most_times = -1;
	bool is_of_few = v->sum[MEASURE_FLOWS] && distinct_many_count(&v->sources) < SOURCES_LEAST;

	for (int i = 0; i < (is_of_few ? MEASURE_FLOWS : MEASURES); i++) {
		float x = (float)v->sum[i] / seconds;

		if (x / rate[i].threshold <= most_times)
			continue;
		most = i;
		most_times = x / rate[i].threshold;
		*value = x;
	}
	return most;
}

static void victim_report(struct anomaly *a, struct victim *v, int measure, float value,
			  const struct anomaly_rate *rate)
{
	static const char *const words[] = {"packets", "octets", "new Flows"};
	static const char *const rules[] = {"anomaly.ddos.packets_per_s", "anomaly.ddos.mbit_per_s",
					    "anomaly.ddos.flows_per_s"};
	struct anomaly_event e = {.class = ANOMALY_DDOS, .subclass = subclass_of(v)};
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_volume, &v->host, 0),
		.family = anomaly_flood_family(&v->host),
		.parent = anomaly_flood_family(&v->host),
		.is_fresh = true,
		.quiet_ms = QUIET_MS,
		.event = &e,
	};
	char whom[HOST_TEXT_MAX + 1];
	int n;

	e.visibility = anomaly_visibility_at(a, v->obs_point);
	e.n_sources = distinct_many_count(&v->sources);
	if (e.n_sources < SOURCES_LEAST && e.visibility != ANOMALY_BOTH)
		return; /* its answers may go another way */
	e.severity = 7;
	e.value = value;
	e.threshold = rate->threshold;
	e.baseline = rate->usual;
	e.is_learning = rate->is_learning;
	e.confidence = anomaly_confidence(value, e.threshold, e.visibility);
	e.window_ms = SECONDS_NEEDED * 1000;
	e.rule = rules[measure];
	anomaly_tell_group(a, &e, &v->host);
	e.start_ms = anomaly_unix_ms(a, v->first_ns);
	e.end_ms = anomaly_unix_ms(a, v->last_ns);
	e.has_destination = true;
	e.destination = v->host;
	e.has_source = e.n_sources == 1 && v->example[0].first_ns;
	e.source = v->example[0].host;
	e.is_spoofed =
		e.n_sources >= SPOOFED_LEAST && distinct_many_count(&v->flows) < 2ULL * e.n_sources;
	e.n_unseen = v->unseen;
	e.peak_pps = v->peak_pps;
	e.peak_bps = v->peak_bps;
	for (int i = 0; i < ANOMALY_FLOW_IDS && v->example[i].first_ns; i++)
		e.flow_id[e.n_flow_ids++] = v->example[i].flow_id;
	*host_put(whom, &v->host) = '\0';
	n = snprintf(e.reason, sizeof(e.reason),
		     "%s got %.0f %s in a second without an answer, mostly %s, from %u sources%s",
		     whom, (double)value, words[measure], anomaly_subclass_name(e.subclass),
		     e.n_sources, e.is_spoofed ? ", spoofed likely" : "");
	if (v->unseen)
		snprintf(e.reason + n, sizeof(e.reason) - (size_t)n,
			 "; %llu packets found no place in the Flow Cache",
			 (unsigned long long)v->unseen);
	v->told = e.subclass;
	incidents_report(&a->incidents, &report);
}

enum anomaly_flood anomaly_flood_at(const struct anomaly *a, const struct host *host,
				    uint8_t subclass)
{
	const struct volume *volume = a->state[DETECTOR_volume];
	const struct victim *v = NULL, *set;
	uint32_t share;

	if (!volume)
		return ANOMALY_FLOOD_NONE;
	set = &volume->victim[anomaly_hash(a, host, 0) % VICTIM_SETS * VICTIM_WAYS];
	for (int i = 0; i < VICTIM_WAYS; i++)
		if (set[i].is_used && host_equals(&set[i].host, host))
			v = &set[i];
	if (!v)
		return ANOMALY_FLOOD_NONE;
	if (incidents_has(&a->incidents, anomaly_key(DETECTOR_volume, host, 0)))
		return v->told == subclass ? ANOMALY_FLOOD_TOLD : ANOMALY_FLOOD_NONE;
	share = distinct_many_count(&v->sources) < SOURCES_LEAST ? 2 : ROUGH_SHARE;
	if (v->sum[MEASURE_PACKETS] < anomaly_limits(a, host)->ddos.packets_per_s / share ||
	    subclass_of(v) != subclass)
		return ANOMALY_FLOOD_NONE;
	return ANOMALY_FLOOD_MAYBE;
}

static void victim_second(struct anomaly *a, struct victim *v, float seconds)
{
	uint64_t key = anomaly_key(DETECTOR_volume, &v->host, 0);
	uint64_t pps = (uint64_t)((float)v->sum[MEASURE_PACKETS] / seconds);
	uint64_t bps = (uint64_t)((float)v->sum[MEASURE_OCTETS] * 8 / seconds);
	const struct ddos_config *cfg = &anomaly_limits(a, &v->host)->ddos;
	struct anomaly_rate rate[MEASURES];
	float value = 0, threshold;
	bool is_over, is_open;
	int measure;

	for (int i = 0; i < MEASURES; i++)
		rate[i] = anomaly_rate(a, DETECTOR_volume, &v->host, (uint64_t)i, floor_of(cfg, i));
	measure = measure_of(v, rate, seconds, &value);
	threshold = rate[measure].threshold;
	is_over = value >= threshold;

	v->peak_pps = pps > v->peak_pps ? pps : v->peak_pps;
	v->peak_bps = bps > v->peak_bps ? bps : v->peak_bps;
	v->n_over = is_over ? v->n_over + (v->n_over < UINT8_MAX) : 0;
	if (v->n_over >= SECONDS_NEEDED ||
	    (value >= threshold / 2 && incidents_has(&a->incidents, key)))
		victim_report(a, v, measure, value, &rate[measure]);
	is_open = incidents_has(&a->incidents, key);
	for (int i = 0; i < MEASURES; i++)
		anomaly_rate_note(a, &rate[i], (float)v->sum[i], seconds, is_over || is_open);
	if (value < threshold / ROUGH_SHARE && !is_open) {
		v->first_ns = v->unseen = v->peak_pps = v->peak_bps = 0;
		memset(&v->flows, 0, sizeof(v->flows));
		memset(&v->sources, 0, sizeof(v->sources));
		memset(v->example, 0, sizeof(v->example));
	}
	memset(v->sum, 0, sizeof(v->sum));
	memset(v->kind, 0, sizeof(v->kind));
	if (!pps && !is_open)
		v->is_used = false;
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct volume *v = state;
	float seconds = (float)passed_ns / (float)NS_PER_S;

	FOR_PLACES(i, v->used, VICTIMS)
	{
		victim_second(a, &v->victim[i], seconds);
		if (!v->victim[i].is_used)
			place_leave(v->used, i);
	}
	/* what got much is followed through the next second, from its begin */
	if (!v->has_rough)
		return;
	v->has_rough = false;
	for (int i = 0; i < ROUGH_SLOTS; i++) {
		struct rough *r = &v->rough[i];

		if (r->is_used)
			*r = (struct rough){.is_followed = rough_is_much(v, r)};
		else
			r->is_followed = false;
		v->has_rough |= r->is_followed;
	}
}

const struct detector detector_volume = {
	.state_octets = sizeof(struct volume),
	.is_enabled = is_enabled,
	.on_reload = on_reload,
	.on_flow = on_flow,
	.on_unseen = on_unseen,
	.on_second = on_second,
};
