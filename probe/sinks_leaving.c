/* SPDX-License-Identifier: BSD-2-Clause */
/* Exporters that leave. See sinks_leaving.h. */
#include "probe/sinks_leaving.h"

#include <stdio.h>
#include <string.h>

#include "probe/clock.h"
#include "probe/log.h"

#define TIMEOUT_NS  (5 * NS_PER_S)
#define HURRY_NS    (6 * NS_PER_S) /* for what a cap held back until then */
#define SPREAD_NS   NS_PER_S /* longest interval over which what is queued is sent */
#define OTHERS_NAME "(others)"

/* Where the counts of one that leaves go: to those of an earlier one of its name and spool. */
static struct left_exporter *place_of(struct leaving *l, const struct exporter_config *cfg)
{
	const char *name = cfg->name;
	bool is_full = l->n_left >= CONFIG_MAX_EXPORTERS;

	for (size_t i = 0; i < l->n_left; i++)
		if (!strcmp(l->left[i].name, name) &&
		    !strcmp(l->left[i].spool_path, cfg->spool_path))
			return &l->left[i];
	if (is_full && l->n_left > CONFIG_MAX_EXPORTERS)
		return &l->left[CONFIG_MAX_EXPORTERS];
	struct left_exporter *place = &l->left[l->n_left++];

	*place = (struct left_exporter){0};
	snprintf(place->name, sizeof(place->name), "%s", is_full ? OTHERS_NAME : name);
	return place;
}

/* It has sent what it could: keep its counts, close it. */
static void forget(struct leaving *l, size_t i)
{
	struct exporter *e = l->leaving[i].exporter;
	const struct exporter_config *cfg = exporter_config(e);
	struct left_exporter *place = place_of(l, cfg);
	const struct exporter_stats *stats = exporter_stats(e);

	exporter_stats_add(&place->stats, stats);
	snprintf(place->spool_path, sizeof(place->spool_path), "%s", cfg->spool_path);
	if (stats->spooled.records)
		log_info("exporter %s: has left; %llu records stay in its spool %s", cfg->name,
			 (unsigned long long)stats->spooled.records, cfg->spool_path);
	else
		log_info("exporter %s: has left", cfg->name);
	exporter_close(e);
	l->n_leaving--;
	memmove(&l->leaving[i], &l->leaving[i + 1], (l->n_leaving - i) * sizeof(l->leaving[0]));
}

/* What a cap holds back has some more time, without it. False: there is none, or it had. */
static bool hurry(struct leaving_exporter *one, uint64_t now_ns)
{
	bool has_cap = exporter_config(one->exporter)->max_records_per_s;

	if (one->is_hurried || !has_cap || exporter_is_away(one->exporter))
		return false;
	exporter_hurry(one->exporter, now_ns);
	one->is_hurried = true;
	one->deadline_ns = now_ns + HURRY_NS;
	return true;
}

/* Those before it that were in its way have gone. */
static void begin(struct leaving *l, size_t i, uint64_t now_ns)
{
	struct leaving_exporter *one = &l->leaving[i];

	one->waits = false;
	one->deadline_ns = now_ns + TIMEOUT_NS;
	exporter_begin(one->exporter); /* as of one in use: what fails was printed */
	leaving_hand_spool(l, one->exporter);
	if (one->is_waited_for)
		hurry(one, now_ns);
}

/* For those in the way of one that leaves as well. */
static void hurry_for(struct leaving *l, const struct exporter_config *cfg, uint64_t now_ns)
{
	for (size_t i = 0; i < l->n_leaving; i++) {
		struct leaving_exporter *one = &l->leaving[i];

		if (!leaving_is_in_the_way(exporter_config(one->exporter), cfg))
			continue;
		one->is_waited_for = true;
		if (!one->waits)
			hurry(one, now_ns);
	}
}

/* The earliest, whatever it still has. */
static void end_first(struct leaving *l, uint64_t now_ns, uint32_t time_s)
{
	if (l->leaving[0].waits)
		begin(l, 0, now_ns);
	exporter_end(l->leaving[0].exporter, now_ns, time_s);
	forget(l, 0);
}

void leaving_add(struct leaving *l, struct exporter *e, bool waits, uint64_t now_ns,
		 uint32_t time_s, uint64_t interval_ns)
{
	if (l->n_leaving == CONFIG_MAX_EXPORTERS)
		end_first(l, now_ns, time_s);
	if (waits)
		hurry_for(l, exporter_config(e), now_ns);
	exporter_flush(e, now_ns, interval_ns < SPREAD_NS ? interval_ns : SPREAD_NS);
	l->leaving[l->n_leaving++] = (struct leaving_exporter){
		.exporter = e, .deadline_ns = now_ns + TIMEOUT_NS, .waits = waits};
}

bool leaving_holds_spool(const struct exporter_config *a, const struct exporter_config *b)
{
	return *a->spool_path && !strcmp(a->spool_path, b->spool_path) && !strcmp(a->name, b->name);
}

bool leaving_is_in_the_way(const struct exporter_config *a, const struct exporter_config *b)
{
	return (a->transport == b->transport && !strcmp(a->address, b->address)) ||
	       leaving_holds_spool(a, b);
}

/* True of one of the first n. */
static bool is_any(const struct leaving *l, size_t n, const struct exporter_config *cfg,
		   leaving_test_fn is)
{
	for (size_t i = 0; i < n; i++)
		if (is(exporter_config(l->leaving[i].exporter), cfg))
			return true;
	return false;
}

bool leaving_any(const struct leaving *l, const struct exporter_config *cfg, leaving_test_fn is)
{
	return is_any(l, l->n_leaving, cfg, is);
}

/* Of what is there at most as much as is wanted. */
static uint64_t take(uint64_t *there, uint64_t wanted)
{
	uint64_t taken = wanted < *there ? wanted : *there;

	*there -= taken;
	return taken;
}

void leaving_hand_spool(struct leaving *l, const struct exporter *e)
{
	const struct exporter_config *cfg = exporter_config(e);
	const struct exporter_volume *found = &exporter_stats(e)->recovered;

	for (size_t i = 0; i < l->n_left; i++) {
		struct left_exporter *left = &l->left[i];
		struct exporter_stats *s = &left->stats;

		if (strcmp(left->name, cfg->name) != 0 ||
		    strcmp(left->spool_path, cfg->spool_path) != 0)
			continue;
		s->moved.records += take(&s->spooled.records, found->records);
		s->moved.packets += take(&s->spooled.packets, found->packets);
		s->moved.octets += take(&s->spooled.octets, found->octets);
		s->moved.events += take(&s->spooled.events, found->events);
	}
}

/* Send what is due of one. Returns when to call again; 0: it has ended. */
static uint64_t run_one(struct leaving_exporter *one, uint64_t now_ns, uint32_t time_s)
{
	const struct exporter_volume *queued = &exporter_stats(one->exporter)->queued;
	uint64_t due_ns = one->waits ? UINT64_MAX : exporter_run(one->exporter, now_ns, time_s);
	bool is_late = !one->waits && now_ns >= one->deadline_ns && !hurry(one, now_ns);

	if (is_late || (!volume_has_any(queued) && !queued->packets)) {
		exporter_end(one->exporter, now_ns, time_s);
		return 0;
	}
	return one->waits || due_ns < one->deadline_ns ? due_ns : one->deadline_ns;
}

uint64_t leaving_run(struct leaving *l, uint64_t now_ns, uint32_t time_s)
{
	uint64_t next_ns = UINT64_MAX;

	for (size_t i = 0; i < l->n_leaving;) {
		struct leaving_exporter *one = &l->leaving[i];

		if (one->waits &&
		    !is_any(l, i, exporter_config(one->exporter), leaving_is_in_the_way))
			begin(l, i, now_ns);
		uint64_t due_ns = run_one(one, now_ns, time_s);

		if (!due_ns) {
			forget(l, i);
			continue;
		}
		next_ns = due_ns < next_ns ? due_ns : next_ns;
		i++;
	}
	return next_ns;
}

void leaving_drain(struct leaving *l, uint64_t now_ns, uint32_t time_s, int timeout_ms)
{
	uint64_t start_ns = clock_monotonic_ns();

	while (l->n_leaving) {
		uint64_t took_ns = clock_monotonic_ns() - start_ns;
		int left_ms = timeout_ms - (int)(took_ns / NS_PER_MS);

		if (l->leaving[0].waits)
			begin(l, 0, now_ns + took_ns);
		exporter_drain(l->leaving[0].exporter, now_ns + took_ns,
			       time_s + clock_round_s(took_ns), left_ms > 0 ? left_ms : 0);
		forget(l, 0);
	}
}

static void add_to_ledger(struct ledger *ledger, const char *name,
			  const struct exporter_stats *stats)
{
	struct ledger_exporter *e = &ledger->exporters[ledger->n_exporters++];

	*e = (struct ledger_exporter){.stats = *stats, .is_removed = true};
	snprintf(e->name, sizeof(e->name), "%s", name);
}

void leaving_ledger(const struct leaving *l, struct ledger *ledger)
{
	for (size_t i = 0; i < l->n_leaving; i++)
		add_to_ledger(ledger, exporter_name(l->leaving[i].exporter),
			      exporter_stats(l->leaving[i].exporter));
	for (size_t i = 0; i < l->n_left; i++)
		add_to_ledger(ledger, l->left[i].name, &l->left[i].stats);
}

void leaving_close(struct leaving *l)
{
	for (size_t i = 0; i < l->n_leaving; i++)
		exporter_close(l->leaving[i].exporter);
	*l = (struct leaving){0};
}
