/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * basicLists (RFC 6313 4.5.1), read without libfixbuf, which 2.4.1 crashes on when one
 * is malformed: it is told that they are octets.
 */
#pragma once

#include <fixbuf/public.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct jsonl;

/* Turn the basicLists of the Information Model into arrays of octets that are known as such. */
void list_take_over(fbInfoModel_t *model);

/* True for an element that was turned. */
bool list_is(const fbInfoElement_t *canon);

/*
 * Write the list as member `key`, an array. Returns 0, or -EBADMSG for a malformed one,
 * written as hexadecimal digits.
 */
int list_write(struct jsonl *out, const char *key, fbInfoModel_t *model, const uint8_t *octets,
	       size_t len);
