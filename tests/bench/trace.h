/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the bench programs in the kernel and those that run them agree on: which
 * Flow the next packet is of, drawn where it is needed as a list of packets
 * would take from the caches what the measured program has of them, and the Flow
 * Key that each number stands for.
 */
#pragma once

#include "bpf/flow_abi.h"

/* Flows numbered gone + 1 .. next - 1 are alive. Written by the bench between runs. */
struct trace {
	__u64 random; /* not 0 */
	__u64 next;
	__u64 gone;
	__u64 births; /* that are left to this run */
	__u64 newborn; /* of 2^32 packets, as long as there are any */
};

/* An odd factor: every Flow number has a source address of its own. */
#define TRACE_SOURCE(flow)	     ((__u32)(flow)*2654435761u)
#define TRACE_DESTINATION(flow)	     ((__u32)(flow) ^ 0x5a5a5a5au)
#define TRACE_SOURCE_PORT(flow)	     ((__u16)(flow))
#define TRACE_DESTINATION_PORT(flow) ((__u16)((flow) >> 16))

/* xorshift64; *state is not 0. */
static inline __u64 trace_random(__u64 *state)
{
	__u64 x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	*state = x;
	return x;
}

#ifdef __bpf__

/*
 * The Flow of the next packet: a new one, or each of the living equally likely.
 * No branch, which would be mispredicted here and not in the empty program.
 */
static __always_inline __u64 trace_flow(struct trace *t)
{
	__u64 r = trace_random(&t->random), births = t->births;
	__u64 old = t->gone + 1 + ((__u64)(__u32)r * (__u32)(t->next - t->gone - 1) >> 32);
	__u64 is_new = ((r >> 32) - t->newborn) >> 63; /* newborn is at most 2^32 */

	is_new &= (births | -births) >> 63;
	barrier_var(is_new);
	old += (t->next - old) & -is_new;
	t->next += is_new;
	t->births = births - is_new;
	return old;
}

#endif
