/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The four Templates of Flow Records: IPv4, IPv6, and ICMP of each. ICMP has its
 * own because collectors map icmpTypeCode onto the destination port. All elements
 * have a fixed length, so a Data Set is an array of equal records.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <fixbuf/public.h>

#include "probe/ie.h"
#include "probe/record.h"

#define TEMPLATE_ID_BASE 256 /* a new layout takes new ids, never these again */

/* The Template a record is exported with. */
enum template_kind template_of_record(const struct flow_record *r);

/* Octets of one Data Record of this Template. */
size_t template_record_octets(enum template_kind kind);

/* Where the element `ie` (enum ie_index) starts in such a record; it must be in it. */
size_t template_field_offset(enum template_kind kind, int ie);

/*
 * Build the Template as it travels, elements in the order of ie.def.
 * Returns it, owned by the caller until added to a session, or NULL with *err set.
 */
fbTemplate_t *template_alloc_external(fbInfoModel_t *model, enum template_kind kind, GError **err);

/*
 * Build the Template that describes struct flow_record to libfixbuf, octet for
 * octet: this kind's elements where the struct has them, paddingOctets between.
 * Returns as above.
 */
fbTemplate_t *template_alloc_internal(fbInfoModel_t *model, enum template_kind kind, GError **err);
