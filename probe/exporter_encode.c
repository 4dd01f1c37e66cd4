/* SPDX-License-Identifier: BSD-2-Clause */
/* Big-endian stores: no memory, no tables, nothing that can fail. */
#include "probe/exporter_encode.h"

#include <endian.h>
#include <string.h>

#include "probe/template.h"

#define IPFIX_VERSION 10

/* Offsets in the Message header (RFC 7011 3.1), and of the Set's length in its own. */
enum { LENGTH_OFFSET = 2, EXPORT_TIME_OFFSET = 4, SEQUENCE_OFFSET = 8, DOMAIN_OFFSET = 12 };
enum { SET_LENGTH_OFFSET = 2 };

/* The low octets of an integer; a shift, a swap and a store for a constant number of them. */
static inline __attribute__((always_inline)) void put(uint8_t *p, uint64_t value, size_t octets)
{
	uint64_t be = htobe64(value << 8 * (8 - octets));

	memcpy(p, &be, octets);
}

#define PUT_U(p, field, octets)	 put(p, field, octets)
#define PUT_T(p, field, octets)	 put(p, field, octets)
#define PUT_A4(p, field, octets) put(p, field, octets)
#define PUT_A6(p, field, octets) memcpy(p, field, octets)

/* With a constant kind, nothing is left of the elements that its Template has not. */
static inline __attribute__((always_inline)) uint8_t *
put_elements(uint8_t *p, const struct flow_record *r, enum template_kind kind)
{
#define IE(name, pen, id, octets, field, type, templates)                                          \
	if ((templates) & (1 << kind)) {                                                           \
		PUT_##type(p, r->field, octets);                                                   \
		p += octets;                                                                       \
	}
#include "probe/ie.def"
#undef IE
	return p;
}

uint8_t *encode_record(uint8_t *p, const struct flow_record *r, enum template_kind kind)
{
	switch (kind) {
	case TEMPLATE_V4:
		return put_elements(p, r, TEMPLATE_V4);
	case TEMPLATE_V6:
		return put_elements(p, r, TEMPLATE_V6);
	case TEMPLATE_ICMP4:
		return put_elements(p, r, TEMPLATE_ICMP4);
	default:
		return put_elements(p, r, TEMPLATE_ICMP6);
	}
}

void encode_headers(uint8_t *message, uint32_t domain_id, enum template_kind kind)
{
	put(message, IPFIX_VERSION, 2);
	put(message + DOMAIN_OFFSET, domain_id, 4);
	put(message + MESSAGE_HEADER_OCTETS, TEMPLATE_ID(kind), 2);
}

void encode_lengths(uint8_t *message, size_t octets)
{
	put(message + LENGTH_OFFSET, MESSAGE_DATA_OFFSET + octets, 2);
	put(message + MESSAGE_HEADER_OCTETS + SET_LENGTH_OFFSET, SET_HEADER_OCTETS + octets, 2);
}

void encode_stamp(uint8_t *message, uint32_t export_time_s, uint32_t sequence)
{
	put(message + EXPORT_TIME_OFFSET, export_time_s, 4);
	put(message + SEQUENCE_OFFSET, sequence, 4);
}
