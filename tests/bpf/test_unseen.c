/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What no Flow tells is counted behind every entry point of the program in the kernel as
 * it is natively, to the last register.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "bpf/detail_abi.h"
#include "probe/ledger.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/meter_fixture.h"
#include "tests/lib/pkt.h"

static struct meter_fixture m;
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	m.is_watched = true;
	meter_fixture_open(&m, 1);
	return 0;
}

static int setup_details(void **state)
{
	(void)state;
	memset(&m, 0, sizeof(m));
	m.is_watched = true;
	meter_fixture_open_details(&m, 1, (1u << XFP_N_DETAILS) - 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	meter_fixture_close(&m);
	return 0;
}

static void run(enum meter_hook hook)
{
	uint8_t obs_point = meter_fixture_obs_point(hook);

	meter_fixture_run_native(&m, b.data, b.len, obs_point);
	meter_fixture_run(&m, hook, b.data, b.len);
}

/* Number n of SYN, segments, datagrams and echo requests to few hosts of either family. */
static void build(uint32_t n)
{
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];

	pkt_init(&b);
	pkt_eth(&b);
	if (n % 3) {
		snprintf(from, sizeof(from), "10.1.%u.%u", n >> 8, n & 255);
		snprintf(to, sizeof(to), "192.0.2.%u", n % 5);
		pkt_ipv4(&b, n % 7 ? from : to, n % 7 ? to : from);
	} else {
		snprintf(from, sizeof(from), "2001:db8::%x", n);
		pkt_ipv6(&b, from, "2001:db8:1::1");
	}
	switch (n % 8) {
	case 0:
		pkt_udp(&b, (uint16_t)n, 53);
		break;
	case 1:
		pkt_icmp(&b, 8, 0);
		break;
	case 2:
		pkt_tcp(&b, (uint16_t)(n - 1), 80, PKT_ACK);
		break;
	default:
		pkt_tcp(&b, (uint16_t)n, 80, n % 4 ? PKT_SYN : PKT_SYN | 0xc0);
	}
	pkt_finish(&b);
}

/* Of the packet before: a header of less than its length, by ports. */
static void spoil(uint32_t n)
{
	if (n % 3)
		b.data[14] = 0x44;
	else
		b.data[14 + 5] = 0xff; /* longer than it is */
}

/* Times differ by nature. */
static void times_clear(struct xfp_unseen_bucket *buckets)
{
	for (int i = 0; i < XFP_UNSEEN_ALL; i++) {
		for (int k = 0; k < XFP_UNSEEN_WAYS; k++) {
			struct xfp_unseen_entry *e = &buckets[i].entry[k];

			assert_int_equal(!e->packets, !e->first_ns);
			assert_true(e->last_ns >= e->first_ns);
			e->first_ns = e->last_ns = 0;
		}
	}
}

static uint64_t packets_of(const struct xfp_unseen_bucket *buckets, enum xfp_unseen_view view)
{
	uint64_t n = 0;

	for (int i = 0; i < XFP_UNSEEN_BUCKETS; i++)
		for (int k = 0; k < XFP_UNSEEN_WAYS; k++)
			n += buckets[view * XFP_UNSEEN_BUCKETS + i].entry[k].packets;
	return n;
}

static void compare(enum meter_hook hook, uint32_t n_broken)
{
	struct xfp_ledger_row native, kernel;

	meter_ledger_sum(&m.native, &native);
	meter_ledger_sum(&m.kernel, &kernel);
	assert_int_equal(native.notice[XFP_uncounted], kernel.notice[XFP_uncounted]);
	assert_true(ledger_sum_overflow(&kernel).packets > 500);
	if (!kernel.notice[XFP_uncounted])
		assert_int_equal(packets_of(m.kernel.unseen, XFP_UNSEEN_TARGET),
				 ledger_sum_overflow(&kernel).packets);
	assert_int_equal(packets_of(m.kernel.unseen, XFP_UNSEEN_VIOLATED), n_broken);
	times_clear(m.native.unseen);
	times_clear(m.kernel.unseen);
	for (int i = 0; i < XFP_UNSEEN_ALL; i++)
		if (memcmp(&m.native.unseen[i], &m.kernel.unseen[i], sizeof(*m.kernel.unseen)))
			fail_msg("%s: bucket %d differs", meter_hook_name(hook), i);
}

static void test_the_kernel_counts_what_the_native_build_counts(void **state)
{
	(void)state;
	for (enum meter_hook hook = METER_NATIVE + 1; hook < METER_HOOKS; hook++) {
		uint32_t n_broken = 0;

		meter_fixture_clear(&m);
		for (uint32_t n = 0; n < 1500; n++) {
			build(n);
			run(hook);
			if (n % 10)
				continue;
			spoil(n);
			if (!meter_fixture_can_run(hook, b.data, b.len))
				continue;
			run(hook);
			n_broken++;
		}
		compare(hook, n_broken);
	}
}

static void test_a_fragment_against_its_protocol_is_counted_beside_its_flow(void **state)
{
	const struct xfp_unseen_bucket *all = m.kernel.unseen;
	struct iphdr *ip;

	(void)state;
	meter_fixture_clear(&m);
	pkt_init(&b);
	pkt_eth(&b);
	ip = pkt_ipv4(&b, "192.0.2.1", "192.0.2.2");
	pkt_protocol(&b, IPPROTO_ICMP, 1000);
	pkt_finish(&b);
	pkt_ipv4_fragment(ip, 7, 65528 - 8, false);
	run(METER_XDP);
	assert_int_equal(packets_of(all, XFP_UNSEEN_VIOLATED), 1);
	assert_int_equal(packets_of(all, XFP_UNSEEN_VIOLATOR), 1);
	assert_int_equal(packets_of(all, XFP_UNSEEN_TARGET), 0);
}

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(test_the_kernel_counts_what_the_native_build_counts),
		cmocka_unit_test(test_a_fragment_against_its_protocol_is_counted_beside_its_flow),
	};
	const struct CMUnitTest detailed[] = {
		cmocka_unit_test(test_the_kernel_counts_what_the_native_build_counts),
	};

	return cmocka_run_group_tests_name("what no Flow tells", plain, setup, teardown) +
	       cmocka_run_group_tests_name("the same with details", detailed, setup_details,
					   teardown);
}
