/* SPDX-License-Identifier: BSD-2-Clause */
/* The rules of biflow.h, in their order. */
#include "probe/biflow.h"

#include <netinet/in.h>
#include <stdbool.h>

#define TCP_SYN 0x02
#define TCP_ACK 0x10

static bool is_syn(const struct biflow_side *side)
{
	return (side->first_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static bool is_syn_ack(const struct biflow_side *side)
{
	return (side->first_flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK);
}

/* a_is: something that only one of both is; says that `a` began, or that `b` did. */
static enum biflow_direction initiator(bool a_is)
{
	return a_is ? BIFLOW_INITIATOR : BIFLOW_REVERSE_INITIATOR;
}

static enum biflow_direction judge_by_port(const struct biflow_side *a, const struct biflow_side *b)
{
	return a->port == b->port ? BIFLOW_ARBITRARY : initiator(a->port > b->port);
}

enum biflow_direction biflow_judge(const struct biflow_side *a, const struct biflow_side *b)
{
	if (a->protocol == IPPROTO_TCP) {
		if (is_syn(a) != is_syn(b))
			return initiator(is_syn(a));
		if (is_syn_ack(a) != is_syn_ack(b))
			return initiator(is_syn_ack(b));
		if (!is_syn(a) && a->port != b->port)
			return judge_by_port(a, b);
	}
	if (a->first_ns != b->first_ns)
		return initiator(a->first_ns < b->first_ns);
	return judge_by_port(a, b);
}
