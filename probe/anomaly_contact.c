/* SPDX-License-Identifier: BSD-2-Clause */
/* Judging first contacts. See anomaly_contact.h. */
#include "probe/anomaly_contact.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#define TCP_FLAGS      (TH_FIN | TH_SYN | TH_RST | TH_PUSH | TH_ACK | TH_URG)
#define TCP_XMAS       (TH_FIN | TH_PUSH | TH_URG)
#define PROBES_MAX     3 /* packets of one probe with its repetitions                  */
#define EPHEMERAL_PORT 32768 /* from here on clients pick their own ports                  */
#define PRIVILEGED_END 1024 /* servers below, by old habit                                */
#define SYN_OS_OCTETS  32 /* TCP header with MSS, SACK and window scale, no raw probe's */
#define IPV4_OCTETS    20
#define IPV6_OCTETS    40
#define TCP_OCTETS     20 /* its header without options */

/* Destination ports of traceroute(8), three for each of thirty routers and some more. */
#define TRACEROUTE_FIRST 33434
#define TRACEROUTE_LAST	 33534

/* ICMP queries, as type << 8. */
#define ICMP_ECHO	    0x0800
#define ICMP_TIMESTAMP	    0x0d00
#define ICMP_ADDRESS_MASK   0x1100
#define ICMPV6_ECHO_REQUEST 0x8000

static struct contact outcome_of(uint8_t method, const struct anomaly_flow *flow,
				 const struct flow_reverse *reverse, uint64_t now_ns,
				 uint64_t wait_ns)
{
	struct contact c = {.method = method, .has_reverse = reverse != NULL};

	if (reverse)
		c.outcome = CONTACT_ANSWERED;
	else if (now_ns >= flow->delta->first_ns + wait_ns)
		c.outcome = CONTACT_SILENT;
	else
		c.outcome = CONTACT_PENDING;
	return c;
}

/* A SYN: what came back, or that the client went on as if something had. */
static struct contact judge_syn(const struct anomaly_flow *flow, const struct flow_reverse *reverse,
				uint64_t now_ns, uint64_t wait_ns)
{
	struct contact c = outcome_of(CONTACT_TCP, flow, reverse, now_ns, wait_ns);
	uint32_t ip_octets = flow->is_ipv6 ? IPV6_OCTETS : IPV4_OCTETS;

	c.is_os = flow->delta->length_min >= ip_octets + SYN_OS_OCTETS;
	/* its own third step proves an answer where answers are not observed */
	c.is_established = flow->delta->tcp_flags & TH_ACK;
	if (reverse && reverse->tcp_flags & TH_RST && !(reverse->tcp_flags & TH_SYN))
		c.outcome = CONTACT_REFUSED;
	else if (c.is_established)
		c.outcome = CONTACT_ANSWERED;
	return c;
}

/* A segment that belongs to no connection. `is_odd`: no stack ever sends it. */
static struct contact judge_stray(uint8_t method, bool is_odd, const struct anomaly_flow *flow,
				  const struct flow_reverse *reverse, uint64_t now_ns,
				  uint64_t wait_ns)
{
	struct contact c = outcome_of(method, flow, reverse, now_ns, wait_ns);
	uint8_t flags = flow->delta->tcp_flags & TCP_FLAGS;

	if (flags != (flow->delta->first_flags & TCP_FLAGS) ||
	    flow->delta->total_packets > PROBES_MAX)
		return (struct contact){.outcome = CONTACT_NONE};
	if (is_odd && c.outcome == CONTACT_PENDING)
		c.outcome = CONTACT_SILENT;
	if (reverse && reverse->tcp_flags & TH_RST)
		c.outcome = CONTACT_REFUSED;
	/* the other side knows the connection, or a client's port is told that it is over */
	if (!is_odd && (c.outcome == CONTACT_ANSWERED || flow->destination_port >= EPHEMERAL_PORT))
		c.outcome = CONTACT_NONE;
	return c;
}

/* A first fragment too short for the flags (RFC 1858 3) made the Flow, which has none then. */
static bool has_flags_hidden(const struct anomaly_flow *flow)
{
	uint32_t ip_octets = flow->is_ipv6 ? IPV6_OCTETS : IPV4_OCTETS;

	return flow->delta->length_min < ip_octets + TCP_OCTETS;
}

static struct contact judge_tcp(const struct anomaly_flow *flow, const struct flow_reverse *reverse,
				uint64_t now_ns, uint64_t wait_ns)
{
	uint8_t first = flow->delta->first_flags & TCP_FLAGS;

	if ((first & (TH_SYN | TH_ACK | TH_RST | TH_FIN)) == TH_SYN)
		return judge_syn(flow, reverse, now_ns, wait_ns);
	switch (first) {
	case 0:
		/* who hides its flags hides a SYN most often, and is answered like one */
		if (has_flags_hidden(flow))
			return judge_syn(flow, reverse, now_ns, wait_ns);
		return judge_stray(CONTACT_NULL, true, flow, reverse, now_ns, wait_ns);
	case TH_FIN:
		return judge_stray(CONTACT_FIN, true, flow, reverse, now_ns, wait_ns);
	case TCP_XMAS:
		return judge_stray(CONTACT_XMAS, true, flow, reverse, now_ns, wait_ns);
	case TH_FIN | TH_ACK:
		return judge_stray(CONTACT_MAIMON, false, flow, reverse, now_ns, wait_ns);
	case TH_ACK:
		return judge_stray(CONTACT_ACK, false, flow, reverse, now_ns, wait_ns);
	default:
		return (struct contact){.outcome = CONTACT_NONE};
	}
}

/* Looks like what a server sends to a client's port, or like a traceroute. */
static bool is_no_udp_contact(const struct anomaly_flow *flow)
{
	if (flow->source_port < PRIVILEGED_END && flow->destination_port >= PRIVILEGED_END)
		return true;
	return flow->destination_port >= TRACEROUTE_FIRST &&
	       flow->destination_port <= TRACEROUTE_LAST;
}

static bool is_icmp_query(const struct anomaly_flow *flow)
{
	if (flow->is_ipv6)
		return flow->icmp_type_code == ICMPV6_ECHO_REQUEST;
	return flow->icmp_type_code == ICMP_ECHO || flow->icmp_type_code == ICMP_TIMESTAMP ||
	       flow->icmp_type_code == ICMP_ADDRESS_MASK;
}

struct contact contact_judge(const struct anomaly_flow *flow, const struct flow_reverse *reverse,
			     uint64_t now_ns, uint64_t wait_ns)
{
	const struct contact none = {.outcome = CONTACT_NONE};

	if (flow->is_later_fragment || host_is_group(&flow->destination) ||
	    host_is_group(&flow->source) || host_equals(&flow->source, &flow->destination))
		return none;
	if (flow->protocol == IPPROTO_TCP)
		return judge_tcp(flow, reverse, now_ns, wait_ns);
	if (flow->protocol == IPPROTO_UDP)
		return is_no_udp_contact(flow)
			       ? none
			       : outcome_of(CONTACT_UDP, flow, reverse, now_ns, wait_ns);
	if (flow->is_icmp)
		return is_icmp_query(flow)
			       ? outcome_of(CONTACT_ICMP, flow, reverse, now_ns, wait_ns)
			       : none;
	return outcome_of(CONTACT_PROTOCOL, flow, reverse, now_ns, wait_ns);
}
