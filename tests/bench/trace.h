/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the bench programs in the kernel and those that run them agree on: a
 * trace of Flow numbers, and the Flow Key that each number stands for.
 */
#pragma once

#ifndef __bpf__
#include <stdint.h>
#endif

#include "bpf/flow_abi.h"

#define TRACE_PACKETS 65536 /* packets in the trace; a power of two */

/* An odd factor: every Flow number has a source address of its own. */
#define TRACE_SOURCE(flow)	     ((__u32)(flow)*2654435761u)
#define TRACE_DESTINATION(flow)	     ((__u32)(flow) ^ 0x5a5a5a5au)
#define TRACE_SOURCE_PORT(flow)	     ((__u16)(flow))
#define TRACE_DESTINATION_PORT(flow) ((__u16)((flow) >> 16))

#ifndef __bpf__
/* xorshift64: *state is not 0. */
static inline uint64_t trace_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}
#endif
