/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages under way: sent, but not known to have arrived. Over TCP they have when
 * the other end acknowledges them. Over UDP nobody does: they have when no error of
 * ICMP came back for a while, and one that comes names the first that was refused by
 * its Sequence Number. What has not arrived is sent again, by this exporter or by
 * another one of its group.
 */
#include "probe/exporter_private.h"

#include <errno.h>

#include "probe/clock.h"
#include "probe/exporter_channel.h"
#include "probe/exporter_put.h"

#define ROUND_TRIP_NS	  (500 * NS_PER_MS) /* an error of ICMP is back by then */
#define UNDER_WAY_OCTETS  ((size_t)16 << 20)
#define FIRST_TRY_NS	  (5 * NS_PER_S) /* for a first session to come up */
#define STALLED_NS	  (10 * NS_PER_S)
#define FILE_RECOVERED_NS (10 * NS_PER_S)
#define UNASKED_NS	  (10 * NS_PER_S) /* without Templates, data asks whether it is back */

void exporter_keep_sent(struct exporter *e)
{
	e->keeps_sent = e->cfg.transport != TRANSPORT_FILE;
}

bool exporter_is_away(const struct exporter *e)
{
	const struct session *s = &e->session;

	if (s->state != SESSION_UP)
		return s->failed_ns || (e->opened_ns && e->now_ns >= e->opened_ns + FIRST_TRY_NS);
	switch ((enum transport)e->cfg.transport) {
	case TRANSPORT_UDP:
		return s->is_failing &&
		       (e->protocol->has_templates || e->now_ns < s->failed_ns + UNASKED_NS);
	case TRANSPORT_TCP:
		return e->is_blocked && e->now_ns >= e->blocked_ns + STALLED_NS;
	case TRANSPORT_FILE:
		return s->is_failing && e->now_ns < s->failed_ns + FILE_RECOVERED_NS;
	}
	return false;
}

uint64_t exporter_back_ns(const struct exporter *e)
{
	/* Of UDP that is when the last error was: away it was until nothing more came. */
	return e->cfg.transport == TRANSPORT_UDP ? e->session.failed_ns : e->away_ns;
}

/* The first Message under way has arrived. */
static void confirm_first(struct exporter *e)
{
	struct message *m = queue_first(&e->under_way);

	exporter_stored_done(e, m);
	exporter_account(e, &e->stats.sent, &m->volume);
	queue_pop(&e->under_way);
}

void exporter_keep(struct exporter *e, const struct message *m, size_t n,
		   const struct exporter_volume *v)
{
	bool is_beside = message_is_event(m) && e->domain_id != OPTIONS_DOMAIN;
	struct message info = {
		.volume = *v,
		.place = m->place,
		.mark = e->cfg.transport == TRANSPORT_TCP ? e->stream_octets
							  : e->now_ns + ROUND_TRIP_NS,
		.n_records = (uint32_t)n,
		.record_octets = m->record_octets,
		.parts = m->parts,
		.layout = m->layout,
		.end_s = m->end_s,
		.sequence = e->stats.sequence - (is_beside ? 0 : exporter_numbers(e, n)),
		.own_sequence =
			*exporter_sequence(e, !message_is_event(m)) - exporter_numbers(e, n),
		.base_ms = m->base_ms,
	};

	while (e->under_way.octets > UNDER_WAY_OCTETS)
		confirm_first(e);
	if (queue_push(&e->under_way, &info, m->data + m->start,
		       e->protocol->data_offset + n * m->record_octets + e->protocol->padding))
		exporter_account(e, &e->stats.sent, v);
}

static void confirm_until(struct exporter *e, uint64_t mark)
{
	const struct message *m;

	while ((m = queue_first(&e->under_way)) && m->mark <= mark)
		confirm_first(e);
	if (!m)
		queue_trim(&e->under_way);
}

void exporter_confirm(struct exporter *e)
{
	if (!e->under_way.n_messages)
		return;
	if (e->session.state != SESSION_UP)
		return;
	if (e->cfg.transport == TRANSPORT_TCP) {
		confirm_until(e, e->stream_octets - channel_unacknowledged(e->session.fd));
		return;
	}
	int err = session_check_refused(&e->session);

	if (err == -EMSGSIZE) {
		session_update_limit(&e->session);
		exporter_return_too_big(e);
	} else if (err) {
		exporter_note_failure(e, err);
	}
	confirm_until(e, e->now_ns);
}

void exporter_withdraw_first(struct exporter *e, struct queue *q)
{
	if (q == &e->queue)
		pace_withdraw(&e->pace);
	queue_pop(q);
}

/* Of the queue, what is from the spool goes back there, as what was before it did. */
static void put_back_queued(struct exporter *e)
{
	struct queue rest = {0};
	struct message *m;

	while ((m = queue_first(&e->queue))) {
		if (exporter_put_back(e, m))
			exporter_withdraw_first(e, &e->queue);
		else if (queue_move_first(&rest, &e->queue))
			break;
	}
	queue_join(&rest, &e->queue);
	queue_trim(&e->queue);
	e->queue = rest;
}

static void join_before(struct queue *first, struct queue *q)
{
	queue_join(first, q);
	queue_trim(q);
	*q = *first;
}

/* What was taken back goes before all that waits. */
static void put_before(struct exporter *e, struct queue *back, struct queue *events)
{
	e->pace.total += back->n_messages;
	join_before(back, &e->queue);
	join_before(events, &e->events);
}

/*
 * All that are under way go back to the head of the queue. They get new Sequence
 * Numbers: what the Collector misses of the old ones is a gap until they are sent.
 */
static void take_back(struct exporter *e)
{
	struct queue back = {0}, events = {0};
	struct message *m;
	bool has_put_back = false;

	while ((m = queue_first(&e->under_way))) {
		if (exporter_put_back(e, m)) {
			has_put_back = true;
			queue_pop(&e->under_way);
		} else if (queue_move_first(message_is_event(m) ? &events : &back, &e->under_way)) {
			confirm_first(e);
		}
	}
	if (has_put_back)
		put_back_queued(e);
	put_before(e, &back, &events);
}

void exporter_settle(struct exporter *e)
{
	if (!e->keeps_sent || e->cfg.transport != TRANSPORT_TCP || !e->stream_octets)
		return;
	confirm_until(e, e->stream_octets - e->session.unacknowledged);
	take_back(e);
	/* Nobody can have read a Message that was not there as a whole. */
	e->partial_octets = 0;
	e->stream_octets = 0;
	e->is_blocked = false;
}

/*
 * The Sequence Number of what a report says was refused; false if it does not say. Of
 * events and options data, whose numbers are of another Observation Domain, that of the
 * Flows then; all of a round of options data leaves before the next Flow.
 */
static bool refused_sequence(const struct exporter *e, uint32_t *sequence)
{
	const struct exporter_protocol *p = e->protocol;
	const uint8_t *header = e->session.refused;

	if (e->session.refused_octets < SESSION_REFUSED_OCTETS)
		return false;
	*sequence = (uint32_t)get(header + p->sequence_offset, 4);
	if (!p->domain_offset || get(header + p->domain_offset, 4) == e->domain_id)
		return true;
	const struct message *event = queue_find(&e->under_way, *sequence, EVENT_LAYOUT);

	*sequence = event ? event->sequence : e->options.flow_sequence;
	return true;
}

/* The least Sequence Number of what was refused by all reports there are; false: none says. */
static bool take_reports(struct exporter *e, uint32_t *first)
{
	struct session *s = &e->session;
	bool is_known = false;
	uint32_t sequence;

	*first = e->stats.sequence;
	do {
		if (!refused_sequence(e, &sequence))
			continue;
		is_known = true;
		if ((int32_t)(sequence - *first) < 0)
			*first = sequence;
	} while ((s->refused_octets = channel_take_report(s->fd, s->refused, sizeof(s->refused))) >=
		 0);
	s->refused_octets = 0;
	channel_take_error(s->fd);
	return is_known;
}

void exporter_return_refused(struct exporter *e)
{
	uint32_t first;
	bool is_known = take_reports(e, &first);

	/* Not told, so all but the last are taken for arrived. */
	for (const struct message *m; (m = queue_first(&e->under_way));) {
		bool is_last = e->under_way.n_messages == 1;

		if (is_known ? (int32_t)(m->sequence - first) >= 0 : is_last)
			break;
		confirm_first(e);
	}
	take_back(e);
}

/* What was smaller has passed. */
bool exporter_return_too_big(struct exporter *e)
{
	struct queue stays = {0}, back = {0}, events = {0};
	uint32_t first;

	if (!e->keeps_sent || e->session.refused_octets < SESSION_REFUSED_OCTETS)
		return false;
	take_reports(e, &first);
	for (struct message *m; (m = queue_first(&e->under_way));) {
		bool has_passed =
			(int32_t)(m->sequence - first) < 0 || m->octets <= e->session.limit_octets;

		if (!has_passed) {
			exporter_stored_done(e, m);
			m->place = (struct spool_place){0};
		}
		struct queue *to = message_is_event(m) ? &events : &back;

		if (queue_move_first(has_passed ? &stays : to, &e->under_way))
			confirm_first(e);
	}
	queue_trim(&e->under_way);
	e->under_way = stays;
	put_before(e, &back, &events);
	return true;
}

void exporter_end_under_way(struct exporter *e)
{
	if (e->cfg.transport == TRANSPORT_TCP && e->under_way.n_messages) {
		session_abort(&e->session); /* or the kernel would go on sending it */
		exporter_settle(e);
	}
	confirm_until(e, UINT64_MAX);
}

/* Move the first Message of q; false if there is no room for it. */
static bool hand_over_first(struct exporter *from, struct queue *q, struct exporter *to)
{
	struct message *m = queue_first(q);
	const struct exporter_volume v = m->volume;
	uint32_t lost = m->lost_before;
	bool is_event = message_is_event(m), is_paced = q == &from->queue;

	if (exporter_put_back(from, m)) {
		exporter_withdraw_first(from, q);
		return true;
	}
	m->lost_before = 0;
	m->place = (struct spool_place){0}; /* its file is gone, and `to` has others */
	if (queue_move_first(is_paced ? &to->queue : &to->events, q)) {
		m->lost_before = lost;
		return false;
	}
	if (is_paced)
		pace_withdraw(&from->pace);
	*(is_event ? &from->lost_events : &from->lost_numbers) += lost;
	exporter_account(from, &from->stats.moved, &v);
	exporter_take_over(to, &v, is_paced);
	return true;
}

void exporter_hand_over(struct exporter *from, struct exporter *to)
{
	struct queue begun = {0}, *turn;

	if (from->session.state != SESSION_UP)
		exporter_settle(from);
	exporter_queue_stages(from);
	turn = exporter_turn(from);
	/* A stream has part of the first already. */
	if (exporter_is_data_begun(from))
		queue_move_first(&begun, turn);
	while (queue_first(&from->events) && hand_over_first(from, &from->events, to))
		;
	while (queue_first(&from->queue) && hand_over_first(from, &from->queue, to))
		;
	join_before(&begun, turn);
}
