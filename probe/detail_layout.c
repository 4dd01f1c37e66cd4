/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layout of details. See detail_layout.h.
 */
#include "probe/detail_layout.h"

#define LINE 64

static const uint16_t sizes[XFP_N_DETAILS] = {
#define X(NAME, name) [XFP_DETAIL_##NAME] = sizeof(struct xfp_detail_##name),
	XFP_DETAILS(X)
#undef X
};

/* The smallest record that holds what was placed. */
static uint32_t record_octets(uint32_t end)
{
	for (uint32_t octets = 8; octets < LINE; octets *= 2)
		if (end <= octets)
			return octets;
	return (end + LINE - 1) / LINE * LINE;
}

struct xfp_detail_layout detail_layout(uint32_t set)
{
	struct xfp_detail_layout layout = {};
	uint32_t used[XFP_N_DETAILS] = {}, end = 0; /* of each line, in octets */

	for (int d = 0; d < XFP_N_DETAILS; d++) {
		uint32_t line = 0;

		layout.at[d] = XFP_DETAIL_OFF;
		if (!(set >> d & 1))
			continue;
		while (used[line] + sizes[d] > LINE)
			line++;
		layout.at[d] = (uint16_t)(line * LINE + used[line]);
		used[line] += sizes[d];
		if (layout.at[d] + sizes[d] > end)
			end = layout.at[d] + sizes[d];
	}
	layout.octets = end ? record_octets(end) : 0;
	return layout;
}

uint32_t detail_layout_set(const struct xfp_detail_layout *layout)
{
	uint32_t set = 0;

	for (int d = 0; d < XFP_N_DETAILS; d++)
		set |= (uint32_t)(layout->at[d] != XFP_DETAIL_OFF) << d;
	return set;
}
