/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The far side of an exporter: Templates and queued Messages leave when they are
 * due. Export Time and Sequence Number are stamped here, so a loss before this
 * point or in the send call shows up as a gap (RFC 7011 10.2.2, done for all
 * transports), and a new connection simply counts from 0.
 */
#include "probe/exporter_private.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "probe/log.h"
#include "probe/template.h"

#define NS_PER_S	  1000000000ull
#define NS_PER_MS	  1000000ull
#define STEP_NS		  1000000ull /* between two looks at a backlog */
#define STEP_FAST_NS	  250000ull /* ... that one burst did not bring up to date */
#define TEMPLATE_COPIES	  3 /* RFC 7011 8.4: several before use */
#define TEMPLATE_COPY_NS  (4 * NS_PER_S)
#define TEMPLATE_RETRY_NS NS_PER_S
#define SEND_ATTEMPTS	  3

static uint64_t get64(const uint8_t *p)
{
	uint64_t be;

	memcpy(&be, p, sizeof(be));
	return be64toh(be);
}

/* Send all of a Message, in a stream from where it stopped. Returns 0 or -errno. */
static int send_octets(struct exporter *e, const uint8_t *data, size_t octets)
{
	int n = session_send(&e->session, data + e->partial_octets, octets - e->partial_octets);

	e->is_blocked = n == -EAGAIN;
	if (n < 0)
		return n;
	e->is_stalled = false;
	e->partial_octets += (size_t)n;
	if (e->partial_octets < octets) {
		e->is_blocked = true;
		return -EAGAIN;
	}
	e->partial_octets = 0;
	e->stats.messages++;
	e->stats.message_octets += octets;
	session_note_success(&e->session, e->now_ns);
	return 0;
}

/* Export Time never goes back, and is not before the end of a Flow in the Message. */
static void stamp(struct exporter *e, uint8_t *message, uint32_t end_s)
{
	if (e->partial_octets)
		return;
	if (e->export_time_s < e->time_s)
		e->export_time_s = e->time_s;
	if (e->export_time_s < end_s)
		e->export_time_s = end_s;
	encode_stamp(message, e->export_time_s, e->stats.sequence);
}

static void note_failure(struct exporter *e, int err)
{
	e->stats.send_errors++;
	session_note_failure(&e->session, e->now_ns, err, "send to");
}

static void schedule_templates(struct exporter *e)
{
	uint64_t refresh_ns = e->cfg.template_refresh_s * NS_PER_S;

	e->stats.templates_sent += N_TEMPLATES;
	e->template_copies++;
	if (e->cfg.transport != TRANSPORT_UDP)
		e->templates_due_ns = UINT64_MAX;
	else if (e->template_copies < TEMPLATE_COPIES && refresh_ns > TEMPLATE_COPY_NS)
		e->templates_due_ns = e->now_ns + TEMPLATE_COPY_NS;
	else
		e->templates_due_ns = e->now_ns + refresh_ns;
}

static void lose_session(struct exporter *e, int err)
{
	e->session.error = err;
	session_lose(&e->session);
}

/* Send the Templates if it is time. Data follows only when they have left once. */
static void send_templates(struct exporter *e)
{
	if (e->now_ns < e->templates_due_ns)
		return;
	session_update_limit(&e->session); /* the path may have widened again */
	stamp(e, e->templates, 0);
	int err = send_octets(e, e->templates, e->templates_octets);

	/* An error of UDP is that of an earlier datagram: once more. */
	if (err && err != -EAGAIN && e->cfg.transport == TRANSPORT_UDP) {
		note_failure(e, err);
		err = send_octets(e, e->templates, e->templates_octets);
	}
	if (!err) {
		schedule_templates(e);
		return;
	}
	if (err == -EAGAIN)
		return;
	note_failure(e, err);
	e->templates_due_ns = e->now_ns + TEMPLATE_RETRY_NS;
	if (e->cfg.transport == TRANSPORT_TCP)
		lose_session(e, err);
}

/* How many records of a Message one datagram carries now. */
static size_t part_records(const struct exporter *e, const struct message *m)
{
	size_t limit = e->session.limit_octets;
	size_t fit =
		limit > MESSAGE_DATA_OFFSET ? (limit - MESSAGE_DATA_OFFSET) / m->record_octets : 0;

	return fit < m->volume.records ? fit : m->volume.records;
}

/* What the first n records of a Message account for, read back from the wire form. */
static struct exporter_volume part_volume(const struct message *m, size_t n)
{
	enum template_kind kind = (enum template_kind)m->kind;
	size_t packets_at = template_field_offset(kind, IE_packetDeltaCount);
	size_t octets_at = template_field_offset(kind, IE_octetDeltaCount);
	const uint8_t *record = m->data + m->start + MESSAGE_DATA_OFFSET;
	struct exporter_volume v = {.records = n};

	for (size_t i = 0; i < n; i++, record += m->record_octets) {
		v.packets += get64(record + packets_at);
		v.octets += get64(record + octets_at);
	}
	return v;
}

/* The first n records have left or are given up: account them and go on behind. */
static void finish_part(struct exporter *e, struct message *m, size_t n, struct exporter_volume *to)
{
	e->stats.sequence += (uint32_t)n;
	e->partial_octets = 0;
	if (n == m->volume.records) {
		exporter_account(e, to, &m->volume);
		queue_pop(&e->queue);
		return;
	}
	struct exporter_volume v = part_volume(m, n);
	const uint8_t *header = m->data + m->start;

	exporter_account(e, to, &v);
	m->volume.records -= v.records;
	m->volume.packets -= v.packets;
	m->volume.octets -= v.octets;
	e->pace.total++; /* one Message became two */
	m->start += (uint32_t)n * m->record_octets;
	memmove(m->data + m->start, header, MESSAGE_DATA_OFFSET);
}

static int send_part(struct exporter *e, struct message *m, size_t n)
{
	uint8_t *message = m->data + m->start;
	size_t octets = n * m->record_octets;

	encode_lengths(message, octets);
	stamp(e, message, m->end_s);
	return send_octets(e, message, MESSAGE_DATA_OFFSET + octets);
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
		if (err == -EMSGSIZE)
			session_update_limit(&e->session);
	}
	if (err == -EMSGSIZE)
		*n = m->volume.records;
	return err;
}

/* Send or give up the first Message, or the part of it that fits. False: wait. */
static bool send_first(struct exporter *e)
{
	struct message *m = queue_first(&e->queue);
	size_t n;

	e->stats.sequence += m->lost_before;
	m->lost_before = 0;
	bool was_partial = e->partial_octets > 0;
	int err = send_fitting(e, m, &n);

	if (err == -EAGAIN)
		return false;
	pace_count(&e->pace, e->now_ns, n);
	if (!err) {
		finish_part(e, m, n, &e->stats.sent);
		return true;
	}
	note_failure(e, err);
	if (e->cfg.transport != TRANSPORT_TCP) {
		finish_part(e, m, n, exporter_account_of(e, err));
		return true;
	}
	/* Of a lost connection only what was under way is lost; the rest waits for the next. */
	lose_session(e, err);
	if (was_partial)
		finish_part(e, m, n, &e->stats.not_sent_error);
	return false;
}

/* Templates anew and Sequence Number from 0 (RFC 7011 8, 10.3.2, 10.4.2). */
static void begin_session(struct exporter *e)
{
	struct message *m = queue_first(&e->queue);

	if (e->partial_octets && e->template_copies)
		finish_part(e, m, m->volume.records, &e->stats.not_sent_error);
	m = queue_first(&e->queue);
	if (m)
		m->lost_before = 0; /* was lost in the session before */
	e->generation = e->session.generation;
	e->template_copies = 0;
	e->templates_due_ns = 0;
	e->partial_octets = 0;
	e->stats.sequence = 0;
	/* What gathered meanwhile is no reason for a burst. */
	pace_spread(&e->pace, e->now_ns, e->pace.window_ns, e->queue.n_messages);
}

/* True when Messages may be sent. */
static bool make_ready(struct exporter *e)
{
	session_advance(&e->session, e->now_ns);
	if (e->session.state != SESSION_UP)
		return false;
	if (e->generation != e->session.generation)
		begin_session(e);
	/* Never in the middle of a Message. */
	if (!e->partial_octets || !e->template_copies)
		send_templates(e);
	exporter_fit_stages(e);
	return e->session.state == SESSION_UP && e->template_copies;
}

static uint64_t send_burst(struct exporter *e, uint64_t n_messages)
{
	uint64_t n = 0;

	while (n < n_messages && queue_first(&e->queue) &&
	       pace_allows_records(&e->pace, e->now_ns) && send_first(e))
		n++;
	return n;
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
	if (queue_first(&e->queue))
		next_ns = earliest(next_ns, pace_next(&e->pace));
	uint64_t step_ns = e->now_ns + (is_behind ? STEP_FAST_NS : STEP_NS);

	return e->is_blocked || next_ns < step_ns ? step_ns : next_ns;
}

static void set_time(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	e->now_ns = now_ns;
	e->time_s = time_s;
}

uint64_t exporter_run(struct exporter *e, uint64_t now_ns, uint32_t time_s)
{
	uint64_t n = 0;

	set_time(e, now_ns, time_s);
	if (!e->is_paced)
		exporter_send_all(e, 0);
	else if (make_ready(e))
		n = send_burst(e, pace_due(&e->pace, now_ns));
	return next_call(e, n == PACE_BURST_MESSAGES);
}

static uint64_t clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* Wait 1 ms, less when a blocked TCP collector reads on. */
static void wait_a_moment(const struct exporter *e)
{
	struct pollfd p = {.fd = exporter_fd(e), .events = POLLOUT};

	poll(&p, 1, 1);
}

void exporter_send_all(struct exporter *e, int stall_ms)
{
	uint64_t start_ns = clock_ns();
	uint64_t origin_ns = e->now_ns;
	uint64_t progress_ns = start_ns;
	uint64_t n;

	for (;;) {
		uint64_t clock = clock_ns();

		e->now_ns = origin_ns + (clock - start_ns);
		n = make_ready(e) ? send_burst(e, PACE_BURST_MESSAGES) : 0;
		if (!queue_first(&e->queue))
			break;
		if (n) {
			progress_ns = clock;
		} else if (clock - progress_ns >= (uint64_t)stall_ms * NS_PER_MS) {
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
	struct message *m = queue_first(&e->queue);

	if (m)
		log_warning("exporter %s: %llu records for %s not sent: no more time", e->cfg.name,
			    (unsigned long long)e->stats.queued.records, e->cfg.address);
	for (; m; m = queue_first(&e->queue))
		finish_part(e, m, m->volume.records, exporter_account_of(e, e->session.error));
}

void exporter_drain(struct exporter *e, uint64_t now_ns, uint32_t time_s, int timeout_ms)
{
	set_time(e, now_ns, time_s);
	pace_init(&e->pace, 0); /* a cap on the rate could hold the end up for hours */
	exporter_queue_stages(e);
	exporter_send_all(e, timeout_ms);
	give_up_queue(e);
}
