/* SPDX-License-Identifier: BSD-2-Clause */
/* Connection state. See connection.h. */
#include "probe/connection.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>

static const char *const names[CONNECTION_STATES] = {
	[CONNECTION_NONE] = "none",
	[CONNECTION_OPENING] = "opening",
	[CONNECTION_ESTABLISHED] = "established",
	[CONNECTION_CLOSING] = "closing",
	[CONNECTION_CLOSED] = "closed",
	[CONNECTION_RESET] = "reset",
	[CONNECTION_NEVER_ANSWERED] = "never-answered",
};

/* SYN and nothing that only a later segment has. */
static bool is_syn_only(const struct expiry_flow *flow)
{
	return (flow->tcp_flags & (TH_SYN | TH_ACK)) == TH_SYN;
}

static bool is_over(uint8_t end_reason)
{
	return end_reason && end_reason != FLOW_END_ACTIVE_TIMEOUT;
}

/* State before any FIN or RST. */
static enum connection_state opening_state(const struct expiry_flow *flow,
					   const struct expiry_flow *reverse, uint8_t end_reason,
					   uint64_t now_ns)
{
	if (reverse)
		return is_syn_only(flow) || is_syn_only(reverse) ? CONNECTION_OPENING
								 : CONNECTION_ESTABLISHED;
	if (is_syn_only(flow))
		return is_over(end_reason) || now_ns >= flow->first_ns + CONNECTION_ANSWER_NS
			       ? CONNECTION_NEVER_ANSWERED
			       : CONNECTION_OPENING;
	if (flow->packets == 1 && flow->tcp_flags & TH_SYN)
		return CONNECTION_OPENING;
	return CONNECTION_ESTABLISHED;
}

enum connection_state connection_state(const struct expiry_flow *flow,
				       const struct expiry_flow *reverse, uint8_t end_reason,
				       uint64_t now_ns)
{
	uint16_t either = flow->tcp_flags | (reverse ? reverse->tcp_flags : 0);
	uint16_t both = flow->tcp_flags & (reverse ? reverse->tcp_flags : 0);

	if (!flow->is_tcp)
		return CONNECTION_NONE;
	if (both & TH_FIN)
		return CONNECTION_CLOSED;
	if (either & TH_RST)
		return CONNECTION_RESET;
	if (either & TH_FIN)
		return end_reason == FLOW_END_DETECTED ? CONNECTION_CLOSED : CONNECTION_CLOSING;
	if (!(either & (TH_SYN | TH_ACK)))
		return CONNECTION_NONE;
	return opening_state(flow, reverse, end_reason, now_ns);
}

const char *connection_state_name(uint8_t state)
{
	return names[state < CONNECTION_STATES ? state : CONNECTION_NONE];
}

int connection_state_number(const char *name)
{
	for (int state = 0; state < CONNECTION_STATES; state++)
		if (!strcmp(names[state], name))
			return state;
	return -EINVAL;
}
