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

size_t template_field_offset(enum template_kind kind, int ie)
{
	size_t offset = 0;

	for (int i = 0; i < ie; i++)
		offset += ie_table[i].templates & (1 << kind) ? ie_table[i].octets : 0;
	return offset;
}

size_t template_record_octets(enum template_kind kind)
{
	return template_field_offset(kind, N_IES);
}
