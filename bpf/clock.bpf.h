/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two clocks on one scale (CLOCK_MONOTONIC ns). The precise one orders rdtsc
 * and stops the processor from overlapping cache misses, so packets in the
 * middle of a Flow take the tick: one load, exact to a few ticks, never ahead.
 */
#pragma once

#include "bpf/key.bpf.h"
#include "bpf/target.bpf.h"

/* Length of a jiffy, and the value of CLOCK_MONOTONIC at jiffies64 == 0. */
TUNABLE __u64 xfp_tick_ns;
TUNABLE __u64 xfp_tick_origin_ns;

/* timestamps: precise */
TUNABLE bool xfp_is_precise;

static __always_inline __u64 clock_precise(__u64 now_ns)
{
#ifdef __bpf__
	(void)now_ns;
	return bpf_ktime_get_ns();
#else
	return now_ns;
#endif
}

/* Time of a packet in the middle of its Flow, for the hook; natively the reader knows it. */
static __always_inline __u64 clock_coarse(void)
{
#ifdef __bpf__
	if (xfp_is_precise)
		return bpf_ktime_get_ns();
	return bpf_jiffies64() * xfp_tick_ns + xfp_tick_origin_ns;
#else
	return 0;
#endif
}
