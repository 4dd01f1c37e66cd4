/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Template Records as our own walk needs them: field lengths to find the
 * records, and the role of the few elements that are summed or checked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEMPLATE_VARLEN 65535 /* RFC 7011 7: field length of variable-length elements */

enum field_role {
	ROLE_NONE,
	ROLE_PACKETS, /* packetDeltaCount */
	ROLE_OCTETS, /* octetDeltaCount */
	ROLE_START, /* flowStartSeconds ... flowStartNanoseconds */
	ROLE_END, /* flowEndSeconds ... flowEndNanoseconds */
};

enum field_unit { UNIT_NONE, UNIT_S, UNIT_MS, UNIT_NTP };

struct field {
	uint32_t enterprise;
	uint16_t id; /* without the enterprise bit */
	uint16_t octets;
	uint8_t role; /* enum field_role */
	uint8_t unit; /* enum field_unit */
	uint16_t padding; /* 0, so that memcmp() compares Templates */
};

struct template
{
	uint16_t id;
	uint16_t n_fields; /* 0: a Template Withdrawal */
	uint16_t n_scope; /* 0: not an Options Template */
	uint32_t min_octets; /* of a record on the wire */
	struct field fields[];
};

/*
 * Read the Template Record, Options Template Record or Withdrawal at `octets`.
 *
 * len          octets left in the Set
 * is_options   the Set ID is 3
 * out          the Template, to be freed by the caller with free()
 *
 * Returns the octets read, -EBADMSG if the record breaks RFC 7011 3.4 or could
 * not be held by a record of 65535 octets, or -ENOMEM. Source: RFC 7011 3.4, 8.1.
 */
int template_parse(const uint8_t *octets, size_t len, bool is_options, struct template **out);

/* Tell whether two Templates describe the same record layout. */
bool template_equals(const struct template *a, const struct template *b);

/* Read 16 and 32 bits in network byte order from any address. */
static inline uint16_t read_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t read_be32(const uint8_t *p)
{
	return (uint32_t)read_be16(p) << 16 | read_be16(p + 2);
}
