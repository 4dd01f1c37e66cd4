/* SPDX-License-Identifier: BSD-2-Clause */
/* The Message with the Templates, by libfixbuf, from ie_table. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <fixbuf/public.h>

#include "probe/ie.h"

/*
 * Encode one Message of all Templates, no data, after comparing every element with
 * libfixbuf's copy of the IANA registry. Nothing of libfixbuf stays behind.
 *
 * message    [room]
 * domain_id  Observation Domain the Templates belong to
 *
 * Returns its octets, or -errno of ie_check(), or -EPROTO (libfixbuf refused
 * something, or no room); was printed.
 */
int templates_encode(uint8_t *message, size_t room, uint32_t domain_id);

/*
 * Build one Template, elements in the order of ie.def.
 * Returns it, owned by the caller until added to a session, or NULL with *err set.
 */
fbTemplate_t *templates_alloc(fbInfoModel_t *model, enum template_kind kind, GError **err);
