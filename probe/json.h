/* SPDX-License-Identifier: BSD-2-Clause */
/* A Flow Record as text: one JSON object per line, or one line of a table. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "probe/record.h"

#define JSON_FLOW_MAX_OCTETS 8192 /* longest line json_put_biflow() writes, asserted by its test */
#define JSON_TIME_OCTETS     24 /* 2026-01-02T03:04:05.678Z */

/*
 * Write {"type":"flow",...} and a newline at p: the elements of the record's
 * Template with these groups (OR of GROUP_*) under their names, addresses as text,
 * octets in hexadecimal, times as RFC 3339 in UTC; of TCP the connectionState by
 * name; the communityId.
 * p has room for JSON_FLOW_MAX_OCTETS. Returns the end; no NUL.
 */
char *json_put_flow(char *p, const struct flow_record *r, uint32_t groups);

/*
 * Write both directions as one record (RFC 5103): the elements of `forward`,
 * biflowDirection, and of `reverse` those that are not the same, as
 * reverseOctetDeltaCount and so on. Otherwise as json_put_flow().
 */
char *json_put_biflow(char *p, const struct flow_record *forward, const struct flow_record *reverse,
		      uint32_t groups);

/* Write a decimal number, at most 20 characters. Returns the end. */
char *json_put_number(char *p, uint64_t value);

/*
 * Write a time as RFC 3339 in UTC with milliseconds, JSON_TIME_OCTETS characters
 * (years up to 9999; later times are written as the end of that year).
 */
char *json_put_time(char *p, uint64_t unix_ms);
