/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Collectors are told was ignored: packets that no record tells of though it
 * should. What is left out on purpose is not lost.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "probe/sinks.h"

static struct sinks sinks;

static void assert_ignored(const struct xfp_ledger_row *sum, uint64_t packets, uint64_t octets)
{
	sinks = (struct sinks){0};
	sinks_note_ignored(&sinks, sum, 5);
	assert_int_equal(sinks.facts.ignored.packets, packets);
	assert_int_equal(sinks.facts.ignored.octets, octets);
}

static void test_what_cannot_be_read_or_finds_no_place_is_ignored(void **state)
{
	const struct xfp_ledger_row sum = {
		.reason = {[XFP_truncated] = {3, 30}, [XFP_too_deep] = {4, 400}},
		.overflow = {[IPPROTO_UDP] = {10, 1000}, [255] = {20, 2000}},
	};

	(void)state;
	assert_ignored(&sum, 37, 3430);
}

static void test_what_is_left_out_on_purpose_is_not(void **state)
{
	const struct xfp_ledger_row sum = {
		.reason = {[XFP_not_ip] = {1, 10},
			   [XFP_protocol_off] = {2, 20},
			   [XFP_duplicate] = {3, 30},
			   [XFP_truncated] = {5, 50}},
		.off = {[IPPROTO_UDP] = {2, 20}},
	};

	(void)state;
	assert_ignored(&sum, 5, 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_cannot_be_read_or_finds_no_place_is_ignored),
		cmocka_unit_test(test_what_is_left_out_on_purpose_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
