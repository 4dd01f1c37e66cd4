/* SPDX-License-Identifier: BSD-2-Clause */
/* How an exporter comes to be, with what its configuration and session decide on, and ends. */
#include "probe/exporter_private.h"

#include <stdlib.h>

#include "probe/log.h"

#define UNPACED_STALL_MS 10000

static size_t record_octets(const struct exporter *e, int layout)
{
	return e->protocol->record_octets(layout_kind(layout), layout_groups(layout, e->groups));
}

size_t exporter_max_records(const struct exporter *e)
{
	size_t most = e->cfg.max_records_per_message;

	return most && most < e->protocol->max_records ? most : e->protocol->max_records;
}

void exporter_fit_stages(struct exporter *e)
{
	if (e->limit_octets == e->session.limit_octets)
		return;
	e->limit_octets = e->session.limit_octets;
	size_t octets = e->limit_octets < MESSAGE_MAX_OCTETS ? e->limit_octets : MESSAGE_MAX_OCTETS;
	size_t headers = e->protocol->data_offset + e->protocol->padding;
	size_t room = octets > headers ? octets - headers : 0;

	for (int layout = 0; layout < template_layouts(e->groups); layout++) {
		struct stage *st = &e->stages[layout];
		size_t fit = room / st->record_octets, most = exporter_max_records(e);

		st->limit = fit < most ? fit : most;
	}
}

static int encode_templates(struct exporter *e, uint32_t domain_id, uint32_t enterprise_number)
{
	const struct template_scheme scheme = {domain_id, enterprise_number, e->groups};

	if (!e->protocol->has_templates)
		return 0;
	int octets = e->protocol->encode_templates(e->templates, sizeof(e->templates), &scheme);

	if (octets < 0)
		return octets;
	e->templates_octets = e->event_templates_at = (size_t)octets;
	if (!e->cfg.events)
		return 0;
	octets = event_encode_templates(e->templates + octets,
					sizeof(e->templates) - (size_t)octets, enterprise_number);
	if (octets < 0)
		return log_errno(octets, "encode the Templates of events");
	e->templates_octets += (size_t)octets;
	return 0;
}

static void open_stages(struct exporter *e, uint32_t domain_id)
{
	for (int i = 0; i < template_layouts(e->groups); i++) {
		struct stage *st = &e->stages[i];

		st->record_octets = record_octets(e, i);
		e->protocol->encode_headers(
			st->message, domain_id,
			template_id(layout_kind(i), layout_groups(i, e->groups)));
		st->end = st->message + e->protocol->data_offset;
	}
	exporter_fit_stages(e);
}

int exporter_prepare(struct exporter **out, const struct exporter_config *cfg, uint32_t domain_id,
		     uint32_t enterprise_number, bool is_paced)
{
	struct exporter *e = calloc(1, sizeof(*e));

	if (!e)
		return log_errno(-ENOMEM, "open exporter %s", cfg->name);
	e->cfg = *cfg;
	e->domain_id = domain_id;
	e->enterprise_number = enterprise_number;
	e->protocol = exporter_protocol_of(cfg->protocol);
	e->cfg.events &= e->protocol->has_events;
	e->groups = config_layout(cfg);
	/* a file takes what comes at once: nothing to spare it, nothing to lose */
	e->is_paced = is_paced && cfg->transport != TRANSPORT_FILE;
	/* ... and no sense in waiting for it */
	e->unpaced_stall_ms = cfg->transport == TRANSPORT_FILE ? 0 : UNPACED_STALL_MS;
	pace_init(&e->pace, e->is_paced ? cfg->max_records_per_s : 0);
	int err = encode_templates(e, domain_id, enterprise_number);

	if (!err)
		err = exporter_options_open(e);
	if (!err)
		err = session_open(&e->session, &e->cfg);
	if (err) {
		exporter_close(e);
		return err;
	}
	open_stages(e, domain_id);
	*out = e;
	return 0;
}

int exporter_begin_spool(struct exporter *e)
{
	return e->spool ? 0 : exporter_open_spool(e);
}

int exporter_begin(struct exporter *e)
{
	int err = session_begin(&e->session), spool_err = exporter_begin_spool(e);

	return err ? err : spool_err;
}

int exporter_open(struct exporter **out, const struct exporter_config *cfg, uint32_t domain_id,
		  uint32_t enterprise_number, bool is_paced)
{
	int err = exporter_prepare(out, cfg, domain_id, enterprise_number, is_paced);

	if (err)
		return err;
	err = exporter_begin(*out);
	if (err) {
		exporter_close(*out);
		*out = NULL;
	}
	return err;
}

void exporter_close(struct exporter *e)
{
	if (!e)
		return;
	session_close(&e->session);
	queue_close(&e->queue);
	queue_close(&e->events);
	exporter_options_close(e);
	queue_close(&e->under_way);
	spool_close(e->spool);
	free(e);
}
