/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON Lines: one flat object per line on a stdio stream. Written here rather
 * than with a library because unsigned 64-bit numbers must survive whole.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct jsonl {
	FILE *file; /* not owned */
	bool has_members;
};

/* Open and close the object of one line. Write errors stay in ferror(file). */
void jsonl_begin(struct jsonl *out);
void jsonl_end(struct jsonl *out);

/* Add one member. The caller gives each key once; keys are escaped like strings. */
/* An array as member `key`: what is written until its end has no key (NULL). */
void jsonl_array_begin(struct jsonl *out, const char *key);
void jsonl_array_end(struct jsonl *out);

void jsonl_null(struct jsonl *out, const char *key);
void jsonl_bool(struct jsonl *out, const char *key, bool value);
void jsonl_uint(struct jsonl *out, const char *key, uint64_t value);
void jsonl_int(struct jsonl *out, const char *key, int64_t value);

/* A number, or null for the infinities and NaN, which JSON does not have. */
void jsonl_double(struct jsonl *out, const char *key, double value);

void jsonl_string(struct jsonl *out, const char *key, const char *value);

/* text: well-formed UTF-8 of len octets, need not end with NUL. */
void jsonl_text(struct jsonl *out, const char *key, const void *text, size_t len);

/* Lower-case hexadecimal digits without a prefix. */
void jsonl_hex(struct jsonl *out, const char *key, const uint8_t *octets, size_t len);

/*
 * RFC 3339 in UTC: seconds since 1970 and the nanoseconds within the second,
 * of which the first `digits` digits (0, 3, 6 or 9) are shown.
 */
void jsonl_time(struct jsonl *out, const char *key, int64_t time_s, uint32_t fraction_ns,
		int digits);
