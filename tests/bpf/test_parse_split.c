/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * XDP frames of several buffers: larger than a page, or with headers that the
 * first buffer does not hold. For tc see test_parse_live.c.
 */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

static struct meter_fixture m;
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

static void build_chain(struct pkt_builder *p)
{
	pkt_init(p);
	pkt_eth(p);
	pkt_vlan(p, ETH_P_8021AD, 100);
	pkt_vlan(p, ETH_P_8021Q, 101);
	pkt_ipv6(p, CASE_SOURCE6, CASE_DESTINATION6);
	pkt_ext(p, IPPROTO_HOPOPTS, 1);
	pkt_ext(p, IPPROTO_DSTOPTS, 2);
	pkt_ah(p, 6);
	pkt_tcp(p, 1234, 53, PKT_SYN);
	pkt_payload(p, 100);
	pkt_finish(p);
}

static const struct meter_flow chain_flow = {
	CASE_ENDS6,
	CASE_PORTS,
	.protocol = IPPROTO_TCP,
	.vlan = 100,
	.inner_vlan = 101,
	.tcp_flags = PKT_SYN,
	.octets = 40 + 8 + 16 + 24 + 20 + 100,
};

/* Frames of more than a page lie in several buffers; no octet is missed. */
static void test_large_frames(void **state)
{
	static const size_t payloads[] = {3400, 3600, 4096, 9000, 40000, 60000};

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(payloads[0]); i++) {
		const struct meter_flow flow = {CASE_ENDS4, CASE_PORTS, .protocol = IPPROTO_UDP,
						.octets = payloads[i] + 28};

		meter_fixture_clear(&m);
		case_start4(&b);
		case_finish_udp(&b, payloads[i]);
		meter_fixture_run(&m, METER_NATIVE, b.data, b.len);
		meter_fixture_run(&m, METER_XDP_FRAGS, b.data, b.len);
		meter_assert_flow(&m.kernel, &flow, 1, 0);
		meter_assert_same(&m.native, &m.kernel, 0);
	}
}

/* Split at every octet: all headers are found, wherever the first buffer ends. */
static void test_split_headers(void **state)
{
	(void)state;
	build_chain(&b);
	for (size_t linear = ETH_HLEN; linear < b.len; linear++) {
		meter_fixture_clear(&m);
		if (meter_fixture_run_split(&m, b.data, b.len, linear) == -EINVAL) {
			print_message("this kernel makes no frames of small buffers\n");
			skip();
		}
		meter_fixture_run(&m, METER_NATIVE, b.data, b.len);
		meter_assert_flow(&m.kernel, &chain_flow, 1, 0);
		meter_assert_same(&m.native, &m.kernel, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_large_frames),
		cmocka_unit_test(test_split_headers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
