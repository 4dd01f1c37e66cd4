/* SPDX-License-Identifier: BSD-2-Clause */
/* Who sends how much to whom elsewhere. See anomaly_exfiltration.h. */
#include "probe/anomaly_exfiltration.h"

#define KIB	       1024
#define POINT_SILENT_S 120 /* at two points a unit may be full so far apart */
#define ROUGH_SHARE    64 /* of what matters in an hour: worth a place */
#define HOST_KIB       1024
#define OCTETS_PER_MB  1000000ULL

/* One way of a conversation: which host is ours, and what is new of it. */
struct sent {
	const struct host *ours;
	const struct host *theirs;
	enum leak_way way;
	uint64_t octets;
};

static struct leak_host *host_place(struct leak_host *set)
{
	struct leak_host *least = set;

	for (int i = 1; i < LEAK_HOST_WAYS && least->is_used; i++)
		if (!set[i].is_used || set[i].sent.hour < least->sent.hour)
			least = &set[i];
	return least;
}

static struct leak_host *host_set(const struct anomaly *a, struct exfiltration *x,
				  const struct host *host)
{
	return &x->host[anomaly_hash(a, host, 0) % LEAK_HOST_SETS * LEAK_HOST_WAYS];
}

struct leak_host *leak_host_find(const struct anomaly *a, struct exfiltration *x,
				 const struct host *host)
{
	struct leak_host *set = host_set(a, x, host);

	for (int i = 0; i < LEAK_HOST_WAYS; i++)
		if (set[i].is_used && host_equals(&set[i].host, host)) {
			usual_turn(&set[i].sent, leak_hour(a->now_ns));
			return &set[i];
		}
	return NULL;
}

/* Add to a rough count; true once it is `least` and more. */
static bool rough_add(uint32_t *rough, uint64_t octets, uint64_t least)
{
	uint64_t kib = *rough + (octets + KIB - 1) / KIB;

	*rough = kib < UINT32_MAX ? (uint32_t)kib : UINT32_MAX;
	return *rough >= least;
}

static void host_count(const struct anomaly *a, struct exfiltration *x, const struct sent *sent)
{
	uint32_t *rough = &x->rough_host[(anomaly_hash(a, sent->ours, 0) >> 16) % LEAK_ROUGH];
	struct leak_host *h;

	if (!rough_add(rough, sent->octets, HOST_KIB))
		return;
	h = leak_host_find(a, x, sent->ours);
	if (!h) {
		h = host_place(host_set(a, x, sent->ours));
		*h = (struct leak_host){
			.host = *sent->ours, .is_used = true, .sent = {.since = x->began_hour}};
		h->sent.hour = leak_hour(a->now_ns);
		if (h->sent.since > h->sent.hour)
			h->sent.since = h->sent.hour;
	}
	h->sent.octets += sent->octets;
}

static struct leak_pair *pair_find(struct exfiltration *x, uint64_t hash, const struct sent *sent)
{
	uint32_t set = hash % LEAK_SETS * LEAK_WAYS;

	for (uint32_t i = set; i < set + LEAK_WAYS; i++) {
		struct leak_pair *p = &x->pair[i];

		if (x->name[i] == distinct_name(hash) && p->is_used &&
		    host_equals(&p->source, sent->ours) &&
		    host_equals(&p->destination, sent->theirs))
			return p;
	}
	return NULL;
}

/* What sent least in all makes room, unless it is an incident. */
static struct leak_pair *pair_place(struct exfiltration *x, uint64_t hash)
{
	struct leak_pair *set = &x->pair[hash % LEAK_SETS * LEAK_WAYS], *least = NULL;

	for (int i = 0; i < LEAK_WAYS; i++) {
		if (!set[i].is_used)
			return &set[i];
		if (!set[i].is_open && (!least || set[i].octets < least->octets))
			least = &set[i];
	}
	return least;
}

static struct leak_pair *pair_make(const struct anomaly *a, struct exfiltration *x, uint64_t hash,
				   const struct sent *sent)
{
	struct leak_pair *p = pair_place(x, hash);

	if (!p)
		return NULL;
	x->name[p - x->pair] = distinct_name(hash);
	*p = (struct leak_pair){
		.source = *sent->ours,
		.destination = *sent->theirs,
		.is_used = true,
		.slice = leak_slice(a->now_ns),
		.hour = leak_hour(a->now_ns),
	};
	return p;
}

static void pair_count(const struct anomaly *a, struct exfiltration *x, struct leak_pair *p,
		       const struct sent *sent, const struct anomaly_flow *flow)
{
	struct flow_reverse reverse;

	p->is_answered =
		p->is_answered || sent->way == LEAK_IN || flow_delta_reverse(flow->delta, &reverse);
	leak_age(p, a->now_ns);
	leak_add(p, sent->way, sent->octets, flow);
	if (sent->way == LEAK_OUT) {
		p->obs_point = flow->obs_point;
		p->is_dirty = true;
		place_use(x->look, (uint32_t)(p - x->pair));
	}
}

/* KiB in an hour that are worth a place: who never gets there sends less in a day, too. */
static uint64_t rough_least(const struct anomaly *a)
{
	const struct exfiltration_config *cfg = &a->groups.least.exfiltration;
	uint64_t mbytes =
		cfg->mbyte_per_hour < cfg->mbyte_per_day ? cfg->mbyte_per_hour : cfg->mbyte_per_day;

	return mbytes * OCTETS_PER_MB / ROUGH_SHARE / KIB;
}

static void sent_count(struct anomaly *a, struct exfiltration *x, const struct anomaly_flow *flow,
		       const struct sent *sent)
{
	uint64_t theirs = anomaly_hash(a, sent->theirs, 0);
	uint64_t ours = anomaly_hash(a, sent->ours, 0), hash = distinct_mix(theirs, ours);
	uint64_t known_ns;
	struct leak_pair *p;

	if (!points_count(&x->points, distinct_mix(hash, sent->way), flow->obs_point, a->now_ns,
			  POINT_SILENT_S))
		return;
	p = pair_find(x, hash, sent);
	if (sent->way == LEAK_OUT) {
		known_ns = known_since(&x->known, theirs, flow->delta->first_ns);
		clients_add(&x->clients, theirs, ours, a->now_ns);
		host_count(a, x, sent);
		if (rough_add(&x->rough[(hash >> 16) % LEAK_ROUGH], sent->octets, rough_least(a)) &&
		    !p) {
			p = pair_make(a, x, hash, sent);
			if (p)
				p->known_ns = known_ns;
		}
	}
	if (p)
		pair_count(a, x, p, sent, flow);
}

static void rough_turn(struct exfiltration *x, uint32_t hour)
{
	if (hour == x->rough_hour)
		return;
	x->rough_hour = hour;
	memset(x->rough, 0, sizeof(x->rough));
	memset(x->rough_host, 0, sizeof(x->rough_host));
}

/* What is new of the Flow in whole units, at its end all. */
static uint64_t units_of(const struct flow_delta *d)
{
	uint64_t before = d->total_octets > d->octets ? d->total_octets - d->octets : 0;
	uint64_t units = d->total_octets / LEAK_UNIT * LEAK_UNIT - before / LEAK_UNIT * LEAK_UNIT;

	return d->is_ended ? units + d->total_octets % LEAK_UNIT : units;
}

void leak_count(struct anomaly *a, struct exfiltration *x, const struct anomaly_flow *flow)
{
	struct sent sent = {
		.ours = &flow->source,
		.theirs = &flow->destination,
		.way = LEAK_OUT,
		.octets = units_of(flow->delta),
	};
	enum anomaly_direction direction;

	if (!sent.octets)
		return;
	direction = anomaly_direction(a, flow);
	if (direction == FLOW_STAYING)
		return;
	if (direction == FLOW_COMING)
		sent = (struct sent){&flow->destination, &flow->source, LEAK_IN, sent.octets};
	if (networks_have(&a->cfg->exfiltration.allow, sent.theirs))
		return;
	rough_turn(x, leak_hour(a->now_ns));
	sent_count(a, x, flow, &sent);
}
