/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the queue of an exporter and its spool: while the Collector is away what is
 * queued goes to disk, and when it is back it comes into the queue again, behind what
 * is there, at a rate of its own. A Message of the spool that could not be sent goes
 * back to its place on disk, so that the order stays.
 */
#include "probe/exporter_private.h"

#include <errno.h>
#include <stdio.h>

#include "probe/clock.h"
#include "probe/exporter_put.h"
#include "probe/exporter_templates.h"
#include "probe/log.h"

#define MIB	       ((uint64_t)1 << 20)
#define RETRY_NS       NS_PER_S /* after a write that failed */
#define RESTORE_BURST  64 /* Messages in one go */
#define RESTORE_OCTETS ((size_t)1 << 20) /* queued, above which nothing is added */
#define EXPORT_TIME_AT 4 /* RFC 7011 3.1 */

/* The layout of a Message's Data Set, -1 for one that is not of ours. */
static int layout_of(const struct exporter *e, const uint8_t *message)
{
	uint32_t set_id = (uint32_t)get(message + MESSAGE_HEADER_OCTETS, 2);

	for (int i = 0; i < template_layouts(e->groups); i++)
		if (template_id(layout_kind(i), layout_groups(i, e->groups)) == set_id)
			return i;
	return e->cfg.events && event_has_template(set_id) ? EVENT_LAYOUT : -1;
}

/* Octets of each record of a Message of so many octets. */
static size_t record_octets(const struct exporter *e, int layout, size_t octets)
{
	if (layout == EVENT_LAYOUT)
		return octets - MESSAGE_DATA_OFFSET;
	return e->stages[layout].record_octets;
}

/* A spool_measure_fn. */
static bool measure(void *arg, const uint8_t *message, size_t octets, uint32_t *n_records,
		    struct exporter_volume *volume)
{
	const struct exporter *e = arg;
	int layout = layout_of(e, message);

	if (layout < 0 || octets < MESSAGE_DATA_OFFSET)
		return false;
	*n_records = 1;
	*volume = (struct exporter_volume){.events = 1};
	if (layout == EVENT_LAYOUT)
		return true;
	*n_records = (uint32_t)((octets - MESSAGE_DATA_OFFSET) / record_octets(e, layout, octets));
	*volume = exporter_volume_of(e, layout, message + MESSAGE_DATA_OFFSET, *n_records, 0);
	return *n_records > 0;
}

/* Add to a count of losses what the spool's own one has grown by. */
static void add_new(struct exporter_volume *to, struct exporter_volume *known,
		    const struct exporter_volume *now)
{
	to->records += now->records - known->records;
	to->packets += now->packets - known->packets;
	to->octets += now->octets - known->octets;
	to->events += now->events - known->events;
	*known = *now;
}

static void update_stats(struct exporter *e)
{
	const struct spool_stats *s = spool_stats(e->spool);

	e->stats.recovered = s->recovered;
	e->stats.spooled = s->held;
	e->stats.spool_octets = s->octets;
	add_new(&e->stats.not_sent_spool_full, &e->spool_full, &s->full);
	add_new(&e->stats.not_sent_spool_error, &e->spool_error, &s->error);
}

int exporter_open_spool(struct exporter *e)
{
	char folder[CONFIG_PATH_MAX + CONFIG_LABEL_MAX];
	size_t n = strlen(e->cfg.spool_path) + 1;

	if (!*e->cfg.spool_path)
		return 0;
	snprintf(folder, sizeof(folder), "%s/%s", e->cfg.spool_path, e->cfg.name);
	for (char *c = folder + n; *c; c++)
		if (*c == '/' || (*c == '.' && c == folder + n))
			*c = '_';
	const struct spool_params params = {
		.folder = folder,
		.owner = e->cfg.name,
		.max_octets = e->cfg.spool_max_mib * MIB,
		.head = e->templates,
		.head_octets = e->templates_octets,
		.measure = measure,
		.arg = e,
	};
	int err = spool_open(&e->spool, &params);

	if (err)
		return err;
	exporter_keep_sent(e);
	pace_init(&e->restore_pace, e->cfg.spool_max_records_per_s);
	update_stats(e);
	return 0;
}

bool exporter_put_back(struct exporter *e, const struct message *m)
{
	if (!m->place.file || !e->spool || !spool_put_back(e->spool, &m->place, &m->volume))
		return false;
	exporter_account(e, &e->stats.spooled, &m->volume);
	update_stats(e);
	return true;
}

void exporter_stored_done(struct exporter *e, const struct message *m)
{
	if (m->place.file)
		spool_done(e->spool, &m->place);
}

static void note_write_error(struct exporter *e, int err)
{
	if (!e->store_failed_ns)
		log_warning("exporter %s: write to spool %s: %s; records stay in memory as long as "
			    "there is room",
			    e->cfg.name, e->cfg.spool_path, strerror(-err));
	e->store_failed_ns = e->now_ns;
}

/* Returns 0 or -errno; the Message is still in the queue then. */
static int store_first(struct exporter *e, struct queue *q)
{
	struct message *m = queue_first(q);
	uint32_t time_s = e->time_s > m->end_s ? e->time_s : m->end_s;

	*(message_is_event(m) ? &e->lost_events : &e->lost_numbers) += m->lost_before;
	m->lost_before = 0;
	if (exporter_put_back(e, m)) {
		exporter_withdraw_first(e, q);
		return 0;
	}
	size_t octets = e->protocol->finish(m->data + m->start, m->n_records,
					    (size_t)m->n_records * m->record_octets);
	int err = spool_append(e->spool, m->data + m->start, octets, m->n_records, &m->volume,
			       time_s);

	if (err)
		return err;
	exporter_account(e, &e->stats.spooled, &m->volume);
	exporter_withdraw_first(e, q);
	return 0;
}

void exporter_store(struct exporter *e)
{
	struct queue begun = {0}, *turn;
	int err = 0;

	if (!e->spool || (e->store_failed_ns && e->now_ns < e->store_failed_ns + RETRY_NS))
		return;
	if (e->session.state != SESSION_UP)
		exporter_settle(e);
	turn = exporter_turn(e);
	/* A stream has part of the first already. */
	if (exporter_is_data_begun(e))
		queue_move_first(&begun, turn);
	while (!err && queue_first(&e->events))
		err = store_first(e, &e->events);
	while (!err && queue_first(&e->queue))
		err = store_first(e, &e->queue);
	if (err)
		note_write_error(e, err);
	else
		e->store_failed_ns = 0;
	queue_join(&begun, turn);
	queue_trim(turn);
	*turn = begun;
	update_stats(e);
}

static bool restore_one(struct exporter *e)
{
	uint8_t message[MESSAGE_MAX_OCTETS];
	struct message info = {0};
	size_t octets = spool_take(e->spool, message, sizeof(message), &info.place, &info.volume);

	if (!octets)
		return false;
	info.layout = (uint32_t)layout_of(e, message);
	info.record_octets = (uint32_t)record_octets(e, (int)info.layout, octets);
	info.n_records = (uint32_t)((octets - MESSAGE_DATA_OFFSET) / info.record_octets);
	info.end_s = (uint32_t)get(message + EXPORT_TIME_AT, 4);
	if (queue_push(&e->queue, &info, message, octets)) {
		spool_put_back(e->spool, &info.place, &info.volume);
		return false;
	}
	volume_add(&e->stats.queued, &info.volume);
	pace_count(&e->restore_pace, e->now_ns, info.n_records);
	e->pace.at_once++;
	return true;
}

void exporter_restore(struct exporter *e)
{
	int n = 0;

	if (!e->spool)
		return;
	while (n < RESTORE_BURST && e->queue.octets < RESTORE_OCTETS &&
	       volume_has_any(&spool_stats(e->spool)->held) && !exporter_is_away(e) &&
	       e->session.state == SESSION_UP && e->template_copies && !e->is_blocked &&
	       pace_allows_records(&e->restore_pace, e->now_ns) && restore_one(e))
		n++;
	spool_sync(e->spool);
	update_stats(e);
}

uint64_t exporter_restore_ns(const struct exporter *e)
{
	if (!e->spool || !volume_has_any(&spool_stats(e->spool)->held) || exporter_is_away(e))
		return UINT64_MAX;
	return e->restore_pace.records_free_ns;
}
