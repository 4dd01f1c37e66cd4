/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow Expiration: when a Flow ends, and why. Pure arithmetic over what one
 * Flow and its other direction look like now; no clock, no memory, no I/O.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/record.h"

/* Silence after the end of a TCP connection before its record leaves. */
#define EXPIRY_LINGER_NS	  2000000000ULL /* both directions seen          */
#define EXPIRY_LINGER_ONE_SIDE_NS 5000000000ULL /* FIN or RST of one side only */

/* FIN and RST of tcpControlBits (6): the Flow may have ended. */
#define EXPIRY_TCP_END 0x05

struct expiry_timeouts {
	uint64_t active_ns;
	uint64_t idle_ns;
	/*
	 * 0 below the high-water mark, 1000 when the cache is full: shortens idle
	 * timeouts, of single-packet Flows to nothing, of others to half.
	 */
	uint32_t pressure_permille;
};

/* The most that pressure takes from an idle timeout. */
static inline uint64_t expiry_cut_ns(const struct expiry_timeouts *timeouts)
{
	return timeouts->idle_ns / 1000 * timeouts->pressure_permille;
}

/* One Flow as the sweep sees it. */
struct expiry_flow {
	uint64_t first_ns;
	uint64_t last_ns; /* latest packet                                   */
	uint64_t exported_ns; /* end of the last exported interval, 0 = none     */
	uint64_t packets; /* since it began                                  */
	uint64_t unexported; /* packets since the last record                   */
	uint16_t tcp_flags;
	bool is_tcp;
};

/* Silence after which a Flow ends. */
static inline uint64_t expiry_idle_ns(const struct expiry_timeouts *timeouts,
				      const struct expiry_flow *flow)
{
	uint64_t cut = expiry_cut_ns(timeouts);

	return timeouts->idle_ns - (flow->packets == 1 ? cut : cut / 2);
}

/* When what is not exported of a Flow has to be. */
static inline uint64_t expiry_active_due_ns(const struct expiry_timeouts *timeouts,
					    const struct expiry_flow *flow)
{
	return (flow->exported_ns ? flow->exported_ns : flow->first_ns) + timeouts->active_ns;
}

/*
 * True for a Flow that goes on whatever its other direction looks like, as most
 * do in most sweeps: expiry_judge() in short. Sets *due_ns to when to look again.
 * Does not read flow->unexported.
 */
static inline bool expiry_goes_on(const struct expiry_timeouts *timeouts,
				  const struct expiry_flow *flow, uint64_t now_ns, uint64_t *due_ns)
{
	uint64_t idle_due = flow->last_ns + expiry_idle_ns(timeouts, flow);
	uint64_t active_due = expiry_active_due_ns(timeouts, flow);

	*due_ns = idle_due < active_due ? idle_due : active_due;
	return now_ns < *due_ns && !(flow->is_tcp && (flow->tcp_flags & EXPIRY_TCP_END));
}

struct expiry_verdict {
	uint8_t end_reason; /* 0: goes on. FLOW_END_ACTIVE_TIMEOUT: export, keep. Else: remove */
	uint64_t due_ns; /* when to look again if it goes on                                */
};

/*
 * Judge one Flow.
 *
 * reverse  the other direction at the same interface, NULL when there is none:
 *          a conversation is idle, or ended, as a whole
 *
 * Source: RFC 5470 (Flow Expiration), IE 136. Cost: a few comparisons.
 */
struct expiry_verdict expiry_judge(const struct expiry_timeouts *timeouts,
				   const struct expiry_flow *flow,
				   const struct expiry_flow *reverse, uint64_t now_ns);

/*
 * True when the Flow could end now, so that looking for its other direction is
 * worth the cost. A TCP connection that the other side has reset may end when
 * this side's active timeout is due: that record tells the end, not the timeout.
 */
bool expiry_is_candidate(const struct expiry_timeouts *timeouts, const struct expiry_flow *flow,
			 uint64_t now_ns);
