/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What differs between the export protocols. An exporter does everything else the
 * same way: stages, queue, pace, sessions and accounts know Messages of one header
 * and an array of equal records, whatever these look like.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/config.h"
#include "probe/exporter.h"
#include "probe/exporter_options_encode.h"
#include "probe/exporter_templates.h"
#include "probe/ie.h"
#include "probe/record.h"

#define PROTOCOL_MAX_PADDING 3 /* octets */

/* What is known when a Message leaves. */
struct message_stamp {
	uint32_t time_s; /* Unix s */
	uint32_t sequence;
	uint64_t base_ms; /* the Message was encoded with */
};

struct exporter_protocol {
	const char *name; /* for people */
	size_t data_offset; /* octets of a Message before its first record */
	size_t padding; /* octets behind the last one, at most; <= PROTOCOL_MAX_PADDING */
	size_t max_records; /* of a Message */
	uint64_t max_count; /* of packets or octets in a record; more is told in several */
	bool has_templates;
	bool has_events; /* forms for them */
	bool has_uptime; /* times count from a base, of which 32 bits of ms are left */
	size_t sequence_offset; /* of the Sequence Number in a header, of 20 octets or more */
	size_t domain_offset; /* of the Observation Domain that it is of; 0 = there is one only */
	bool counts_messages; /* in the Sequence Number, not Data Records */

	/* The layout a record is sent with (see template_layouts()), -1: it has none here. */
	int (*layout)(const struct flow_record *r);

	/* Octets of one Data Record. */
	size_t (*record_octets)(enum template_kind kind, uint32_t groups);

	/*
	 * Encode one record as encode_record() does.
	 * base_ms  Unix ms that the times count from, if has_uptime
	 */
	uint8_t *(*encode)(uint8_t *p, const struct flow_record *r, enum template_kind kind,
			   uint32_t groups, uint64_t base_ms);

	/* Both directions as one, as encode_biflow() does; NULL where there is no such record. */
	uint8_t *(*encode_biflow)(uint8_t *p, const struct flow_record *forward,
				  const struct flow_record *reverse, enum template_kind kind,
				  uint32_t groups);

	/* Packets and octets that an encoded record tells of, of both directions; 0 records. */
	struct exporter_volume (*counts)(const uint8_t *record, int layout, uint32_t groups);

	/* Write what never changes in the headers of a Message of one layout. */
	void (*encode_headers)(uint8_t *message, uint32_t domain_id, uint16_t template_id);

	/*
	 * Complete a Message that has so many records in so many octets: lengths and
	 * counts, and zeros where it is padded. Returns the octets of the Message.
	 */
	size_t (*finish)(uint8_t *message, size_t n_records, size_t octets);

	/* Write what is known when the Message leaves into its header. */
	void (*stamp)(uint8_t *message, const struct message_stamp *stamp);

	/* As templates_encode(); NULL without Templates. */
	int (*encode_templates)(uint8_t *messages, size_t room,
				const struct template_scheme *scheme);

	/* Octets of the first of several Messages of Templates, that are `octets` in all. */
	size_t (*templates_message_octets)(const uint8_t *messages, size_t octets);

	/* As options_encode(); NULL where Collectors are told nothing of the probe. */
	void (*encode_options)(struct options_batch *b, const struct options_state *state,
			       uint32_t parts);
};

extern const struct exporter_protocol protocol_ipfix;
extern const struct exporter_protocol protocol_netflow9;
extern const struct exporter_protocol protocol_netflow5;

/* Of an enum export_protocol. */
const struct exporter_protocol *exporter_protocol_of(int protocol);
