/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the way to the IP header of the Flow leaves for records: labels, tunnel,
 * its number and its ends, and why a tunnel was left closed.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/layers.bpf.h"
#include "tests/lib/parse_cases.h"
#include "tests/lib/parse_tunnel.h"

static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	xfp_opens_tunnels = true;
	return 0;
}

/* The way through the frame in b; the result is XFP_OK. */
static struct around follow(void)
{
	struct pkt p = {.data = b.data, .data_end = b.data + b.len, .frame_octets = (__u32)b.len};
	struct headers h;
	struct layers l;

	assert_int_equal(parse_ethernet(&p), XFP_OK);
	headers_save(&h, &p);
	layers_begin(&l, &h);
	for (int i = 0; i < LAYERS_MAX_STEPS; i++) {
		struct pkt step = {.data = p.data, .data_end = p.data_end};

		if (!layers_step(&l, &step))
			break;
	}
	assert_int_equal(layers_end(&l, &h, false), XFP_OK);
	return h.around;
}

/* The i-th packet of a case of one of the tables. */
static struct around follow_case(const struct parse_case *table, const char *name, unsigned int i)
{
	parse_case_build(table, name, i, &b);
	return follow();
}

static void assert_tunnel(const char *name, unsigned int i, enum xfp_tunnel tunnel, uint32_t id)
{
	struct around around = follow_case(parse_cases_tunnel, name, i);

	print_message("%s\n", name);
	assert_int_equal(around.tunnel, tunnel);
	assert_int_equal(around.tunnel_id, id);
	assert_int_equal(around.n_tunnels, 1);
	assert_int_equal(around.inside, XFP_OK);
}

static void test_a_tunnel_has_its_kind_and_number(void **state)
{
	(void)state;
	assert_tunnel("4in4", 0, XFP_TUNNEL_IP, 0);
	assert_tunnel("6in6", 2, XFP_TUNNEL_IP, 0);
	assert_tunnel("MPLS in IP and in UDP", 1, XFP_TUNNEL_MPLS, 0);
	assert_tunnel("GRE", 5, XFP_TUNNEL_GRE, 0);
	assert_tunnel("GRE", 7, XFP_TUNNEL_GRE, 12345);
	assert_tunnel("GRE", 10, XFP_TUNNEL_GRE, 12345);
	assert_tunnel("GRE of Ethernet", 0, XFP_TUNNEL_GRE, 0x123400);
	assert_tunnel("ERSPAN I", 0, XFP_TUNNEL_ERSPAN, 0);
	assert_tunnel("ERSPAN II", 0, XFP_TUNNEL_ERSPAN, 0x321);
	assert_tunnel("ERSPAN III", 1, XFP_TUNNEL_ERSPAN, 0x21);
	assert_tunnel("VXLAN", 0, XFP_TUNNEL_VXLAN, 0xabcdef);
	assert_tunnel("Geneve", 3, XFP_TUNNEL_GENEVE, 0xabcdef);
	assert_tunnel("GTP-U", 3, XFP_TUNNEL_GTPU, 0xcafe0001);
	assert_tunnel("Teredo", 7, XFP_TUNNEL_TEREDO, 0);
}

static void test_a_tunnel_has_its_ends(void **state)
{
	struct around around = follow_case(parse_cases_tunnel, "VXLAN", 0);
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];

	(void)state;
	assert_false(around.is_ipv6);
	inet_ntop(AF_INET, b.data + around.ip_offset + 12, source, sizeof(source));
	inet_ntop(AF_INET, b.data + around.ip_offset + 16, destination, sizeof(destination));
	assert_string_equal(source, TUNNEL_SOURCE4);
	assert_string_equal(destination, TUNNEL_DESTINATION4);

	around = follow_case(parse_cases_tunnel, "4in6", 0);
	assert_true(around.is_ipv6);
	inet_ntop(AF_INET6, b.data + around.ip_offset + 8, source, sizeof(source));
	inet_ntop(AF_INET6, b.data + around.ip_offset + 24, destination, sizeof(destination));
	assert_string_equal(source, TUNNEL_SOURCE6);
	assert_string_equal(destination, TUNNEL_DESTINATION6);
}

static void test_of_several_tunnels_the_outermost_is_kept(void **state)
{
	struct around around = follow_case(parse_cases_tunnel, "VXLAN, GRE, MPLS, PPPoE, 4in6", 0);

	(void)state;
	assert_int_equal(around.n_tunnels, 3);
	assert_int_equal(around.tunnel, XFP_TUNNEL_VXLAN);
	assert_int_equal(around.tunnel_id, 1);
	assert_int_equal(around.n_labels, 0);
}

static void test_labels_have_their_top(void **state)
{
	struct around around =
		follow_case(parse_cases_session, "IPv4 under one to eight labels", 6);

	(void)state;
	assert_int_equal(around.n_labels, 4);
	assert_int_equal(around.label, 0x000130);
	around = follow_case(parse_cases_session, "Ethernet pseudowire", 0);
	assert_int_equal(around.n_labels, 2);
	assert_int_equal(around.n_tunnels, 0);
}

static void test_a_tunnel_left_closed_has_its_reason(void **state)
{
	static const struct {
		const char *name;
		unsigned int i;
		enum xfp_reason inside;
	} cases[] = {
		{"GRE of what is not read", 0, XFP_not_ip},
		{"VXLAN of what is not read", 1, XFP_not_ip},
		{"GTP-U of what is not read", 3, XFP_too_deep},
		{"inner header not sound", 0, XFP_bad_version},
		{"inner header not sound", 1, XFP_bad_header_length},
		{"inner header not sound", 3, XFP_bad_total_length},
		{"inner transport not sound", 0, XFP_bad_header_length},
		{"first fragment", 0, XFP_bad_total_length},
		{"later fragment", 0, XFP_OK},
		{"encrypted", 0, XFP_OK},
		{"five tunnels and more", 0, XFP_too_deep},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct around around =
			follow_case(parse_cases_tunnel_closed, cases[i].name, cases[i].i);

		print_message("%s\n", cases[i].name);
		assert_int_equal(around.inside, cases[i].inside);
	}
}

/* What was read of a tunnel that stays closed is no fact of the Flow around it. */
static void test_a_tunnel_left_closed_has_no_facts(void **state)
{
	static const struct around nothing = {.inside = XFP_not_ip};
	struct around around =
		follow_case(parse_cases_tunnel_closed, "VXLAN of what is not read", 1);

	(void)state;
	assert_memory_equal(&around, &nothing, sizeof(nothing));
}

/* Nesting ends too where it is of frames and labels only. */
static void test_endless_frames_are_too_deep(void **state)
{
	(void)state;
	tunnel_udp(&b, 50000, 4789);
	CASE_OCTETS(&b, 0x08, 0, 0, 0, 0, 0, 1, 0);
	for (int i = 0; i < LAYERS_MAX_STEPS; i++)
		CASE_OCTETS(&b, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x65, 0x58);
	case_frame4(&b, 0);
	assert_int_equal(follow().inside, XFP_too_deep);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_tunnel_has_its_kind_and_number),
		cmocka_unit_test(test_a_tunnel_has_its_ends),
		cmocka_unit_test(test_of_several_tunnels_the_outermost_is_kept),
		cmocka_unit_test(test_labels_have_their_top),
		cmocka_unit_test(test_a_tunnel_left_closed_has_its_reason),
		cmocka_unit_test(test_a_tunnel_left_closed_has_no_facts),
		cmocka_unit_test(test_endless_frames_are_too_deep),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
