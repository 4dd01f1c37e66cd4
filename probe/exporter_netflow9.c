/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NetFlow v9 (RFC 3954): Templates and records from the table IPFIX is made from.
 * The Sequence Number counts Export Packets, those of Templates too (5.1); the
 * Observation Domain is the Source ID.
 */
#include "probe/exporter_netflow9.h"

#include <errno.h>

#include "probe/exporter_netflow.h"
#include "probe/exporter_netflow9_options.h"
#include "probe/exporter_protocol.h"
#include "probe/exporter_put.h"
#include "probe/template.h"

#define NETFLOW9_VERSION    9
#define TEMPLATE_FLOWSET_ID 0

/* Offsets in the header, and of the length in a FlowSet. */
enum { COUNT_OFFSET = 2, SEQUENCE_OFFSET = 12, SOURCE_ID_OFFSET = 16 };
enum { LENGTH_OFFSET = 2 };

/* A length that is shorter than IPFIX's is one of RFC 3954 8, where more does not fit. */
static inline __attribute__((always_inline)) void put_number(uint8_t *p, uint64_t value,
							     size_t octets, size_t ipfix_octets)
{
	uint64_t end = octets < ipfix_octets ? 1ull << 8 * octets : 0; /* shorter: below 2^64 */

	put(p, end && value >= end ? end - 1 : value, octets);
}

#define PUT_U(p, field, octets, ipfix_octets)  put_number(p, field, octets, ipfix_octets)
#define PUT_T(p, field, octets, ipfix_octets)  put(p, netflow_uptime(field, base_ms), octets)
#define PUT_A4(p, field, octets, ipfix_octets) put(p, field, octets)
#define PUT_A6(p, field, octets, ipfix_octets) memcpy(p, field, octets)
#define PUT_M(p, field, octets, ipfix_octets)  memcpy(p, field, octets)
#define PUT_O(p, field, octets, ipfix_octets)  memcpy(p, field, octets)

/* With kind and group constant, nothing is left of the elements that are not wanted. */
static inline __attribute__((always_inline)) uint8_t *put_elements(uint8_t *p,
								   const struct flow_record *r,
								   enum template_kind kind,
								   int group, uint64_t base_ms)
{
#define IE(name, owner, id, length, field, form, templates, in_group)                              \
	if ((templates) & (1 << kind) && GROUP_INDEX_##in_group == group) {                        \
		const struct netflow9_field f =                                                    \
			ie_netflow9(IE_##name, IE_OWNER_##owner, id, length);                      \
		if (f.octets)                                                                      \
			PUT_##form(p, r->field, f.octets, length);                                 \
		p += f.octets;                                                                     \
	}
#include "probe/ie.def"
#undef IE
	return p;
}

static inline __attribute__((always_inline)) uint8_t *put_group(uint8_t *p,
								const struct flow_record *r,
								enum template_kind kind, int group,
								uint64_t base_ms)
{
	switch (kind) {
	case TEMPLATE_V4:
		return put_elements(p, r, TEMPLATE_V4, group, base_ms);
	case TEMPLATE_V6:
		return put_elements(p, r, TEMPLATE_V6, group, base_ms);
	case TEMPLATE_ICMP4:
		return put_elements(p, r, TEMPLATE_ICMP4, group, base_ms);
	default:
		return put_elements(p, r, TEMPLATE_ICMP6, group, base_ms);
	}
}

/* Kept out of the way of records that have base only. */
static __attribute__((noinline)) uint8_t *put_other_groups(uint8_t *p, const struct flow_record *r,
							   enum template_kind kind, uint32_t groups,
							   uint64_t base_ms)
{
#define GROUP(NAME, word, doc)                                                                     \
	if (groups & GROUP_##NAME)                                                                 \
		p = put_group(p, r, kind, GROUP_INDEX_##NAME, base_ms);
#include "probe/group.def"
#undef GROUP
	return p;
}

static uint8_t *encode(uint8_t *p, const struct flow_record *r, enum template_kind kind,
		       uint32_t groups, uint64_t base_ms)
{
	p = put_group(p, r, kind, GROUP_INDEX_BASE, base_ms);
	return groups & ~(uint32_t)GROUP_BASE ? put_other_groups(p, r, kind, groups, base_ms) : p;
}

static struct netflow9_field field_of(int ie)
{
	return ie_netflow9(ie, ie_table[ie].owner, ie_table[ie].id, ie_table[ie].octets);
}

/* The field of an element in a record of this kind; type 0: it is not in it. */
static struct netflow9_field field_in(int ie, enum template_kind kind, uint32_t groups)
{
	return ie_is_in(&ie_table[ie], kind, groups) ? field_of(ie) : (struct netflow9_field){0};
}

bool netflow9_has_group(int group)
{
	for (int i = 0; i < N_IES; i++)
		if (ie_table[i].group == group && field_of(i).type)
			return true;
	return false;
}

static size_t field_offset(enum template_kind kind, uint32_t groups, int ie)
{
	size_t offset = 0;

	for (int i = 0; i < ie; i++)
		offset += field_in(i, kind, groups).octets;
	return offset;
}

size_t netflow9_record_octets(enum template_kind kind, uint32_t groups)
{
	return field_offset(kind, groups, N_IES);
}

static int layout(const struct flow_record *r)
{
	return (int)template_of_record(r);
}

static struct exporter_volume counts(const uint8_t *record, int number, uint32_t groups)
{
	enum template_kind kind = layout_kind(number);

	return (struct exporter_volume){
		.packets = get(record + field_offset(kind, groups, IE_packetDeltaCount),
			       field_of(IE_packetDeltaCount).octets),
		.octets = get(record + field_offset(kind, groups, IE_octetDeltaCount),
			      field_of(IE_octetDeltaCount).octets),
	};
}

void netflow9_put_header(uint8_t *message, uint32_t domain_id)
{
	put(message, NETFLOW9_VERSION, 2);
	put(message + SOURCE_ID_OFFSET, domain_id, 4);
}

void netflow9_put_count(uint8_t *message, size_t n_records)
{
	put(message + COUNT_OFFSET, n_records, 2);
}

static void encode_headers(uint8_t *message, uint32_t domain_id, uint16_t flowset_id)
{
	netflow9_put_header(message, domain_id);
	put(message + NETFLOW9_HEADER_OCTETS, flowset_id, 2);
}

/* A FlowSet ends on a multiple of four octets, its length says so (RFC 3954 5.3). */
static size_t finish(uint8_t *message, size_t n_records, size_t octets)
{
	size_t padded = (octets + 3) & ~(size_t)3;

	netflow9_put_count(message, n_records);
	put(message + NETFLOW9_HEADER_OCTETS + LENGTH_OFFSET, NETFLOW9_FLOWSET_OCTETS + padded, 2);
	memset(message + NETFLOW9_DATA_OFFSET + octets, 0, padded - octets);
	return NETFLOW9_DATA_OFFSET + padded;
}

static void stamp(uint8_t *message, const struct message_stamp *s)
{
	netflow_stamp_time(message, s->time_s, s->base_ms);
	put(message + SEQUENCE_OFFSET, s->sequence, 4);
}

/* Template Record (RFC 3954 5.2); returns its end. */
static uint8_t *put_template(uint8_t *p, enum template_kind kind, uint32_t groups)
{
	uint8_t *start = p;
	size_t n = 0;

	p += 4;
	for (int i = 0; i < N_IES; i++) {
		struct netflow9_field f = field_in(i, kind, groups);

		if (!f.type)
			continue;
		put(p, f.type, 2);
		put(p + 2, f.octets, 2);
		p += 4;
		n++;
	}
	put(start, template_id(kind, groups), 2);
	put(start + 2, n, 2);
	return p;
}

/* All Templates in one FlowSet: they have no enterprise elements, and always fit. */
static int encode_templates(uint8_t *messages, size_t room, const struct template_scheme *scheme)
{
	uint8_t *p = messages + NETFLOW9_DATA_OFFSET;

	if (room < NETFLOW9_DATA_OFFSET + N_TEMPLATES * (4 + 4 * N_IES))
		return -EPROTO;
	encode_headers(messages, scheme->domain_id, TEMPLATE_FLOWSET_ID);
	for (int kind = 0; kind < N_TEMPLATES; kind++)
		p = put_template(p, (enum template_kind)kind, scheme->groups);
	return (int)finish(messages, N_TEMPLATES, (size_t)(p - messages) - NETFLOW9_DATA_OFFSET);
}

static size_t templates_message_octets(const uint8_t *messages, size_t octets)
{
	(void)messages;
	return octets;
}

const struct exporter_protocol protocol_netflow9 = {
	.name = "NetFlow v9",
	.data_offset = NETFLOW9_DATA_OFFSET,
	.padding = PROTOCOL_MAX_PADDING,
	.max_records = SIZE_MAX,
	.max_count = UINT64_MAX,
	.has_templates = true,
	.has_uptime = true,
	.sequence_offset = SEQUENCE_OFFSET,
	.counts_messages = true,
	.layout = layout,
	.record_octets = netflow9_record_octets,
	.encode = encode,
	.counts = counts,
	.encode_headers = encode_headers,
	.finish = finish,
	.stamp = stamp,
	.encode_templates = encode_templates,
	.templates_message_octets = templates_message_octets,
	.encode_options = netflow9_encode_options,
};
