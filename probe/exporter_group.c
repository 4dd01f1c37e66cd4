/* SPDX-License-Identifier: BSD-2-Clause */
/* How exporters share records. See exporter_group.h. */
#include "probe/exporter_group.h"

#include <string.h>

#include "probe/clock.h"
#include "probe/log.h"

void exporter_group_add(struct exporter_group *g, struct exporter *e)
{
	if (g->cfg->mode == MODE_FAILOVER)
		exporter_keep_sent(e);
	g->member[g->n_members++] = e;
}

/* The finalizer of SplitMix64: every bit of the input moves half of the output's. */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t hash_endpoint(const uint8_t address[16], uint16_t port)
{
	uint64_t half[2];

	memcpy(half, address, sizeof(half));
	return mix(mix(half[0] + port) + half[1]);
}

size_t exporter_group_choice(const struct flow_record *r, size_t n)
{
	uint8_t source[16] = {0}, destination[16] = {0};

	if (r->is_ipv6) {
		memcpy(source, r->source6, sizeof(source));
		memcpy(destination, r->destination6, sizeof(destination));
	} else {
		memcpy(source, &r->source4, sizeof(r->source4));
		memcpy(destination, &r->destination4, sizeof(r->destination4));
	}
	/* a sum, which has no direction */
	uint64_t sum = hash_endpoint(source, r->source_port) +
		       hash_endpoint(destination, r->destination_port);

	return mix(sum + r->protocol) % n;
}

/* Whom a record goes to: the members from first up to end. */
static void choose(const struct exporter_group *g, const struct flow_record *r, size_t *first,
		   size_t *end)
{
	*first = 0;
	*end = g->n_members;
	if (g->cfg->mode == MODE_MIRROR)
		return;
	*first = g->cfg->mode == MODE_BALANCE ? exporter_group_choice(r, g->n_members) : g->active;
	*end = *first + 1;
}

void exporter_group_record(void *arg, const struct flow_record *r)
{
	const struct exporter_group *g = arg;
	size_t i, end;

	for (choose(g, r, &i, &end); i < end; i++)
		exporter_record(g->member[i], r);
}

void exporter_group_biflow(void *arg, const struct flow_record *forward,
			   const struct flow_record *reverse)
{
	const struct exporter_group *g = arg;
	size_t i, end;

	for (choose(g, forward, &i, &end); i < end; i++)
		exporter_biflow(g->member[i], forward, reverse);
}

/* The n-th member, of those that want events. */
static struct exporter *event_member(const struct exporter_group *g, uint64_t n)
{
	size_t i = 0;

	for (;; i++)
		if (exporter_wants_events(g->member[i]) && !n--)
			return g->member[i];
}

void exporter_group_event(struct exporter_group *g, const struct anomaly_event *e)
{
	uint64_t n = 0;

	for (size_t i = 0; i < g->n_members; i++)
		n += exporter_wants_events(g->member[i]);
	if (!n)
		return;
	if (g->cfg->mode == MODE_BALANCE)
		exporter_event(event_member(g, mix(e->event_id) % n), e);
	else if (g->cfg->mode == MODE_FAILOVER)
		exporter_event(g->member[g->active], e);
	for (size_t i = 0; g->cfg->mode == MODE_MIRROR && i < g->n_members; i++)
		exporter_event(g->member[i], e);
}

static bool is_stable(const struct exporter_group *g, const struct exporter *e, uint64_t now_ns)
{
	uint64_t back_ns = exporter_back_ns(e);

	return !exporter_is_away(e) &&
	       (!back_ns || now_ns >= back_ns + g->cfg->stable_s * NS_PER_S);
}

/* The member that ought to be active. */
static size_t best_member(const struct exporter_group *g, uint64_t now_ns)
{
	bool is_away = exporter_is_away(g->member[g->active]);

	for (size_t i = 0; i < g->n_members; i++) {
		const struct exporter *e = g->member[i];

		if (is_away ? !exporter_is_away(e) : i == g->active || is_stable(g, e, now_ns))
			return i;
	}
	return 0;
}

void exporter_group_run(struct exporter_group *g, uint64_t now_ns)
{
	if (g->cfg->mode != MODE_FAILOVER || !g->n_members)
		return;
	struct exporter *from = g->member[g->active];
	size_t best = best_member(g, now_ns);
	struct exporter *to = g->member[best];

	if (best == g->active)
		return;
	log_info("group %s: %s takes over from %s", g->cfg->name, exporter_name(to),
		 exporter_name(from));
	if (exporter_is_away(from))
		exporter_hand_over(from, to);
	g->active = best;
}
