/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exfiltration: a host of ours sends much to one elsewhere, and gets little back. Much is
 * a threshold, four times what this host sends in all but few of its hours, and four
 * times what it has sent there before. And it is odd: nobody here knew the other side a
 * day ago, or the host never sends as much (at this hour). A service that many of ours
 * use has to get ten times as much of that, and one that came up before it can be said who
 * is new four times. What goes slowly counts by the day.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "probe/anomaly_exfiltration.h"

#define OCTETS_PER_MB	1e6f
#define USUAL_TIMES	4
#define POPULAR_TIMES	10
#define EARLY_TIMES	4
#define Z_LEAST		3.5f
#define NOVEL_NS	(86400 * NS_PER_S)
#define NOVEL_SLOW_NS	(7 * 86400 * NS_PER_S)
#define MUCH_TIMES	10
#define PAYLOAD_LEAST	400 /* octets of a packet in the mean: no acknowledgements */
#define QUIET_MS	600000
#define NO_BASELINE_PCT 60

/* What a pair is judged by. */
struct leak {
	uint64_t octets[LEAK_WAYS_OF_TRAFFIC]; /* in the window */
	uint64_t threshold;
	float pcr;
	bool is_slow;
	bool is_novel;
	bool is_early; /* so it may not be */
	bool is_popular;
	uint8_t visibility;
	struct usual_compared usual;
};

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->exfiltration.enabled;
}

/* Flows are told of before the first second is over. */
static void begin(const struct anomaly *a, struct exfiltration *x)
{
	if (x->began_ns)
		return;
	x->began_ns = a->now_ns;
	x->began_hour = leak_hour(a->now_ns);
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	begin(a, state);
	leak_count(a, state, flow);
}

static uint64_t sum(const uint64_t *window, uint32_t n)
{
	uint64_t all = 0;

	for (uint32_t i = 0; i < n; i++)
		all += window[i];
	return all;
}

static uint64_t greatest(uint64_t x, uint64_t y, uint64_t z)
{
	x = x > y ? x : y;
	return x > z ? x : z;
}

/* Producer/consumer ratio, -1 .. 1. Source: C. Bullard, J. Gerth, FloCon 2014. */
static float pcr_of(const uint64_t octets[LEAK_WAYS_OF_TRAFFIC])
{
	float out = (float)octets[LEAK_OUT], in = (float)octets[LEAK_IN];

	return out + in > 0 ? (out - in) / (out + in) : 0;
}

/* First seen while the probe had not yet looked for long enough to tell who is new. */
static bool is_early(const struct anomaly *a, const struct exfiltration *x,
		     const struct leak_pair *p)
{
	uint64_t learning_ns = a->cfg->exfiltration.learning_s * NS_PER_S;

	return learning_ns && p->known_ns < x->began_ns + learning_ns;
}

/* First seen lately. */
static bool is_novel(const struct anomaly *a, const struct leak_pair *p, uint64_t novel_ns)
{
	return anomaly_since(a->now_ns, p->known_ns) < novel_ns;
}

/* Of the Flows of the last hour. */
static const struct leak_flow *flow_largest(const struct leak_pair *p)
{
	const struct leak_flow *most = p->flow;

	for (int i = 1; i < ANOMALY_FLOW_IDS; i++)
		if (p->flow[i].octets > most->octets)
			most = &p->flow[i];
	return most;
}

static bool is_odd(const struct leak *leak, const struct leak_pair *p)
{
	bool is_strange = leak->usual.has_z && leak->usual.z >= Z_LEAST;

	if (leak->is_popular)
		return is_strange;
	if (leak->visibility == ANOMALY_BOTH)
		return leak->is_novel || is_strange;
	/* what comes back is not seen: no ACKs of a download, and a call may be one by UDP */
	if (p->octets < PAYLOAD_LEAST * p->packets)
		return false;
	if (flow_largest(p)->protocol == IPPROTO_TCP)
		return leak->is_novel || is_strange;
	return leak->is_novel && is_strange;
}

static bool pcr_is_high(const struct anomaly *a, const struct leak_pair *p, const struct leak *leak)
{
	return leak->pcr * 100 >= (float)anomaly_limits(a, &p->source)->exfiltration.ratio_pct;
}

/* The rule of the hour. */
static bool leaks_now(const struct anomaly *a, const struct exfiltration *x,
		      const struct leak_pair *p, struct leak *leak)
{
	uint64_t least = (uint64_t)(anomaly_limits(a, &p->source)->exfiltration.mbyte_per_hour *
				    OCTETS_PER_MB);

	leak->is_slow = false;
	for (int way = 0; way < LEAK_WAYS_OF_TRAFFIC; way++)
		leak->octets[way] = sum(p->in_hour[way], LEAK_SLICES);
	leak->pcr = pcr_of(leak->octets);
	leak->is_novel = is_novel(a, p, NOVEL_NS);
	leak->is_early = is_early(a, x, p);
	if (leak->is_popular)
		least *= POPULAR_TIMES;
	else if (leak->is_novel && leak->is_early)
		least *= EARLY_TIMES;
	leak->threshold =
		greatest(least, USUAL_TIMES * leak->usual.most, USUAL_TIMES * p->usual_hour);
	return leak->octets[LEAK_OUT] >= leak->threshold && pcr_is_high(a, p, leak) &&
	       is_odd(leak, p);
}

/* The rule of the day: less at a time, to who is known for a week at most. */
static bool leaks_slowly(const struct anomaly *a, const struct exfiltration *x,
			 const struct leak_pair *p, struct leak *leak)
{
	uint64_t least = (uint64_t)(anomaly_limits(a, &p->source)->exfiltration.mbyte_per_day *
				    OCTETS_PER_MB);

	leak->is_slow = true;
	for (int way = 0; way < LEAK_WAYS_OF_TRAFFIC; way++)
		leak->octets[way] = sum(p->in_day[way], LEAK_HOURS);
	leak->threshold = greatest(least, USUAL_TIMES * p->usual_day, 0);
	leak->pcr = pcr_of(leak->octets);
	leak->is_novel = is_novel(a, p, NOVEL_SLOW_NS) && !is_early(a, x, p);
	return leak->octets[LEAK_OUT] >= leak->threshold && pcr_is_high(a, p, leak) &&
	       leak->is_novel && !leak->is_popular && is_odd(leak, p);
}

static float megabytes(uint64_t octets)
{
	return (float)octets / OCTETS_PER_MB;
}

static const char *novelty(const struct leak *leak)
{
	if (!leak->is_novel)
		return "";
	if (leak->is_early)
		return ", and it is too early to say who here knew it";
	return leak->is_slow ? ", and nobody here knew it a week ago"
			     : ", and nobody here knew it a day ago";
}

static void reason_write(struct anomaly_event *e, const struct leak *leak)
{
	char from[HOST_TEXT_MAX + 1], to[HOST_TEXT_MAX + 1], back[48] = "", usual[64] = "";
	const char *forged = e->is_spoofed ? "; got no answer, spoofed likely" : "";

	*host_put(from, &e->source) = '\0';
	*host_put(to, &e->destination) = '\0';
	if (leak->visibility == ANOMALY_BOTH)
		snprintf(back, sizeof(back), " and got %.0f MB back",
			 (double)megabytes(leak->octets[LEAK_IN]));
	if (leak->usual.n_hours)
		snprintf(usual, sizeof(usual), "; it seldom sends more than %.0f MB an hour",
			 (double)megabytes(leak->usual.most));
	snprintf(e->reason, sizeof(e->reason), "%s sent %.0f MB to %s within %s%s%s%s%s", from,
		 (double)megabytes(leak->octets[LEAK_OUT]), to, leak->is_slow ? "a day" : "an hour",
		 back, usual, novelty(leak), forged);
}

static void event_write(const struct anomaly *a, const struct leak_pair *p, const struct leak *leak,
			struct anomaly_event *e)
{
	const struct leak_flow *most = flow_largest(p);

	e->subclass = leak->is_slow ? ANOMALY_BY_SLOW : ANOMALY_BY_NONE;
	e->visibility = leak->visibility;
	/* where answers are seen, who gets none may be anybody */
	e->is_spoofed = e->visibility == ANOMALY_BOTH && !p->is_answered;
	e->value = megabytes(leak->octets[LEAK_OUT]);
	e->threshold = megabytes(leak->threshold);
	e->baseline = megabytes(leak->usual.most);
	e->is_learning = !leak->usual.has_z;
	e->severity = (uint8_t)(6 + (leak->is_novel && !leak->is_early) +
				(e->value >= MUCH_TIMES * e->threshold));
	e->confidence = anomaly_confidence(e->value, e->threshold, e->visibility);
	if (!leak->usual.has_z)
		e->confidence = e->confidence * NO_BASELINE_PCT / 100;
	e->window_ms = (uint32_t)((leak->is_slow ? LEAK_HOURS : 1) * LEAK_HOUR_NS / NS_PER_MS);
	e->rule = leak->is_slow ? "anomaly.exfiltration.mbyte_per_day"
				: "anomaly.exfiltration.mbyte_per_hour";
	anomaly_tell_group(a, e, &p->source);
	e->allow = "anomaly.exfiltration.allow";
	e->start_ms = anomaly_unix_ms(a, leak_began_ns(p, leak->is_slow));
	e->end_ms = anomaly_unix_ms(a, p->last_ns);
	e->protocol = most->protocol;
	e->has_source = e->has_destination = true;
	e->has_destination_port = most->protocol == IPPROTO_TCP || most->protocol == IPPROTO_UDP;
	e->source = p->source;
	e->destination = p->destination;
	e->destination_port = most->port;
	e->octets_out = leak->octets[LEAK_OUT];
	e->octets_in = leak->octets[LEAK_IN];
	e->pcr = leak->pcr;
	for (int i = 0; i < ANOMALY_FLOW_IDS; i++)
		if (p->flow[i].octets)
			e->flow_id[e->n_flow_ids++] = p->flow[i].id;
	reason_write(e, leak);
}

static uint64_t incident_key(const struct leak_pair *p)
{
	return anomaly_key(DETECTOR_exfiltration, &p->source,
			   anomaly_key(DETECTOR_exfiltration, &p->destination, 0));
}

static void pair_report(struct anomaly *a, struct leak_pair *p, const struct leak *leak)
{
	struct anomaly_event e = {.class = ANOMALY_EXFILTRATION};
	struct incident_report report = {
		.key = incident_key(p),
		.is_fresh = true,
		.quiet_ms = QUIET_MS,
		.event = &e,
	};

	event_write(a, p, leak, &e);
	incidents_report(&a->incidents, &report);
	p->is_open = incidents_has(&a->incidents, report.key);
	p->is_slow = leak->is_slow;
	p->threshold = leak->threshold;
	p->peak = leak->octets[LEAK_OUT] > p->peak ? leak->octets[LEAK_OUT] : p->peak;
}

/* What was told is known from here on: the next time it takes more. */
static void pair_end(struct leak_pair *p)
{
	uint64_t *usual = p->is_slow ? &p->usual_day : &p->usual_hour;
	uint64_t day = sum(p->in_day[LEAK_OUT], LEAK_HOURS);

	*usual = p->peak > *usual ? p->peak : *usual;
	p->usual_day = day > p->usual_day ? day : p->usual_day;
	p->is_open = false;
	p->peak = 0;
}

/* While it is an incident its threshold stays. */
static bool goes_on(const struct anomaly *a, const struct exfiltration *x, struct leak_pair *p,
		    struct leak *leak)
{
	if (p->is_slow)
		leaks_slowly(a, x, p, leak);
	else
		leaks_now(a, x, p, leak);
	leak->threshold = p->threshold;
	return leak->octets[LEAK_OUT] >= leak->threshold / 2 && pcr_is_high(a, p, leak);
}

static void pair_judge(struct anomaly *a, struct exfiltration *x, struct leak_pair *p)
{
	struct leak_host *host = leak_host_find(a, x, &p->source);
	uint64_t theirs = anomaly_hash(a, &p->destination, 0);
	struct leak leak = {.visibility = ANOMALY_BOTH};
	bool fires;

	leak_age(p, a->now_ns);
	if (!p->is_answered)
		leak.visibility = anomaly_visibility_at(a, p->obs_point);
	leak.is_popular = clients_count(&x->clients, theirs, a->now_ns) >
			  anomaly_limits(a, &p->source)->exfiltration.clients;
	if (host)
		usual_compare(&host->sent, sum(p->in_hour[LEAK_OUT], LEAK_SLICES), &leak.usual);
	if (p->is_open)
		fires = goes_on(a, x, p, &leak);
	else
		fires = leaks_now(a, x, p, &leak) || leaks_slowly(a, x, p, &leak);
	if (!fires)
		return;
	pair_report(a, p, &leak);
	if (host)
		host->sent.is_odd = true;
}

/* Less than this is not worth a judgement. */
static bool is_much(const struct anomaly *a, const struct leak_pair *p)
{
	const struct exfiltration_config *cfg = &anomaly_limits(a, &p->source)->exfiltration;

	return (float)sum(p->in_hour[LEAK_OUT], LEAK_SLICES) >=
		       cfg->mbyte_per_hour * OCTETS_PER_MB ||
	       (float)sum(p->in_day[LEAK_OUT], LEAK_HOURS) >= cfg->mbyte_per_day * OCTETS_PER_MB;
}

static void pair_allow(struct anomaly *a, struct leak_pair *p)
{
	struct anomaly_event e = {.class = ANOMALY_EXFILTRATION};

	incidents_report(
		&a->incidents,
		&(struct incident_report){.key = incident_key(p), .is_allowed = true, .event = &e});
	p->is_dirty = false;
}

static void pair_look(struct anomaly *a, struct exfiltration *x, struct leak_pair *p)
{
	if (p->is_open && networks_have(&a->cfg->exfiltration.allow, &p->destination))
		pair_allow(a, p);
	if (p->is_open && !incidents_has(&a->incidents, incident_key(p)))
		pair_end(p);
	if (p->is_dirty && (p->is_open || is_much(a, p)))
		pair_judge(a, x, p);
	p->is_dirty = false;
	if (!p->is_open)
		place_leave(x->look, (uint32_t)(p - x->pair));
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct exfiltration *x = state;

	(void)passed_ns;
	begin(a, x);
	FOR_PLACES(i, x->look, LEAK_MAX)
	{
		pair_look(a, x, &x->pair[i]);
	}
}

const struct detector detector_exfiltration = {
	.state_octets = sizeof(struct exfiltration),
	.is_enabled = is_enabled,
	.on_flow = on_flow,
	.on_second = on_second,
};
