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
	assert_int_equal(template_record_octets(TEMPLATE_V4, GROUP_BASE), 77);
	assert_int_equal(template_record_octets(TEMPLATE_V6, GROUP_BASE), 101);
	assert_int_equal(template_record_octets(TEMPLATE_ICMP4, GROUP_BASE), 74);
	assert_int_equal(template_record_octets(TEMPLATE_ICMP6, GROUP_BASE), 98);
	assert_int_equal(template_field_offset(TEMPLATE_V4, GROUP_BASE, IE_octetDeltaCount), 31);
	assert_int_equal(template_field_offset(TEMPLATE_V6, GROUP_BASE, IE_packetDeltaCount), 63);
}

static void test_every_layout_has_an_id_of_its_own(void **state)
{
	static uint8_t is_taken[UINT16_MAX + 1];

	(void)state;
	for (uint32_t groups = GROUP_BASE; groups <= GROUP_ALL; groups += 2) {
		for (int i = 0; i < N_LAYOUTS_MAX; i++) {
			uint32_t of = layout_groups(i, groups | GROUP_BIFLOW);

			for (int k = 0; k < 2; k++) {
				uint16_t id =
					template_id(layout_kind(i), of | (k ? GROUP_PRECISE : 0));

				assert_true(id >= 256);
				assert_false(is_taken[id]);
				is_taken[id] = 1;
			}
		}
	}
}

/* Collectors keep Templates by id: one that moves would be read as another. */
static void test_ids_stay(void **state)
{
	(void)state;
	assert_int_equal(template_id(TEMPLATE_V4, GROUP_BASE), 256);
	assert_int_equal(template_id(TEMPLATE_ICMP6, GROUP_BASE), 259);
	assert_int_equal(template_id(TEMPLATE_V4, GROUP_BASE | GROUP_L2), 32776);
	assert_int_equal(template_id(TEMPLATE_V6, GROUP_BASE | GROUP_STATE), 36865);
	assert_int_equal(template_id(TEMPLATE_ICMP6, GROUP_ALL), 40955);
	assert_int_equal(template_id(TEMPLATE_V4, GROUP_BASE | GROUP_BIFLOW), 272);
	assert_int_equal(template_id(TEMPLATE_V6, GROUP_BASE | GROUP_BIFLOW), 273);
	assert_int_equal(template_id(TEMPLATE_V6, GROUP_BASE | GROUP_L2 | GROUP_BIFLOW), 32781);
}

static void test_precise_records_differ_in_octets_of_flags_only(void **state)
{
	uint32_t groups = GROUP_BASE | GROUP_PRECISE;

	(void)state;
	assert_int_equal(template_id(TEMPLATE_V4, groups), 288);
	assert_int_equal(template_id(TEMPLATE_V6, groups | GROUP_BIFLOW), 305);
	assert_int_equal(template_record_octets(TEMPLATE_V4, groups), 77 + 1);
	assert_int_equal(template_record_octets(TEMPLATE_ICMP4, groups), 74);
	assert_int_equal(template_record_octets(TEMPLATE_V4, groups | GROUP_BIFLOW),
			 77 + 53 + 1 + 2);
	assert_int_equal(template_field_offset(TEMPLATE_V4, groups, IE_octetDeltaCount), 32);
}

static void test_reverse_elements_come_first(void **state)
{
	uint32_t groups = GROUP_BASE | GROUP_BIFLOW;

	(void)state;
	/* 8+8+1+1+8+8+4+4+1+1+1+4+4: all of base but keys, flowEndReason and flowId */
	assert_int_equal(template_reverse_offset(TEMPLATE_V4, groups, N_IES), 53);
	assert_int_equal(template_reverse_offset(TEMPLATE_V4, groups, IE_octetDeltaCount), 18);
	assert_int_equal(template_field_offset(TEMPLATE_V4, groups, IE_flowStartMilliseconds), 53);
	assert_int_equal(template_record_octets(TEMPLATE_V4, groups), 77 + 53 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_picks_its_template),
		cmocka_unit_test(test_every_layout_has_an_id_of_its_own),
		cmocka_unit_test(test_ids_stay),
		cmocka_unit_test(test_precise_records_differ_in_octets_of_flags_only),
		cmocka_unit_test(test_reverse_elements_come_first),
		cmocka_unit_test(test_record_length_is_the_sum_of_its_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
