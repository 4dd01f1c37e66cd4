/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the race test's program (tests/bpf/race.bpf.c) and its judge agree on:
 * the Flows, and what each CPU truly sent of them.
 */
#pragma once

#include <linux/types.h>

#define RACE_FLOWS	  300
#define RACE_CPUS	  2
#define RACE_FRAME_OCTETS 1514
#define RACE_SOURCE	  0x0a000000u /* of Flow 0; Flow n: + n, host order */

/* A length of its own betrays a packet that was added to another Flow. */
#define RACE_OCTETS(flow) (60u + (flow)*3u)

/* Two TCP flags (of twelve) of its own, for the same end. */
#define RACE_FLAG(flow, is_second) (1u << (((flow) + ((is_second) ? 5 : 0)) % 12))

/* Sent by one CPU of one Flow, and found room: all but packets_overflowed. */
struct race_truth {
	__u64 packets;
	__u64 packets_overflowed;
	__u32 tcp_flags; /* of those that found room, as the next two */
	__u16 ttl_min; /* 0: nothing yet                            */
	__u16 ttl_max;
};
