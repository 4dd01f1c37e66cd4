/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Information Elements of a Flow Record (ie.def) as a table: what each is
 * called, how it travels, and where struct flow_record keeps it.
 */
#pragma once

#include <stdint.h>
#include <fixbuf/public.h>

/* Which kind of record a Template describes; its number is TEMPLATE_ID(kind). */
enum template_kind {
	TEMPLATE_V4,
	TEMPLATE_V6,
	TEMPLATE_ICMP4,
	TEMPLATE_ICMP6,
	N_TEMPLATES,
};

enum {
	IN_V4 = 1 << TEMPLATE_V4,
	IN_V6 = 1 << TEMPLATE_V6,
	IN_ICMP4 = 1 << TEMPLATE_ICMP4,
	IN_ICMP6 = 1 << TEMPLATE_ICMP6,
	IN_ALL = IN_V4 | IN_V6 | IN_ICMP4 | IN_ICMP6,
};

/* Abstract data type, as far as printing and reduced-size encoding go. */
enum ie_kind {
	IE_KIND_U, /* unsigned8 .. unsigned64 */
	IE_KIND_T, /* dateTimeMilliseconds */
	IE_KIND_A4, /* ipv4Address, host order */
	IE_KIND_A6, /* ipv6Address, network order */
};

/* Index of an element in ie_table: IE_octetDeltaCount, ... */
enum ie_index {
#define IE(name, pen, id, octets, field, kind, templates) IE_##name,
#include "probe/ie.def"
#undef IE
	N_IES,
};

struct ie {
	const char *name; /* IANA registry */
	uint32_t pen; /* Private Enterprise Number, 0 = IANA */
	uint16_t id; /* Information Element identifier */
	uint16_t octets; /* on the wire */
	uint16_t offset; /* in struct flow_record */
	uint16_t size; /* in struct flow_record, octets */
	uint8_t kind; /* enum ie_kind */
	uint8_t templates; /* OR of IN_V4, ... */
};

extern const struct ie ie_table[N_IES];

/*
 * Compare an element with libfixbuf's copy of the IANA registry: it exists by
 * that name with that number and data type, and both its lengths are legal for
 * the type. libfixbuf itself only logs a length it does not like.
 *
 * Returns 0, -ENOENT (no such element), -EPROTOTYPE (other type) or -EMSGSIZE
 * (length). Source: RFC 7011 6.2, reduced-size encoding.
 */
int ie_check(const struct ie *ie, fbInfoModel_t *model);
