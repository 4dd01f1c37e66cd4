/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON lines written character by character: no stdio, no locale, no memory. */
#include "probe/json.h"

#include <netinet/in.h>
#include <string.h>

#include "probe/addr.h"
#include "probe/community_id.h"
#include "probe/connection.h"
#include "probe/ie.h"
#include "probe/template.h"

#define LAST_MS 253402300799999ull /* 9999-12-31T23:59:59.999Z */

/* `,"name":` of every element, ready to copy. */
static const struct {
	const char *text;
	size_t length;
} keys[N_IES] = {
#define IE(name, owner, id, octets, field, kind, templates, group)                                 \
	[IE_##name] = {",\"" #name "\":", sizeof(",\"" #name "\":") - 1},
#include "probe/ie.def"
#undef IE
};

char *json_put_number(char *p, uint64_t value)
{
	char digits[20];
	size_t n = 0;

	do {
		digits[sizeof(digits) - ++n] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	memcpy(p, digits + sizeof(digits) - n, n);
	return p + n;
}

static char *put_fixed(char *p, uint32_t value, int n_digits)
{
	for (int i = n_digits; i-- > 0; value /= 10)
		p[i] = (char)('0' + value % 10);
	return p + n_digits;
}

/* Gregorian date of a day since 1970, reckoned in years that begin in March. */
static char *put_date(char *p, uint32_t day)
{
	uint32_t z = day + 719468; /* days since 0000-03-01 */
	uint32_t era = z / 146097; /* of 400 years */
	uint32_t doe = z % 146097;
	uint32_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	uint32_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	uint32_t mp = (5 * doy + 2) / 153; /* 0 = March */
	uint32_t month = mp < 10 ? mp + 3 : mp - 9;

	p = put_fixed(p, era * 400 + yoe + (month <= 2), 4);
	*p++ = '-';
	p = put_fixed(p, month, 2);
	*p++ = '-';
	return put_fixed(p, doy - (153 * mp + 2) / 5 + 1, 2);
}

char *json_put_time(char *p, uint64_t unix_ms)
{
	uint64_t ms = unix_ms < LAST_MS ? unix_ms : LAST_MS;
	uint32_t ms_of_day = (uint32_t)(ms % 86400000);

	p = put_date(p, (uint32_t)(ms / 86400000));
	*p++ = 'T';
	p = put_fixed(p, ms_of_day / 3600000, 2);
	*p++ = ':';
	p = put_fixed(p, ms_of_day / 60000 % 60, 2);
	*p++ = ':';
	p = put_fixed(p, ms_of_day / 1000 % 60, 2);
	*p++ = '.';
	p = put_fixed(p, ms_of_day % 1000, 3);
	*p++ = 'Z';
	return p;
}

static uint64_t load(const void *field, size_t size)
{
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	switch (size) {
	case 1:
		return *(const uint8_t *)field;
	case 2:
		memcpy(&u16, field, sizeof(u16));
		return u16;
	case 4:
		memcpy(&u32, field, sizeof(u32));
		return u32;
	default:
		memcpy(&u64, field, sizeof(u64));
		return u64;
	}
}

/* n octets in hexadecimal, `separator` between them unless it is NUL. */
static char *put_hex(char *p, const uint8_t *octets, size_t n, char separator)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		if (i && separator)
			*p++ = separator;
		*p++ = digits[octets[i] >> 4];
		*p++ = digits[octets[i] & 15];
	}
	return p;
}

static char *put_value(char *p, const struct ie *ie, const void *field)
{
	if (ie->kind == IE_KIND_U)
		return json_put_number(p, load(field, ie->size));
	*p++ = '"';
	if (ie->kind == IE_KIND_T)
		p = json_put_time(p, load(field, ie->size));
	else if (ie->kind == IE_KIND_A4)
		p = addr_put4(p, (uint32_t)load(field, ie->size));
	else if (ie->kind == IE_KIND_A6)
		p = addr_put6(p, field);
	else
		p = put_hex(p, field, ie->size, ie->kind == IE_KIND_M ? ':' : '\0');
	*p++ = '"';
	return p;
}

/* Elements of the forward direction. */
static char *put_forward(char *p, const struct flow_record *r, uint32_t groups)
{
	enum template_kind kind = template_of_record(r);
	int n;

	groups &= ~(uint32_t)GROUP_STATE; /* whose element comes by name, wanted or not */
	n = ie_count(groups);
	p = stpcpy(p, "{\"type\":\"flow\"");
	for (int i = 0; i < n; i++) {
		const struct ie *ie = &ie_table[i];

		if (!ie_is_in(ie, kind, groups))
			continue;
		memcpy(p, keys[i].text, keys[i].length);
		p = put_value(p + keys[i].length, ie, (const uint8_t *)r + ie->offset);
	}
	return p;
}

static char *put_reverse(char *p, const struct flow_record *r, uint32_t groups)
{
	enum template_kind kind = template_of_record(r);
	char name[IE_NAME_MAX + 1];

	for (int i = 0; i < N_IES; i++) {
		const struct ie *ie = &ie_table[i];

		if (!ie_is_reversed_in(ie, kind, groups))
			continue;
		ie_reverse_name(ie, name);
		p = stpcpy(p, ",\"");
		p = stpcpy(p, name);
		p = stpcpy(p, "\":");
		p = put_value(p, ie, (const uint8_t *)r + ie->offset);
	}
	return p;
}

/* What JSON has besides, of both directions together, and the end. */
static char *put_rest(char *p, const struct flow_record *r)
{
	if (r->protocol == IPPROTO_TCP) {
		p = stpcpy(p, ",\"connectionState\":\"");
		p = stpcpy(p, connection_state_name(r->connection_state));
		*p++ = '"';
	}
	p = stpcpy(p, ",\"communityId\":\"");
	p = community_id_put(p, r);
	return stpcpy(p, "\"}\n");
}

char *json_put_flow(char *p, const struct flow_record *r, uint32_t groups)
{
	return put_rest(put_forward(p, r, groups & ~(uint32_t)GROUP_BIFLOW), r);
}

char *json_put_biflow(char *p, const struct flow_record *forward, const struct flow_record *reverse,
		      uint32_t groups)
{
	p = put_forward(p, forward, groups | GROUP_BIFLOW);
	return put_rest(put_reverse(p, reverse, groups | GROUP_BIFLOW), forward);
}
