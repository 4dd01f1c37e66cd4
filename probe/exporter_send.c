/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The far side of an exporter: Templates and queued Messages leave when they are
 * due, each session's Templates first, and a new session counts from 0.
 */
#include "probe/exporter_private.h"

#include <errno.h>
#include <poll.h>

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
/*
 * Over UDP without a pace, in a millisecond. A Collector's socket has room for some 90 datagrams
 * if it did not ask for more: it may be held up for 5 or 10 ms.
 */
#define FILE_MESSAGES 16 /* from a capture file */
#define END_MESSAGES  8 /* at the end of a run */
#define END_MS	      5000 /* ... or as many as it takes to end by then */
#define PROBE_NS      NS_PER_S /* Templates ask a Collector that is away whether it is back */

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

/* True when Messages are not to be tried on the Collector. */
static bool is_held(const struct exporter *e)
{
	return e->keeps_sent && !e->is_blocked && exporter_is_away(e);
}

/* True when Messages may be sent. */
static bool make_ready(struct exporter *e)
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
	if (e->session.state != SESSION_UP || !e->template_copies || is_held(e))
		return false;
	return (exporter_is_data_begun(e) || exporter_options_run(e)) && !is_held(e);
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

/* Events wait for nobody; then as many Messages of Flows. Returns how many in all. */
static uint64_t send_burst(struct exporter *e, uint64_t n_messages)
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
	if (!is_held(e))
		next_ns = earliest(next_ns, e->options.due_ns);
	next_ns = earliest(next_ns, exporter_restore_ns(e));
	if (e->under_way.n_messages)
		next_ns = earliest(next_ns, e->now_ns + CONFIRM_NS);
	if (queue_first(&e->events) && !is_held(e))
		next_ns = e->now_ns;
	if (queue_first(&e->queue) && !is_held(e))
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

static void set_time(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	e->now_ns = now_ns;
	e->time_s = time_s;
	if (!e->opened_ns)
		e->opened_ns = now_ns;
}

uint64_t exporter_run(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	uint64_t n = 0;

	set_time(e, now_ns, time_s);
	if (exporter_is_away(e))
		exporter_store(e);
	if (!e->is_paced)
		exporter_send_all(e, 0);
	else if (make_ready(e))
		n = send_burst(e, pace_due(&e->pace, now_ns));
	look_for_room(e);
	exporter_confirm(e);
	greet(e);
	exporter_restore(e);
	return next_call(e, n >= PACE_BURST_MESSAGES);
}

/* Wait 1 ms, less when a blocked TCP collector reads on. */
static void wait_a_moment(const struct exporter *e)
{
	struct pollfd p = {.fd = exporter_fd(e), .events = POLLOUT};

	poll(&p, 1, 1);
}

/* True while there is something to send, or, at the end, to wait for. */
static bool is_busy(const struct exporter *e)
{
	return exporter_has_queued(e) || (exporter_options_under_way(e) && !is_held(e)) ||
	       (e->is_ending && e->under_way.n_messages);
}

/* A machine that is busy makes the milliseconds longer: it holds the Collector up as well. */
static uint64_t unpaced_burst(const struct exporter *e)
{
	uint64_t in_time = e->queue.n_messages / END_MS + 1;

	if (e->cfg.transport != TRANSPORT_UDP)
		return PACE_BURST_MESSAGES;
	if (!e->is_ending)
		return FILE_MESSAGES;
	return in_time > END_MESSAGES ? in_time : END_MESSAGES;
}

void exporter_send_all(struct exporter *e, int stall_ms)
{
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t origin_ns = e->now_ns;
	uint32_t origin_s = e->time_s;
	uint64_t progress_ns = start_ns, last_ns = start_ns;
	uint64_t most = unpaced_burst(e), n = 1;

	for (;;) {
		uint64_t clock = clock_monotonic_ns();

		e->waited_ns += n ? 0 : clock - last_ns;
		last_ns = clock;
		e->now_ns = origin_ns + (clock - start_ns);
		if (e->cfg.transport != TRANSPORT_FILE) /* which is the same whatever it took */
			e->time_s = origin_s + clock_round_s(clock - start_ns);
		n = make_ready(e) ? send_burst(e, most) : 0;
		exporter_confirm(e);
		if (!is_busy(e))
			break;
		if (n) {
			progress_ns = clock;
		} else if ((e->spool && is_held(e)) ||
			   clock - progress_ns >= (uint64_t)stall_ms * NS_PER_MS) {
			e->is_stalled |= stall_ms > 0;
			break;
		}
		if (!n || e->cfg.transport == TRANSPORT_UDP)
			wait_a_moment(e);
	}
}

/* What no more time is left for. */
static void give_up_queue(struct exporter *e)
{
	if (exporter_has_queued(e))
		log_warning(
			"exporter %s: %llu records and %llu events for %s not sent: no more time",
			e->cfg.name, (unsigned long long)e->stats.queued.records,
			(unsigned long long)e->stats.queued.events, e->cfg.address);
	while (exporter_has_queued(e))
		exporter_drop_first(e, e->spool ? &e->stats.not_sent_spool_full
						: exporter_account_of(e, e->session.error));
}

/* Everything, and then the counts of it. */
static void send_rest(struct exporter *e, int timeout_ms)
{
	exporter_send_all(e, timeout_ms);
	if (exporter_has_queued(e))
		return;
	exporter_options_finish(e);
	exporter_send_all(e, timeout_ms);
}

static void begin_end(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	set_time(e, now_ns, time_s);
	e->waited_ns = 0;
	pace_init(&e->pace, 0); /* a cap on the rate could hold the end up for hours */
	e->is_ending = true;
	exporter_queue_stages(e);
}

static void finish_end(struct exporter *e)
{
	exporter_end_under_way(e);
	exporter_store(e);
	give_up_queue(e);
	e->is_ending = false;
}

uint64_t exporter_drain(struct exporter *e, uint64_t now_ns, uint32_t time_s, int timeout_ms)
{
	begin_end(e, now_ns, time_s);
	if (!e->spool || !exporter_is_away(e))
		send_rest(e, timeout_ms);
	finish_end(e);
	return e->waited_ns;
}

void exporter_hurry(struct exporter *e, uint64_t now_ns)
{
	uint64_t n = e->queue.n_messages, in_time_ms = n / END_MESSAGES + 1;

	pace_init(&e->pace, 0);
	pace_spread(&e->pace, now_ns, (in_time_ms < END_MS ? in_time_ms : END_MS) * NS_PER_MS, n);
}

static void send_burst_at_once(struct exporter *e)
{
	if (make_ready(e))
		send_burst(e, PACE_BURST_MESSAGES);
	if (!exporter_has_queued(e)) {
		exporter_options_finish(e);
		make_ready(e);
	}
	exporter_confirm(e);
}

void exporter_end(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	begin_end(e, now_ns, time_s);
	if (e->cfg.transport == TRANSPORT_FILE)
		send_rest(e, 0); /* takes all there is */
	else if (!e->spool || !exporter_is_away(e))
		send_burst_at_once(e);
	finish_end(e);
}
