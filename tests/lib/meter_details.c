/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checks on details. See meter_details.h.
 */
#include "tests/lib/meter_details.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *name;
	size_t octets;
} details[XFP_N_DETAILS] = {
#define X(NAME, name) [XFP_DETAIL_##NAME] = {#name, sizeof(struct xfp_detail_##name)},
	XFP_DETAILS(X)
#undef X
};

const void *meter_detail(const struct flow_cache *cache, enum flow_family family, uint32_t slot,
			 enum xfp_detail detail)
{
	const unsigned char *record = flow_details_at(&cache->table[family], slot);

	assert_non_null(record);
	assert_int_not_equal(cache->params.detail.at[detail], XFP_DETAIL_OFF);
	return record + cache->params.detail.at[detail];
}

/* What depends on when a packet was metered. */
static void times_clear(unsigned char *copy, enum xfp_detail detail)
{
	struct xfp_detail_health *health = (void *)copy;

	if (detail == XFP_DETAIL_TIMING)
		memset(copy, 0, sizeof(struct xfp_detail_timing));
	if (detail != XFP_DETAIL_HEALTH)
		return;
	health->syn_ns = !!health->syn_ns;
	health->ack_ns = !!health->ack_ns;
	health->gap_units = 0;
	health->syn_again = 0;
}

void meter_assert_same_details(const struct flow_cache *a, uint32_t slot_a,
			       const struct flow_cache *b, uint32_t slot_b, enum flow_family family)
{
	for (int d = 0; d < XFP_N_DETAILS; d++) {
		unsigned char of_a[64] __attribute__((aligned(8))),
			of_b[64] __attribute__((aligned(8)));

		if (a->params.detail.at[d] == XFP_DETAIL_OFF)
			continue;
		memcpy(of_a, meter_detail(a, family, slot_a, (enum xfp_detail)d),
		       details[d].octets);
		memcpy(of_b, meter_detail(b, family, slot_b, (enum xfp_detail)d),
		       details[d].octets);
		times_clear(of_a, (enum xfp_detail)d);
		times_clear(of_b, (enum xfp_detail)d);
		if (memcmp(of_a, of_b, details[d].octets) != 0)
			fail_msg("details differ: %s", details[d].name);
	}
}
