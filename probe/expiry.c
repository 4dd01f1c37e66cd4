/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow Expiration. See expiry.h.
 */
#include "probe/expiry.h"

#include <netinet/tcp.h>
#include <stddef.h>

/* How soon to look again at a Flow whose active timeout passed in silence. */
#define EXPIRY_RECHECK_NS 1000000000ULL

_Static_assert(EXPIRY_TCP_END == (TH_FIN | TH_RST), "bits of the TCP header");

/* TCP ended as far as this Flow and its other direction show. */
enum tcp_end {
	TCP_GOES_ON,
	TCP_ENDED_ONE_SIDE, /* only one direction is seen, and it ended */
	TCP_ENDED,
};

static enum tcp_end tcp_end(const struct expiry_flow *flow, const struct expiry_flow *reverse)
{
	if (!flow->is_tcp)
		return TCP_GOES_ON;
	if (!reverse)
		return flow->tcp_flags & EXPIRY_TCP_END ? TCP_ENDED_ONE_SIDE : TCP_GOES_ON;
	if ((flow->tcp_flags | reverse->tcp_flags) & TH_RST)
		return TCP_ENDED;
	return flow->tcp_flags & reverse->tcp_flags & TH_FIN ? TCP_ENDED : TCP_GOES_ON;
}

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool expiry_is_candidate(const struct expiry_timeouts *timeouts, const struct expiry_flow *flow,
			 uint64_t now_ns)
{
	if (flow->is_tcp &&
	    ((flow->tcp_flags & EXPIRY_TCP_END) || now_ns >= expiry_active_due_ns(timeouts, flow)))
		return true;
	return now_ns >= flow->last_ns + expiry_idle_ns(timeouts, flow);
}

struct expiry_verdict expiry_judge(const struct expiry_timeouts *timeouts,
				   const struct expiry_flow *flow,
				   const struct expiry_flow *reverse, uint64_t now_ns)
{
	uint64_t last = reverse ? later(flow->last_ns, reverse->last_ns) : flow->last_ns;
	uint64_t idle = expiry_idle_ns(timeouts, flow);
	uint64_t active_due = expiry_active_due_ns(timeouts, flow);
	enum tcp_end end = tcp_end(flow, reverse);
	uint64_t end_due = UINT64_MAX;

	if (reverse)
		idle = later(idle, expiry_idle_ns(timeouts, reverse));
	if (end != TCP_GOES_ON)
		end_due = last + (end == TCP_ENDED ? EXPIRY_LINGER_NS : EXPIRY_LINGER_ONE_SIDE_NS);

	if (now_ns >= end_due)
		return (struct expiry_verdict){.end_reason = FLOW_END_DETECTED};
	if (now_ns >= last + timeouts->idle_ns)
		return (struct expiry_verdict){.end_reason = FLOW_END_IDLE_TIMEOUT};
	if (now_ns >= last + idle)
		return (struct expiry_verdict){.end_reason = FLOW_END_LACK_OF_RESOURCES};
	if (now_ns >= active_due && flow->unexported)
		return (struct expiry_verdict){.end_reason = FLOW_END_ACTIVE_TIMEOUT,
					       .due_ns = earlier(end_due, last + idle)};
	/* nothing to report though the active timeout has passed: due with the next packet */
	if (now_ns >= active_due)
		active_due = now_ns + EXPIRY_RECHECK_NS;
	return (struct expiry_verdict){.due_ns =
					       earlier(earlier(end_due, last + idle), active_due)};
}
