/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One Message on its way out: stamped, sent, cut in two where the path has
 * narrowed since it was made, and accounted. Export Time and Sequence Number are
 * stamped here, so a loss before this point or in the send call shows up as a gap
 * (RFC 7011 10.2.2, done for all transports).
 */
#include "probe/exporter_private.h"

#include <errno.h>
#include <string.h>

#define SEND_ATTEMPTS 3

/* Send all of a Message, in a stream from where it stopped. Returns 0 or -errno. */
static int send_octets(struct exporter *e, const uint8_t *data, size_t octets)
{
	int n = session_send(&e->session, data + e->partial_octets, octets - e->partial_octets);

	if (n != -EAGAIN)
		e->blocked_ns = e->now_ns;
	e->is_blocked = n == -EAGAIN;
	if (n < 0)
		return n;
	e->is_stalled = false;
	e->stream_octets += (size_t)n;
	e->partial_octets += (size_t)n;
	if (e->partial_octets < octets) {
		e->is_blocked = true;
		return -EAGAIN;
	}
	e->partial_octets = 0;
	exporter_note_sent(e, octets);
	return 0;
}

void exporter_note_sent(struct exporter *e, size_t octets)
{
	e->stats.messages++;
	e->stats.message_octets += octets;
	session_note_success(&e->session, e->now_ns);
}

void exporter_stamp(struct exporter *e, uint8_t *message, const struct message_stamp *earliest)
{
	struct message_stamp s = *earliest;

	/* Export Time never goes back, and is not before the end of a Flow in the Message. */
	if (e->export_time_s < e->time_s)
		e->export_time_s = e->time_s;
	if (e->export_time_s < s.time_s)
		e->export_time_s = s.time_s;
	s.time_s = e->export_time_s;
	e->protocol->stamp(message, &s);
}

uint32_t exporter_numbers(const struct exporter *e, size_t n_records)
{
	return e->protocol->counts_messages ? 1 : (uint32_t)n_records;
}

int exporter_send_message(struct exporter *e, uint8_t *message, size_t octets,
			  const struct message_stamp *earliest)
{
	if (!e->partial_octets)
		exporter_stamp(e, message, earliest);
	return send_octets(e, message, octets);
}

bool exporter_is_data_begun(const struct exporter *e)
{
	return e->partial_octets && e->template_copies &&
	       queue_first(e->is_event_begun ? &e->events : &e->queue) &&
	       !exporter_options_under_way(e);
}

void exporter_note_failure(struct exporter *e, int err)
{
	e->stats.send_errors++;
	e->session.is_failing |= err != -EMSGSIZE;
	session_note_failure(&e->session, e->now_ns, err, "send to");
	if (e->cfg.transport == TRANSPORT_UDP && err != -EMSGSIZE) {
		/* Nobody listens there; who will knows no Template yet. */
		e->template_copies = 0;
		e->templates_due_ns = e->now_ns;
		if (e->keeps_sent) {
			e->session.error = err;
			exporter_return_refused(e);
		}
	}
	if (e->cfg.transport != TRANSPORT_TCP)
		return;
	e->session.error = err;
	session_lose(&e->session);
}

/* How many records of a Message leave in one now: as many as fit, and may. */
static size_t part_records(const struct exporter *e, const struct message *m)
{
	size_t limit = e->session.limit_octets;
	size_t headers = e->protocol->data_offset + e->protocol->padding;
	size_t fit = limit > headers ? (limit - headers) / m->record_octets : 0;
	size_t most = exporter_max_records(e);

	fit = fit < most ? fit : most;
	return fit < m->n_records ? fit : m->n_records;
}

struct exporter_volume exporter_volume_of(const struct exporter *e, int layout,
					  const uint8_t *record, size_t n, uint32_t parts)
{
	uint32_t groups = layout_groups(layout, e->groups);
	size_t stride = e->protocol->record_octets(layout_kind(layout), groups);
	struct exporter_volume v = {0};

	for (size_t i = 0; i < n; i++, record += stride) {
		struct exporter_volume one = e->protocol->counts(record, layout, groups);
		bool is_part = i < 32 && parts >> i & 1;

		v.records += is_part ? 0 : layout_flows(layout);
		v.packets += one.packets;
		v.octets += one.octets;
	}
	return v;
}

static void account_part(struct exporter *e, const struct message *m, size_t n,
			 const struct exporter_volume *v, struct exporter_volume *to)
{
	if (e->keeps_sent && to == &e->stats.sent) {
		exporter_keep(e, m, n, v);
		return;
	}
	exporter_stored_done(e, m);
	exporter_account(e, to, v);
}

/* The first n records of the queue have left or are given up: account them and go on behind. */
static void finish_part(struct exporter *e, struct queue *q, size_t n, struct exporter_volume *to)
{
	struct message *m = queue_first(q);

	*exporter_sequence(e, !message_is_event(m)) += exporter_numbers(e, n);
	e->options.flow_records += to == &e->stats.sent && !message_is_event(m) ? n : 0;
	e->partial_octets = 0;
	if (n == m->n_records) {
		account_part(e, m, n, &m->volume, to);
		queue_pop(q);
		return;
	}
	struct exporter_volume v = exporter_volume_of(
		e, (int)m->layout, m->data + m->start + e->protocol->data_offset, n, m->parts);
	const uint8_t *header = m->data + m->start;

	exporter_stored_done(e, m); /* it knows whole Messages only */
	m->place = (struct spool_place){0};
	account_part(e, m, n, &v, to);
	volume_subtract(&m->volume, &v);
	m->n_records -= (uint32_t)n;
	m->parts = n < 32 ? m->parts >> n : 0;
	e->pace.at_once += q == &e->queue; /* one Message became two */
	m->start += (uint32_t)n * m->record_octets;
	memmove(m->data + m->start, header, e->protocol->data_offset);
}

void exporter_drop_first(struct exporter *e, struct exporter_volume *why)
{
	struct queue *q = exporter_turn(e);

	finish_part(e, q, queue_first(q)->n_records, why);
}

/* Numbers that were lost before a Message are passed over now. */
static struct queue *begin_first(struct exporter *e)
{
	struct queue *q = exporter_turn(e);
	struct message *m = queue_first(q);

	*exporter_sequence(e, !message_is_event(m)) += m->lost_before;
	m->lost_before = 0;
	e->is_event_begun = q == &e->events;
	return q;
}

/* Events are beside the pace. */
static void count_pace(struct exporter *e, const struct queue *q, size_t n)
{
	if (q == &e->queue)
		pace_count(&e->pace, e->now_ns, n);
}

void exporter_finish_first(struct exporter *e)
{
	struct queue *q = begin_first(e);
	size_t n = queue_first(q)->n_records;

	count_pace(e, q, n);
	finish_part(e, q, n, &e->stats.sent);
}

static int send_part(struct exporter *e, struct message *m, size_t n)
{
	uint8_t *message = m->data + m->start;
	size_t octets = n * m->record_octets;
	uint8_t *end = message + e->protocol->data_offset + octets;
	uint8_t behind[PROTOCOL_MAX_PADDING]; /* where the part is padded, the next one starts */
	const struct message_stamp earliest = {
		m->end_s, *exporter_sequence(e, !message_is_event(m)), m->base_ms};

	memcpy(behind, end, e->protocol->padding);
	int err = exporter_send_message(e, message, e->protocol->finish(message, n, octets),
					&earliest);

	memcpy(end, behind, e->protocol->padding);
	return err;
}

/* As send_part(), with as many records as fit; a larger Message is cut in two. */
static int send_fitting(struct exporter *e, struct message *m, size_t *n)
{
	int err = -EMSGSIZE;

	for (int i = 0; err == -EMSGSIZE && i < SEND_ATTEMPTS; i++) {
		*n = part_records(e, m);
		if (!*n)
			break;
		err = send_part(e, m, *n);
		if (err != -EMSGSIZE)
			break;
		session_update_limit(&e->session);
		if (exporter_return_too_big(e))
			return -EAGAIN; /* they are before this one */
	}
	if (err == -EMSGSIZE)
		*n = m->n_records;
	return err;
}

/* The first n records of a Message could not be sent. False: wait. */
static bool fail_part(struct exporter *e, struct queue *q, size_t n, int err, bool was_partial)
{
	exporter_note_failure(e, err);
	if (e->keeps_sent && err != -EMSGSIZE)
		return false; /* all of it waits until the Collector is back */
	if (e->cfg.transport != TRANSPORT_TCP) {
		finish_part(e, q, n, exporter_account_of(e, err));
		return true;
	}
	/* Of a lost connection only what was under way is lost; the rest waits for the next. */
	if (was_partial)
		finish_part(e, q, n, &e->stats.not_sent_error);
	return false;
}

bool exporter_fail_first(struct exporter *e, int err)
{
	struct queue *q = begin_first(e);
	size_t n = queue_first(q)->n_records;

	count_pace(e, q, n);
	return fail_part(e, q, n, err, false);
}

bool exporter_send_first(struct exporter *e)
{
	struct queue *q = begin_first(e);
	size_t n;
	bool was_partial = e->partial_octets > 0;
	int err = send_fitting(e, queue_first(q), &n);

	if (err == -EAGAIN)
		return false;
	count_pace(e, q, n);
	if (err)
		return fail_part(e, q, n, err, was_partial);
	finish_part(e, q, n, &e->stats.sent);
	return true;
}
