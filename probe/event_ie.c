/* SPDX-License-Identifier: BSD-2-Clause */
/* event_ie.def as data and as code. See event_ie.h. */
#include "probe/event_ie.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "probe/exporter_encode.h"
#include "probe/exporter_options_encode.h"
#include "probe/exporter_put.h"

#define OPTIONS_SET	  3
#define TEMPLATE_OCTETS	  6 /* of an Options Template without its fields */
#define ENTERPRISE_BIT	  0x8000
#define VARIABLE	  65535
#define LONG_TEXT	  255 /* from which on the length takes three octets */
#define FLOW_ID		  148 /* flowId */
#define LIST_HEAD	  5 /* semantic, element and length */
#define LIST_ONE_OR_MORE  2 /* RFC 6313 4.4 */
#define TARGET_OCTETS_MAX (HOST_TEXT_MAX + 9) /* [HOST]:PORT and a space */
#define FEATURE_OCTETS	  80 /* NAME=NUMBER usual=NUMBER z=NUMBER and a separator */

/* bit n: kind n */
#define ALL	     0xef
#define SOURCE4	     (1 << 1 | 1 << 3)
#define SOURCE6	     (1 << 5 | 1 << 7)
#define DESTINATION4 (1 << 2 | 1 << 3)
#define DESTINATION6 (1 << 6 | 1 << 7)

#define OCTETS_U8   1
#define OCTETS_U16  2
#define OCTETS_U32  4
#define OCTETS_U64  8
#define OCTETS_F32  4
#define OCTETS_BOOL 1
#define OCTETS_TEXT VARIABLE
#define OCTETS_MS   8
#define OCTETS_IP4  4
#define OCTETS_IP6  16
#define OCTETS_LIST VARIABLE

const struct event_ie event_ie_table[] = {
#define EVENT_IE(name, owner, id, type, kinds, value, semantics, units)                            \
	{#name,		id,                                                                        \
	 OCTETS_##type, IE_OWNER_##owner,                                                          \
	 kinds,		{EVENT_##type, IE_##semantics, IE_##units}},
#include "probe/event_ie.def"
#undef EVENT_IE
};

const size_t n_event_ies = sizeof(event_ie_table) / sizeof(*event_ie_table);

bool event_has_kind(unsigned int kind)
{
	return kind < N_EVENT_KINDS && kind != EVENT_IS_IPV6;
}

bool event_has_template(uint32_t id)
{
	return id >= EVENT_TEMPLATE_ID && event_has_kind(id - EVENT_TEMPLATE_ID);
}

unsigned int event_kind(const struct anomaly_event *e)
{
	unsigned int kind = 0;

	if (e->has_source)
		kind = EVENT_HAS_SOURCE | (host_is_ipv4(&e->source) ? 0 : EVENT_IS_IPV6);
	else if (e->has_destination)
		kind = host_is_ipv4(&e->destination) ? 0 : EVENT_IS_IPV6;
	if (e->has_destination && host_is_ipv4(&e->destination) == !(kind & EVENT_IS_IPV6))
		kind |= EVENT_HAS_DESTINATION;
	return kind;
}

/* --- values --- */

#define PUT_U8(p, value)  put(p, (uint64_t)(value), 1)
#define PUT_U16(p, value) put(p, (uint64_t)(value), 2)
#define PUT_U32(p, value) put(p, (uint64_t)(value), 4)
#define PUT_U64(p, value) put(p, (uint64_t)(value), 8)
#define PUT_MS(p, value)  put(p, (uint64_t)(value), 8)
#define PUT_IP4(p, value) put(p, host_ipv4(value), 4)
#define PUT_F32(p, value) put_float(p, value)
/* RFC 7011 6.1.5: 1 is true, 2 is false */
#define PUT_BOOL(p, value) put(p, (value) ? 1 : 2, 1)
#define PUT_IP6(p, value)  put_octets(p, (value)->octets, 16)
#define PUT_TEXT(p, value) put_text(p, value)
#define PUT_LIST(p, value) put_flow_ids(p, value)

static uint8_t *put_octets(uint8_t *p, const void *octets, size_t n)
{
	memcpy(p, octets, n);
	return p + n;
}

static uint8_t *put_float(uint8_t *p, float value)
{
	uint32_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return put(p, bits, 4);
}

static uint8_t *put_length(uint8_t *p, size_t octets)
{
	if (octets < LONG_TEXT)
		return put(p, octets, 1);
	return put(put(p, LONG_TEXT, 1), octets, 2);
}

static uint8_t *put_text(uint8_t *p, const char *text)
{
	size_t octets = strlen(text);

	return put_octets(put_length(p, octets), text, octets);
}

/* A basicList of flowId (RFC 6313 4.5.1). */
static uint8_t *put_flow_ids(uint8_t *p, const struct anomaly_event *e)
{
	p = put_length(p, LIST_HEAD + 8 * e->n_flow_ids);
	p = put(p, LIST_ONE_OR_MORE, 1);
	p = put(p, FLOW_ID, 2);
	p = put(p, 8, 2);
	for (uint32_t i = 0; i < e->n_flow_ids; i++)
		p = put(p, e->flow_id[i], 8);
	return p;
}

static char *put_target(char *p, const struct anomaly_target *t)
{
	bool has_brackets = t->has_port && !host_is_ipv4(&t->host);

	if (has_brackets)
		*p++ = '[';
	p = host_put(p, &t->host);
	if (has_brackets)
		*p++ = ']';
	return t->has_port ? p + sprintf(p, ":%u", t->port) : p;
}

/* HOST or HOST:PORT, with spaces between. Returns text. */
static const char *put_targets(char *text, const struct anomaly_event *e)
{
	char *p = text;

	for (uint32_t i = 0; i < e->n_targets; i++) {
		if (i)
			*p++ = ' ';
		p = put_target(p, &e->target[i]);
	}
	*p = '\0';
	return text;
}

/* All bits of the address of a host. */
static uint8_t prefix_length(const struct anomaly_event *e)
{
	if (e->destination_length)
		return e->destination_length;
	return host_is_ipv4(&e->destination) ? 32 : 128;
}

/* NAME=VALUE usual=VALUE z=SCORE, with semicolons between. Returns text. */
static const char *put_features(char *text, const struct anomaly_event *e)
{
	char *p = text;

	*p = '\0';
	for (uint32_t i = 0; i < e->n_features; i++)
		p += sprintf(p, "%s%.16s=%.6g usual=%.6g z=%.4g", i ? "; " : "", e->feature[i].name,
			     (double)e->feature[i].value, (double)e->feature[i].usual,
			     (double)e->feature[i].z);
	return text;
}

static uint8_t *put_event(uint8_t *p, const struct anomaly_event *e, uint32_t domain_id)
{
	char features[ANOMALY_FEATURES * FEATURE_OCTETS];
	char targets[ANOMALY_TARGETS * TARGET_OCTETS_MAX + 1], rule[ANOMALY_RULE_MAX];
	unsigned int bit = 1u << event_kind(e);

#define EVENT_IE(name, owner, id, type, kinds, value, semantics, units)                            \
	if ((kinds)&bit)                                                                           \
		p = PUT_##type(p, value);
#include "probe/event_ie.def"
#undef EVENT_IE
	return p;
}

/* Make the text shorter by so many octets, and say that there was more. */
static void cut_reason(struct anomaly_event *e, size_t octets)
{
	size_t length = strlen(e->reason), most = length > octets + 3 ? length - octets - 3 : 0;

	while (most && (e->reason[most] & 0xc0) == 0x80) /* within a character of UTF-8 */
		most--;
	strcpy(e->reason + most, "...");
}

uint8_t *event_encode(uint8_t *p, size_t room, const struct anomaly_event *e, uint32_t domain_id)
{
	struct anomaly_event rest = *e;
	uint8_t *end = put_event(p, &rest, domain_id);

	while ((size_t)(end - p) > room && rest.n_targets) {
		rest.n_targets--;
		end = put_event(p, &rest, domain_id);
	}
	while ((size_t)(end - p) > room && rest.n_features) {
		rest.n_features--;
		end = put_event(p, &rest, domain_id);
	}
	if ((size_t)(end - p) > room) {
		rest.is_group_rule = false;
		*rest.group = '\0';
		end = put_event(p, &rest, domain_id);
	}
	if ((size_t)(end - p) <= room)
		return end;
	cut_reason(&rest, (size_t)(end - p) - room);
	return put_event(p, &rest, domain_id);
}

/* --- Templates --- */

static uint8_t *put_fields(uint8_t *p, unsigned int kind, uint32_t enterprise_number)
{
	for (size_t i = 0; i < n_event_ies; i++) {
		const struct event_ie *ie = &event_ie_table[i];
		bool is_own = ie->owner == IE_OWNER_OWN;

		if (!(ie->kinds >> kind & 1))
			continue;
		p = put(p, ie->id | (is_own ? ENTERPRISE_BIT : 0u), 2);
		p = put(p, ie->octets, 2);
		if (is_own)
			p = put(p, enterprise_number, 4);
	}
	return p;
}

static size_t field_count(unsigned int kind)
{
	size_t n = 0;

	for (size_t i = 0; i < n_event_ies; i++)
		n += event_ie_table[i].kinds >> kind & 1;
	return n;
}

size_t event_template_octets(void)
{
	size_t most = 0;

	for (unsigned int kind = 0; kind < N_EVENT_KINDS; kind++) {
		size_t octets = TEMPLATE_OCTETS;

		for (size_t i = 0; i < n_event_ies; i++)
			if (event_ie_table[i].kinds >> kind & 1)
				octets += event_ie_table[i].owner == IE_OWNER_OWN ? 8 : 4;
		most = octets > most ? octets : most;
	}
	return most;
}

/* One to a Message: two would not pass where 512 octets do. */
static uint8_t *put_template_message(uint8_t *message, unsigned int kind,
				     uint32_t enterprise_number)
{
	uint8_t *p = message + MESSAGE_DATA_OFFSET;

	memset(message, 0, MESSAGE_DATA_OFFSET);
	encode_headers(message, OPTIONS_DOMAIN, OPTIONS_SET);
	p = put(p, EVENT_TEMPLATE_ID + kind, 2);
	p = put(p, field_count(kind), 2);
	p = put(p, 1, 2); /* observationDomainId is the scope */
	p = put_fields(p, kind, enterprise_number);
	encode_lengths(message, (size_t)(p - message) - MESSAGE_DATA_OFFSET);
	return p;
}

int event_encode_templates(uint8_t *messages, size_t room, uint32_t enterprise_number)
{
	const size_t most = MESSAGE_DATA_OFFSET + event_template_octets();
	uint8_t *p = messages;

	for (unsigned int kind = 0; kind < N_EVENT_KINDS; kind++) {
		if (!event_has_kind(kind))
			continue;
		if ((size_t)(p - messages) + most > room)
			return -ENOBUFS;
		p = put_template_message(p, kind, enterprise_number);
	}
	return (int)(p - messages);
}
