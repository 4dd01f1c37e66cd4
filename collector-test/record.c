/* SPDX-License-Identifier: BSD-2-Clause */
/* Data Records on the wire; see record.h. */
#include "collector-test/record.h"

#include "collector-test/template.h"

#define NTP_TO_UNIX_S 2208988800u /* 1900 to 1970 */
#define NS_PER_S      1000000000u
#define NS_PER_MS     1000000u

static uint64_t read_uint(const uint8_t *octets, size_t len)
{
	uint64_t value = 0;

	for (size_t i = 0; i < len; i++)
		value = value << 8 | octets[i];
	return value;
}

/* Nanoseconds since 1970; times beyond year 2554 become UINT64_MAX. */
static uint64_t time_ns(enum field_unit unit, uint64_t raw)
{
	if (unit == UNIT_NTP) {
		uint64_t seconds = (uint32_t)((raw >> 32) - NTP_TO_UNIX_S);

		return seconds * NS_PER_S + ((raw & UINT32_MAX) * NS_PER_S >> 32);
	}
	uint64_t scale = unit == UNIT_S ? NS_PER_S : NS_PER_MS;

	return raw > UINT64_MAX / scale ? UINT64_MAX : raw * scale;
}

static void take_value(const struct field *field, const uint8_t *octets, size_t len,
		       struct record *values)
{
	uint64_t raw = read_uint(octets, len);

	switch ((enum field_role)field->role) {
	case ROLE_NONE:
		break;
	case ROLE_PACKETS:
		values->packets += raw;
		break;
	case ROLE_OCTETS:
		values->octets += raw;
		break;
	case ROLE_START:
		values->start_ns = time_ns(field->unit, raw);
		values->has_start = true;
		break;
	case ROLE_END:
		values->end_ns = time_ns(field->unit, raw);
		values->has_end = true;
		break;
	}
}

/* Octets of the length prefix of a variable-length field (RFC 7011 7), 0 if cut off. */
static size_t read_varlen(const uint8_t *octets, size_t left, size_t *len)
{
	if (left >= 1 && octets[0] < 255) {
		*len = octets[0];
		return 1;
	}
	if (left >= 3) {
		*len = read_be16(octets + 1);
		return 3;
	}
	return 0;
}

size_t record_read(const struct template *t, const uint8_t *octets, size_t left, struct record *out)
{
	struct record values = {0};
	size_t used = 0;

	for (unsigned int i = 0; i < t->n_fields; i++) {
		const struct field *field = &t->fields[i];
		size_t len = field->octets;

		if (len == TEMPLATE_VARLEN) {
			size_t prefix = read_varlen(octets + used, left - used, &len);

			if (prefix == 0)
				return 0;
			used += prefix;
		}
		if (len > left - used)
			return 0;
		if (field->role != ROLE_NONE)
			take_value(field, octets + used, len, &values);
		used += len;
	}
	*out = values;
	return used;
}

bool record_times_agree(const struct record *record, uint32_t export_time_s)
{
	if (record->has_start && record->has_end && record->start_ns > record->end_ns)
		return false;
	return !record->has_end || record->end_ns / NS_PER_S <= export_time_s;
}
