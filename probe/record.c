/* SPDX-License-Identifier: BSD-2-Clause */
/* What of a Flow Record follows from the rest of it. */
#include "probe/record.h"

void record_derive(struct flow_record *r)
{
	uint64_t duration_ms = r->end_ms - r->start_ms;

	r->ip.dscp = r->tos >> 2;
	r->icmp.type = (uint8_t)(r->icmp_type_code >> 8);
	r->icmp.code = (uint8_t)r->icmp_type_code;
	r->timing.duration_ms = duration_ms < UINT32_MAX ? (uint32_t)duration_ms : UINT32_MAX;
}
