/* SPDX-License-Identifier: BSD-2-Clause */
/* Layout of the Templates, made from ie_table. */
#include "probe/template.h"

#include <netinet/in.h>

enum template_kind template_of_record(const struct flow_record *r)
{
	if (r->is_ipv6)
		return r->protocol == IPPROTO_ICMPV6 ? TEMPLATE_ICMP6 : TEMPLATE_V6;
	return r->protocol == IPPROTO_ICMP ? TEMPLATE_ICMP4 : TEMPLATE_V4;
}

#define GROUPED_ID     32768u
#define GROUPED_STRIDE 8u /* kinds, and as many again to come */
_Static_assert(GROUPED_ID + GROUPED_STRIDE * (GROUP_ALL >> 1) + N_TEMPLATES <= UINT16_MAX,
	       "each set of groups has ids of its own");

uint16_t template_id(enum template_kind kind, uint32_t groups)
{
	uint32_t others = groups >> 1; /* without GROUP_BASE, the lowest */

	return (uint16_t)((others ? GROUPED_ID + GROUPED_STRIDE * others : 256) + kind);
}

size_t template_field_offset(enum template_kind kind, uint32_t groups, int ie)
{
	size_t offset = 0;

	for (int i = 0; i < ie; i++)
		offset += ie_is_in(&ie_table[i], kind, groups) ? ie_table[i].octets : 0;
	return offset;
}

size_t template_record_octets(enum template_kind kind, uint32_t groups)
{
	return template_field_offset(kind, groups, N_IES);
}
