/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of pairs. See anomaly_beacon_pairs.h. */
#include "probe/anomaly_beacon_pairs.h"

#include <stddef.h>

#include "probe/clock.h"
#include "probe/distinct.h"

#define FIRST_BEATS  2
#define FIRST_KEPT   (48 * 3600 * NS_PER_S) /* from one to the next, at most */
#define BURST_NS     NS_PER_S
#define STOPPED_MEDS 10 /* times the median without a beat */
#define STOPPED_NS   (600 * NS_PER_S)

struct beacon_pair *pairs_find(struct beacon_pairs *t, uint64_t hash,
			       const struct anomaly_flow *flow)
{
	uint32_t set = hash % PAIRS_SETS * PAIRS_WAYS;

	for (uint32_t i = set; i < set + PAIRS_WAYS; i++) {
		struct beacon_pair *p = &t->pair[i];

		if (t->name[i] == distinct_name(hash) && p->is_used &&
		    p->port == flow->destination_port && p->protocol == flow->protocol &&
		    host_equals(&p->destination, &flow->destination) &&
		    host_equals(&p->source, &flow->source))
			return p;
	}
	return NULL;
}

/* What a place is worth: the less, the sooner it makes room. */
static uint64_t worth(const struct beacon_pair *p, uint64_t now_ns)
{
	uint64_t idle_ns = now_ns > p->last_ns ? now_ns - p->last_ns : 0;
	uint64_t stopped_ns = STOPPED_NS + STOPPED_MEDS * NS_PER_MS * p->median_ms;

	if (!p->is_used)
		return 0;
	if (p->stage || (p->regular_ns && idle_ns < stopped_ns))
		return UINT64_MAX;
	return p->last_ns ? p->last_ns : 1;
}

static struct beacon_pair *pair_place(struct beacon_pairs *t, uint64_t hash, uint64_t now_ns)
{
	struct beacon_pair *set = &t->pair[hash % PAIRS_SETS * PAIRS_WAYS], *least = NULL;
	uint64_t least_worth = UINT64_MAX;

	for (int i = 0; i < PAIRS_WAYS; i++)
		if (worth(&set[i], now_ns) < least_worth) {
			least = &set[i];
			least_worth = worth(least, now_ns);
		}
	return least;
}

static uint64_t age_of(const struct beacon_first *f, uint64_t now_ns)
{
	uint64_t at_ns = f->at_ns[f->n - 1];

	return now_ns > at_ns ? now_ns - at_ns : 0; /* time may run backwards */
}

/* Where the first beats of a pair are, or are to be: instead of the oldest single one. */
static struct beacon_first *first_find(struct beacon_pairs *t, uint64_t hash, uint64_t now_ns)
{
	uint32_t name = distinct_name(hash);
	struct beacon_first *set = &t->first[hash % PAIRS_FIRST_SETS * PAIRS_FIRST_WAYS];
	struct beacon_first *least = set;

	for (int i = 0; i < PAIRS_FIRST_WAYS; i++) {
		if (set[i].name == name)
			return &set[i];
		if (!least->name)
			continue;
		if (!set[i].name ||
		    age_of(&set[i], now_ns) / set[i].n > age_of(least, now_ns) / least->n)
			least = &set[i];
	}
	*least = (struct beacon_first){.name = name};
	return least;
}

/* One more of the first beats. True: there were two before. */
static bool first_add(struct beacon_first *f, uint64_t now_ns)
{
	if (f->n && age_of(f, now_ns) > FIRST_KEPT)
		f->n = 0;
	if (f->n && age_of(f, now_ns) <= BURST_NS)
		return false;
	if (f->n == FIRST_BEATS)
		return true;
	f->at_ns[f->n++] = now_ns;
	return false;
}

struct beacon_pair *pairs_admit(struct beacon_pairs *t, uint64_t hash,
				const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	struct beacon_pair *p = pairs_find(t, hash, flow);
	struct beacon_first *f;

	if (p)
		return p;
	f = first_find(t, hash, d->first_ns);
	if (!first_add(f, d->first_ns))
		return NULL;
	p = pair_place(t, hash, d->now_ns);
	if (!p)
		return NULL;
	t->n_news -= p->new_beats > 0;
	t->name[p - t->pair] = distinct_name(hash);
	*p = (struct beacon_pair){
		.source = flow->source,
		.destination = flow->destination,
		.port = flow->destination_port,
		.protocol = flow->protocol,
		.obs_point = flow->obs_point,
		.is_used = true,
	};
	for (int i = 0; i < FIRST_BEATS; i++) {
		beats_add(&p->beats, f->at_ns[i], &p->last_ns);
		p->first_ns = p->first_ns ? p->first_ns : f->at_ns[i];
	}
	f->name = 0;
	return p;
}
