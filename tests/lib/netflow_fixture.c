/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader of NetFlow, and a session to read from. */
#include "tests/lib/netflow_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_options.h"
#include "tests/lib/exporter_fixture.h"

struct netflow_fixture netflow;

static uint64_t number(const uint8_t *p, size_t octets)
{
	uint64_t n = 0;

	for (size_t i = 0; i < octets; i++)
		n = n * 256 + p[i];
	return n;
}

static void read_header(struct netflow_wire *w, const uint8_t *p, uint32_t sequence,
			uint32_t source)
{
	uint32_t uptime_ms = (uint32_t)number(p + 4, 4);

	if (!w->is_begun) {
		w->next_sequence = sequence;
		w->source = source;
	}
	w->uptime_steps_back += w->is_begun && uptime_ms < w->uptime_ms;
	w->is_begun = true;
	w->uptime_ms = uptime_ms;
	w->time_s = (uint32_t)number(p + 8, 4);
	assert_int_equal(w->source, source);
	w->gap += sequence - w->next_sequence;
	w->next_sequence = sequence;
	w->messages++;
}

static void add_flow(struct netflow_wire *w, struct netflow_flow *flow, uint32_t first,
		     uint32_t last)
{
	uint64_t boot_ms = w->time_s * 1000ull - w->uptime_ms;

	assert_true(first <= last);
	assert_true(last <= w->uptime_ms);
	flow->start_ms = boot_ms + first;
	flow->end_ms = boot_ms + last;
	if (w->data.records < NETFLOW_MAX_FLOWS)
		w->flows[w->data.records] = *flow;
	w->data.records++;
	w->data.packets += flow->packets;
	w->data.octets += flow->octets;
}

/* The Templates of a FlowSet; returns how many. */
static uint32_t read_templates(struct netflow_wire *w, const uint8_t *p, size_t octets)
{
	uint32_t n_templates = 0;
	size_t at = 0;

	for (; octets - at >= 4; n_templates++) {
		uint32_t id = (uint32_t)number(p + at, 2), n = (uint32_t)number(p + at + 2, 2);
		size_t length = 0;

		assert_true(id >= 256 && n > 0 && n <= 64);
		assert_true(octets - at >= 4 + 4 * (size_t)n);
		for (uint32_t i = 0; i < n; i++) {
			w->templates_of[id % 4].type[i] = (uint16_t)number(p + at + 4 + 4 * i, 2);
			w->templates_of[id % 4].octets[i] = (uint16_t)number(p + at + 6 + 4 * i, 2);
			length += w->templates_of[id % 4].octets[i];
		}
		w->templates_of[id % 4].n = n;
		w->templates_of[id % 4].record_octets = length;
		at += 4 + 4 * (size_t)n;
	}
	assert_int_equal(at, octets);
	w->templates += n_templates;
	return n_templates;
}

static void read_record(struct netflow_wire *w, uint32_t id, const uint8_t *p)
{
	struct netflow_flow flow = {0};

	for (uint32_t i = 0; i < w->templates_of[id % 4].n; i++) {
		size_t octets = w->templates_of[id % 4].octets[i];
		uint32_t type = w->templates_of[id % 4].type[i];

		assert_true(type > 0 && type < NETFLOW_MAX_TYPE);
		flow.field[type] = number(p, octets <= 8 ? octets : 8);
		p += octets;
	}
	flow.octets = flow.field[1];
	flow.packets = flow.field[2];
	add_flow(w, &flow, (uint32_t)flow.field[22], (uint32_t)flow.field[21]);
}

/* The records of a FlowSet; returns how many. */
static uint32_t read_data(struct netflow_wire *w, uint32_t id, const uint8_t *p, size_t octets)
{
	size_t record_octets = w->templates_of[id % 4].record_octets;
	uint32_t n = 0;

	assert_true(record_octets > 0); /* its Template came before */
	for (; octets >= record_octets; p += record_octets, octets -= record_octets, n++)
		read_record(w, id, p);
	assert_true(n > 0 && octets <= 3);
	w->padded += octets > 0;
	for (size_t i = 0; i < octets; i++)
		assert_int_equal(p[i], 0);
	return n;
}

static struct netflow_options *options_of(struct netflow_wire *w, uint32_t id)
{
	for (int i = 0; i < NETFLOW_MAX_OPTIONS; i++)
		if (w->options[i].id == id)
			return &w->options[i];
	return NULL;
}

/* The Options Template of a FlowSet, which is padded (RFC 3954 6.1). */
static uint32_t read_options_template(struct netflow_wire *w, const uint8_t *p, size_t octets)
{
	assert_true(octets >= 6);
	uint32_t id = (uint32_t)number(p, 2);
	size_t scopes = number(p + 2, 2), fields = number(p + 4, 2);
	struct netflow_options *o = options_of(w, id);

	if (!o)
		o = options_of(w, 0);
	assert_non_null(o);
	assert_true(id >= 256 && scopes && fields && scopes % 4 == 0 && fields % 4 == 0);
	assert_true(octets - 6 >= scopes + fields && octets - 6 - scopes - fields <= 3);
	for (size_t i = 6 + scopes + fields; i < octets; i++)
		assert_int_equal(p[i], 0);
	*o = (struct netflow_options){.id = id,
				      .n_scopes = (uint32_t)(scopes / 4),
				      .n = (uint32_t)((scopes + fields) / 4),
				      .n_records = o->n_records};
	assert_true(o->n <= 16);
	for (uint32_t i = 0; i < o->n; i++) {
		o->type[i] = (uint16_t)number(p + 6 + 4 * i, 2);
		o->octets[i] = (uint16_t)number(p + 8 + 4 * i, 2);
		o->record_octets += o->octets[i];
	}
	w->options_templates++;
	return 1;
}

/* The records of an Options Template; returns how many. */
static uint32_t read_options(struct netflow_options *o, const uint8_t *p, size_t octets)
{
	uint32_t n = 0;

	assert_true(o->record_octets <= sizeof(o->record));
	for (; octets >= o->record_octets; p += o->record_octets, octets -= o->record_octets, n++)
		memcpy(o->record, p, o->record_octets);
	assert_true(n > 0 && octets <= 3);
	o->n_records += n;
	return n;
}

const struct netflow_options *netflow_options_of(const struct netflow_wire *w, uint32_t id)
{
	for (int i = 0; i < NETFLOW_MAX_OPTIONS; i++)
		if (w->options[i].id == id)
			return &w->options[i];
	fail_msg("no Options Template %u", id);
	return NULL;
}

uint64_t netflow_option(const struct netflow_options *o, uint16_t type)
{
	size_t at = 0;

	for (uint32_t i = 0; i < o->n; at += o->octets[i++])
		if (i >= o->n_scopes && o->type[i] == type)
			return number(o->record + at, o->octets[i] <= 8 ? o->octets[i] : 8);
	fail_msg("no field %u", type);
	return 0;
}

static uint32_t read_flowset(struct netflow_wire *w, uint32_t id, const uint8_t *p, size_t octets)
{
	struct netflow_options *o = id ? options_of(w, id) : NULL;

	assert_true(id <= 1 || id >= 256);
	w->template_messages += id == 0;
	if (id == 0)
		return read_templates(w, p, octets);
	if (id == 1)
		return read_options_template(w, p, octets);
	return o ? read_options(o, p, octets) : read_data(w, id, p, octets);
}

void netflow9_read(struct netflow_wire *w, const uint8_t *p, size_t octets)
{
	uint32_t n = 0;
	size_t at = 20;

	assert_true(octets > 24);
	assert_int_equal(number(p, 2), 9);
	read_header(w, p, (uint32_t)number(p + 12, 4), (uint32_t)number(p + 16, 4));
	while (at < octets) {
		uint32_t id = (uint32_t)number(p + at, 2);
		size_t length = number(p + at + 2, 2);

		assert_true(length > 4 && length % 4 == 0 && length <= octets - at);
		n += read_flowset(w, id, p + at + 4, length - 4);
		at += length;
	}
	assert_int_equal(number(p + 2, 2), n);
	w->n_most = n > w->n_most ? n : w->n_most;
	w->next_sequence++; /* counts Export Packets */
}

void netflow5_read(struct netflow_wire *w, const uint8_t *p, size_t octets)
{
	uint32_t n = (uint32_t)number(p + 2, 2);

	assert_int_equal(number(p, 2), 5);
	assert_true(n >= 1 && n <= 30);
	assert_int_equal(octets, 24 + 48 * n);
	assert_int_equal(number(p + 22, 2), 0); /* sampling */
	read_header(w, p, (uint32_t)number(p + 16, 4), (uint32_t)number(p + 20, 2));
	assert_int_equal(number(p + 12, 4), 0); /* ns */
	for (uint32_t i = 0; i < n; i++) {
		const uint8_t *record = p + 24 + 48 * i;
		struct netflow_flow flow = {.packets = number(record + 16, 4),
					    .octets = number(record + 20, 4)};

		memcpy(flow.v5, record, sizeof(flow.v5));
		add_flow(w, &flow, (uint32_t)number(record + 24, 4),
			 (uint32_t)number(record + 28, 4));
	}
	w->n_most = n > w->n_most ? n : w->n_most;
	w->next_sequence += n; /* counts Flows */
}

size_t netflow_read_socket(int fd, struct netflow_wire *w)
{
	ssize_t octets;
	size_t n = 0;

	while ((octets = recv(fd, w->last, sizeof(w->last), MSG_DONTWAIT)) > 0) {
		w->last_octets = (size_t)octets;
		if (w->last[1] == 9)
			netflow9_read(w, w->last, (size_t)octets);
		else
			netflow5_read(w, w->last, (size_t)octets);
		n++;
	}
	return n;
}

int netflow_open(int protocol, uint32_t domain_id, uint32_t fields)
{
	struct exporter_config cfg = {.name = "test",
				      .transport = TRANSPORT_UDP,
				      .protocol = protocol,
				      .template_refresh_s = 60,
				      .options = EXPORTER_OPTIONS_AUTO,
				      .fields = fields};
	uint16_t port = 0;

	memset(&netflow, 0, sizeof(netflow));
	netflow.fd = collector_open(AF_INET, &port);
	snprintf(cfg.address, sizeof(cfg.address), "127.0.0.1:%u", port);
	return exporter_open(&netflow.e, &cfg, domain_id, 32473, true);
}

int netflow_close(void **state)
{
	(void)state;
	exporter_close(netflow.e);
	close(netflow.fd);
	return 0;
}

struct flow_record netflow_known_record(void)
{
	return (struct flow_record){
		.start_ms = NETFLOW_TIME * 1000ull - 5000,
		.end_ms = NETFLOW_TIME * 1000ull - 1234,
		.octets = 0x0102030405060708,
		.packets = 12,
		.flow_id = 7,
		.source4 = 0xc0000201,
		.destination4 = 0xc6336407,
		.ingress = 2,
		.egress = 0x10003,
		.length_min = 40,
		.length_max = 70000,
		.source_port = 40000,
		.destination_port = 443,
		.tcp_flags = 0x11b,
		.vlan = 100,
		.protocol = 6,
		.tos = 0xb8,
		.ttl_min = 63,
		.ttl_max = 64,
		.direction = FLOW_EGRESS,
		.end_reason = FLOW_END_DETECTED,
	};
}

struct flow_record netflow_sample(uint32_t n)
{
	struct flow_record r = sample_record(n);

	r.start_ms = r.end_ms - n % 100000;
	return r;
}

void netflow_run_idle(uint32_t seconds)
{
	static const struct options_facts facts = {.ignored = {.packets = 1, .first_s = 1}};

	exporter_set_facts(netflow.e, &facts);
	for (uint32_t s = 0; s <= seconds; s++) {
		uint64_t now_ns = NETFLOW_T0 + s * NETFLOW_S;

		exporter_flush(netflow.e, now_ns, NETFLOW_S);
		assert_true(exporter_run(netflow.e, now_ns, NETFLOW_TIME + s) > now_ns);
		netflow_read_socket(netflow.fd, &netflow.w);
	}
	exporter_drain(netflow.e, NETFLOW_T0 + seconds * NETFLOW_S, NETFLOW_TIME + seconds, 0);
	netflow_read_socket(netflow.fd, &netflow.w);
}

void netflow_send_at(uint32_t time_s)
{
	exporter_flush(netflow.e, NETFLOW_T0, NETFLOW_S);
	for (uint64_t now_ns = NETFLOW_T0; exporter_stats(netflow.e)->queued.octets;) {
		now_ns = exporter_run(netflow.e, now_ns, time_s);
		netflow_read_socket(netflow.fd, &netflow.w);
		check_balance(netflow.e);
	}
}
