/* SPDX-License-Identifier: BSD-2-Clause */
/* ie.def against the IANA registry as libfixbuf knows it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probe/ie.h"

static int setup_model(void **state)
{
	*state = fbInfoModelAlloc();
	return 0;
}

static int free_model(void **state)
{
	fbInfoModelFree(*state);
	return 0;
}

static void test_every_element_is_as_the_registry_says(void **state)
{
	for (int i = 0; i < N_IES; i++) {
		if (ie_check(&ie_table[i], *state))
			fail_msg("%s: id, type or length", ie_table[i].name);
	}
}

static void test_every_element_is_in_a_template_and_once(void **state)
{
	(void)state;
	for (int i = 0; i < N_IES; i++) {
		assert_true(ie_table[i].templates != 0);
		assert_int_equal(ie_table[i].templates & ~IN_ALL, 0);
		for (int j = 0; j < i; j++)
			assert_true(ie_table[i].pen != ie_table[j].pen ||
				    ie_table[i].id != ie_table[j].id);
	}
}

static void test_unknown_name_or_number_is_refused(void **state)
{
	struct ie ie = ie_table[IE_octetDeltaCount];

	ie.name = "octetDeltaCounts";
	assert_int_equal(ie_check(&ie, *state), -ENOENT);
	ie = ie_table[IE_octetDeltaCount];
	ie.id++;
	assert_int_equal(ie_check(&ie, *state), -ENOENT);
	ie = ie_table[IE_octetDeltaCount];
	ie.pen = 32473;
	assert_int_equal(ie_check(&ie, *state), -ENOENT);
}

static void test_other_data_type_is_refused(void **state)
{
	struct ie ie = ie_table[IE_octetDeltaCount];

	ie.kind = IE_KIND_T;
	assert_int_equal(ie_check(&ie, *state), -EPROTOTYPE);
	ie = ie_table[IE_sourceIPv4Address];
	ie.kind = IE_KIND_U;
	assert_int_equal(ie_check(&ie, *state), -EPROTOTYPE);
}

static void test_reduced_size_is_for_integers_only(void **state)
{
	struct ie ie = ie_table[IE_octetDeltaCount];

	ie.octets = 4;
	assert_int_equal(ie_check(&ie, *state), 0);
	ie.octets = 0;
	assert_int_equal(ie_check(&ie, *state), -EMSGSIZE);
	ie.octets = 9;
	assert_int_equal(ie_check(&ie, *state), -EMSGSIZE);
	ie = ie_table[IE_flowStartMilliseconds];
	ie.octets = 4;
	assert_int_equal(ie_check(&ie, *state), -EMSGSIZE);
	ie = ie_table[IE_sourceIPv6Address];
	ie.octets = 8;
	assert_int_equal(ie_check(&ie, *state), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_element_is_as_the_registry_says),
		cmocka_unit_test(test_every_element_is_in_a_template_and_once),
		cmocka_unit_test(test_unknown_name_or_number_is_refused),
		cmocka_unit_test(test_other_data_type_is_refused),
		cmocka_unit_test(test_reduced_size_is_for_integers_only),
	};

	return cmocka_run_group_tests(tests, setup_model, free_model);
}
