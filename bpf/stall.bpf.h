/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Knobs of the race test, which alone is built with XFP_STALLS. A window of
 * nanoseconds hides a broken protocol; one of microseconds shows it.
 * XFP_MUTANT_PUBLISH_FIRST builds the program that must fail: it
 * shows a tag before its slot is filled.
 */
#pragma once

#include "bpf/flow_abi.h"
#include "bpf/target.bpf.h"

enum stall_point {
	STALL_MATCH, /* between finding a Flow and adding to it         */
	STALL_CLAIM, /* between claiming a place and publishing its tag */
};

#ifdef XFP_STALLS

/* Rounds of waiting at each point, and the mask that picks one in so many packets. */
TUNABLE __u32 xfp_stall_rounds[2];
TUNABLE __u32 xfp_stall_mask;

static long stall_round(__u32 i, void *context)
{
	__u32 waste = i;

	(void)context;
	barrier_var(waste);
	return 0;
}

static __always_inline void stall(enum stall_point point)
{
	if (xfp_stall_rounds[point] && !(bpf_get_prandom_u32() & xfp_stall_mask))
		bpf_loop(xfp_stall_rounds[point], stall_round, NULL, 0);
}

static __always_inline void publish_early(struct xfp_bucket *tags, __u32 place, __u32 tag)
{
#ifdef XFP_MUTANT_PUBLISH_FIRST
	WRITE_ONCE_(tags->tag[place], tag);
#else
	(void)tags;
	(void)place;
	(void)tag;
#endif
}

#else

static __always_inline void stall(enum stall_point point)
{
	(void)point;
}

static __always_inline void publish_early(struct xfp_bucket *tags, __u32 place, __u32 tag)
{
	(void)tags;
	(void)place;
	(void)tag;
}

#endif
