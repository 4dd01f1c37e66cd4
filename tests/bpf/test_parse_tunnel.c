/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `tunnels: inner` behind every entry point, natively and in the kernel: the
 * tables of tunnels, the other tables as ever, and tunnels that end too early.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"
#include "tests/lib/parse_tunnel.h"

static struct meter_fixture m = {.opens_tunnels = true};
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	meter_fixture_open(&m, 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	meter_fixture_close(&m);
	return 0;
}

static void test_case(const struct parse_case *c, enum meter_hook hook)
{
	unsigned int n = c->n_packets ? c->n_packets : 1;
	uint8_t obs_point = meter_fixture_obs_point(hook);
	uint64_t octets = 0;

	print_message("%s: %s\n", c->name, meter_hook_name(hook));
	meter_fixture_clear(&m);
	for (unsigned int i = 0; i < n; i++) {
		c->build(&b, i);
		octets += b.len;
		meter_fixture_run(&m, METER_NATIVE, b.data, b.len);
		meter_fixture_run(&m, hook, b.data, b.len);
	}
	parse_case_assert(c, &m.native, 0, octets);
	parse_case_assert(c, &m.kernel, obs_point, octets);
	meter_assert_same(&m.native, &m.kernel, obs_point);
}

static void test_table(const struct parse_case *c)
{
	for (; c->name; c++)
		for (enum meter_hook hook = METER_NATIVE + 1; hook < METER_HOOKS; hook++)
			test_case(c, hook);
}

static void test_an_opened_tunnel_is_its_inner_flow(void **state)
{
	(void)state;
	test_table(parse_cases_tunnel);
}

static void test_a_tunnel_that_cannot_be_read_is_its_outer_flow(void **state)
{
	(void)state;
	test_table(parse_cases_tunnel_closed);
}

/* The tables of `tunnels: outer`, but for what they say of tunnels. */
static void test_closed_table(const struct parse_case *c)
{
	for (; c->name; c++) {
		if (c->flow.protocol == IPPROTO_IPIP || c->flow.protocol == IPPROTO_IPV6)
			continue;
		for (enum meter_hook hook = METER_NATIVE + 1; hook < METER_HOOKS; hook++)
			test_case(c, hook);
	}
}

static void test_what_is_no_tunnel_is_as_ever(void **state)
{
	(void)state;
	test_closed_table(parse_cases_link);
	test_closed_table(parse_cases_session);
	test_closed_table(parse_cases_ipv4);
	test_closed_table(parse_cases_ipv6);
	test_closed_table(parse_cases_transport);
}

/* The frame in b cut to `octets` and its outer datagram with it: a Flow of `outer`. */
static void assert_cut(const struct meter_flow *outer, size_t octets)
{
	for (enum meter_hook hook = METER_NATIVE; hook < METER_HOOKS; hook++) {
		if (!meter_fixture_can_run(hook, b.data, octets))
			continue;
		meter_fixture_clear(&m);
		meter_fixture_run(&m, hook, b.data, octets);
		meter_assert_flow(meter_fixture_cache(&m, hook), outer, 1,
				  meter_fixture_obs_point(hook));
	}
}

/* Cut the datagram of the frame in b wherever its own headers are whole. */
static void cut_everywhere(void)
{
	bool is_ipv6 = b.layers[1].type == PKT_IPV6;
	const struct pkt_layer *last = &b.layers[b.n_layers - 1];
	uint8_t *ip = b.data + ETH_HLEN;
	size_t fixed = is_ipv6 ? 40 : 20;
	struct meter_flow outer = {
		.source = is_ipv6 ? TUNNEL_SOURCE6 : TUNNEL_SOURCE4,
		.destination = is_ipv6 ? TUNNEL_DESTINATION6 : TUNNEL_DESTINATION4,
		.protocol = is_ipv6 ? ip[6] : ip[9],
	};
	size_t start = ETH_HLEN + fixed;

	if (last->type == PKT_UDP && last->at == start) {
		outer.source_port = ntohs(*(uint16_t *)(ip + fixed));
		outer.destination_port = ntohs(*(uint16_t *)(ip + fixed + 2));
		start += 8;
	}
	for (size_t octets = start; octets < b.len; octets++) {
		outer.octets = octets - ETH_HLEN;
		if (is_ipv6)
			((struct ipv6hdr *)ip)->payload_len = htons((uint16_t)(octets - start));
		else
			((struct iphdr *)ip)->tot_len = htons((uint16_t)outer.octets);
		assert_cut(&outer, octets);
	}
}

static void test_a_tunnel_cut_anywhere_is_its_outer_flow(void **state)
{
	static const char *const names[] = {"4in4",	 "6in4",       "4in6",	     "GRE",
					    "ERSPAN II", "ERSPAN III", "VXLAN",	     "Geneve",
					    "GTP-U",	 "Teredo",     "GRE of MPLS"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		print_message("%s\n", names[i]);
		parse_case_build(parse_cases_tunnel, names[i], 0, &b);
		cut_everywhere();
	}
}

/* Wherever the first buffer of the frame in b ends, the Flow is found. */
static void split_everywhere(void)
{
	const struct meter_flow flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP,
					.octets = 100};

	for (size_t linear = ETH_HLEN; linear < b.len; linear++) {
		meter_fixture_clear(&m);
		if (meter_fixture_run_split(&m, b.data, b.len, linear) == -EINVAL) {
			print_message("this kernel makes no frames of small buffers\n");
			skip();
		}
		meter_assert_flow(&m.kernel, &flow, 1, 0);
	}
}

static void test_headers_in_several_buffers_are_found(void **state)
{
	static const char *const sessions[] = {"IPv4 in PPPoE", "Ethernet pseudowire"};
	static const char *const tunnels[] = {"VXLAN", "ERSPAN III", "GTP-U",
					      "VXLAN, GRE, MPLS, PPPoE, 4in6"};

	(void)state;
	for (size_t i = 0; i < sizeof(sessions) / sizeof(sessions[0]); i++) {
		parse_case_build(parse_cases_session, sessions[i], 0, &b);
		split_everywhere();
	}
	for (size_t i = 0; i < sizeof(tunnels) / sizeof(tunnels[0]); i++) {
		parse_case_build(parse_cases_tunnel, tunnels[i], 0, &b);
		split_everywhere();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_opened_tunnel_is_its_inner_flow),
		cmocka_unit_test(test_a_tunnel_that_cannot_be_read_is_its_outer_flow),
		cmocka_unit_test(test_what_is_no_tunnel_is_as_ever),
		cmocka_unit_test(test_a_tunnel_cut_anywhere_is_its_outer_flow),
		cmocka_unit_test(test_headers_in_several_buffers_are_found),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
