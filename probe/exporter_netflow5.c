/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NetFlow v5: a header and up to 30 records of one fixed form, as Cisco's NetFlow
 * Export Datagram Formats has it. IPv4 only; interfaces of 16 and counters of 32 bits;
 * the sequence counts records. The sampling interval stays 0: all packets are
 * counted, and a Collector would multiply.
 */
#include <netinet/in.h>

#include "probe/exporter_netflow.h"
#include "probe/exporter_protocol.h"
#include "probe/exporter_put.h"
#include "probe/template.h"

#define NETFLOW5_VERSION     5
#define NETFLOW5_MAX_RECORDS 30

/* Offsets in the header. */
enum {
	COUNT_OFFSET = 2,
	NANOSECONDS_OFFSET = 12,
	SEQUENCE_OFFSET = 16,
	ENGINE_OFFSET = 20, /* type, then id */
	HEADER_OCTETS = 24,
};

/* Offsets in a record; what is not here is zero: next hop, AS numbers, masks, padding. */
enum {
	SOURCE_OFFSET = 0,
	DESTINATION_OFFSET = 4,
	INPUT_OFFSET = 12,
	OUTPUT_OFFSET = 14,
	PACKETS_OFFSET = 16,
	OCTETS_OFFSET = 20,
	FIRST_OFFSET = 24,
	LAST_OFFSET = 28,
	SOURCE_PORT_OFFSET = 32,
	DESTINATION_PORT_OFFSET = 34,
	TCP_FLAGS_OFFSET = 37,
	PROTOCOL_OFFSET = 38,
	TOS_OFFSET = 39,
	RECORD_OCTETS = 48,
};

_Static_assert(NETFLOW5_MAX_RECORDS <= 32, "struct message has a bit each");

/* ICMP has no layout of its own. */
static int layout(const struct flow_record *r)
{
	return r->is_ipv6 ? -1 : TEMPLATE_V4;
}

static size_t record_octets(enum template_kind kind, uint32_t groups)
{
	(void)kind;
	(void)groups;
	return RECORD_OCTETS;
}

/* An interface that has no number of 16 bits is told as unknown, not as another. */
static uint64_t interface_number(uint32_t if_index)
{
	return if_index <= UINT16_MAX ? if_index : 0;
}

static uint8_t *encode(uint8_t *p, const struct flow_record *r, enum template_kind kind,
		       uint32_t groups, uint64_t base_ms)
{
	bool is_icmp = r->protocol == IPPROTO_ICMP;

	(void)kind;
	(void)groups;
	memset(p, 0, RECORD_OCTETS);
	put(p + SOURCE_OFFSET, r->source4, 4);
	put(p + DESTINATION_OFFSET, r->destination4, 4);
	put(p + INPUT_OFFSET, interface_number(r->ingress), 2);
	put(p + OUTPUT_OFFSET, interface_number(r->egress), 2);
	put(p + PACKETS_OFFSET, r->packets, 4);
	put(p + OCTETS_OFFSET, r->octets, 4);
	put(p + FIRST_OFFSET, netflow_uptime(r->start_ms, base_ms), 4);
	put(p + LAST_OFFSET, netflow_uptime(r->end_ms, base_ms), 4);
	put(p + SOURCE_PORT_OFFSET, is_icmp ? 0 : r->source_port, 2);
	put(p + DESTINATION_PORT_OFFSET, is_icmp ? r->icmp_type_code : r->destination_port, 2);
	p[TCP_FLAGS_OFFSET] = (uint8_t)r->tcp_flags;
	p[PROTOCOL_OFFSET] = r->protocol;
	p[TOS_OFFSET] = r->tos;
	return p + RECORD_OCTETS;
}

static struct exporter_volume counts(const uint8_t *record, int number, uint32_t groups)
{
	(void)number;
	(void)groups;
	return (struct exporter_volume){.packets = get(record + PACKETS_OFFSET, 4),
					.octets = get(record + OCTETS_OFFSET, 4)};
}

/* Engine type and id together are the low 16 bits of the Observation Domain. */
static void encode_headers(uint8_t *message, uint32_t domain_id, uint16_t flowset_id)
{
	(void)flowset_id;
	memset(message, 0, HEADER_OCTETS);
	put(message, NETFLOW5_VERSION, 2);
	put(message + ENGINE_OFFSET, domain_id, 2);
}

static size_t finish(uint8_t *message, size_t n_records, size_t octets)
{
	put(message + COUNT_OFFSET, n_records, 2);
	return HEADER_OCTETS + octets;
}

static void stamp(uint8_t *message, const struct message_stamp *s)
{
	netflow_stamp_time(message, s->time_s, s->base_ms);
	put(message + NANOSECONDS_OFFSET, 0, 4);
	put(message + SEQUENCE_OFFSET, s->sequence, 4);
}

const struct exporter_protocol protocol_netflow5 = {
	.name = "NetFlow v5",
	.data_offset = HEADER_OCTETS,
	.max_records = NETFLOW5_MAX_RECORDS,
	.max_count = UINT32_MAX,
	.has_uptime = true,
	.sequence_offset = SEQUENCE_OFFSET,
	.layout = layout,
	.record_octets = record_octets,
	.encode = encode,
	.counts = counts,
	.encode_headers = encode_headers,
	.finish = finish,
	.stamp = stamp,
};
