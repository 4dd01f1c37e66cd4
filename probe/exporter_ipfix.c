/* SPDX-License-Identifier: BSD-2-Clause */
/* IPFIX (RFC 7011) as an exporter's protocol. */
#include "probe/exporter_encode.h"
#include "probe/exporter_options_encode.h"
#include "probe/exporter_protocol.h"
#include "probe/exporter_put.h"
#include "probe/template.h"

static int layout(const struct flow_record *r)
{
	return (int)template_of_record(r);
}

static uint8_t *encode(uint8_t *p, const struct flow_record *r, enum template_kind kind,
		       uint32_t groups, uint64_t base_ms)
{
	(void)base_ms;
	return encode_record(p, r, kind, groups);
}

static struct exporter_volume counts(const uint8_t *record, int number, uint32_t groups)
{
	enum template_kind kind = layout_kind(number);
	struct exporter_volume v = {
		.packets = get(record + template_field_offset(kind, groups, IE_packetDeltaCount),
			       ie_table[IE_packetDeltaCount].octets),
		.octets = get(record + template_field_offset(kind, groups, IE_octetDeltaCount),
			      ie_table[IE_octetDeltaCount].octets),
	};

	if (number < BIFLOW_LAYOUT)
		return v;
	v.packets += get(record + template_reverse_offset(kind, groups, IE_packetDeltaCount),
			 ie_table[IE_packetDeltaCount].octets);
	v.octets += get(record + template_reverse_offset(kind, groups, IE_octetDeltaCount),
			ie_table[IE_octetDeltaCount].octets);
	return v;
}

static size_t finish(uint8_t *message, size_t n_records, size_t octets)
{
	(void)n_records;
	encode_lengths(message, octets);
	return MESSAGE_DATA_OFFSET + octets;
}

static void stamp(uint8_t *message, const struct message_stamp *s)
{
	encode_stamp(message, s->time_s, s->sequence);
}

static size_t templates_message_octets(const uint8_t *messages, size_t octets)
{
	(void)octets;
	return encode_message_octets(messages);
}

const struct exporter_protocol protocol_ipfix = {
	.name = "IPFIX",
	.data_offset = MESSAGE_DATA_OFFSET,
	.max_records = SIZE_MAX,
	.max_count = UINT64_MAX,
	.has_templates = true,
	.has_events = true,
	.sequence_offset = MESSAGE_SEQUENCE_OFFSET,
	.domain_offset = MESSAGE_DOMAIN_OFFSET,
	.layout = layout,
	.record_octets = template_record_octets,
	.encode = encode,
	.encode_biflow = encode_biflow,
	.counts = counts,
	.encode_headers = encode_headers,
	.finish = finish,
	.stamp = stamp,
	.encode_templates = templates_encode,
	.templates_message_octets = templates_message_octets,
	.encode_options = options_encode,
};
