/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON Lines over stdio; see jsonl.h. */
#include "collector-test/jsonl.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <time.h>

static bool is_plain(uint8_t octet)
{
	return octet >= 0x20 && octet != '"' && octet != '\\' && octet != 0x7f;
}

static void write_quoted(FILE *file, const uint8_t *text, size_t len)
{
	size_t from = 0;

	putc_unlocked('"', file);
	for (size_t i = 0; i < len; i++) {
		if (is_plain(text[i]))
			continue;
		fwrite_unlocked(text + from, 1, i - from, file);
		fprintf(file, "\\u%04x", text[i]);
		from = i + 1;
	}
	fwrite_unlocked(text + from, 1, len - from, file);
	putc_unlocked('"', file);
}

static void write_key(struct jsonl *out, const char *key)
{
	if (out->has_members)
		putc_unlocked(',', out->file);
	out->has_members = true;
	if (!key)
		return;
	write_quoted(out->file, (const uint8_t *)key, strlen(key));
	putc_unlocked(':', out->file);
}

void jsonl_begin(struct jsonl *out)
{
	out->has_members = false;
	putc_unlocked('{', out->file);
}

void jsonl_end(struct jsonl *out)
{
	fputs("}\n", out->file);
}

void jsonl_array_begin(struct jsonl *out, const char *key)
{
	write_key(out, key);
	putc_unlocked('[', out->file);
	out->has_members = false;
}

void jsonl_array_end(struct jsonl *out)
{
	out->has_members = true;
	putc_unlocked(']', out->file);
}

void jsonl_null(struct jsonl *out, const char *key)
{
	write_key(out, key);
	fputs("null", out->file);
}

void jsonl_bool(struct jsonl *out, const char *key, bool value)
{
	write_key(out, key);
	fputs(value ? "true" : "false", out->file);
}

void jsonl_uint(struct jsonl *out, const char *key, uint64_t value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	write_key(out, key);
	fwrite_unlocked(digits + at, 1, sizeof(digits) - at, out->file);
}

void jsonl_int(struct jsonl *out, const char *key, int64_t value)
{
	write_key(out, key);
	fprintf(out->file, "%" PRId64, value);
}

void jsonl_double(struct jsonl *out, const char *key, double value)
{
	if (!isfinite(value)) {
		jsonl_null(out, key);
		return;
	}
	write_key(out, key);
	fprintf(out->file, "%.17g", value);
}

void jsonl_string(struct jsonl *out, const char *key, const char *value)
{
	jsonl_text(out, key, value, strlen(value));
}

void jsonl_text(struct jsonl *out, const char *key, const void *text, size_t len)
{
	write_key(out, key);
	write_quoted(out->file, text, len);
}

void jsonl_hex(struct jsonl *out, const char *key, const uint8_t *octets, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	write_key(out, key);
	putc_unlocked('"', out->file);
	for (size_t i = 0; i < len; i++) {
		putc_unlocked(digits[octets[i] >> 4], out->file);
		putc_unlocked(digits[octets[i] & 15], out->file);
	}
	putc_unlocked('"', out->file);
}

void jsonl_time(struct jsonl *out, const char *key, int64_t time_s, uint32_t fraction_ns,
		int digits)
{
	time_t seconds = (time_t)time_s;
	struct tm utc;
	char date[64];
	char fraction[16];

	/* Fails only for a year beyond what an int holds. */
	if (gmtime_r(&seconds, &utc) == NULL) {
		jsonl_null(out, key);
		return;
	}
	strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(fraction, sizeof(fraction), ".%09" PRIu32, fraction_ns);
	write_key(out, key);
	fprintf(out->file, "\"%s%.*sZ\"", date, digits > 0 ? digits + 1 : 0, fraction);
}
