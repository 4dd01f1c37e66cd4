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
 * for another layout. 256 + kind for base alone, its biflow 16 more, GROUP_PRECISE 32
 * more; else 32768 + kind + 8 for each step of the set without GROUP_BASE, a biflow 4
 * more, GROUP_PRECISE as many as there are sets. Another group moves the last.
 */
uint16_t template_id(enum template_kind kind, uint32_t groups);

/* The Template a record is exported with. */
enum template_kind template_of_record(const struct flow_record *r);

/*
 * The layouts of one exporter, numbered: one for each kind, and with GROUP_BIFLOW a
 * second one of IPv4 and IPv6, for both directions. ICMP Flows have no other
 * direction by their key.
 */
#define N_LAYOUTS_MAX (N_TEMPLATES + TEMPLATE_ICMP4)
#define BIFLOW_LAYOUT N_TEMPLATES /* + kind */

static inline int template_layouts(uint32_t groups)
{
	return groups & GROUP_BIFLOW ? N_LAYOUTS_MAX : N_TEMPLATES;
}

static inline enum template_kind layout_kind(int layout)
{
	return (enum template_kind)(layout % N_TEMPLATES);
}

/* Flows that one of its Data Records tells of: both directions count as one each. */
static inline uint32_t layout_flows(int layout)
{
	return layout < BIFLOW_LAYOUT ? 1 : 2;
}

/* The groups of a layout, of those its exporter has. */
static inline uint32_t layout_groups(int layout, uint32_t groups)
{
	return layout < BIFLOW_LAYOUT ? groups & ~(uint32_t)GROUP_BIFLOW : groups;
}

/* Octets of one Data Record of this Template. */
size_t template_record_octets(enum template_kind kind, uint32_t groups);

/* Where the element `ie` (enum ie_index) starts in such a record; it must be in it. */
size_t template_field_offset(enum template_kind kind, uint32_t groups, int ie);

/* The same for its reverse element. */
size_t template_reverse_offset(enum template_kind kind, uint32_t groups, int ie);

/* Octets of the Template Record (RFC 7011 3.4.1). */
size_t template_octets(enum template_kind kind, uint32_t groups);
