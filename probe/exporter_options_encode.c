/* SPDX-License-Identifier: BSD-2-Clause */
/* Records are arrays of values, in the order of their Template in exporter_options.def. */
#include "probe/exporter_options_encode.h"

#include <string.h>

#include "probe/event_ie.h"
#include "probe/exporter_encode.h"
#include "probe/exporter_put.h"
#include "probe/ie.h"

#define VARIABLE	  65535 /* length in a Template (RFC 7011 7) */
#define OPTIONS_SET	  3
#define TEMPLATE_OCTETS	  6 /* of an Options Template without its fields */
#define FIELD_OCTETS	  4
#define MAX_FIELDS	  6
#define SHORT_TEXT_OCTETS 254 /* whose length is one octet */
#define REVERSE_OF_OWN	  0x4000 /* the reverse of our element has its id and this bit */
#define PROCESS_ID	  1 /* there is one Exporting Process */

enum options {
#define OPTIONS(NAME, id, n_scopes) OPTIONS_##NAME,
#define OPTION(NAME, element, id, octets)
#include "probe/exporter_options.def"
#undef OPTIONS
#undef OPTION
	N_OPTIONS,
};

static const struct {
	uint16_t id;
	uint16_t n_scopes;
} options_templates[N_OPTIONS] = {
#define OPTIONS(NAME, id, n_scopes) [OPTIONS_##NAME] = {id, n_scopes},
#define OPTION(NAME, element, id, octets)
#include "probe/exporter_options.def"
#undef OPTIONS
#undef OPTION
};

bool options_has_template(uint32_t id)
{
	for (int i = 0; i < N_OPTIONS; i++)
		if (options_templates[i].id == id)
			return true;
	return false;
}

static const struct {
	uint16_t options;
	uint16_t id;
	uint16_t octets;
} fields[] = {
#define OPTIONS(NAME, id, n_scopes)
#define OPTION(NAME, element, id, octets) {OPTIONS_##NAME, id, octets},
#include "probe/exporter_options.def"
#undef OPTIONS
#undef OPTION
};

#define N_FIELDS (sizeof(fields) / sizeof(*fields))

struct value {
	uint64_t number;
	const char *text; /* instead, where the field is VARIABLE */
};

static const char *text_of(const struct value *value)
{
	return value->text ? value->text : "";
}

static size_t field_count(enum options options)
{
	size_t n = 0;

	for (size_t i = 0; i < N_FIELDS; i++)
		n += fields[i].options == options;
	return n;
}

/* --- Messages and Sets --- */

static bool open_message(struct options_batch *b, const struct options_state *state,
			 bool is_of_flows)
{
	if (b->n_messages == OPTIONS_MAX_MESSAGES ||
	    b->octets + OPTIONS_MESSAGE_OCTETS > sizeof(b->data))
		return false;
	b->messages[b->n_messages++] = (struct options_message){
		.offset = (uint32_t)b->octets,
		.octets = MESSAGE_HEADER_OCTETS,
		.is_of_flows = is_of_flows,
	};
	memset(b->data + b->octets, 0, MESSAGE_HEADER_OCTETS);
	encode_headers(b->data + b->octets, is_of_flows ? state->domain_id : OPTIONS_DOMAIN, 0);
	b->octets += MESSAGE_HEADER_OCTETS;
	b->set_offset = 0;
	return true;
}

static bool is_set_open(const struct options_batch *b, uint16_t set_id)
{
	return b->set_offset && get(b->data + b->set_offset, 2) == set_id;
}

/* Where a record of so many octets goes, in a Set of this id; NULL: nowhere. */
static uint8_t *make_room(struct options_batch *b, const struct options_state *state,
			  bool is_of_flows, uint16_t set_id, size_t octets)
{
	struct options_message *m = b->n_messages ? &b->messages[b->n_messages - 1] : NULL;

	if (!m || m->is_of_flows != is_of_flows ||
	    m->octets + SET_HEADER_OCTETS + octets > OPTIONS_MESSAGE_OCTETS) {
		if (!open_message(b, state, is_of_flows))
			return NULL;
		m = &b->messages[b->n_messages - 1];
	}
	if (!is_set_open(b, set_id)) {
		b->set_offset = b->octets;
		put(b->data + b->octets, set_id, 2);
		b->octets += SET_HEADER_OCTETS;
	}
	uint8_t *p = b->data + b->octets;

	b->octets += octets;
	m->octets = (uint16_t)(b->octets - m->offset);
	put(b->data + m->offset + 2, m->octets, 2);
	put(b->data + b->set_offset + 2, b->octets - b->set_offset, 2);
	return p;
}

static void put_template(struct options_batch *b, const struct options_state *state,
			 enum options options)
{
	size_t n = field_count(options);
	bool is_of_flows = options == OPTIONS_FLOW_KEYS;

	b->set_offset = 0; /* each in a Set of its own */
	uint8_t *p =
		make_room(b, state, is_of_flows, OPTIONS_SET, TEMPLATE_OCTETS + n * FIELD_OCTETS);

	if (!p)
		return;
	p = put(p, options_templates[options].id, 2);
	p = put(p, n, 2);
	p = put(p, options_templates[options].n_scopes, 2);
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (fields[i].options != options)
			continue;
		p = put(p, fields[i].id, 2);
		p = put(p, fields[i].octets, 2);
	}
}

/* Those of OPTIONS_DOMAIN. */
static void put_templates(struct options_batch *b, const struct options_state *state)
{
	enum options names = state->has_descriptions ? OPTIONS_DESCRIPTION : OPTIONS_INTERFACE;

	put_template(b, state, OPTIONS_METERING);
	put_template(b, state, OPTIONS_IGNORED);
	put_template(b, state, OPTIONS_NOT_SENT);
	put_template(b, state, names);
	put_template(b, state, OPTIONS_TYPE);
}

static size_t record_octets(enum options options, const struct value *values)
{
	size_t octets = 0;

	for (size_t i = 0; i < N_FIELDS; i++) {
		if (fields[i].options != options)
			continue;
		octets += fields[i].octets == VARIABLE ? 1 + strlen(text_of(values))
						       : fields[i].octets;
		values++;
	}
	return octets;
}

/* values: one for each field, texts of at most SHORT_TEXT_OCTETS */
static void put_record(struct options_batch *b, const struct options_state *state,
		       enum options options, const struct value values[static MAX_FIELDS])
{
	uint8_t *p = make_room(b, state, options == OPTIONS_FLOW_KEYS,
			       options_templates[options].id, record_octets(options, values));

	if (!p)
		return;
	b->messages[b->n_messages - 1].n_records++;
	for (size_t i = 0; i < N_FIELDS; i++) {
		if (fields[i].options != options)
			continue;
		if (fields[i].octets == VARIABLE) {
			size_t octets = strlen(text_of(values));

			p = put(p, octets, 1);
			memcpy(p, text_of(values), octets);
			p += octets;
		} else {
			p = put(p, values->number, fields[i].octets);
		}
		values++;
	}
}

/* --- the records --- */

static void put_type(struct options_batch *b, const struct options_state *state,
		     const struct ie_type type, uint16_t id, const char *name)
{
	const struct value values[MAX_FIELDS] = {
		{.number = state->enterprise_number},
		{.number = id},
		{.number = type.data_type},
		{.number = type.semantics},
		{.number = type.units},
		{.text = name},
	};

	put_record(b, state, OPTIONS_TYPE, values);
}

static void put_types_of_events(struct options_batch *b, const struct options_state *state)
{
	for (size_t i = 0; i < n_event_ies; i++)
		if (event_ie_table[i].owner == IE_OWNER_OWN)
			put_type(b, state, event_ie_table[i].type, event_ie_table[i].id,
				 event_ie_table[i].name);
}

/* Every enterprise element of the exporter's Templates. */
static void put_types(struct options_batch *b, const struct options_state *state)
{
	char reverse[IE_NAME_MAX + 1];

	for (int i = 0; i < ie_count(state->groups); i++) {
		const struct ie *ie = &ie_table[i];

		if (ie->owner != IE_OWNER_OWN || !(state->groups >> ie->group & 1))
			continue;
		put_type(b, state, ie_own_type(ie), ie->id, ie->name);
		if (!(state->groups & GROUP_BIFLOW) || ie->templates & ONCE)
			continue;
		ie_reverse_name(ie, reverse);
		put_type(b, state, ie_own_type(ie), ie->id | REVERSE_OF_OWN, reverse);
	}
	if (state->has_events)
		put_types_of_events(b, state);
}

static bool is_flow_key(int i)
{
	switch (i) {
	case IE_sourceIPv4Address:
	case IE_destinationIPv4Address:
	case IE_sourceIPv6Address:
	case IE_destinationIPv6Address:
	case IE_sourceTransportPort:
	case IE_destinationTransportPort:
	case IE_icmpTypeCodeIPv4:
	case IE_icmpTypeCodeIPv6:
	case IE_protocolIdentifier:
	case IE_ingressInterface:
	case IE_egressInterface:
	case IE_vlanId:
	case IE_flowDirection:
		return true;
	default:
		return false;
	}
}

uint64_t options_flow_keys(int layout, uint32_t groups)
{
	enum template_kind kind = layout_kind(layout);
	uint64_t keys = 0;
	unsigned int at = 0;

	groups = layout_groups(layout, groups);
	for (int i = 0; i < N_IES; i++)
		at += ie_is_reversed_in(&ie_table[i], kind, groups); /* these come first */
	for (int i = 0; i < N_IES; i++) {
		if (!ie_is_in(&ie_table[i], kind, groups))
			continue;
		if (is_flow_key(i) && at > 63)
			return 0;
		if (is_flow_key(i))
			keys |= UINT64_C(1) << at;
		at++;
	}
	return keys;
}

static void put_keys(struct options_batch *b, const struct options_state *state)
{
	for (int layout = 0; layout < template_layouts(state->groups); layout++) {
		uint32_t groups = layout_groups(layout, state->groups);
		const struct value values[MAX_FIELDS] = {
			{.number = template_id(layout_kind(layout), groups)},
			{.number = options_flow_keys(layout, state->groups)},
		};

		if (values[1].number)
			put_record(b, state, OPTIONS_FLOW_KEYS, values);
	}
}

static void put_names(struct options_batch *b, const struct options_state *state)
{
	for (size_t i = 0; i < state->n_interfaces; i++) {
		const struct interface_name *from = &state->interfaces[i];
		const struct value values[MAX_FIELDS] = {
			{.number = from->index}, {.text = from->name}, {.text = from->alias}};

		put_record(b, state,
			   state->has_descriptions ? OPTIONS_DESCRIPTION : OPTIONS_INTERFACE,
			   values);
	}
}

static void put_counts(struct options_batch *b, const struct options_state *state)
{
	const struct options_loss *ignored = &state->ignored, *not_sent = &state->not_sent;
	const struct value metering[MAX_FIELDS] = {{.number = state->domain_id},
						   {.number = state->messages},
						   {.number = state->flow_records},
						   {.number = state->octets}};
	const struct value lost[MAX_FIELDS] = {{.number = state->domain_id},
					       {.number = ignored->packets},
					       {.number = ignored->octets},
					       {.number = ignored->first_s},
					       {.number = ignored->last_s}};
	const struct value unsent[MAX_FIELDS] = {
		{.number = PROCESS_ID},	       {.number = not_sent->records},
		{.number = not_sent->packets}, {.number = not_sent->octets},
		{.number = not_sent->first_s}, {.number = not_sent->last_s}};

	put_record(b, state, OPTIONS_METERING, metering);
	if (ignored->first_s)
		put_record(b, state, OPTIONS_IGNORED, lost);
	if (not_sent->first_s)
		put_record(b, state, OPTIONS_NOT_SENT, unsent);
}

void options_encode(struct options_batch *b, const struct options_state *state, uint32_t parts)
{
	b->n_messages = 0;
	b->octets = 0;
	b->set_offset = 0;
	if (parts & OPTIONS_TEMPLATES)
		put_templates(b, state);
	if (parts & OPTIONS_TYPES)
		put_types(b, state);
	if (parts & OPTIONS_NAMES)
		put_names(b, state);
	if (parts & OPTIONS_COUNTS)
		put_counts(b, state);
	if (parts & OPTIONS_TEMPLATES)
		put_template(b, state, OPTIONS_FLOW_KEYS);
	if (parts & OPTIONS_KEYS)
		put_keys(b, state);
}
