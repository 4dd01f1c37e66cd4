/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events on their way: each a Message of one Data Record in a queue of its own, so
 * that none waits behind Flow Records. Accounts, spool and groups treat it as those.
 */
#include "probe/exporter_private.h"

#include <errno.h>

/* Octets that a Message of the session has for a record. */
static size_t room_of(const struct exporter *e)
{
	size_t limit = e->session.limit_octets;

	if (limit < MESSAGE_DATA_OFFSET + EVENT_MIN_ROOM)
		return EVENT_MIN_ROOM;
	return limit - MESSAGE_DATA_OFFSET;
}

static int push_event(struct exporter *e, struct message *info, const uint8_t *message,
		      size_t octets)
{
	int err = queue_push(&e->events, info, message, octets);

	if (err != -ENOBUFS || !e->spool)
		return err;
	exporter_store(e);
	info->lost_before = e->lost_events;
	return queue_push(&e->events, info, message, octets);
}

bool exporter_wants_events(const struct exporter *e)
{
	return e->cfg.events;
}

void exporter_event(struct exporter *e, const struct anomaly_event *event)
{
	uint8_t message[MESSAGE_DATA_OFFSET + EVENT_OCTETS] = {0}, *end;
	uint64_t latest_ms = event->end_ms > event->time_ms ? event->end_ms : event->time_ms;
	struct message info = {
		.volume = {.events = 1},
		.n_records = 1,
		.layout = EVENT_LAYOUT,
		.lost_before = e->lost_events,
		.end_s = (uint32_t)(latest_ms / 1000),
	};

	if (!e->cfg.events)
		return;
	encode_headers(message, OPTIONS_DOMAIN, (uint16_t)(EVENT_TEMPLATE_ID + event_kind(event)));
	end = event_encode(message + MESSAGE_DATA_OFFSET, room_of(e), event, e->domain_id);
	info.record_octets = (uint32_t)(end - message - MESSAGE_DATA_OFFSET);
	volume_add(&e->stats.accepted, &info.volume);
	volume_add(&e->stats.queued, &info.volume);
	int err = push_event(e, &info, message, (size_t)(end - message));

	if (!err) {
		e->lost_events = 0;
		return;
	}
	session_note_failure(&e->session, e->now_ns, err, "queue for");
	exporter_account(
		e, err == -ENOBUFS ? exporter_account_of_full_queue(e) : &e->stats.not_sent_error,
		&info.volume);
	e->lost_events++;
}

bool exporter_has_queued(const struct exporter *e)
{
	return queue_first(&e->events) || queue_first(&e->queue);
}

struct queue *exporter_turn(struct exporter *e)
{
	/* never in the middle of a Message of Flows */
	bool is_flow_begun = e->partial_octets && !e->is_event_begun && queue_first(&e->queue);

	return queue_first(&e->events) && !is_flow_begun ? &e->events : &e->queue;
}

size_t exporter_event_templates(const struct exporter *e)
{
	size_t n = 0;

	for (unsigned int kind = 0; kind < N_EVENT_KINDS; kind++)
		n += event_has_kind(kind);
	return e->cfg.events ? n : 0;
}

uint16_t exporter_event_template_id(size_t i)
{
	/* EVENT_IS_IPV6 alone is none */
	return (uint16_t)(EVENT_TEMPLATE_ID + i + (i >= EVENT_IS_IPV6));
}
