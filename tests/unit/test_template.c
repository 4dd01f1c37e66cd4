/* SPDX-License-Identifier: BSD-2-Clause */
/* Which Template a record takes, and that its layout is the struct's and the wire's. */
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

static size_t total_length(fbTemplate_t *t)
{
	size_t n = 0;

	for (uint32_t i = 0; i < fbTemplateCountElements(t); i++)
		n += fbTemplateGetIndexedIE(t, i)->len;
	return n;
}

static void test_templates_are_as_long_as_struct_and_wire(void **state)
{
	fbInfoModel_t *model = fbInfoModelAlloc();

	(void)state;
	for (int i = 0; i < N_TEMPLATES; i++) {
		enum template_kind kind = (enum template_kind)i;
		GError *err = NULL;
		fbTemplate_t *internal = template_alloc_internal(model, kind, &err);
		fbTemplate_t *external = template_alloc_external(model, kind, &err);

		assert_non_null(internal);
		assert_non_null(external);
		assert_int_equal(total_length(internal), sizeof(struct flow_record));
		assert_int_equal(total_length(external), template_record_octets(kind));
		fbTemplateFreeUnused(internal);
		fbTemplateFreeUnused(external);
	}
	fbInfoModelFree(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_record_picks_its_template),
		cmocka_unit_test(test_record_length_is_the_sum_of_its_elements),
		cmocka_unit_test(test_templates_are_as_long_as_struct_and_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
