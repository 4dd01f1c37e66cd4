/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The near side of an exporter: Flow Records are encoded into one Message for
 * each kind, so that every Message is full and of one Template, and queued.
 * exporter_send.c is the far side.
 */
#include "probe/exporter_private.h"

#include <errno.h>
#include <string.h>

#include "probe/exporter_netflow.h"
#include "probe/log.h"

#define UNPACED_QUEUE_OCTETS ((size_t)1 << 20)

void exporter_account(struct exporter *e, struct exporter_volume *to,
		      const struct exporter_volume *v)
{
	volume_add(to, v);
	volume_subtract(&e->stats.queued, v);
}

struct exporter_volume *exporter_account_of(struct exporter *e, int err)
{
	switch (-err) {
	case ENOENT:
		return &e->stats.not_sent_unresolved;
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return &e->stats.not_sent_unroutable;
	case ECONNREFUSED:
	case EHOSTUNREACH:
	case EHOSTDOWN:
		return &e->stats.not_sent_refused;
	case EMSGSIZE:
		return &e->stats.not_sent_too_big;
	case ENOBUFS:
		return &e->stats.not_sent_queue;
	default:
		return &e->stats.not_sent_error;
	}
}

/* A full queue behind a collector that was never found is the name's or the route's fault. */
struct exporter_volume *exporter_account_of_full_queue(struct exporter *e)
{
	struct exporter_volume *why = exporter_account_of(e, e->session.error);

	if (e->store_failed_ns)
		return &e->stats.not_sent_spool_full;
	if (why == &e->stats.not_sent_unresolved || why == &e->stats.not_sent_unroutable)
		return why;
	return &e->stats.not_sent_queue;
}

static void empty_stage(struct stage *st, size_t data_offset)
{
	st->volume = (struct exporter_volume){0};
	st->n_records = 0;
	st->parts = 0;
	st->end_ms = 0;
	st->end = st->message + data_offset;
}

static void drop_stage(struct exporter *e, struct stage *st, struct exporter_volume *why)
{
	session_note_failure(&e->session, e->now_ns, -ENOBUFS, "queue for");
	exporter_account(e, why, &st->volume);
	e->lost_numbers += exporter_numbers(e, st->n_records);
	empty_stage(st, e->protocol->data_offset);
}

/* The Export Time that is not before the end of a Flow, in the header's own resolution. */
static uint32_t leave_s(const struct exporter *e, uint64_t end_ms)
{
	return (uint32_t)((end_ms + (e->protocol->has_uptime ? 999 : 0)) / 1000);
}

/* A full queue is what a spool is for too, whatever filled it. What that had lost goes first. */
static int push_stage(struct exporter *e, struct message *info, const struct stage *st)
{
	size_t octets = (size_t)(st->end - st->message) + e->protocol->padding;
	int err = queue_push(&e->queue, info, st->message, octets);

	if (err != -ENOBUFS || !e->spool)
		return err;
	exporter_store(e);
	info->lost_before = e->lost_numbers;
	return queue_push(&e->queue, info, st->message, octets);
}

static void queue_stage(struct exporter *e, int layout)
{
	struct stage *st = &e->stages[layout];
	struct message info = {.volume = st->volume,
			       .n_records = (uint32_t)st->n_records,
			       .record_octets = (uint32_t)st->record_octets,
			       .parts = st->parts,
			       .layout = (uint32_t)layout,
			       .lost_before = e->lost_numbers,
			       .end_s = leave_s(e, st->end_ms),
			       .base_ms = st->base_ms};
	int err = push_stage(e, &info, st);

	if (err) {
		drop_stage(e, st,
			   err == -ENOBUFS ? exporter_account_of_full_queue(e)
					   : &e->stats.not_sent_error);
		return;
	}
	e->lost_numbers = 0;
	empty_stage(st, e->protocol->data_offset);
	/* Offline nothing is lost to a clock: wait for the collector instead, but once. */
	if (!e->is_paced && e->queue.octets >= UNPACED_QUEUE_OCTETS)
		exporter_send_all(e, e->is_stalled ? 0 : e->unpaced_stall_ms);
}

void exporter_queue_stages(struct exporter *e)
{
	for (int layout = 0; layout < template_layouts(e->groups); layout++) {
		if (e->stages[layout].n_records)
			queue_stage(e, layout);
	}
}

/* Account for what was encoded up to `end`, and close the Message when it is full. */
static void stage_add(struct exporter *e, int layout, uint8_t *end, const struct exporter_volume *v,
		      uint64_t end_ms)
{
	struct stage *st = &e->stages[layout];

	st->end = end;
	st->n_records++;
	volume_add(&st->volume, v);
	volume_add(&e->stats.accepted, v);
	volume_add(&e->stats.queued, v);
	if (end_ms > st->end_ms)
		st->end_ms = end_ms;
	if (st->n_records >= st->limit)
		queue_stage(e, layout);
}

static void add_record(struct exporter *e, int layout, const struct flow_record *r,
		       const struct exporter_volume *v)
{
	struct stage *st = &e->stages[layout];
	uint32_t groups = layout_groups(layout, e->groups);

	if (e->protocol->has_uptime && !st->n_records)
		st->base_ms = e->base_ms = netflow_base(e->base_ms, r->start_ms, r->end_ms);
	stage_add(e, layout,
		  e->protocol->encode(st->end, r, layout_kind(layout), groups, st->base_ms), v,
		  r->end_ms);
}

/* In as many records as it takes, evenly: octets by packets stay what they were. */
static void add_in_parts(struct exporter *e, int layout, const struct flow_record *r)
{
	uint64_t most = r->packets > r->octets ? r->packets : r->octets;
	uint64_t n = (most - 1) / e->protocol->max_count + 1;
	struct flow_record part;

	memcpy(&part, r, flow_record_octets(e->groups));
	for (uint64_t i = 0; i < n; i++) {
		struct stage *st = &e->stages[layout];
		bool is_last = i == n - 1;

		part.packets = r->packets / n + (i < r->packets % n);
		part.octets = r->octets / n + (i < r->octets % n);
		struct exporter_volume v = {
			.records = is_last, .packets = part.packets, .octets = part.octets};

		st->parts |= (uint32_t)!is_last << st->n_records;
		add_record(e, layout, &part, &v);
	}
}

/* Count what the protocol has no form for, and say so once. */
static void refuse_record(struct exporter *e, const struct exporter_volume *v)
{
	if (!e->stats.not_sent_unsupported.records)
		log_warning("exporter %s: %s has no records of IPv6: none are sent to %s, they are "
			    "counted as not_sent_unsupported",
			    e->cfg.name, e->protocol->name, e->cfg.address);
	volume_add(&e->stats.accepted, v);
	volume_add(&e->stats.not_sent_unsupported, v);
}

void exporter_record(void *arg, const struct flow_record *r)
{
	struct exporter *e = arg;
	struct exporter_volume v = {.records = 1, .packets = r->packets, .octets = r->octets};
	int layout = e->protocol->layout(r);

	if (layout < 0)
		refuse_record(e, &v);
	else if (r->packets > e->protocol->max_count || r->octets > e->protocol->max_count)
		add_in_parts(e, layout, r);
	else
		add_record(e, layout, r, &v);
}

void exporter_biflow(void *arg, const struct flow_record *forward,
		     const struct flow_record *reverse)
{
	struct exporter *e = arg;

	if (!(e->groups & GROUP_BIFLOW)) {
		exporter_record(e, forward);
		exporter_record(e, reverse);
		return;
	}
	enum template_kind kind = template_of_record(forward);
	int layout = BIFLOW_LAYOUT + (int)kind;
	struct exporter_volume v = {.records = 2,
				    .packets = forward->packets + reverse->packets,
				    .octets = forward->octets + reverse->octets};
	uint64_t end_ms = forward->end_ms > reverse->end_ms ? forward->end_ms : reverse->end_ms;

	stage_add(e, layout,
		  e->protocol->encode_biflow(e->stages[layout].end, forward, reverse, kind,
					     e->groups),
		  &v, end_ms);
}

void exporter_take_over(struct exporter *e, const struct exporter_volume *v, bool is_paced)
{
	volume_add(&e->stats.accepted, v);
	volume_add(&e->stats.queued, v);
	e->pace.total += is_paced;
}

void exporter_spread(struct exporter *e, uint64_t now_ns, uint64_t interval_ns)
{
	pace_spread(&e->pace, now_ns, interval_ns, e->queue.n_messages);
}

void exporter_flush(struct exporter *e, uint64_t now_ns, uint64_t interval_ns)
{
	exporter_queue_stages(e);
	exporter_options_look(e);
	if (!e->queue.n_messages)
		queue_trim(&e->queue);
	if (!e->events.n_messages)
		queue_trim(&e->events);
	exporter_spread(e, now_ns, interval_ns);
}

void exporter_set_facts(struct exporter *e, const struct options_facts *facts)
{
	e->options.facts = facts;
}

int exporter_fd(const struct exporter *e)
{
	bool is_waiting = e->session.state == SESSION_CONNECTING || e->is_blocked;

	return e->cfg.transport == TRANSPORT_TCP && is_waiting ? e->session.fd : -1;
}

size_t exporter_templates(const struct exporter *e)
{
	return (size_t)template_layouts(e->groups) + exporter_event_templates(e);
}

uint16_t exporter_template_id(const struct exporter *e, size_t i)
{
	size_t n = (size_t)template_layouts(e->groups);

	return i < n ? template_id(layout_kind((int)i), layout_groups((int)i, e->groups))
		     : exporter_event_template_id(i - n);
}

const struct exporter_config *exporter_config(const struct exporter *e)
{
	return &e->cfg;
}

const char *exporter_name(const struct exporter *e)
{
	return e->cfg.name;
}

const struct exporter_stats *exporter_stats(const struct exporter *e)
{
	return &e->stats;
}
