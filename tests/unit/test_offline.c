/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the offline run makes of captured packets of every link type before the
 * Metering Process gets them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "probe/offline.h"
#include "tests/lib/meter_check.h"

static struct flow_cache cache;

static int setup(void **state)
{
	(void)state;
	return meter_cache_open(&cache);
}

static int teardown(void **state)
{
	(void)state;
	flow_cache_close(&cache);
	return 0;
}

/* The ledger has one packet of so many octets on the wire, under this reason. */
static void assert_reason(const struct capture_packet *p, enum xfp_reason reason)
{
	struct xfp_ledger_row expected = {.seen = {1, p->wire_octets}};
	struct native_packet packet;

	meter_cache_clear(&cache);
	offline_native_packet(p, &packet);
	native_meter_packet(&cache, &packet);
	expected.reason[reason] = expected.seen;
	meter_assert_ledger(&cache, &expected);
}

static void test_packet_that_ends_inside_its_link_header_is_truncated(void **state)
{
	static const uint8_t zeros[32];
	static const struct {
		enum capture_link link;
		uint32_t header_octets;
	} links[] = {
		{CAPTURE_ETHERNET, 14}, {CAPTURE_RAW_IP, 1},   {CAPTURE_IPV4, 1}, {CAPTURE_IPV6, 1},
		{CAPTURE_COOKED, 16},	{CAPTURE_COOKED2, 20}, {CAPTURE_NULL, 4}, {CAPTURE_LOOP, 4},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		for (uint32_t n = 0; n < links[i].header_octets; n++) {
			const struct capture_packet p = {.data = zeros,
							 .captured_octets = n,
							 .wire_octets = 100,
							 .link = links[i].link};

			assert_reason(&p, XFP_truncated);
		}
	}
}

static void test_address_family_that_is_not_ip_is_not_ip(void **state)
{
	static const uint8_t appletalk[] = {16, 0, 0, 0, 0x45};
	const struct capture_packet p = {
		.data = appletalk, .captured_octets = 5, .wire_octets = 5, .link = CAPTURE_NULL};

	(void)state;
	assert_reason(&p, XFP_not_ip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packet_that_ends_inside_its_link_header_is_truncated),
		cmocka_unit_test(test_address_family_that_is_not_ip_is_not_ip),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
