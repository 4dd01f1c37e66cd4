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
#define GROUPED_STRIDE 8u /* kinds, and their biflows */
_Static_assert(N_TEMPLATES == 4 && GROUPED_STRIDE == 2 * N_TEMPLATES, "as documented");
#define N_SETS (1u << (N_GROUPS - 1)) /* of groups, base being in all of them */
_Static_assert(GROUPED_ID + GROUPED_STRIDE * 2 * N_SETS <= UINT16_MAX + 1,
	       "each set of groups has ids of its own, precise or not");

uint16_t template_id(enum template_kind kind, uint32_t groups)
{
	uint32_t others = (groups & GROUP_ALL) >> 1; /* without GROUP_BASE, the lowest */
	bool is_biflow = groups & GROUP_BIFLOW, is_precise = groups & GROUP_PRECISE;

	if (!others)
		return (uint16_t)(256 + (is_precise ? 32 : 0) + (is_biflow ? 16 : 0) + kind);
	others += is_precise ? N_SETS : 0;
	return (uint16_t)(GROUPED_ID + GROUPED_STRIDE * others + (is_biflow ? 4 : 0) + kind);
}

size_t template_reverse_offset(enum template_kind kind, uint32_t groups, int ie)
{
	size_t offset = 0;

	for (int i = 0; i < ie; i++)
		offset += ie_is_reversed_in(&ie_table[i], kind, groups) ? ie_sent(i, groups)->octets
									: 0;
	return offset;
}

size_t template_field_offset(enum template_kind kind, uint32_t groups, int ie)
{
	size_t offset = template_reverse_offset(kind, groups, N_IES); /* these come first */

	for (int i = 0; i < ie; i++)
		offset += ie_is_in(&ie_table[i], kind, groups) ? ie_sent(i, groups)->octets : 0;
	return offset;
}

size_t template_record_octets(enum template_kind kind, uint32_t groups)
{
	return template_field_offset(kind, groups, N_IES);
}

size_t template_octets(enum template_kind kind, uint32_t groups)
{
	size_t octets = 4;

	for (int i = 0; i < N_IES; i++) {
		if (ie_is_in(&ie_table[i], kind, groups))
			octets += ie_table[i].owner == IE_OWNER_OWN ? 8 : 4;
		if (ie_is_reversed_in(&ie_table[i], kind, groups))
			octets += 8; /* has an Enterprise Number in any case */
	}
	return octets;
}
