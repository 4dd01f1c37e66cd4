/* SPDX-License-Identifier: BSD-2-Clause */
/* Information Element values as JSON; see value.h. */
#include "collector-test/value.h"

#include "collector-test/jsonl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define NTP_TO_UNIX_S 2208988800u /* 1900 to 1970 */

static uint64_t read_uint(const struct value *value)
{
	uint64_t number = 0;

	for (size_t i = 0; i < value->len; i++) {
		size_t at = value->is_host_order ? value->len - 1 - i : i;

		number = number << 8 | value->octets[at];
	}
	return number;
}

static int64_t read_int(const struct value *value)
{
	unsigned int unused_bits = 64 - 8 * (unsigned int)value->len;

	return (int64_t)(read_uint(value) << unused_bits) >> unused_bits;
}

static double read_float(const struct value *value)
{
	uint64_t bits = read_uint(value);
	uint32_t half_bits = (uint32_t)bits;
	double number;
	float half;

	if (value->len == 8) {
		memcpy(&number, &bits, sizeof(number));
		return number;
	}
	memcpy(&half, &half_bits, sizeof(half));
	return (double)half;
}

/* The octets as they were on the wire. */
static int write_hex(struct jsonl *out, const char *key, const struct value *value)
{
	uint8_t wire[UINT16_MAX];

	for (size_t i = 0; i < value->len; i++)
		wire[i] = value->octets[value->is_host_order ? value->len - 1 - i : i];
	jsonl_hex(out, key, wire, value->len);
	return -EBADMSG;
}

static int write_string(struct jsonl *out, const char *key, const struct value *value)
{
	size_t len = value->len;

	while (!value->is_varlen && len > 0 && value->octets[len - 1] == 0)
		len--;
	if (!g_utf8_validate((const char *)value->octets, (gssize)len, NULL))
		return write_hex(out, key, value);
	jsonl_text(out, key, value->octets, len);
	return 0;
}

static int write_address(struct jsonl *out, const char *key, const struct value *value)
{
	uint32_t address = htonl((uint32_t)read_uint(value));
	char text[INET6_ADDRSTRLEN];

	if (value->len == 4)
		inet_ntop(AF_INET, &address, text, sizeof(text));
	else
		inet_ntop(AF_INET6, value->octets, text, sizeof(text));
	jsonl_string(out, key, text);
	return 0;
}

static int write_mac(struct jsonl *out, const char *key, const struct value *value)
{
	const uint8_t *mac = value->octets;
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	jsonl_string(out, key, text);
	return 0;
}

static int write_time(struct jsonl *out, const char *key, const struct value *value)
{
	uint64_t raw = read_uint(value);
	uint32_t seconds = (uint32_t)((raw >> 32) - NTP_TO_UNIX_S);
	uint32_t fraction_ns = (uint32_t)((raw & UINT32_MAX) * 1000000000u >> 32);

	if (value->element->type == FB_DT_SEC)
		jsonl_time(out, key, (int64_t)raw, 0, 0);
	else if (value->element->type == FB_DT_MILSEC)
		jsonl_time(out, key, (int64_t)(raw / 1000), (uint32_t)(raw % 1000) * 1000000u, 3);
	else
		jsonl_time(out, key, seconds, fraction_ns,
			   value->element->type == FB_DT_MICROSEC ? 6 : 9);
	return 0;
}

static int write_unsigned(struct jsonl *out, const char *key, const struct value *value)
{
	jsonl_uint(out, key, read_uint(value));
	return 0;
}

static int write_signed(struct jsonl *out, const char *key, const struct value *value)
{
	jsonl_int(out, key, read_int(value));
	return 0;
}

static int write_float(struct jsonl *out, const char *key, const struct value *value)
{
	jsonl_double(out, key, read_float(value));
	return 0;
}

/* RFC 7011 6.1.5: 1 is true, 2 is false, nothing else is allowed. */
static int write_bool(struct jsonl *out, const char *key, const struct value *value)
{
	if (value->octets[0] != 1 && value->octets[0] != 2)
		return write_hex(out, key, value);
	jsonl_bool(out, key, value->octets[0] == 1);
	return 0;
}

static int write_octets(struct jsonl *out, const char *key, const struct value *value)
{
	jsonl_hex(out, key, value->octets, value->len);
	return 0;
}

static int write_list(struct jsonl *out, const char *key, const struct value *value)
{
	(void)value;
	jsonl_null(out, key);
	return 0;
}

typedef int (*write_fn)(struct jsonl *out, const char *key, const struct value *value);

/* Lengths a type may have: integers may be sent shorter (RFC 7011 6.2). */
static const struct {
	write_fn write;
	uint16_t min_octets;
	uint16_t max_octets;
} writers[] = {
	[FB_OCTET_ARRAY] = {write_octets, 0, UINT16_MAX},
	[FB_UINT_8] = {write_unsigned, 1, 1},
	[FB_UINT_16] = {write_unsigned, 1, 2},
	[FB_UINT_32] = {write_unsigned, 1, 4},
	[FB_UINT_64] = {write_unsigned, 1, 8},
	[FB_INT_8] = {write_signed, 1, 1},
	[FB_INT_16] = {write_signed, 1, 2},
	[FB_INT_32] = {write_signed, 1, 4},
	[FB_INT_64] = {write_signed, 1, 8},
	[FB_FLOAT_32] = {write_float, 4, 4},
	[FB_FLOAT_64] = {write_float, 4, 8},
	[FB_BOOL] = {write_bool, 1, 1},
	[FB_MAC_ADDR] = {write_mac, 6, 6},
	[FB_STRING] = {write_string, 0, UINT16_MAX},
	[FB_DT_SEC] = {write_time, 4, 4},
	[FB_DT_MILSEC] = {write_time, 8, 8},
	[FB_DT_MICROSEC] = {write_time, 8, 8},
	[FB_DT_NANOSEC] = {write_time, 8, 8},
	[FB_IP4_ADDR] = {write_address, 4, 4},
	[FB_IP6_ADDR] = {write_address, 16, 16},
	[FB_BASIC_LIST] = {write_list, 0, UINT16_MAX},
	[FB_SUB_TMPL_LIST] = {write_list, 0, UINT16_MAX},
	[FB_SUB_TMPL_MULTI_LIST] = {write_list, 0, UINT16_MAX},
};

int value_write(struct jsonl *out, const char *key, const struct value *value)
{
	size_t type = value->element->type;

	if (type >= sizeof(writers) / sizeof(writers[0]) || writers[type].write == NULL)
		return write_hex(out, key, value);
	if (value->len < writers[type].min_octets || value->len > writers[type].max_octets)
		return write_hex(out, key, value);
	if (writers[type].write == write_float && value->len != 4 && value->len != 8)
		return write_hex(out, key, value);
	return writers[type].write(out, key, value);
}
