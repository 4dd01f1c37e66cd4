/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of sources whose contacts fail. See anomaly_sources.h. */
#include "probe/anomaly_sources.h"

#include <netinet/in.h>
#include <stdlib.h>

#define DAY_S	 86400
#define WALK_MAX 30

static struct source_target target_of(const struct anomaly *a, const struct anomaly_flow *flow)
{
	uint16_t port = flow->destination_port;

	if (flow->protocol != IPPROTO_TCP && flow->protocol != IPPROTO_UDP)
		port = flow->is_icmp ? 0 : flow->protocol;
	return (struct source_target){
		.hash = (uint32_t)(anomaly_hash(a, &flow->destination, port) >> 32),
		.host = (uint32_t)(anomaly_hash(a, &flow->destination, UINT64_MAX) >> 32),
		.time_s = (uint32_t)(flow->delta->first_ns / NS_PER_S),
		.port = port,
	};
}

/* 64 bits again from what is kept of a hash. */
static uint64_t spread(uint32_t hash)
{
	return distinct_mix(0x9e3779b97f4a7c15ULL, hash);
}

static struct scan_source *source_find(struct sources *s, uint64_t hash, const struct host *host,
				       uint8_t method)
{
	struct scan_source *set = &s->source[hash % SOURCES_SETS * SOURCES_WAYS];

	for (int i = 0; i < SOURCES_WAYS; i++)
		if (set[i].is_used && set[i].method == method && host_equals(&set[i].host, host))
			return &set[i];
	return NULL;
}

/* True when a place is worth less than another one. */
static bool is_weaker(const struct sources *s, const struct scan_source *x,
		      const struct scan_source *y, uint64_t now_ns)
{
	bool x_is_old = anomaly_since(now_ns, x->last_ns) > s->window_ns;
	bool y_is_old = anomaly_since(now_ns, y->last_ns) > s->window_ns;

	if (x->is_used != y->is_used)
		return !x->is_used;
	if (x_is_old != y_is_old)
		return x_is_old;
	if (x->n_recent != y->n_recent)
		return x->n_recent < y->n_recent;
	return x->last_ns < y->last_ns;
}

static struct scan_source *source_place(const struct anomaly *a, struct sources *s, uint64_t hash)
{
	struct scan_source *set = &s->source[hash % SOURCES_SETS * SOURCES_WAYS], *least = NULL;

	/* one that is dirty is in the list of those to look at */
	for (int i = 0; i < SOURCES_WAYS; i++)
		if (!set[i].is_dirty && (!least || is_weaker(s, &set[i], least, a->now_ns)))
			least = &set[i];
	return least;
}

static void recent_add(struct scan_source *source, const struct source_target *t)
{
	struct source_target *oldest = &source->recent[0];

	for (uint8_t i = 0; i < source->n_recent; i++) {
		struct source_target *r = &source->recent[i];

		if (r->hash == t->hash) {
			if ((int32_t)(t->time_s - r->time_s) > 0)
				r->time_s = t->time_s;
			return;
		}
		if ((int32_t)(r->time_s - oldest->time_s) < 0)
			oldest = r;
	}
	if (source->n_recent < SOURCE_RECENT)
		oldest = &source->recent[source->n_recent++];
	*oldest = *t;
}

static void target_add(struct scan_source *source, const struct source_target *t)
{
	uint64_t hash = spread(t->hash);
	uint32_t bit = (uint32_t)hash % 256;

	recent_add(source, t);
	distinct_add(&source->targets, hash);
	if (distinct_add(&source->hosts, spread(t->host)))
		source->has_new_host = true;
	distinct_add(&source->ports, spread(t->port));
	source->span[0][bit / 64] |= 1ULL << bit % 64;
}

/* A place for the source of a failure, from its second target on. */
static struct scan_source *source_admit(const struct anomaly *a, struct sources *s, uint64_t hash,
					const struct host *host, uint8_t method,
					const struct source_target *t, const struct example *e)
{
	struct first_failure *first = &s->first[hash / SOURCES_SETS % SOURCES_FIRST];
	uint32_t name = distinct_name(hash);
	struct scan_source *source;

	/* Flows come in no order of time */
	if (first->source != name || labs((int32_t)(t->time_s - first->target.time_s)) > DAY_S) {
		*first = (struct first_failure){.source = name, .target = *t, .example = *e};
		return NULL;
	}
	if (first->target.hash == t->hash)
		return NULL;
	source = source_place(a, s, hash);
	if (!source)
		return NULL;
	*source = (struct scan_source){
		.host = *host,
		.method = method,
		.is_used = true,
		.turned_ns = a->now_ns,
		.span_ns = a->now_ns,
		.first_ns = first->example.first_ns,
		.last_ns = a->now_ns,
	};
	target_add(source, &first->target);
	example_keep(source->example, SOURCE_EXAMPLES, &first->example);
	source->walk = 1;
	first->source = 0;
	return source;
}

static void source_fail(const struct anomaly *a, struct sources *s, struct scan_source *source,
			const struct anomaly_flow *flow, const struct contact *contact,
			const struct source_target *t, const struct example *e)
{
	bool was_new = source->has_new_host;

	source_age(s, source, a->now_ns);
	source->has_new_host = false;
	target_add(source, t);
	if (source->has_new_host && source->walk < WALK_MAX)
		source->walk++;
	source->has_new_host |= was_new;
	source->address = flow->source;
	source->obs_point = flow->obs_point;
	source->n_refused += contact->outcome == CONTACT_REFUSED;
	source->n_silent += contact->outcome == CONTACT_SILENT;
	source->n_os += contact->is_os;
	source->n_raw += !contact->is_os;
	if (flow->delta->last_ns > source->last_ns)
		source->last_ns = flow->delta->last_ns;
	if (!source->first_ns || flow->delta->first_ns < source->first_ns)
		source->first_ns = flow->delta->first_ns;
	example_keep(source->example, SOURCE_EXAMPLES, e);
	if (!source->is_dirty)
		s->dirty[s->n_dirty++] = (uint32_t)(source - s->source);
	source->is_dirty = true;
}

static void source_answer(struct scan_source *source, const struct contact *contact,
			  const struct source_target *t)
{
	uint64_t hash = spread(t->hash);
	uint32_t bit = (uint32_t)hash % 256;
	struct distinct hosts = source->hosts;

	distinct_add(&source->answered, hash);
	source->span_answered[0][bit / 64] |= 1ULL << bit % 64;
	source->n_established += contact->is_established;
	if (distinct_add(&hosts, spread(t->host)) && source->walk > -WALK_MAX)
		source->walk--;
}

void sources_contact(const struct anomaly *a, struct sources *s, const struct anomaly_flow *flow,
		     const struct contact *contact)
{
	/* of an answer only what can be told apart without a connection counts */
	bool has_failed = contact->outcome == CONTACT_REFUSED ||
			  contact->outcome == CONTACT_SILENT ||
			  (contact->method >= CONTACT_FIN && contact->method <= CONTACT_XMAS);
	struct host host = host_site(&flow->source);
	uint64_t hash = anomaly_hash(a, &host, contact->method);
	struct scan_source *source = source_find(s, hash, &host, contact->method);
	struct source_target t = target_of(a, flow);
	struct example e = {
		.first_ns = flow->delta->first_ns,
		.flow_id = flow_delta_id(flow->delta),
		.host = flow->destination,
		.port = t.port,
	};

	if (!source && has_failed)
		source = source_admit(a, s, hash, &host, contact->method, &t, &e);
	if (!source)
		return;
	if (has_failed)
		source_fail(a, s, source, flow, contact, &t, &e);
	else
		source_answer(source, contact, &t);
}

static void source_turn(struct scan_source *source)
{
	distinct_turn(&source->targets);
	distinct_turn(&source->hosts);
	distinct_turn(&source->ports);
	distinct_turn(&source->answered);
	source->n_refused /= 2;
	source->n_silent /= 2;
	source->n_os /= 2;
	source->n_raw /= 2;
	source->n_established /= 2;
}

static void span_turn(struct scan_source *source)
{
	memmove(source->span[1], source->span[0], sizeof(source->span) - sizeof(source->span[0]));
	memmove(source->span_answered[1], source->span_answered[0],
		sizeof(source->span_answered) - sizeof(source->span_answered[0]));
	memset(source->span[0], 0, sizeof(source->span[0]));
	memset(source->span_answered[0], 0, sizeof(source->span_answered[0]));
}

void source_age(const struct sources *s, struct scan_source *source, uint64_t now_ns)
{
	uint64_t half_ns = s->window_ns / 2, passed_ns = anomaly_since(now_ns, source->turned_ns);

	if (!half_ns)
		return;
	if (passed_ns >= half_ns)
		source_turn(source);
	if (passed_ns >= 2 * half_ns)
		source_turn(source);
	if (passed_ns >= half_ns)
		source->turned_ns = now_ns - passed_ns % half_ns;
	if (anomaly_since(now_ns, source->last_ns) > s->window_ns) {
		source->walk = 0;
		source->first_ns = 0;
		memset(source->example, 0, sizeof(source->example));
	}
	passed_ns = anomaly_since(now_ns, source->span_ns);
	for (uint64_t i = 0; i < SOURCE_SPANS && i < passed_ns / SOURCE_SPAN_NS; i++)
		span_turn(source);
	source->span_ns += passed_ns / SOURCE_SPAN_NS * SOURCE_SPAN_NS;
}

static uint32_t span_count(const uint64_t span[SOURCE_SPANS][4])
{
	uint64_t any[4] = {0};

	for (int i = 0; i < SOURCE_SPANS; i++)
		for (int k = 0; k < 4; k++)
			any[k] |= span[i][k];
	return distinct_estimate(any, 4);
}

/* Of the recent ones those within the window of the latest, and what differs among them. */
static void recent_count(const struct scan_source *source, uint32_t window_s,
			 struct source_counts *c)
{
	uint32_t latest = source->recent[0].time_s;
	const struct source_target *in[SOURCE_RECENT] = {NULL};
	uint32_t n = 0;

	for (uint8_t i = 1; i < source->n_recent; i++)
		if ((int32_t)(source->recent[i].time_s - latest) > 0)
			latest = source->recent[i].time_s;
	for (uint8_t i = 0; i < source->n_recent; i++)
		if (latest - source->recent[i].time_s < window_s)
			in[n++] = &source->recent[i];
	c->failed = n;
	c->hosts = c->ports = 0;
	for (uint32_t i = 0; i < n; i++) {
		bool is_host_new = true, is_port_new = true;

		for (uint32_t k = 0; k < i; k++) {
			is_host_new &= in[k]->host != in[i]->host;
			is_port_new &= in[k]->port != in[i]->port;
		}
		c->hosts += is_host_new;
		c->ports += is_port_new;
	}
}

void source_count(const struct scan_source *source, uint32_t window_s, struct source_counts *c)
{
	recent_count(source, window_s, c);
	if (c->failed == SOURCE_RECENT) {
		uint32_t failed = distinct_count(&source->targets);
		uint32_t hosts = distinct_count(&source->hosts);
		uint32_t ports = distinct_count(&source->ports);

		c->failed = failed > c->failed ? failed : c->failed;
		c->hosts = hosts > c->hosts ? hosts : c->hosts;
		c->ports = ports > c->ports ? ports : c->ports;
	}
	c->answered = distinct_count(&source->answered);
	c->failed_day = span_count(source->span);
	c->answered_day = span_count(source->span_answered);
	c->first_ns = source->first_ns;
}
