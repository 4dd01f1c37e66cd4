/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many Messages in one system call. At a rate where the kernel's work for each datagram
 * would take much of a core, it gets them as one piece (UDP_SEGMENT) that is cut apart
 * behind the network stack, or by the card. At a lower one they leave one by one: a
 * capture on this host, which sees what is not cut apart yet, shows them as they are.
 */
#include "probe/exporter_private.h"

#include <errno.h>

#include "probe/clock.h"
#include "probe/exporter_channel.h"

#define BATCH_LEAST 16 /* Messages worth it, and in a millisecond of the pace */

struct batch {
	struct message *message[SEGMENTS_MAX];
	struct iovec datagram[SEGMENTS_MAX];
	size_t n;
};

/* A cap on records is kept Message by Message; of those refused each has to be known. */
static bool may_batch(const struct exporter *e)
{
	const struct session *s = &e->session;
	bool is_fast =
		e->pace.total && e->pace.total * NS_PER_MS >= BATCH_LEAST * e->pace.window_ns;

	return e->cfg.transport == TRANSPORT_UDP && s->can_segment && e->is_paced &&
	       !e->is_ending && is_fast && !e->pace.record_ns && !s->is_bad && !s->is_failing &&
	       !queue_first(&e->events); /* put back, they are first */
}

/* Messages of a batch, when that many are due and so many fit: evenly, or the rest is too few. */
static size_t even_share(size_t due, size_t fit)
{
	size_t n_batches = (due + fit - 1) / fit;

	return (due + n_batches - 1) / n_batches;
}

/* Those at the head of the queue that one call can send; false: too few. */
static bool collect(struct exporter *e, struct batch *b, size_t due)
{
	size_t limit = e->session.limit_octets;
	size_t fit = limit ? SEGMENTS_MAX_OCTETS / limit : 0;
	size_t n_peeked = 0;

	if (fit > SEGMENTS_MAX)
		fit = SEGMENTS_MAX;
	b->n = 0;
	if (fit >= BATCH_LEAST)
		n_peeked = queue_peek(&e->queue, b->message, even_share(due, fit));
	while (b->n < n_peeked) {
		struct message *m = b->message[b->n];
		uint8_t *data = m->data + m->start;

		if (message_is_event(m)) /* out of the spool, and counted elsewhere */
			break;
		if (m->n_records > exporter_max_records(e))
			break;
		size_t octets = e->protocol->finish(data, m->n_records,
						    (size_t)m->n_records * m->record_octets);

		if (octets > (b->n ? b->datagram[0].iov_len : limit))
			break;
		b->datagram[b->n++] = (struct iovec){.iov_base = data, .iov_len = octets};
		if (octets < b->datagram[0].iov_len)
			break;
	}
	return b->n >= BATCH_LEAST;
}

static void stamp(struct exporter *e, struct batch *b)
{
	uint32_t sequence = e->stats.sequence;

	for (size_t i = 0; i < b->n; i++) {
		const struct message *m = b->message[i];

		sequence += m->lost_before;
		exporter_stamp(e, b->datagram[i].iov_base,
			       &(struct message_stamp){m->end_s, sequence, m->base_ms});
		sequence += exporter_numbers(e, m->n_records);
	}
}

static uint64_t account(struct exporter *e, const struct batch *b)
{
	e->is_blocked = e->is_stalled = false;
	e->blocked_ns = e->now_ns;
	for (size_t i = 0; i < b->n; i++) {
		exporter_note_sent(e, b->datagram[i].iov_len);
		exporter_finish_first(e);
	}
	return b->n;
}

uint64_t exporter_send_some(struct exporter *e, uint64_t due)
{
	struct batch b;

	if (due < BATCH_LEAST || !may_batch(e) || !collect(e, &b, due))
		return exporter_send_first(e);
	stamp(e, &b);
	int err = session_send_segments(&e->session, b.datagram, b.n);

	switch (err) {
	case 0:
		return account(e, &b);
	case -EMSGSIZE:
		session_update_limit(&e->session);
		exporter_return_too_big(e);
		return exporter_send_first(e);
	case -EAGAIN:
	case -EINVAL:
	case -EIO:
	case -EOPNOTSUPP:
		return exporter_send_first(e);
	default:
		return exporter_fail_first(e, err);
	}
}
