/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Information Elements of a Flow Record (ie.def) as a table: what each is
 * called, how it travels, and where struct flow_record keeps it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <fixbuf/public.h>

#include "probe/record.h"

/* Which kind of record a Template describes; its number is template_id(). */
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
	ONCE = 1 << 7, /* no reverse element */
};

/* Abstract data type, as far as printing and reduced-size encoding go. */
enum ie_kind {
	IE_KIND_U, /* unsigned8 .. unsigned64 */
	IE_KIND_T, /* dateTimeMilliseconds */
	IE_KIND_A4, /* ipv4Address, host order */
	IE_KIND_A6, /* ipv6Address, network order */
	IE_KIND_M, /* macAddress, network order */
	IE_KIND_O, /* octetArray of fixed length, network order */
	IE_KIND_N, /* dateTimeNanoseconds, of a field in ms and one of the rest */
};

/* Index of an element in ie_table: IE_octetDeltaCount, ... */
enum ie_index {
#define IE(name, owner, id, octets, field, kind, templates, group) IE_##name,
#include "probe/ie.def"
#undef IE
	N_IES,
};

/* Whose element it is. */
enum ie_owner { IE_OWNER_IANA, IE_OWNER_OWN };

struct ie {
	const char *name; /* in the registry */
	uint16_t id; /* Information Element identifier */
	uint16_t octets; /* on the wire */
	uint16_t offset; /* in struct flow_record */
	uint16_t size; /* in struct flow_record, octets */
	uint8_t kind; /* enum ie_kind */
	uint8_t owner; /* enum ie_owner */
	uint8_t templates; /* OR of IN_V4, ..., ONCE */
	uint8_t group; /* enum group_index */
};

extern const struct ie ie_table[N_IES];

/* True when a record of this kind (enum template_kind) has the element, with these groups. */
static inline bool ie_is_in(const struct ie *ie, unsigned int kind, uint32_t groups)
{
	return ie->templates >> kind & 1 && (groups | GROUP_BASE) >> ie->group & 1;
}

/* Elements of base; they come first. */
#define N_BASE_IES (IE_flowId + 1)

/* Elements, from the first on, that records of these groups can have. */
static inline int ie_count(uint32_t groups)
{
	return groups & ~(uint32_t)GROUP_BASE ? N_IES : N_BASE_IES;
}

/* True when such a record has the element's reverse too; groups with GROUP_BIFLOW. */
static inline bool ie_is_reversed_in(const struct ie *ie, unsigned int kind, uint32_t groups)
{
	return groups & GROUP_BIFLOW && !(ie->templates & ONCE) && ie_is_in(ie, kind, groups);
}

/* RFC 5610 3.6 and the registries it names: what the values mean, and in what unit. */
enum ie_semantics {
	IE_DEFAULT,
	IE_QUANTITY,
	IE_TOTAL_COUNTER,
	IE_DELTA_COUNTER,
	IE_IDENTIFIER,
	IE_FLAGS,
	IE_LIST,
};

enum ie_units {
	IE_NONE,
	IE_BITS,
	IE_OCTETS,
	IE_PACKETS,
	IE_FLOWS,
	IE_MILLISECONDS = 6,
	IE_MICROSECONDS,
};

/* How a Collector has to read an element (RFC 5610 3.1). */
struct ie_type {
	uint8_t data_type; /* number of the abstract data type */
	uint8_t semantics; /* enum ie_semantics */
	uint16_t units; /* enum ie_units */
};

/* That of one of our own elements, by ie.def and ie_own.def; what the latter lacks is 0. */
struct ie_type ie_own_type(const struct ie *ie);

/*
 * The element (enum ie_index) as it is sent by an exporter of these groups: with
 * GROUP_PRECISE some have another form. Name, id, octets and kind are of that; who
 * has the element, and where it is in a record, only ie_table says.
 */
const struct ie *ie_sent(int ie, uint32_t groups);

/* Octets of it on the wire, `octets` being those of ie.def: a constant where these are. */
static inline __attribute__((always_inline)) uint16_t ie_precise_octets(int ie, uint16_t octets)
{
	switch (ie) {
#define PRECISE(name, sent, id, precise_octets, kind)                                              \
	case IE_##name:                                                                            \
		return precise_octets;
#include "probe/ie.def"
#undef PRECISE
	default:
		return octets;
	}
}

#define IE_NAME_MAX 63 /* octets of an element's name, also of its reverse */

/* A field of a NetFlow v9 Template; all zero: the element has none. */
struct netflow9_field {
	uint16_t type;
	uint16_t octets;
};

/* The field of an element (enum ie_index, its owner, id and octets): a constant where these are. */
static inline __attribute__((always_inline)) struct netflow9_field
ie_netflow9(int ie, int owner, uint16_t id, uint16_t octets)
{
	switch (ie) {
#define NETFLOW9(name, field_type, field_octets)                                                   \
	case IE_##name:                                                                            \
		return (struct netflow9_field){field_type, field_octets};
#include "probe/ie.def"
#undef NETFLOW9
	default:
		break;
	}
	if (owner != IE_OWNER_IANA || id > 127)
		return (struct netflow9_field){0, 0};
	return (struct netflow9_field){id, octets};
}

/* Write the name of the reverse element: reverseOctetDeltaCount (RFC 5103 6.1). */
void ie_reverse_name(const struct ie *ie, char name[static IE_NAME_MAX + 1]);

/* Private Enterprise Number of the element, 0 for IANA's; ours is `enterprise_number`. */
static inline uint32_t ie_pen(const struct ie *ie, uint32_t enterprise_number)
{
	return ie->owner == IE_OWNER_OWN ? enterprise_number : 0;
}

/* Tell libfixbuf of our own elements. */
void ie_register_own(fbInfoModel_t *model, uint32_t enterprise_number);

/*
 * Compare an element with what libfixbuf's registry says (IANA's built in, ours
 * from ie_register_own() or conf/xflow-ie.xml): it exists by that name with that
 * number and data type, and both its lengths are legal for the type. libfixbuf
 * itself only logs a length it does not like.
 *
 * Returns 0, -ENOENT (no such element), -EPROTOTYPE (other type) or -EMSGSIZE
 * (length). Source: RFC 7011 6.2, reduced-size encoding.
 */
int ie_check(const struct ie *ie, fbInfoModel_t *model, uint32_t enterprise_number);
