/* SPDX-License-Identifier: BSD-2-Clause */
/* What hosts of ours do in a minute. See anomaly_learning.h. */
#include <math.h>
#include <string.h>
#include <netinet/in.h>

#include "probe/anomaly_learning.h"

#define POINT_OF(flow)	 ((uint16_t)((flow)->obs_point + 1))
#define PORT_DNS	 53
#define RATIO_PRIOR	 4 /* contacts that did not fail, for who has few */
#define N_WINDOW_SECONDS (float)LEARNING_WINDOW_S
#define DAY_MIN		 1440

_Static_assert(LEARNING_HOSTS - 1 <= UINT16_MAX, "a place fits");

static uint32_t name_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32) | 1;
}

/* True when another host may take the place: one seen once does not drive out one known for long. */
static bool may_go(const struct learning *l, int at)
{
	const struct learning_past *p = &l->learned.past[at];

	if ((l->active[at / 64] | l->touched[at / 64]) >> at % 64 & 1 || p->streak)
		return false;
	/* the clock may have been set back */
	return p->n_windows < LEARNING_LEAST ||
	       (int32_t)(l->learned.window_min - p->latest_min) >= DAY_MIN;
}

/* Free, or that of whom least is known. */
static int place_least(const struct learning *l, int set)
{
	const struct learning_past *past = l->learned.past;
	int least = -1;

	for (int i = set; i < set + LEARNING_WAYS; i++) {
		if (!l->name[i])
			return i;
		if (!may_go(l, i))
			continue;
		if (least < 0 || past[i].n_windows < past[least].n_windows ||
		    (past[i].n_windows == past[least].n_windows &&
		     past[i].latest_min < past[least].latest_min))
			least = i;
	}
	return least;
}

static int find(const struct learning *l, const struct host *host, uint64_t hash)
{
	int set = (int)(hash % LEARNING_SETS) * LEARNING_WAYS;

	for (int i = set; i < set + LEARNING_WAYS; i++)
		if (l->name[i] == name_of(hash) && host_equals(&l->learned.host[i], host))
			return i;
	return -1;
}

int learning_find(const struct anomaly *a, const struct learning *l, const struct host *host)
{
	return find(l, host, anomaly_hash(a, host, 0));
}

int learning_place(const struct anomaly *a, struct learning *l, const struct host *host)
{
	uint64_t hash = anomaly_hash(a, host, 0);
	int at = find(l, host, hash);

	if (at >= 0)
		return at;
	at = place_least(l, (int)(hash % LEARNING_SETS) * LEARNING_WAYS);
	if (at < 0)
		return -1;
	l->name[at] = name_of(hash);
	l->learned.host[at] = *host;
	memset(&l->learned.past[at], 0, sizeof(l->learned.past[at]));
	l->count[at] = (struct learning_count){.host = *host};
	return at;
}

static inline struct learning_count *count_at(struct learning *l, int at)
{
	place_use(l->touched, (uint32_t)at);
	return &l->count[at];
}

/* What is counted of the host; NULL: it has no place. Nearly always it was asked for just before. */
static inline struct learning_count *count_of(const struct anomaly *a, struct learning *l,
					      const struct host *host)
{
	uint64_t word[2];
	uint16_t *near;
	int at;

	memcpy(word, host, sizeof(word));
	near = &l->near[((word[0] ^ word[1]) * 0x9e3779b97f4a7c15ULL) >> LEARNING_NEAR_SHIFT];
	/* of nobody it is all zeros, which is no host of ours */
	if (host_equals(&l->count[*near].host, host))
		return count_at(l, *near);
	at = learning_place(a, l, host);
	if (at < 0)
		return NULL;
	*near = (uint16_t)at;
	return count_at(l, at);
}

static void count_new(const struct anomaly *a, struct learning_count *c, const struct host *peer,
		      const struct anomaly_flow *flow, enum learning_way way)
{
	uint64_t hash = anomaly_hash(a, peer, 0);
	bool has_ports = flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP;

	c->flows++;
	c->peers[hash / 64 % LEARNING_WORDS] |= 1ULL << hash % 64;
	if (way != LEARNING_OUT || !has_ports || flow->destination_port >= flow->source_port)
		return; /* what it is asked, or answers, is not what it uses */
	hash = anomaly_hash(a, &(struct host){{0}},
			    (uint64_t)flow->protocol << 16 | flow->destination_port);
	c->services[hash / 64 % LEARNING_WORDS] |= 1ULL << hash % 64;
	c->dns += flow->destination_port == PORT_DNS;
}

static void count_example(struct learning_count *c, const struct anomaly_flow *flow,
			  enum learning_way way)
{
	const struct flow_delta *d = flow->delta;

	c->last_ns = d->last_ns > c->last_ns ? d->last_ns : c->last_ns;
	if (way == LEARNING_OUT)
		example_keep_destination(c->example, ANOMALY_TARGETS, flow);
	else
		example_keep_source(c->example, ANOMALY_TARGETS, flow);
}

static inline void count_end(const struct anomaly *a, struct learning_count *c,
			     const struct anomaly_flow *flow, enum learning_way way)
{
	const struct flow_delta *d = flow->delta;

	/* the same packets pass several interfaces: one of them counts */
	if (c->point[way] != POINT_OF(flow)) {
		if (c->point[way])
			return;
		c->point[way] = POINT_OF(flow);
	}
	c->octets[way] += d->octets;
	c->packets[way] += d->packets;
	c->in_second += (uint32_t)d->packets;
	if (d->is_new)
		count_new(a, c, way == LEARNING_OUT ? &flow->destination : &flow->source, flow,
			  way);
	if (c->is_suspect)
		count_example(c, flow, way);
}

void learning_count_flow(struct anomaly *a, struct learning *l, const struct anomaly_flow *flow)
{
	uint32_t ends = anomaly_ends(a, flow);
	struct learning_count *from = NULL, *to = NULL;

	if (!(ends & (FLOW_OURS_FROM | FLOW_OURS_TO))) {
		flow_is_dull(flow, DETECTOR_learning);
		return;
	}
	if (!flow->delta->packets)
		return;
	if (!l->has_traffic)
		learning_window_begin(a, l);
	if (ends & FLOW_OURS_FROM)
		from = count_of(a, l, &flow->source);
	if (ends & FLOW_OURS_TO)
		to = count_of(a, l, &flow->destination);
	if (from)
		count_end(a, from, flow, LEARNING_OUT);
	if (to)
		count_end(a, to, flow, LEARNING_IN);
	if (!from && !to) /* a later Flow of theirs may find a place */
		flow_is_dull(flow, DETECTOR_learning);
}

void learning_count_contact(struct anomaly *a, struct learning *l, const struct anomaly_flow *flow,
			    const struct contact *contact)
{
	struct learning_count *c;

	if (!(anomaly_ends(a, flow) & FLOW_OURS_FROM))
		return;
	c = count_of(a, l, &flow->source);
	if (!c)
		return;
	c->contacts++;
	c->failed += contact->outcome == CONTACT_SILENT || contact->outcome == CONTACT_REFUSED;
}

void learning_count_second(struct learning *l)
{
	FOR_PLACES(i, l->touched, LEARNING_HOSTS)
	{
		struct learning_count *c = &l->count[i];
		float packets = (float)c->in_second;

		c->seconds_sum += packets;
		c->seconds_squares += packets * packets;
		c->in_second = 0;
	}
	for (size_t i = 0; i < PLACES_WORDS(LEARNING_HOSTS); i++)
		l->active[i] |= l->touched[i];
	memset(l->touched, 0, sizeof(l->touched));
}

/* Standard deviation of the packets of a second, to their mean. */
static float burstiness(const struct learning_count *c)
{
	float mean = c->seconds_sum / N_WINDOW_SECONDS;
	float variance = c->seconds_squares / N_WINDOW_SECONDS - mean * mean;

	return mean > 0 && variance > 0 ? sqrtf(variance) / mean : 0;
}

void learning_count_features(const struct learning_count *c, float *x)
{
	float out = (float)c->octets[LEARNING_OUT], in = (float)c->octets[LEARNING_IN];
	float packets = (float)(c->packets[LEARNING_OUT] + c->packets[LEARNING_IN]);
	const float value[LEARNING_FEATURES] = {
		[LEARNING_OCTETS_OUT] = out,
		[LEARNING_OCTETS_IN] = in,
		[LEARNING_PACKETS_OUT] = (float)c->packets[LEARNING_OUT],
		[LEARNING_PACKETS_IN] = (float)c->packets[LEARNING_IN],
		[LEARNING_FLOWS] = (float)c->flows,
		[LEARNING_PEERS] = (float)distinct_estimate(c->peers, LEARNING_WORDS),
		[LEARNING_PORTS] = (float)distinct_estimate(c->services, LEARNING_WORDS),
		[LEARNING_FAILED] = (float)c->failed / (float)(c->contacts + RATIO_PRIOR),
		[LEARNING_LENGTH] = packets > 0 ? (out + in) / packets : 0,
		[LEARNING_DNS] = (float)c->dns,
		[LEARNING_PCR] = out + in > 0 ? (out - in) / (out + in) : 0,
		[LEARNING_BURST] = burstiness(c),
	};

	for (int i = 0; i < LEARNING_FEATURES; i++)
		x[i] = learning_scaled((enum learning_feature)i, value[i]);
}

void learning_count_clear(struct learning_count *c)
{
	struct learning_count kept = *c;

	*c = (struct learning_count){
		.host = kept.host,
		.is_suspect = kept.is_suspect,
		.first_min = kept.first_min,
		.last_ns = kept.last_ns,
	};
	for (int way = 0; way < LEARNING_BOTH_WAYS; way++)
		c->point[way] = kept.packets[way] ? kept.point[way] : 0;
	if (kept.is_suspect)
		memcpy(c->example, kept.example, sizeof(c->example));
}
