/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of fragments. See fragment_cases.h.
 */
#include "tests/lib/fragment_cases.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "probe/native_meter.h"
#include "tests/lib/parse_cases.h"

#define SOURCE_PORT	 1234
#define DESTINATION_PORT 53
#define MS		 1000000ULL

static void start(const struct fragment_case *c, const struct fragment_step *s,
		  struct pkt_builder *b)
{
	pkt_init(b);
	pkt_eth(b);
	if (s->vlan)
		pkt_vlan(b, ETH_P_8021Q, s->vlan);
	if (c->is_ipv6) {
		pkt_ipv6(b, s->is_reverse ? CASE_DESTINATION6 : CASE_SOURCE6,
			 s->is_reverse ? CASE_SOURCE6 : CASE_DESTINATION6);
		pkt_ext_fragment(b, s->id, s->offset, s->has_more);
	} else {
		pkt_ipv4_fragment(pkt_ipv4(b, s->is_reverse ? CASE_DESTINATION4 : CASE_SOURCE4,
					   s->is_reverse ? CASE_SOURCE4 : CASE_DESTINATION4),
				  (uint16_t)s->id, s->offset, s->has_more);
	}
}

bool fragment_case_build(const struct fragment_case *c, unsigned int i, struct pkt_builder *b)
{
	const struct fragment_step *s = &c->step[i];
	__be16 ports[] = {htons(s->source_port ? s->source_port : SOURCE_PORT),
			  htons(s->source_port ? s->destination_port : DESTINATION_PORT)};
	uint8_t *payload;

	if (i >= FRAGMENT_STEPS || !s->payload)
		return false;
	start(c, s, b);
	payload = pkt_protocol(b, s->protocol ? s->protocol : IPPROTO_UDP, s->payload);
	pkt_finish(b);
	if (s->offset)
		return true;
	memcpy(payload, ports, s->payload < sizeof(ports) ? s->payload : sizeof(ports));
	if (s->protocol == IPPROTO_TCP && s->payload > 13) {
		payload[12] = 0x50;
		payload[13] = PKT_SYN;
	}
	return true;
}

void fragment_run_native(struct flow_cache *cache, const struct pkt_builder *b, uint64_t time_ns)
{
	void *copy = malloc(b->len);

	assert_non_null(copy);
	memcpy(copy, b->data, b->len);
	native_meter_packet(cache, &(struct native_packet){.data = copy,
							   .captured_octets = (uint32_t)b->len,
							   .wire_octets = (uint32_t)b->len,
							   .time_ns = time_ns,
							   .is_ethernet = true});
	free(copy);
}

static void assert_flow(const struct fragment_case *c, const struct fragment_flow *f,
			const struct flow_cache *cache, uint8_t obs_point)
{
	const char *source = c->is_ipv6 ? CASE_SOURCE6 : CASE_SOURCE4;
	const char *destination = c->is_ipv6 ? CASE_DESTINATION6 : CASE_DESTINATION4;
	const struct meter_flow flow = {
		.source = f->is_reverse ? destination : source,
		.destination = f->is_reverse ? source : destination,
		.protocol = f->protocol ? f->protocol : IPPROTO_UDP,
		.source_port = f->source_port,
		.destination_port = f->destination_port,
		.vlan = f->vlan,
	};

	assert_int_equal(flow_volume(meter_find_flow(cache, &flow, obs_point)).packets, f->packets);
}

void fragment_case_assert(const struct fragment_case *c, const struct flow_cache *cache,
			  uint8_t obs_point)
{
	uint64_t packets = 0, n_steps = 0;
	struct xfp_ledger_row row;
	uint32_t n_flows = 0;

	for (; n_flows < FRAGMENT_FLOWS && c->flow[n_flows].packets; n_flows++) {
		assert_flow(c, &c->flow[n_flows], cache, obs_point);
		packets += c->flow[n_flows].packets;
	}
	while (n_steps < FRAGMENT_STEPS && c->step[n_steps].payload)
		n_steps++;
	assert_int_equal(meter_count_flows(cache), n_flows);
	meter_ledger_sum(cache, &row);
	assert_int_equal(row.seen.packets, n_steps);
	assert_int_equal(row.accounted.packets, n_steps);
	assert_int_equal(packets, n_steps);
	for (int i = 0; i < XFP_N_NOTICES; i++)
		assert_int_equal(row.notice[i], c->notice[i]);
}

/* A first fragment, one behind it that more follow, and the last, of n octets each. */
#define FIRST(i, n)	   .id = (i), .has_more = true, .payload = (n)
#define MIDDLE(i, from, n) .id = (i), .offset = (from), .has_more = true, .payload = (n)
#define LAST(i, from, n)   .id = (i), .offset = (from), .payload = (n)
#define PORTS		   .source_port = SOURCE_PORT, .destination_port = DESTINATION_PORT
/* In place of ports: a Destination Options header of 32 octets before UDP. */
#define OPTIONS .protocol = IPPROTO_DSTOPTS, .source_port = IPPROTO_UDP << 8 | 3

const struct fragment_case fragment_cases[] = {
	{"later fragments have the ports of the first", false,
	 .step = {{FIRST(7, 24)}, {MIDDLE(7, 24, 24)}, {LAST(7, 48, 11)}}, .flow = {{3, PORTS}}},
	{"later fragments may come in any order", false,
	 .step = {{FIRST(7, 24)}, {LAST(7, 48, 11)}, {MIDDLE(7, 24, 24)}}, .flow = {{3, PORTS}}},
	{"a later fragment that comes first has ports 0", false,
	 .step = {{MIDDLE(7, 24, 24)}, {FIRST(7, 24)}, {LAST(7, 48, 11)}},
	 .flow = {{2, PORTS}, {1}}},
	{"fragments whose first is lost have ports 0", false,
	 .step = {{MIDDLE(7, 24, 24)}, {LAST(7, 48, 11)}}, .flow = {{2}}},
	{"datagrams may be interleaved", false,
	 .step = {{FIRST(7, 24)},
		  {FIRST(8, 24), .source_port = 4321, .destination_port = 99},
		  {MIDDLE(7, 24, 24)},
		  {MIDDLE(8, 24, 24)},
		  {LAST(8, 48, 11)},
		  {LAST(7, 48, 11)}},
	 .flow = {{3, PORTS}, {3, .source_port = 4321, .destination_port = 99}}},
	{"the same identification of another protocol is another datagram", false,
	 .step = {{FIRST(7, 24)}, {LAST(7, 48, 11), .protocol = IPPROTO_TCP}},
	 .flow = {{1, PORTS}, {1, .protocol = IPPROTO_TCP}}},
	{"the same identification of other addresses is another datagram", false,
	 .step = {{FIRST(7, 24)}, {LAST(7, 48, 11), .is_reverse = true}},
	 .flow = {{1, PORTS}, {1, .is_reverse = true}}},
	{"the same identification of another VLAN is another datagram", false,
	 .step = {{FIRST(7, 24), .vlan = 5},
		  {LAST(7, 48, 11), .vlan = 6},
		  {LAST(7, 48, 11), .vlan = 5}},
	 .flow = {{2, PORTS, .vlan = 5}, {1, .vlan = 6}}},
	{"of two first fragments the latter counts", false,
	 .step = {{FIRST(7, 24)},
		  {FIRST(7, 24), .source_port = 4321, .destination_port = 99},
		  {LAST(7, 48, 11)}},
	 .flow = {{1, PORTS}, {2, .source_port = 4321, .destination_port = 99}}},
	{"later fragments of ICMP have type and code of the first", false,
	 .step = {{FIRST(7, 24), .protocol = IPPROTO_ICMP, .source_port = 0x0800},
		  {LAST(7, 48, 11), .protocol = IPPROTO_ICMP}},
	 .flow = {{2, .protocol = IPPROTO_ICMP, .destination_port = 0x0800}}},
	{"later fragments of TCP have the ports of the first", false,
	 .step = {{FIRST(7, 24), .protocol = IPPROTO_TCP},
		  {LAST(7, 48, 11), .protocol = IPPROTO_TCP}},
	 .flow = {{2, .protocol = IPPROTO_TCP, PORTS}}},
	{"later fragments of IPv6 have the ports of the first", true,
	 .step = {{FIRST(7, 24)}, {LAST(7, 48, 11)}, {MIDDLE(7, 24, 24)}}, .flow = {{3, PORTS}}},
	{"an identification of IPv6 has 32 bits", true,
	 .step = {{FIRST(0x70007, 24)}, {LAST(0x60007, 48, 11)}, {LAST(0x70007, 48, 11)}},
	 .flow = {{2, PORTS}, {1}}},
	{"in IPv6 the first fragment says the protocol", true,
	 .step = {{FIRST(7, 24)}, {LAST(7, 48, 11), .protocol = IPPROTO_DSTOPTS}},
	 .flow = {{2, PORTS}}},
	{"an atomic fragment is an ordinary packet", true,
	 .step = {{.id = 7, .payload = 25}, {.id = 7, .payload = 25}, {LAST(7, 48, 11)}},
	 .flow = {{2, PORTS}, {1}}},
	{"a first fragment may end within its transport header", false,
	 .step = {{FIRST(7, 8), .protocol = IPPROTO_TCP},
		  {LAST(7, 8, 30), .protocol = IPPROTO_TCP}},
	 .flow = {{2, .protocol = IPPROTO_TCP, PORTS}}, .notice = {[XFP_tiny_fragment] = 1}},
	{"a first fragment of SCTP may end within its transport header", true,
	 .step = {{FIRST(7, 8), .protocol = IPPROTO_SCTP}},
	 .flow = {{1, .protocol = IPPROTO_SCTP, PORTS}}, .notice = {[XFP_tiny_fragment] = 1}},
	{"a first fragment without ports has ports 0", false,
	 .step = {{FIRST(7, 3)}, {LAST(7, 48, 11)}}, .flow = {{2}},
	 .notice = {[XFP_tiny_fragment] = 1, [XFP_uneven_fragment] = 1}},
	{"a first fragment may end within its extension headers", true,
	 .step = {{FIRST(7, 8), OPTIONS}, {FIRST(8, 24), OPTIONS}, {LAST(7, 48, 11), OPTIONS}},
	 .flow = {{3, .protocol = IPPROTO_DSTOPTS}}, .notice = {[XFP_tiny_fragment] = 2}},
	{"a datagram may have 65535 octets", false,
	 .step = {{LAST(7, 65504, 11)}, {LAST(7, 65504, 12)}}, .flow = {{2}},
	 .notice = {[XFP_oversized_fragment] = 1}},
	{"a datagram of IPv6 may have 65535 octets behind its header", true,
	 .step = {{LAST(7, 65528, 7)}, {LAST(7, 65528, 8)}}, .flow = {{2}},
	 .notice = {[XFP_oversized_fragment] = 1}},
	{"all fragments but the last have a multiple of 8 octets", false,
	 .step = {{FIRST(7, 25)}, {MIDDLE(7, 32, 24)}, {MIDDLE(7, 56, 23)}, {LAST(7, 80, 11)}},
	 .flow = {{4, PORTS}}, .notice = {[XFP_uneven_fragment] = 2}},
	{"a later fragment may not begin within the first", false,
	 .step = {{FIRST(7, 24)}, {LAST(7, 16, 11)}, {LAST(7, 24, 11)}}, .flow = {{3, PORTS}},
	 .notice = {[XFP_overlapping_fragment] = 1}},
	{"a later fragment of IPv6 may not begin within the first", true,
	 .step = {{FIRST(7, 24)}, {LAST(7, 16, 11)}, {LAST(7, 24, 11)}}, .flow = {{3, PORTS}},
	 .notice = {[XFP_overlapping_fragment] = 1}},
	{"ports are remembered for four seconds", false, .needs_time = true,
	 .step = {{FIRST(7, 24), .at_ns = 1000 * MS},
		  {MIDDLE(7, 24, 24), .at_ns = 5200 * MS},
		  {LAST(7, 48, 11), .at_ns = 5400 * MS}},
	 .flow = {{2, PORTS}, {1}}},
	{"times may be out of order", false, .needs_time = true,
	 .step = {{FIRST(7, 24), .at_ns = 1000 * MS}, {LAST(7, 48, 11), .at_ns = 900 * MS}},
	 .flow = {{2, PORTS}}},
	{"ports are remembered while the table's clock begins anew", false, .needs_time = true,
	 .step = {{FIRST(7, 24), .at_ns = (1ULL << 46) - MS},
		  {LAST(7, 48, 11), .at_ns = (1ULL << 46) + MS}},
	 .flow = {{2, PORTS}}},
	{},
};
