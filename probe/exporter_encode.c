/* SPDX-License-Identifier: BSD-2-Clause */
/* Big-endian stores: no memory, no tables, nothing that can fail. */
#include "probe/exporter_encode.h"

#include <stdbool.h>
#include <string.h>

#include "probe/exporter_put.h"

#define IPFIX_VERSION 10

/* Offsets in the Message header (RFC 7011 3.1), and of the Set's length in its own. */
enum { LENGTH_OFFSET = 2, EXPORT_TIME_OFFSET = 4 };
enum { SET_LENGTH_OFFSET = 2 };

/* How the elements of a record are put. */
enum form {
	PRECISE = 1 << 0, /* GROUP_PRECISE */
	ONLY_REVERSED = 1 << 1, /* those with a reverse element */
};

#define NTP_EPOCH_S UINT64_C(2208988800) /* seconds from 1900 to 1970 */

/*
 * dateTimeNanoseconds (RFC 7011 6.1.10): seconds since 1900, and the fraction in
 * units of 2^-32 s, rounded up so that who rounds down gets the same ns.
 */
static uint64_t ntp_time(uint64_t ms, uint32_t rest_ns)
{
	uint64_t ns = ms % 1000 * 1000000 + rest_ns;

	return (ms / 1000 + NTP_EPOCH_S) << 32 | ((ns << 32) + 999999999) / 1000000000;
}

#define PUT_U(p, field, octets, form) put(p, field, octets)
#define PUT_T(p, field, octets, form)                                                              \
	put(p, form &PRECISE ? ntp_time(field, field##_rest) : field, octets)
#define PUT_A4(p, field, octets, form) put(p, field, octets)
#define PUT_A6(p, field, octets, form) memcpy(p, field, octets)
#define PUT_M(p, field, octets, form)  memcpy(p, field, octets)
#define PUT_O(p, field, octets, form)  memcpy(p, field, octets)

/* With all but p and r constant, nothing is left of the elements that are not wanted. */
static inline __attribute__((always_inline)) uint8_t *
put_elements(uint8_t *p, const struct flow_record *r, enum template_kind kind, int group, int form)
{
#define IE(name, owner, id, octets, field, type, templates, in_group)                              \
	if ((templates) & (1 << kind) && GROUP_INDEX_##in_group == group &&                        \
	    !(form & ONLY_REVERSED && (templates)&ONCE)) {                                         \
		size_t length = form & PRECISE ? ie_precise_octets(IE_##name, octets) : (octets);  \
		PUT_##type(p, r->field, length, form);                                             \
		p += length;                                                                       \
	}
#include "probe/ie.def"
#undef IE
	return p;
}

static inline __attribute__((always_inline)) uint8_t *
put_group(uint8_t *p, const struct flow_record *r, enum template_kind kind, int group, int form)
{
	switch (kind) {
	case TEMPLATE_V4:
		return put_elements(p, r, TEMPLATE_V4, group, form);
	case TEMPLATE_V6:
		return put_elements(p, r, TEMPLATE_V6, group, form);
	case TEMPLATE_ICMP4:
		return put_elements(p, r, TEMPLATE_ICMP4, group, form);
	default:
		return put_elements(p, r, TEMPLATE_ICMP6, group, form);
	}
}

/* Kept out of the way of records that have base only. */
static __attribute__((noinline)) uint8_t *put_other_groups(uint8_t *p, const struct flow_record *r,
							   enum template_kind kind, uint32_t groups)
{
#define GROUP(NAME, word, doc)                                                                     \
	if (groups & GROUP_##NAME)                                                                 \
		p = put_group(p, r, kind, GROUP_INDEX_##NAME, 0);
#include "probe/group.def"
#undef GROUP
	return p;
}

static __attribute__((noinline)) uint8_t *put_precise(uint8_t *p, const struct flow_record *r,
						      enum template_kind kind, uint32_t groups)
{
	p = put_group(p, r, kind, GROUP_INDEX_BASE, PRECISE);
	return put_other_groups(p, r, kind, groups);
}

uint8_t *encode_record(uint8_t *p, const struct flow_record *r, enum template_kind kind,
		       uint32_t groups)
{
	if (groups & GROUP_PRECISE)
		return put_precise(p, r, kind, groups);
	p = put_group(p, r, kind, GROUP_INDEX_BASE, 0);
	return groups & ~(uint32_t)GROUP_BASE ? put_other_groups(p, r, kind, groups) : p;
}

static inline __attribute__((always_inline)) uint8_t *
put_reversed(uint8_t *p, const struct flow_record *r, enum template_kind kind, int group, int form)
{
	return kind == TEMPLATE_V4 ? put_elements(p, r, TEMPLATE_V4, group, form | ONLY_REVERSED)
				   : put_elements(p, r, TEMPLATE_V6, group, form | ONLY_REVERSED);
}

uint8_t *encode_biflow(uint8_t *p, const struct flow_record *forward,
		       const struct flow_record *reverse, enum template_kind kind, uint32_t groups)
{
	p = groups & GROUP_PRECISE ? put_reversed(p, reverse, kind, GROUP_INDEX_BASE, PRECISE)
				   : put_reversed(p, reverse, kind, GROUP_INDEX_BASE, 0);
#define GROUP(NAME, word, doc)                                                                     \
	if (groups & GROUP_##NAME)                                                                 \
		p = put_reversed(p, reverse, kind, GROUP_INDEX_##NAME, 0);
#include "probe/group.def"
#undef GROUP
	p = encode_record(p, forward, kind, groups & ~(uint32_t)GROUP_BIFLOW);
	return put_group(p, forward, kind, GROUP_INDEX_BIFLOW, 0);
}

void encode_headers(uint8_t *message, uint32_t domain_id, uint16_t template_id)
{
	put(message, IPFIX_VERSION, 2);
	put(message + MESSAGE_DOMAIN_OFFSET, domain_id, 4);
	put(message + MESSAGE_HEADER_OCTETS, template_id, 2);
}

size_t encode_message_octets(const uint8_t *message)
{
	return (size_t)message[LENGTH_OFFSET] << 8 | message[LENGTH_OFFSET + 1];
}

void encode_lengths(uint8_t *message, size_t octets)
{
	put(message + LENGTH_OFFSET, MESSAGE_DATA_OFFSET + octets, 2);
	put(message + MESSAGE_HEADER_OCTETS + SET_LENGTH_OFFSET, SET_HEADER_OCTETS + octets, 2);
}

void encode_stamp(uint8_t *message, uint32_t export_time_s, uint32_t sequence)
{
	put(message + EXPORT_TIME_OFFSET, export_time_s, 4);
	put(message + MESSAGE_SEQUENCE_OFFSET, sequence, 4);
}
