/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of packets without their Ethernet header, as devices like tun hand
 * them to the program: the version in the IP header says which family it is.
 */
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "probe/obs_private.h"
#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

static struct meter_fixture m;
static struct obs_point raw = {.is_raw_ip = true, .wants_egress = true};
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	meter_fixture_open(&m, 1);
	if (obs_instance_load(&m.points.loader, &raw, 0, m.points.point[0].skeleton))
		return -1;
	m.program[METER_TC_INGRESS] = bpf_program__fd(raw.skeleton->progs.xfp_tc_ingress);
	m.program[METER_TC_EGRESS] = bpf_program__fd(raw.skeleton->progs.xfp_tc_egress);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	flow_bpf__destroy(raw.skeleton);
	meter_fixture_close(&m);
	return 0;
}

static void test_case(const struct parse_case *c, enum meter_hook hook)
{
	unsigned int n = c->n_packets ? c->n_packets : 1;
	uint64_t octets = 0;

	print_message("%s: %s\n", c->name, meter_hook_name(hook));
	meter_fixture_clear(&m);
	for (unsigned int i = 0; i < n; i++) {
		c->build(&b, i);
		octets += b.len - ETH_HLEN;
		meter_fixture_run(&m, hook, b.data + ETH_HLEN, b.len - ETH_HLEN);
	}
	parse_case_assert(c, &m.kernel, meter_fixture_obs_point(hook), octets);
}

/* Another version than the EtherType says is no fault where there is no EtherType. */
static void test_table(const struct parse_case *c)
{
	for (; c->name; c++) {
		if (!c->flow.source && c->reason == XFP_bad_version)
			continue;
		test_case(c, METER_TC_INGRESS);
		test_case(c, METER_TC_EGRESS);
	}
}

static void test_ipv4(void **state)
{
	(void)state;
	test_table(parse_cases_ipv4);
}

static void test_ipv6(void **state)
{
	(void)state;
	test_table(parse_cases_ipv6);
}

static void test_transport(void **state)
{
	(void)state;
	test_table(parse_cases_transport);
}

static void test_neither_version(void **state)
{
	struct xfp_ledger_row ledger = {};

	(void)state;
	meter_fixture_clear(&m);
	for (unsigned int version = 0; version < 16; version++) {
		if (version == 4 || version == 6)
			continue;
		case_start4(&b);
		case_finish_udp(&b, 72);
		b.data[ETH_HLEN] = (uint8_t)(version << 4 | 5);
		meter_fixture_run(&m, METER_TC_INGRESS, b.data + ETH_HLEN, 100);
		ledger.seen.packets++;
		ledger.seen.octets += 100;
	}
	ledger.reason[XFP_bad_version] = ledger.seen;
	meter_assert_ledger(&m.kernel, &ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_transport),
		cmocka_unit_test(test_neither_version),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
