/* SPDX-License-Identifier: BSD-2-Clause */
/* The Messages with the Templates, by libfixbuf, from ie_table. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <fixbuf/public.h>

#include "probe/ie.h"

/* A Message of several Templates is not longer: it passes wherever IPv6 and 512 octets do. */
#define TEMPLATES_MESSAGE_OCTETS (512 - 40 - 8)

/* What the Templates of an exporter depend on. */
struct template_scheme {
	uint32_t domain_id; /* Observation Domain they belong to */
	uint32_t enterprise_number; /* of our own elements */
	uint32_t groups; /* OR of GROUP_*, with GROUP_BIFLOW for both sorts */
};

/*
 * Encode Messages of all Templates, no data, one behind the other, after comparing
 * every element with libfixbuf's registry. Nothing of libfixbuf stays behind.
 *
 * messages  [room]
 *
 * Returns their octets, or -errno of ie_check(), or -EPROTO (libfixbuf refused
 * something, or no room); was printed.
 */
int templates_encode(uint8_t *messages, size_t room, const struct template_scheme *scheme);

/*
 * Build one Template, elements in the order of ie.def; model has our own.
 * Returns it, owned by the caller until added to a session, or NULL with *err set.
 */
fbTemplate_t *templates_alloc(fbInfoModel_t *model, enum template_kind kind, uint32_t groups,
			      GError **err);
