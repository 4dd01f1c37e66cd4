/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The far side of an exporter: Templates and queued Messages leave when they are
 * due, each session's Templates first, and a new session counts from 0.
 */
#include "probe/exporter_private.h"

#include <errno.h>

#include "probe/clock.h"
#include "probe/exporter_channel.h"
#include "probe/exporter_netflow.h"
#include "probe/log.h"

#define STEP_NS		  1000000ull /* between two looks at a backlog */
#define STEP_FAST_NS	  250000ull /* ... that one burst did not bring up to date, at least */
#define CONFIRM_NS	  (100 * NS_PER_MS) /* between two looks at what has arrived */
#define TEMPLATE_COPIES	  3 /* RFC 7011 8.4: several before use */
#define TEMPLATE_COPY_NS  (4 * NS_PER_S)
#define TEMPLATE_RETRY_NS NS_PER_S
#define PROBE_NS	  NS_PER_S /* Templates ask a Collector that is away whether it is back */

static void schedule_templates(struct exporter *e)
{
	uint64_t refresh_ns = e->cfg.template_refresh_s * NS_PER_S;

	if (e->protocol->has_templates)
		e->stats.templates_sent += exporter_templates(e);
	e->template_copies++;
	exporter_options_schedule(e);
	if (e->cfg.transport != TRANSPORT_UDP)
		e->templates_due_ns = UINT64_MAX;
	else if (e->keeps_sent && exporter_is_away(e))
		e->templates_due_ns = e->now_ns + PROBE_NS;
	else if (e->template_copies < TEMPLATE_COPIES && refresh_ns > TEMPLATE_COPY_NS)
		e->templates_due_ns = e->now_ns + TEMPLATE_COPY_NS;
	else
		e->templates_due_ns = e->now_ns + refresh_ns;
}

uint64_t exporter_base(struct exporter *e)
{
	uint32_t time_s = e->export_time_s > e->time_s ? e->export_time_s : e->time_s;

	if (e->protocol->has_uptime)
		e->base_ms = netflow_base(e->base_ms, time_s * 1000ull, time_s * 1000ull);
	return e->base_ms;
}

/* The Messages of Templates from where it stopped. Returns 0 or -errno. */
static int send_template_messages(struct exporter *e)
{
	uint64_t base_ms = exporter_base(e);

	while (e->templates_at < e->templates_octets) {
		uint8_t *message = e->templates + e->templates_at;
		size_t octets = e->protocol->templates_message_octets(
			message, e->templates_octets - e->templates_at);
		uint32_t *sequence = exporter_sequence(e, e->templates_at < e->event_templates_at);
		const struct message_stamp earliest = {0, *sequence, base_ms};
		int err = exporter_send_message(e, message, octets, &earliest);

		if (err)
			return err;
		e->templates_at += octets;
		*sequence += exporter_numbers(e, 0);
	}
	e->templates_at = 0;
	return 0;
}

/* Send the Templates if it is time. Data follows only when they have left once. */
static void send_templates(struct exporter *e)
{
	if (e->now_ns < e->templates_due_ns)
		return;
	session_update_limit(&e->session); /* the path may have widened again */
	int err = send_template_messages(e);

	/* An error of UDP is that of an earlier datagram: once more. */
	if (err && err != -EAGAIN && e->cfg.transport == TRANSPORT_UDP) {
		exporter_note_failure(e, err);
		err = send_template_messages(e);
	}
	if (!err)
		schedule_templates(e);
	if (!err || err == -EAGAIN)
		return;
	exporter_note_failure(e, err);
	e->templates_at = 0;
	e->templates_due_ns = e->now_ns + TEMPLATE_RETRY_NS;
}

/* Templates anew and Sequence Number from 0 (RFC 7011 8, 10.3.2, 10.4.2). */
static void begin_session(struct exporter *e)
{
	exporter_settle(e);
	if (exporter_is_data_begun(e))
		exporter_drop_first(e, &e->stats.not_sent_error);
	struct message *m = queue_first(&e->queue), *event = queue_first(&e->events);

	/* Before the first Message of this session nothing is missing in it. */
	*(m ? &m->lost_before : &e->lost_numbers) = 0;
	*(event ? &event->lost_before : &e->lost_events) = 0;
	e->generation = e->session.generation;
	e->template_copies = 0;
	e->templates_due_ns = 0;
	e->templates_at = 0;
	e->partial_octets = 0;
	e->stream_octets = 0;
	e->is_blocked = false;
	e->stats.sequence = 0;
	exporter_options_begin(e);
	/* What gathered meanwhile is no reason for a burst. */
	pace_restart(&e->pace, e->now_ns, e->queue.n_messages);
}

bool exporter_is_held(const struct exporter *e)
{
	return e->keeps_sent && !e->is_blocked && exporter_is_away(e);
}

bool exporter_make_ready(struct exporter *e)
{
	if (session_is_full(&e->session, e->now_ns))
		exporter_options_end_session(e);
	session_advance(&e->session, e->now_ns);
	if (e->session.state != SESSION_UP) {
		exporter_settle(e);
		return false;
	}
	if (e->generation != e->session.generation)
		begin_session(e);
	/* Never in the middle of a Message. */
	if (!e->partial_octets || !e->template_copies)
		send_templates(e);
	exporter_fit_stages(e);
	if (e->session.state != SESSION_UP || !e->template_copies || exporter_is_held(e))
		return false;
	return (exporter_is_data_begun(e) || exporter_options_run(e)) && !exporter_is_held(e);
}

/* True when the next Message may be tried, the Templates before it. */
static bool may_send(struct exporter *e)
{
	if (session_is_full(&e->session, e->now_ns))
		return false;
	if (!e->template_copies) /* the Message before was refused */
		send_templates(e);
	return e->template_copies;
}

uint64_t exporter_send_burst(struct exporter *e, uint64_t n_messages)
{
	uint64_t n_events = 0, n = 0;

	while (queue_first(&e->events)) {
		if (!may_send(e) || !exporter_send_first(e))
			return n_events;
		n_events++;
	}
	while (n < n_messages && queue_first(&e->queue) &&
	       pace_allows_records(&e->pace, e->now_ns) && may_send(e)) {
		uint64_t n_sent = exporter_send_some(e, n_messages - n);

		if (!n_sent)
			break;
		n += n_sent;
	}
	return n_events + n;
}

/* It was away and is back: it may know no Template. */
static void greet(struct exporter *e)
{
	bool is_away = exporter_is_away(e);

	if (is_away)
		e->away_ns = e->now_ns;
	if (e->was_away && !is_away)
		exporter_resend_templates(e);
	e->was_away = is_away;
}

/* With nothing to send, nothing else would show that the reader goes on. */
static void look_for_room(struct exporter *e)
{
	bool is_waited_for = exporter_has_queued(e) || exporter_options_under_way(e);

	if (e->is_blocked && !is_waited_for && !channel_check_connect(e->session.fd))
		e->is_blocked = false;
}

bool exporter_resend_templates(struct exporter *e)
{
	if (e->cfg.transport != TRANSPORT_UDP)
		return false;
	e->template_copies = 0;
	e->templates_due_ns = e->now_ns;
	return true;
}

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t next_call(const struct exporter *e, bool is_behind)
{
	uint64_t next_ns = session_next(&e->session, e->now_ns);

	if (e->session.state != SESSION_UP)
		return next_ns;
	next_ns = earliest(next_ns, e->templates_due_ns);
	if (!exporter_is_held(e))
		next_ns = earliest(next_ns, e->options.due_ns);
	next_ns = earliest(next_ns, exporter_restore_ns(e));
	if (e->under_way.n_messages)
		next_ns = earliest(next_ns, e->now_ns + CONFIRM_NS);
	if (queue_first(&e->events) && !exporter_is_held(e))
		next_ns = e->now_ns;
	if (queue_first(&e->queue) && !exporter_is_held(e))
		next_ns = earliest(next_ns, pace_next(&e->pace));
	uint64_t step_ns = STEP_NS;

	if (is_behind) {
		step_ns = pace_late_ns(&e->pace);
		if (step_ns < STEP_FAST_NS)
			step_ns = STEP_FAST_NS;
	}
	step_ns += e->now_ns;

	return e->is_blocked || next_ns < step_ns ? step_ns : next_ns;
}

void exporter_set_time(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	e->now_ns = now_ns;
	e->time_s = time_s;
	if (!e->opened_ns)
		e->opened_ns = now_ns;
}

uint64_t exporter_run(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	uint64_t n = 0;

	exporter_set_time(e, now_ns, time_s);
	if (exporter_is_away(e))
		exporter_store(e);
	if (!e->is_paced)
		exporter_send_all(e, 0);
	else if (exporter_make_ready(e))
		n = exporter_send_burst(e, pace_due(&e->pace, now_ns));
	look_for_room(e);
	exporter_confirm(e);
	greet(e);
	exporter_restore(e);
	return next_call(e, n >= PACE_BURST_MESSAGES);
}
