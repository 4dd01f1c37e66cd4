/* SPDX-License-Identifier: BSD-2-Clause */
/* One Information Element's value as JSON, by its abstract data type (RFC 7012 3.1). */
#pragma once

#include <fixbuf/public.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jsonl;

struct value {
	const fbInfoElement_t *element; /* of the Information Model */
	const uint8_t *octets; /* not owned */
	size_t len;
	bool is_host_order; /* libfixbuf turned the integer round */
	bool is_varlen; /* a fixed-length string may end in NUL, this one may not */
};

/*
 * Write the value as member `key`: numbers and booleans as such, addresses, times
 * and strings as text, everything else as hexadecimal digits, lists of records as null.
 *
 * Returns 0, or -EBADMSG if a string is not UTF-8 or the length is none the data
 * type can have; the octets are then written as hexadecimal digits.
 */
int value_write(struct jsonl *out, const char *key, const struct value *value);
