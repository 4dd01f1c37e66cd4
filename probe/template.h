/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The four Templates of Flow Records: IPv4, IPv6, and ICMP of each. ICMP has its
 * own because collectors map icmpTypeCode onto the destination port. Which groups
 * of elements they have is the exporter's. All elements have a fixed length, so a
 * Data Set is an array of equal records.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "probe/ie.h"
#include "probe/record.h"

/*
 * Template ID of a layout; every set of groups has its own, and none is ever used
 * for another layout. 256 + kind for base alone, else 32768 + 8 for each step of
 * the set without GROUP_BASE + kind.
 */
uint16_t template_id(enum template_kind kind, uint32_t groups);

/* The Template a record is exported with. */
enum template_kind template_of_record(const struct flow_record *r);

/* Octets of one Data Record of this Template. */
size_t template_record_octets(enum template_kind kind, uint32_t groups);

/* Where the element `ie` (enum ie_index) starts in such a record; it must be in it. */
size_t template_field_offset(enum template_kind kind, uint32_t groups, int ie);
