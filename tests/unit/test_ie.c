/* SPDX-License-Identifier: BSD-2-Clause */
/* ie.def against the IANA registry as libfixbuf knows it, and ours as we publish it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probe/ie.h"

static int setup_model(void **state)
{
	GError *err = NULL;

	*state = fbInfoModelAlloc();
	return fbInfoModelReadXMLFile(*state, "conf/xflow-ie.xml", &err) ? 0 : -1;
}

static int free_model(void **state)
{
	fbInfoModelFree(*state);
	return 0;
}

static void test_every_element_is_as_the_registry_says(void **state)
{
	for (int i = 0; i < N_IES; i++) {
		if (ie_check(&ie_table[i], *state, 32473))
			fail_msg("%s: id, type or length", ie_table[i].name);
	}
}

static void test_every_precise_element_is_as_the_registry_says(void **state)
{
	int n = 0;

	for (int i = 0; i < N_IES; i++) {
		const struct ie *ie = ie_sent(i, GROUP_PRECISE);

		if (ie_check(ie, *state, 32473))
			fail_msg("%s: id, type or length", ie->name);
		n += ie != &ie_table[i];
		assert_int_equal(ie_precise_octets(i, ie_table[i].octets), ie->octets);
		assert_ptr_equal(ie_sent(i, GROUP_ALL), &ie_table[i]);
	}
	assert_int_equal(n, 3);
}

static void test_every_element_is_in_a_template_and_once(void **state)
{
	(void)state;
	for (int i = 0; i < N_IES; i++) {
		assert_true((ie_table[i].templates & IN_ALL) != 0);
		assert_int_equal(ie_table[i].templates & ~(IN_ALL | ONCE), 0);
		for (int j = 0; j < i; j++)
			assert_int_not_equal(ie_table[i].id, ie_table[j].id);
	}
}

/* What we tell libfixbuf of ours is what we publish. */
static void test_own_elements_are_registered_as_published(void **state)
{
	fbInfoModel_t *registered = fbInfoModelAlloc();

	ie_register_own(registered, 32473);
	for (int i = 0; i < N_IES; i++) {
		const fbInfoElement_t *a = fbInfoModelGetElementByName(*state, ie_table[i].name);
		const fbInfoElement_t *b =
			fbInfoModelGetElementByName(registered, ie_table[i].name);

		assert_non_null(a);
		assert_non_null(b);
		assert_int_equal(a->ent, b->ent);
		assert_int_equal(a->num, b->num);
		assert_int_equal(a->len, b->len);
		assert_int_equal(a->type, b->type);
		assert_int_equal(a->flags & (FB_IE_F_REVERSIBLE | FB_IE_F_ENDIAN),
				 b->flags & (FB_IE_F_REVERSIBLE | FB_IE_F_ENDIAN));
	}
	fbInfoModelFree(registered);
}

/* RFC 5103 6.1: IANA's under the reverse number, ours under a number of our own. */
static void test_every_reverse_element_is_known_to_the_registry(void **state)
{
	for (int i = 0; i < N_IES; i++) {
		const struct ie *ie = &ie_table[i];
		char name[IE_NAME_MAX + 1];

		if (ie->templates & ONCE)
			continue;
		ie_reverse_name(ie, name);
		const fbInfoElement_t *known = fbInfoModelGetElementByName(*state, name);

		assert_non_null(known);
		assert_int_equal(known->ent, ie->owner == IE_OWNER_OWN ? 32473 : 29305);
		assert_int_equal(known->num, ie->owner == IE_OWNER_OWN ? ie->id | 0x4000 : ie->id);
	}
}

static void test_elements_stand_in_the_order_of_their_groups(void **state)
{
	(void)state;
	for (int i = 1; i < N_IES; i++)
		assert_true(ie_table[i].group >= ie_table[i - 1].group);
}

static void test_unknown_name_or_number_is_refused(void **state)
{
	struct ie ie = ie_table[IE_octetDeltaCount];

	ie.name = "octetDeltaCounts";
	assert_int_equal(ie_check(&ie, *state, 32473), -ENOENT);
	ie = ie_table[IE_octetDeltaCount];
	ie.id++;
	assert_int_equal(ie_check(&ie, *state, 32473), -ENOENT);
	ie = ie_table[IE_octetDeltaCount];
	ie.owner = IE_OWNER_OWN;
	assert_int_equal(ie_check(&ie, *state, 32473), -ENOENT);
}

static void test_other_data_type_is_refused(void **state)
{
	struct ie ie = ie_table[IE_octetDeltaCount];

	ie.kind = IE_KIND_T;
	assert_int_equal(ie_check(&ie, *state, 32473), -EPROTOTYPE);
	ie = ie_table[IE_sourceIPv4Address];
	ie.kind = IE_KIND_U;
	assert_int_equal(ie_check(&ie, *state, 32473), -EPROTOTYPE);
}

static void test_reduced_size_is_for_integers_only(void **state)
{
	struct ie ie = ie_table[IE_octetDeltaCount];

	ie.octets = 4;
	assert_int_equal(ie_check(&ie, *state, 32473), 0);
	ie.octets = 0;
	assert_int_equal(ie_check(&ie, *state, 32473), -EMSGSIZE);
	ie.octets = 9;
	assert_int_equal(ie_check(&ie, *state, 32473), -EMSGSIZE);
	ie = ie_table[IE_flowStartMilliseconds];
	ie.octets = 4;
	assert_int_equal(ie_check(&ie, *state, 32473), -EMSGSIZE);
	ie = ie_table[IE_sourceIPv6Address];
	ie.octets = 8;
	assert_int_equal(ie_check(&ie, *state, 32473), -EMSGSIZE);
}

/* What RFC 5610 records say of ours is what we publish. */
static void test_types_of_own_elements_are_as_published(void **state)
{
	for (int i = 0; i < N_IES; i++) {
		const fbInfoElement_t *known =
			fbInfoModelGetElementByName(*state, ie_table[i].name);

		if (ie_table[i].owner != IE_OWNER_OWN)
			continue;
		const struct ie_type type = ie_own_type(&ie_table[i]);

		assert_int_equal(type.data_type, known->type);
		assert_int_equal(type.semantics, FB_IE_SEMANTIC(known->flags));
		assert_int_equal(type.units, FB_IE_UNITS(known->flags));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_element_is_as_the_registry_says),
		cmocka_unit_test(test_every_precise_element_is_as_the_registry_says),
		cmocka_unit_test(test_every_element_is_in_a_template_and_once),
		cmocka_unit_test(test_own_elements_are_registered_as_published),
		cmocka_unit_test(test_every_reverse_element_is_known_to_the_registry),
		cmocka_unit_test(test_elements_stand_in_the_order_of_their_groups),
		cmocka_unit_test(test_types_of_own_elements_are_as_published),
		cmocka_unit_test(test_unknown_name_or_number_is_refused),
		cmocka_unit_test(test_other_data_type_is_refused),
		cmocka_unit_test(test_reduced_size_is_for_integers_only),
	};

	return cmocka_run_group_tests(tests, setup_model, free_model);
}
