/* SPDX-License-Identifier: BSD-2-Clause */
/* Which Template a record takes, and where its elements are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probe/template.h"

static void test_record_picks_its_template(void **state)
{
	struct flow_record tcp4 = {.protocol = 6};
	struct flow_record tcp6 = {.protocol = 6, .is_ipv6 = 1};
	struct flow_record icmp4 = {.protocol = 1};
	struct flow_record icmp6 = {.protocol = 58, .is_ipv6 = 1};
	struct flow_record icmp6_in_4 = {.protocol = 58};
	struct flow_record icmp4_in_6 = {.protocol = 1, .is_ipv6 = 1};

	(void)state;
	assert_int_equal(template_of_record(&tcp4), TEMPLATE_V4);
	assert_int_equal(template_of_record(&tcp6), TEMPLATE_V6);
	assert_int_equal(template_of_record(&icmp4), TEMPLATE_ICMP4);
	assert_int_equal(template_of_record(&icmp6), TEMPLATE_ICMP6);
	assert_int_equal(template_of_record(&icmp6_in_4), TEMPLATE_V4);
	assert_int_equal(template_of_record(&icmp4_in_6), TEMPLATE_V6);
}

static void test_record_length_is_the_sum_of_its_elements(void **state)
{
	(void)state;
	assert_int_equal(template_record_octets(TEMPLATE_V4), 77);
	assert_int_equal(template_record_octets(TEMPLATE_V6), 101);
	assert_int_equal(template_record_octets(TEMPLATE_ICMP4), 74);
	assert_int_equal(template_record_octets(TEMPLATE_ICMP6), 98);
	assert_int_equal(template_field_offset(TEMPLATE_V4, IE_octetDeltaCount), 31);
	assert_int_equal(template_field_offset(TEMPLATE_V6, IE_packetDeltaCount), 63);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_picks_its_template),
		cmocka_unit_test(test_record_length_is_the_sum_of_its_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
