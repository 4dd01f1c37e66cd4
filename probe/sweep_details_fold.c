/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Details of a twin added to those of the Flow that stays, while the kernel goes
 * on with that one: counters atomically, extremes by compare-and-swap. Marks are
 * counters of the past and add likewise. See sweep_private.h.
 */
#include <string.h>

#include "probe/sweep_private.h"

#define ADD(to, from, field) __atomic_fetch_add(&(to)->field, (from)->field, __ATOMIC_RELAXED)

static uint32_t larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static uint32_t halves_max(uint32_t a, uint32_t b)
{
	return larger(a >> 16, b >> 16) << 16 | larger(a & 0xffff, b & 0xffff);
}

static void fold_l2(struct xfp_detail_l2 *to, const struct xfp_detail_l2 *from)
{
	ADD(to, from, octets);
}

static void fold_size(struct xfp_detail_size *to, const struct xfp_detail_size *from)
{
	ADD(to, from, squares);
	for (int i = 0; i < XFP_SIZE_CLASSES; i++)
		ADD(to, from, packets[i]);
}

static void fold_timing(struct xfp_detail_timing *to, const struct xfp_detail_timing *from)
{
	sweep_word_merge(&to->shortest, from->shortest, larger);
	sweep_word_merge(&to->longest, from->longest, larger);
}

static void fold_fragment(struct xfp_detail_fragment *to, const struct xfp_detail_fragment *from)
{
	ADD(to, from, packets);
}

static void fold_tunnel(struct xfp_detail_tunnel *to, const struct xfp_detail_tunnel *from)
{
	(void)to;
	(void)from; /* both say the same of their first packets */
}

static void fold_tcp(struct xfp_detail_tcp *to, const struct xfp_detail_tcp *from)
{
	for (int i = 0; i < XFP_TCP_BITS; i++)
		ADD(to, from, bits[i]);
	sweep_word_merge(&to->windows, from->windows, halves_max);
}

static void fold_health(struct xfp_detail_health *to, const struct xfp_detail_health *from)
{
	ADD(to, from, retransmitted);
	ADD(to, from, retransmitted_octets);
	ADD(to, from, out_of_order);
	ADD(to, from, zero_windows);
}

/* Add one record of details to another: of the slots, then of the marks. */
static void record_fold(const struct xfp_detail_layout *layout, unsigned char *to,
			const unsigned char *from)
{
#define X(NAME, name)                                                                              \
	if (layout->at[XFP_DETAIL_##NAME] != XFP_DETAIL_OFF)                                       \
		fold_##name((void *)(to + layout->at[XFP_DETAIL_##NAME]),                          \
			    (const void *)(from + layout->at[XFP_DETAIL_##NAME]));
	XFP_DETAILS(X)
#undef X
}

void sweep_details_fold(struct sweep *s, enum flow_family family, uint32_t shadow,
			uint32_t survivor)
{
	struct flow_table *t = &s->cache->table[family];
	const struct xfp_detail_layout *layout = &s->cache->params.detail;

	if (!t->detail_octets)
		return;
	record_fold(layout, flow_details_at(t, survivor), flow_details_at(t, shadow));
	record_fold(layout, t->detail_marks + (size_t)survivor * t->detail_octets,
		    t->detail_marks + (size_t)shadow * t->detail_octets);
}
