/* SPDX-License-Identifier: BSD-2-Clause */
/* Template Records; see template.h. */
#include "collector-test/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ENTERPRISE_BIT 0x8000

/*
 * What one variable-length field may need in a decoded record of libfixbuf,
 * whose offsets are 16 bits wide: Templates beyond that are refused here.
 */
#define DECODED_VARLEN_OCTETS 32

static const struct {
	uint16_t id;
	uint8_t role;
	uint8_t unit;
} roles[] = {
	{1, ROLE_OCTETS, UNIT_NONE}, {2, ROLE_PACKETS, UNIT_NONE}, {150, ROLE_START, UNIT_S},
	{151, ROLE_END, UNIT_S},     {152, ROLE_START, UNIT_MS},   {153, ROLE_END, UNIT_MS},
	{154, ROLE_START, UNIT_NTP}, {155, ROLE_END, UNIT_NTP},	   {156, ROLE_START, UNIT_NTP},
	{157, ROLE_END, UNIT_NTP},
};

static void set_role(struct field *field)
{
	if (field->enterprise != 0)
		return;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (roles[i].id != field->id)
			continue;
		field->role = roles[i].role;
		field->unit = roles[i].unit;
	}
}

/* Returns the octets of the Field Specifier, or -EBADMSG. */
static int parse_field(const uint8_t *octets, size_t len, struct field *out)
{
	struct field field = {0};

	if (len < 4)
		return -EBADMSG;
	field.id = read_be16(octets);
	field.octets = read_be16(octets + 2);
	if (!(field.id & ENTERPRISE_BIT)) {
		set_role(&field);
		*out = field;
		return 4;
	}
	if (len < 8)
		return -EBADMSG;
	field.id &= (uint16_t)~ENTERPRISE_BIT;
	field.enterprise = read_be32(octets + 4);
	*out = field;
	return 8;
}

/* Returns the octets of all Field Specifiers, or -EBADMSG. */
static int parse_fields(const uint8_t *octets, size_t len, struct template *t)
{
	size_t used = 0;
	size_t decoded_octets = 0;

	for (unsigned int i = 0; i < t->n_fields; i++) {
		struct field *field = &t->fields[i];
		int n = parse_field(octets + used, len - used, field);

		if (n < 0)
			return n;
		used += (size_t)n;
		if (field->octets == TEMPLATE_VARLEN) {
			t->min_octets += 1;
			decoded_octets += DECODED_VARLEN_OCTETS;
		} else {
			t->min_octets += field->octets;
			decoded_octets += field->octets;
		}
	}
	if (t->min_octets == 0 || decoded_octets > UINT16_MAX)
		return -EBADMSG;
	return (int)used;
}

/* A withdrawal names one Template ID, or by the Set ID 2 or 3 all of them. */
static bool is_valid_id(uint16_t id, uint16_t n_fields, bool is_options)
{
	return id >= 256 || (n_fields == 0 && id == (is_options ? 3 : 2));
}

int template_parse(const uint8_t *octets, size_t len, bool is_options, struct template **out)
{
	size_t head = 4;
	struct template *t;
	uint16_t n_fields;
	int n;

	if (len < head)
		return -EBADMSG;
	n_fields = read_be16(octets + 2);
	if (!is_valid_id(read_be16(octets), n_fields, is_options))
		return -EBADMSG;
	/* Only withdrawals of Options Templates have no Scope Field Count. */
	if (is_options && n_fields > 0)
		head = 6;
	if (len < head + 4u * n_fields)
		return -EBADMSG;
	t = calloc(1, sizeof(*t) + n_fields * sizeof(t->fields[0]));
	if (t == NULL)
		return -ENOMEM;
	t->id = read_be16(octets);
	t->n_fields = n_fields;
	t->n_scope = head == 6 ? read_be16(octets + 4) : 0;
	n = n_fields == 0 ? 0 : parse_fields(octets + head, len - head, t);
	if (n < 0 || t->n_scope > n_fields || (head == 6 && t->n_scope == 0)) {
		free(t);
		return -EBADMSG;
	}
	*out = t;
	return (int)head + n;
}

bool template_equals(const struct template *a, const struct template *b)
{
	return a->n_fields == b->n_fields && a->n_scope == b->n_scope &&
	       memcmp(a->fields, b->fields, a->n_fields * sizeof(a->fields[0])) == 0;
}
