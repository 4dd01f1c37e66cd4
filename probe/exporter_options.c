/* SPDX-License-Identifier: BSD-2-Clause */
/* Rounds of options records. See exporter_options.h. */
#include "probe/exporter_options.h"

#include <errno.h>
#include <stdlib.h>

#include "probe/clock.h"
#include "probe/exporter_private.h"
#include "probe/ledger.h"
#include "probe/log.h"

#define EVERYTHING (OPTIONS_TEMPLATES | OPTIONS_TYPES | OPTIONS_NAMES | OPTIONS_COUNTS)

int exporter_options_open(struct exporter *e)
{
	e->options.due_ns = UINT64_MAX;
	if (e->cfg.options == EXPORTER_OPTIONS_NONE || !e->protocol->encode_options)
		return 0;
	e->options.batch = calloc(1, sizeof(*e->options.batch));
	return e->options.batch ? 0 : -ENOMEM;
}

void exporter_options_close(struct exporter *e)
{
	free(e->options.batch);
	e->options.batch = NULL;
}

void exporter_options_begin(struct exporter *e)
{
	struct exporter_options *o = &e->options;

	o->sequence = 0;
	o->due_ns = UINT64_MAX; /* first the Templates */
	if (o->batch)
		o->at = o->batch->n_messages = 0;
}

void exporter_options_schedule(struct exporter *e)
{
	bool is_first = e->template_copies == 1;

	if (!e->options.batch || exporter_options_under_way(e))
		return;
	/* Some Collectors take each Flow Keys record behind data for a lost Flow. */
	e->options.parts = EVERYTHING |
			   (is_first || e->cfg.options == EXPORTER_OPTIONS_ALL ? OPTIONS_KEYS : 0);
	e->options.due_ns = e->now_ns;
}

void exporter_options_look(struct exporter *e)
{
	struct options_loss *known = &e->options.not_sent;
	const struct exporter_volume sum = ledger_sum_not_sent(&e->stats);

	if (sum.records == known->records || !e->time_s)
		return;
	*known = (struct options_loss){
		.records = sum.records,
		.packets = sum.packets,
		.octets = sum.octets,
		.first_s = known->first_s ? known->first_s : e->time_s,
		.last_s = e->time_s,
	};
}

bool exporter_options_under_way(const struct exporter *e)
{
	return e->options.batch && e->options.at < e->options.batch->n_messages;
}

static void begin_round(struct exporter *e)
{
	static struct interface_name names[OPTIONS_MAX_INTERFACES];
	struct exporter_options *o = &e->options;
	const struct options_facts *facts = o->facts;
	int n = 0;

	if (facts && facts->read_interfaces && o->parts & OPTIONS_NAMES)
		n = facts->read_interfaces(names, OPTIONS_MAX_INTERFACES);
	if (n < 0)
		log_errno(n, "read the names of interfaces for exporter %s", e->cfg.name);
	exporter_options_look(e);
	const struct options_state state = {
		.domain_id = e->domain_id,
		.enterprise_number = e->enterprise_number,
		.groups = e->groups,
		.has_events = e->cfg.events,
		.has_descriptions = e->cfg.options == EXPORTER_OPTIONS_ALL,
		.messages = e->stats.messages,
		.octets = e->stats.message_octets,
		.flow_records = o->flow_records,
		.ignored = facts ? facts->ignored : (struct options_loss){0},
		.not_sent = o->not_sent,
		.interfaces = names,
		.n_interfaces = n > 0 ? (size_t)n : 0,
	};

	e->protocol->encode_options(o->batch, &state, o->parts);
	o->at = 0;
	o->flow_sequence = e->stats.sequence;
	o->parts = OPTIONS_NAMES | OPTIONS_COUNTS;
	o->due_ns = e->cfg.transport == TRANSPORT_UDP
			    ? UINT64_MAX /* with the Templates */
			    : e->now_ns + e->cfg.template_refresh_s * NS_PER_S;
}

uint32_t *exporter_sequence(struct exporter *e, bool is_of_flows)
{
	return is_of_flows || e->domain_id == OPTIONS_DOMAIN ? &e->stats.sequence
							     : &e->options.sequence;
}

/* An error of UDP is that of an earlier datagram, which may have been one of Flows. */
static void note_earlier_error(struct exporter *e, int err)
{
	if (!e->keeps_sent) {
		e->stats.send_errors++;
		session_note_failure(&e->session, e->now_ns, err, "send to");
	} else if (err == -EMSGSIZE) {
		session_update_limit(&e->session);
		exporter_return_too_big(e);
	} else {
		exporter_note_failure(e, err);
	}
}

/* Returns 0 or -errno; -EAGAIN: later, of a stream from where it stopped. */
static int send_message(struct exporter *e, const struct options_message *m)
{
	uint8_t *data = e->options.batch->data + m->offset;
	const struct message_stamp earliest = {.sequence = *exporter_sequence(e, m->is_of_flows),
					       .base_ms = exporter_base(e)};
	int err = exporter_send_message(e, data, m->octets, &earliest);

	if (!err || err == -EAGAIN || e->cfg.transport != TRANSPORT_UDP)
		return err;
	note_earlier_error(e, err);
	/* Of no use to one that is away: when it is back it is told all. */
	return e->keeps_sent && exporter_is_away(e)
		       ? err
		       : exporter_send_message(e, data, m->octets, &earliest);
}

bool exporter_options_run(struct exporter *e)
{
	struct exporter_options *o = &e->options;

	if (!exporter_options_under_way(e)) {
		if (e->now_ns < o->due_ns)
			return true;
		begin_round(e);
	}
	while (exporter_options_under_way(e)) {
		const struct options_message *m = &o->batch->messages[o->at];
		int err = send_message(e, m);

		if (err == -EAGAIN)
			return false;
		o->at++;
		*exporter_sequence(e, m->is_of_flows) +=
			exporter_numbers(e, m->n_records); /* lost ones leave a gap */
		if (err && e->cfg.transport != TRANSPORT_UDP)
			exporter_note_failure(e, err);
		if (err &&
		    (e->session.state != SESSION_UP || (e->keeps_sent && exporter_is_away(e)))) {
			o->at = o->batch->n_messages;
			return false;
		}
	}
	return true;
}

void exporter_options_end_session(struct exporter *e)
{
	exporter_options_finish(e);
	exporter_options_run(e);
}

void exporter_options_finish(struct exporter *e)
{
	if (!e->options.batch || exporter_options_under_way(e))
		return;
	e->options.parts = OPTIONS_COUNTS;
	e->options.due_ns = e->now_ns;
}
