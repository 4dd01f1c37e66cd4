/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Options Templates and records of NetFlow v9 (RFC 3954 6.1), all fields of fixed length.
 * The scope is the system, and the interface a field, as routers of Cisco have it:
 * Collectors look for it there.
 */
#include "probe/exporter_netflow9_options.h"

#include <string.h>

#include "probe/exporter_netflow9.h"
#include "probe/exporter_put.h"

#define OPTIONS_FLOWSET_ID 1
#define SCOPE_SYSTEM	   1
#define SCOPE_OCTETS	   4 /* the Source ID */
#define COUNTER_OCTETS	   8
#define FIELD_OCTETS	   4 /* type and length, in a Template */

/* Template IDs, those of the same records of IPFIX. */
enum { STATISTICS_ID = 320, INTERFACE_ID = 325 };

/* RFC 3954 8; IF_DESC is Cisco's. */
static const struct netflow9_field statistics[] = {
	{42, COUNTER_OCTETS}, /* TOTAL_FLOWS_EXP */
	{41, COUNTER_OCTETS}, /* TOTAL_PKTS_EXP: Export Packets */
	{40, COUNTER_OCTETS}, /* TOTAL_BYTES_EXP */
};

static const struct netflow9_field interface[] = {
	{10, 4}, /* INPUT_SNMP */
	{82, IF_NAMESIZE}, /* IF_NAME */
	{83, INTERFACE_ALIAS_OCTETS}, /* IF_DESC */
};

#define N_FIELDS	  3
#define STATISTICS_OCTETS (SCOPE_OCTETS + N_FIELDS * COUNTER_OCTETS)
#define INTERFACE_OCTETS  (SCOPE_OCTETS + 4 + IF_NAMESIZE + INTERFACE_ALIAS_OCTETS)
#define TEMPLATE_OCTETS	  (6 + FIELD_OCTETS * (1 + N_FIELDS))

_Static_assert(sizeof(statistics) == N_FIELDS * sizeof(*statistics), "N_FIELDS");
_Static_assert(sizeof(interface) == N_FIELDS * sizeof(*interface), "N_FIELDS");
_Static_assert(STATISTICS_OCTETS % 4 == 0 && INTERFACE_OCTETS % 4 == 0, "data is not padded");

static struct options_message *open_message(struct options_batch *b,
					    const struct options_state *state)
{
	if (b->n_messages == OPTIONS_MAX_MESSAGES ||
	    b->octets + OPTIONS_MESSAGE_OCTETS > sizeof(b->data))
		return NULL;
	struct options_message *m = &b->messages[b->n_messages++];

	*m = (struct options_message){
		.offset = (uint32_t)b->octets,
		.octets = NETFLOW9_HEADER_OCTETS,
		.is_of_flows = true,
	};
	memset(b->data + b->octets, 0, NETFLOW9_HEADER_OCTETS);
	netflow9_put_header(b->data + b->octets, state->domain_id);
	b->octets += NETFLOW9_HEADER_OCTETS;
	b->set_offset = 0;
	return m;
}

/*
 * Room for one more record, in the FlowSet that is open or in a new one of this id;
 * NULL: there is none.
 */
static uint8_t *make_room(struct options_batch *b, const struct options_state *state,
			  uint16_t flowset_id, size_t octets)
{
	struct options_message *m = b->n_messages ? &b->messages[b->n_messages - 1] : NULL;

	if (!m || m->octets + NETFLOW9_FLOWSET_OCTETS + octets > OPTIONS_MESSAGE_OCTETS)
		m = open_message(b, state);
	if (!m)
		return NULL;
	/* Options Templates each have a FlowSet of their own. */
	if (!b->set_offset || flowset_id == OPTIONS_FLOWSET_ID ||
	    get(b->data + b->set_offset, 2) != flowset_id) {
		b->set_offset = b->octets;
		put(b->data + b->octets, flowset_id, 2);
		b->octets += NETFLOW9_FLOWSET_OCTETS;
	}
	uint8_t *p = b->data + b->octets;

	b->octets += octets;
	m->octets = (uint16_t)(b->octets - m->offset);
	m->n_records++;
	netflow9_put_count(b->data + m->offset, m->n_records);
	put(b->data + b->set_offset + 2, b->octets - b->set_offset, 2);
	return p;
}

static void put_template(struct options_batch *b, const struct options_state *state, uint16_t id,
			 const struct netflow9_field field[static N_FIELDS])
{
	const size_t padded = (TEMPLATE_OCTETS + 3) & ~3;
	uint8_t *p = make_room(b, state, OPTIONS_FLOWSET_ID, padded);

	if (!p)
		return;
	memset(p, 0, padded);
	p = put(p, id, 2);
	p = put(p, FIELD_OCTETS, 2); /* of the scope, not how many */
	p = put(p, N_FIELDS * FIELD_OCTETS, 2);
	p = put(p, SCOPE_SYSTEM, 2);
	p = put(p, SCOPE_OCTETS, 2);
	for (int i = 0; i < N_FIELDS; i++) {
		p = put(p, field[i].type, 2);
		p = put(p, field[i].octets, 2);
	}
}

static void put_statistics(struct options_batch *b, const struct options_state *state)
{
	uint8_t *p = make_room(b, state, STATISTICS_ID, STATISTICS_OCTETS);

	if (!p)
		return;
	p = put(p, state->domain_id, SCOPE_OCTETS);
	p = put(p, state->flow_records, COUNTER_OCTETS);
	p = put(p, state->messages, COUNTER_OCTETS);
	put(p, state->octets, COUNTER_OCTETS);
}

static void put_interfaces(struct options_batch *b, const struct options_state *state)
{
	for (size_t i = 0; i < state->n_interfaces; i++) {
		const struct interface_name *from = &state->interfaces[i];
		uint8_t *p = make_room(b, state, INTERFACE_ID, INTERFACE_OCTETS);

		if (!p)
			return;
		p = put(p, state->domain_id, SCOPE_OCTETS);
		p = put(p, from->index, 4);
		memset(p, 0, sizeof(from->name) + sizeof(from->alias));
		memcpy(p, from->name, strnlen(from->name, sizeof(from->name)));
		memcpy(p + sizeof(from->name), from->alias,
		       strnlen(from->alias, sizeof(from->alias)));
	}
}

void netflow9_encode_options(struct options_batch *b, const struct options_state *state,
			     uint32_t parts)
{
	b->n_messages = 0;
	b->octets = 0;
	b->set_offset = 0;
	if (parts & OPTIONS_TEMPLATES) {
		put_template(b, state, STATISTICS_ID, statistics);
		put_template(b, state, INTERFACE_ID, interface);
	}
	if (parts & OPTIONS_NAMES)
		put_interfaces(b, state);
	if (parts & OPTIONS_COUNTS)
		put_statistics(b, state);
}
