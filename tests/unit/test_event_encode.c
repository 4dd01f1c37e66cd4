/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as Data Records: each value is where libfixbuf finds it. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "probe/event_ie.h"
#include "probe/exporter_encode.h"
#include "probe/exporter_options_encode.h"
#include "tests/lib/event_fixture.h"
#include "tests/lib/published_model.h"

#define PEN	      32473
#define DOMAIN_ID     7
#define TEMPLATES_MAX 8192

/* Templates and an event, as libfixbuf reads them. */
struct reading {
	fbSession_t *session;
	fBuf_t *buf;
	fbTemplate_t *template; /* of the event */
	uint16_t id;
	uint8_t record[4096];
	size_t offset; /* of the next element */
};

static void take_message(struct reading *r, uint8_t *message, size_t octets)
{
	GError *err = NULL;

	fBufSetBuffer(r->buf, message, octets);
	assert_true(fBufNextMessage(r->buf, &err));
}

static void take_templates(struct reading *r)
{
	static uint8_t messages[TEMPLATES_MAX];
	int octets = event_encode_templates(messages, sizeof(messages), PEN);
	GError *err = NULL;

	assert_true(octets > 0);
	for (size_t at = 0; at < (size_t)octets;) {
		size_t length = encode_message_octets(messages + at);

		take_message(r, messages + at, length);
		fBufNextCollectionTemplate(r->buf, NULL, &err);
		g_clear_error(&err);
		at += length;
	}
}

/* The same as the Template of the Message, by name. */
static void set_internal(struct reading *r)
{
	fbTemplate_t *internal = fbTemplateAlloc(model);
	GError *err = NULL;

	for (uint32_t i = 0; i < fbTemplateCountElements(r->template); i++) {
		const fbInfoElement_t *from = fbTemplateGetIndexedIE(r->template, i);
		fbInfoElement_t ie = {.ent = from->ent, .num = from->num, .len = from->len};

		assert_true(fbTemplateAppend(internal, &ie, &err));
	}
	assert_true(fbSessionAddTemplate(r->session, TRUE, 999, internal, &err));
	assert_true(fBufSetInternalTemplate(r->buf, 999, &err));
}

static void read_event(struct reading *r, const struct anomaly_event *e)
{
	static uint8_t message[MESSAGE_DATA_OFFSET + EVENT_OCTETS];
	size_t length = sizeof(r->record);
	GError *err = NULL;

	r->session = fbSessionAlloc(model);
	r->buf = fBufAllocForCollection(r->session, NULL);
	fBufSetAutomaticMode(r->buf, FALSE);
	take_templates(r);
	encode_headers(message, OPTIONS_DOMAIN, (uint16_t)(EVENT_TEMPLATE_ID + event_kind(e)));
	uint8_t *end = event_encode(message + MESSAGE_DATA_OFFSET, 1400, e, DOMAIN_ID);

	encode_lengths(message, (size_t)(end - message) - MESSAGE_DATA_OFFSET);
	encode_stamp(message, 1767323048, 0);
	take_message(r, message, (size_t)(end - message));
	r->template = fBufNextCollectionTemplate(r->buf, &r->id, &err);
	assert_non_null(r->template);
	set_internal(r);
	assert_true(fBufNext(r->buf, r->record, &length, &err));
	assert_false(fBufNext(r->buf, r->record + length, &length, &err)); /* nothing behind */
	g_clear_error(&err);
}

static void expect_octets(struct reading *r, const void *expected, size_t octets)
{
	assert_memory_equal(r->record + r->offset, expected, octets);
	r->offset += octets;
}

static void expect_number(struct reading *r, uint64_t expected, size_t octets)
{
	uint64_t number = 0;

	memcpy(&number, r->record + r->offset, octets); /* libfixbuf turns it round */
	assert_int_equal(number, expected);
	r->offset += octets;
}

static void expect_float(struct reading *r, float expected)
{
	float number;

	memcpy(&number, r->record + r->offset, sizeof(number));
	assert_true(number == expected);
	r->offset += sizeof(number);
}

static void expect_text(struct reading *r, const char *expected)
{
	fbVarfield_t field;

	memcpy(&field, r->record + r->offset, sizeof(field));
	assert_int_equal(field.len, strlen(expected));
	assert_memory_equal(field.len ? field.buf : (const uint8_t *)"", expected, field.len);
	r->offset += sizeof(field);
}

static void expect_flow_ids(struct reading *r, const struct anomaly_event *e)
{
	fbBasicList_t list;

	memcpy(&list, r->record + r->offset, sizeof(list));
	assert_int_equal(fbBasicListCountElements(&list), e->n_flow_ids);
	assert_int_equal(fbBasicListGetSemantic(&list), 2); /* one or more of them */
	for (uint16_t i = 0; i < e->n_flow_ids; i++)
		assert_memory_equal(fbBasicListGetIndexedDataPtr(&list, i), &e->flow_id[i], 8);
	if (e->n_flow_ids)
		assert_string_equal(fbBasicListGetInfoElement(&list)->ref.name, "flowId");
	fbBasicListClear(&list);
	r->offset += sizeof(list);
}

static void expect_sides(struct reading *r, const struct anomaly_event *e, unsigned int kind)
{
	const struct host *hosts[] = {kind & EVENT_HAS_SOURCE ? &e->source : NULL,
				      kind & EVENT_HAS_DESTINATION ? &e->destination : NULL};

	for (int i = 0; i < 2; i++) {
		if (hosts[i] && kind & EVENT_IS_IPV6)
			expect_octets(r, hosts[i]->octets, 16);
		else if (hosts[i])
			expect_number(r, host_ipv4(hosts[i]), 4);
	}
	if (hosts[1])
		expect_number(r,
			      e->destination_length  ? e->destination_length
			      : kind & EVENT_IS_IPV6 ? 128
						     : 32,
			      1);
	expect_number(r, e->has_source_port ? e->source_port : 0, 2);
	expect_number(r, e->has_destination_port ? e->destination_port : 0, 2);
	expect_number(r, e->protocol, 1);
}

static void expect_judgement(struct reading *r, const struct anomaly_event *e)
{
	expect_number(r, e->event_id, 8);
	expect_number(r, e->sequence, 4);
	expect_number(r, e->state, 1);
	expect_number(r, e->class, 2);
	expect_number(r, e->subclass, 2);
	expect_number(r, e->severity, 1);
	expect_number(r, e->confidence, 1);
	expect_float(r, e->value);
	expect_float(r, e->threshold);
	expect_float(r, e->baseline);
	expect_number(r, e->window_ms, 4);
	expect_number(r, e->suppressed, 4);
}

static void expect_evidence(struct reading *r, const struct anomaly_event *e)
{
	expect_number(r, e->n_sources, 4);
	expect_number(r, e->n_destinations, 4);
	expect_number(r, e->n_ports, 4);
	expect_number(r, e->failed_contacts, 4);
	expect_number(r, e->n_syn, 8);
	expect_number(r, e->n_syn_ack, 8);
	expect_number(r, e->established, 8);
	expect_number(r, e->n_rst, 8);
	expect_number(r, e->n_unreachable, 8);
	expect_number(r, e->peak_pps, 8);
	expect_number(r, e->peak_bps, 8);
	expect_float(r, e->amplification);
	expect_number(r, e->reflector_port, 2);
	expect_number(r, e->interval_median_ms, 4);
	expect_number(r, e->interval_mad_ms, 4);
	expect_float(r, e->interval_cv);
	expect_number(r, e->connections, 4);
	expect_number(r, e->hours_bitmap, 4);
	expect_float(r, e->pcr);
	expect_number(r, e->octets_out, 8);
	expect_number(r, e->octets_in, 8);
	expect_number(r, e->violation_id, 2);
	expect_number(r, e->violations, 8);
	expect_number(r, e->n_unseen, 8);
	expect_number(r, e->visibility, 1);
	expect_number(r, e->is_spoofed ? 1 : 2, 1);
}

static void compare(const struct anomaly_event *e, unsigned int kind, const char *targets,
		    const char *features)
{
	static struct reading r;

	r = (struct reading){0};
	read_event(&r, e);
	assert_int_equal(r.id, EVENT_TEMPLATE_ID + kind);
	assert_int_equal(fbTemplateGetOptionsScope(r.template), 1);
	expect_number(&r, DOMAIN_ID, 4);
	expect_number(&r, e->time_ms, 8);
	expect_number(&r, e->start_ms, 8);
	expect_number(&r, e->end_ms, 8);
	expect_sides(&r, e, kind);
	expect_judgement(&r, e);
	expect_evidence(&r, e);
	expect_text(&r, anomaly_state_name(e->state));
	expect_text(&r, anomaly_class_name(e->class));
	expect_text(&r, anomaly_subclass_name(e->subclass));
	expect_text(&r, anomaly_visibility_name(e->visibility));
	expect_text(&r, anomaly_technique(e->class));
	expect_number(&r, e->is_learning ? 1 : 2, 1);
	expect_text(&r, e->group);
	expect_text(&r, e->rule && e->is_group_rule
				? "anomaly.groups.servers.syn_flood.completed_pct"
			: e->rule ? e->rule
				  : "");
	expect_text(&r, e->reason);
	expect_text(&r, targets);
	expect_text(&r, features);
	expect_flow_ids(&r, e);
	fBufFree(r.buf);
}

#define FEATURE "packetsOut=3e+12 usual=1.25e+06 z=1000"
#define HOST6	"[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]"

static void test_libfixbuf_reads_each_kind_of_event_as_it_was(void **state)
{
	static const char *const targets[] = {
		"192.0.2.1:65535 192.0.2.1:65534 192.0.2.1:65533 192.0.2.1:65532",
		HOST6 ":65535 " HOST6 ":65534 " HOST6 ":65533 " HOST6 ":65532"};

	(void)state;
	for (unsigned int kind = 0; kind < N_EVENT_KINDS; kind++) {
		struct anomaly_event e = full_event(kind);

		if (event_has_kind(kind))
			compare(&e, kind, targets[kind / EVENT_IS_IPV6],
				FEATURE "; " FEATURE "; " FEATURE);
	}
}

static void test_an_event_that_tells_little_is_read_as_it_was(void **state)
{
	struct anomaly_event e = {.state = ANOMALY_END, .source_port = 1, .destination_port = 2};

	(void)state;
	compare(&e, 0, "", "");
	e.n_targets = 1;
	e.target[0] = (struct anomaly_target){.host = host_of_ipv4(htonl(0x0a000001))};
	compare(&e, 0, "10.0.0.1", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_libfixbuf_reads_each_kind_of_event_as_it_was),
		cmocka_unit_test(test_an_event_that_tells_little_is_read_as_it_was),
	};

	return cmocka_run_group_tests_name("events on the wire", tests, setup_model, free_model);
}
