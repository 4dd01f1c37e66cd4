/* SPDX-License-Identifier: BSD-2-Clause */
/* From a Flow Key to hosts and ports. See anomaly_flow.h. */
#include "probe/anomaly_flow.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void read_key4(const struct xfp_key4 *k, struct anomaly_flow *flow)
{
	flow->source = host_of_ipv4(k->source);
	flow->destination = host_of_ipv4(k->destination);
	flow->source_port = ntohs(k->source_port);
	flow->destination_port = ntohs(k->destination_port);
	flow->protocol = k->protocol;
	flow->obs_point = k->obs_point;
	flow->is_icmp = k->protocol == IPPROTO_ICMP;
}

static void read_key6(const struct xfp_key6 *k, struct anomaly_flow *flow)
{
	flow->source = host_of_ipv6(k->source);
	flow->destination = host_of_ipv6(k->destination);
	flow->source_port = ntohs(k->source_port);
	flow->destination_port = ntohs(k->destination_port);
	flow->protocol = k->protocol;
	flow->obs_point = k->obs_point;
	flow->is_icmp = k->protocol == IPPROTO_ICMPV6;
}

void anomaly_flow_read(const struct flow_delta *delta, struct anomaly_flow *flow)
{
	flow->delta = delta;
	flow->is_ipv6 = delta->family == FLOW_IPV6;
	if (flow->is_ipv6)
		read_key6(delta->key, flow);
	else
		read_key4(delta->key, flow);
	flow->icmp_type_code = 0;
	if (flow->is_icmp) {
		flow->icmp_type_code = flow->destination_port;
		flow->destination_port = 0;
	}
	flow->is_later_fragment =
		(flow->protocol == IPPROTO_TCP || flow->protocol == IPPROTO_UDP) &&
		!flow->source_port && !flow->destination_port;
}
