/* SPDX-License-Identifier: BSD-2-Clause */
/* Who sends how much to whom elsewhere. See anomaly_exfiltration.h. */
#include "probe/anomaly_exfiltration.h"

#define UNIT	      65536ULL
#define KIB	      1024
#define ROUGH_SHARE   64 /* of what matters in an hour: worth a place */
#define HOST_KIB      1024
#define OCTETS_PER_MB 1000000ULL
#define HALVE_AT      (1ULL << 40)

/* One way of a conversation: which host is ours, and what is new of it. */
struct sent {
	const struct host *ours;
	const struct host *theirs;
	enum leak_way way;
	uint64_t octets;
};

static void window_turn(uint64_t *window, uint32_t n, uint32_t from, uint32_t to)
{
	for (uint32_t i = from + 1; i <= to && i <= from + n; i++)
		window[i % n] = 0;
}

/* The most of what was sent in one of the last hours, of those two and more before `hour`. */
static uint64_t hours_before(const struct leak_pair *p, uint32_t hour)
{
	uint64_t most = 0;

	for (uint32_t back = 0; back < LEAK_HOURS && back <= p->hour; back++) {
		uint64_t octets = p->in_day[LEAK_OUT][(p->hour - back) % LEAK_HOURS];

		if (hour - p->hour + back >= 2 && octets > most)
			most = octets;
	}
	return most;
}

static void hour_turn(struct leak_pair *p, uint32_t hour)
{
	uint32_t days = hour / LEAK_HOURS - p->hour / LEAK_HOURS;
	uint64_t most = hours_before(p, hour);

	p->usual_hour = most > p->usual_hour ? most : p->usual_hour;
	for (int way = 0; way < LEAK_WAYS_OF_TRAFFIC; way++)
		window_turn(p->in_day[way], LEAK_HOURS, p->hour, hour);
	p->hour = hour;
	for (; days; days = days > 2 ? 2 : days - 1) {
		p->usual_day = p->day[1] > p->usual_day ? p->day[1] : p->usual_day;
		p->day[1] = p->day[0];
		p->day[0] = 0;
	}
}

void leak_age(struct leak_pair *p, uint64_t unix_ms)
{
	uint32_t slice = (uint32_t)(unix_ms / LEAK_SLICE_MS);
	uint32_t hour = (uint32_t)(unix_ms / LEAK_HOUR_MS);

	if (slice <= p->slice)
		return;
	for (int way = 0; way < LEAK_WAYS_OF_TRAFFIC; way++)
		window_turn(p->in_hour[way], LEAK_SLICES, p->slice, slice);
	p->slice = slice;
	if (hour > p->hour)
		hour_turn(p, hour);
}

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
			usual_turn(&set[i].sent,
				   (uint32_t)(anomaly_unix_ms(a, a->now_ns) / LEAK_HOUR_MS));
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
		h->sent.hour = (uint32_t)(anomaly_unix_ms(a, a->now_ns) / LEAK_HOUR_MS);
		if (h->sent.since > h->sent.hour)
			h->sent.since = h->sent.hour;
	}
	h->sent.octets += sent->octets;
}

static uint32_t name_of(uint64_t hash)
{
	return (uint32_t)(hash >> 32);
}

static struct leak_pair *pair_find(struct exfiltration *x, uint64_t hash, const struct sent *sent)
{
	uint32_t set = hash % LEAK_SETS * LEAK_WAYS;

	for (uint32_t i = set; i < set + LEAK_WAYS; i++) {
		struct leak_pair *p = &x->pair[i];

		if (x->name[i] == name_of(hash) && p->is_used &&
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
				   const struct sent *sent, const struct anomaly_flow *flow)
{
	struct leak_pair *p = pair_place(x, hash);
	uint64_t unix_ms = anomaly_unix_ms(a, a->now_ns);

	if (!p)
		return NULL;
	x->name[p - x->pair] = name_of(hash);
	*p = (struct leak_pair){
		.source = *sent->ours,
		.destination = *sent->theirs,
		.is_used = true,
		.first_ns = flow->delta->first_ns,
		.slice = (uint32_t)(unix_ms / LEAK_SLICE_MS),
		.hour = (uint32_t)(unix_ms / LEAK_HOUR_MS),
	};
	return p;
}

static void flow_note(struct leak_pair *p, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	uint64_t id = flow_delta_id(d);

	if (d->total_octets > p->largest) {
		p->largest = d->total_octets;
		p->protocol = flow->protocol;
		p->port = flow->destination_port;
	}
	for (uint32_t i = 0; i < p->n_flow_ids; i++)
		if (p->flow_id[i] == id)
			return;
	if (p->n_flow_ids < ANOMALY_FLOW_IDS)
		p->flow_id[p->n_flow_ids++] = id;
}

static void pair_out(struct exfiltration *x, struct leak_pair *p, const struct sent *sent,
		     const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;

	p->is_dirty = true;
	place_use(x->look, (uint32_t)(p - x->pair));
	p->day[0] += sent->octets;
	p->octets += sent->octets;
	p->packets += d->total_octets ? sent->octets * d->total_packets / d->total_octets : 0;
	if (p->octets >= HALVE_AT) {
		p->octets /= 2;
		p->packets /= 2;
	}
	p->last_ns = d->last_ns > p->last_ns ? d->last_ns : p->last_ns;
	flow_note(p, flow);
}

static void pair_count(const struct anomaly *a, struct exfiltration *x, struct leak_pair *p,
		       const struct sent *sent, const struct anomaly_flow *flow)
{
	/* the same packets pass several interfaces: one of them counts */
	if (!p->has_way[sent->way])
		p->obs_point[sent->way] = flow->obs_point;
	p->has_way[sent->way] = true;
	if (p->obs_point[sent->way] != flow->obs_point)
		return;
	leak_age(p, anomaly_unix_ms(a, a->now_ns));
	p->in_hour[sent->way][p->slice % LEAK_SLICES] += sent->octets;
	p->in_day[sent->way][p->hour % LEAK_HOURS] += sent->octets;
	if (sent->way == LEAK_OUT)
		pair_out(x, p, sent, flow);
}

static void sent_count(struct anomaly *a, struct exfiltration *x, const struct anomaly_flow *flow,
		       const struct sent *sent)
{
	uint64_t theirs = anomaly_hash(a, sent->theirs, 0);
	uint64_t ours = anomaly_hash(a, sent->ours, 0), hash = distinct_mix(theirs, ours);
	uint64_t known_ns, least;
	struct leak_pair *p = pair_find(x, hash, sent);

	if (sent->way == LEAK_OUT) {
		known_ns = known_since(&x->known, theirs, flow->delta->first_ns);
		clients_add(&x->clients, theirs, ours, a->now_ns);
		host_count(a, x, sent);
		least = a->cfg->exfiltration.mbyte_per_hour * OCTETS_PER_MB / ROUGH_SHARE / KIB;
		if (rough_add(&x->rough[(hash >> 16) % LEAK_ROUGH], sent->octets, least) && !p) {
			p = pair_make(a, x, hash, sent, flow);
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
	uint64_t units = d->total_octets / UNIT * UNIT - before / UNIT * UNIT;

	return d->is_ended ? units + d->total_octets % UNIT : units;
}

void leak_count(struct anomaly *a, struct exfiltration *x, const struct anomaly_flow *flow)
{
	struct sent sent = {
		.ours = &flow->source,
		.theirs = &flow->destination,
		.way = LEAK_OUT,
		.octets = units_of(flow->delta),
	};
	uint32_t direction;

	if (!sent.octets)
		return;
	direction = anomaly_direction(a, flow);
	if (direction == FLOW_STAYING)
		return;
	if (direction == FLOW_COMING)
		sent = (struct sent){&flow->destination, &flow->source, LEAK_IN, sent.octets};
	if (networks_have(&a->cfg->exfiltration.allow, sent.theirs))
		return;
	rough_turn(x, (uint32_t)(anomaly_unix_ms(a, a->now_ns) / LEAK_HOUR_MS));
	sent_count(a, x, flow, &sent);
}
