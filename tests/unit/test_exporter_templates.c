/* SPDX-License-Identifier: BSD-2-Clause */
/* The Messages with the Templates: they say what records are encoded as. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/exporter_templates.h"
#include "probe/template.h"
#include "tests/lib/capture_stderr.h"

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

#define DOMAIN_ID	  0x01020304
#define ENTERPRISE_NUMBER 0x00abcdef

static uint8_t messages[8192];

static int encode(uint32_t groups)
{
	const struct template_scheme scheme = {DOMAIN_ID, ENTERPRISE_NUMBER, groups};

	return templates_encode(messages, sizeof(messages), &scheme);
}

/* Compares one reverse field of a Template Record; returns its end. */
static const uint8_t *check_reverse_field(const uint8_t *p, int i, uint32_t groups)
{
	const struct ie *ie = ie_sent(i, groups);
	bool is_own = ie_table[i].owner == IE_OWNER_OWN;

	assert_int_equal(get16(p), 0x8000u | ie->id | (is_own ? 0x4000u : 0));
	assert_int_equal(get16(p + 2), ie->octets);
	assert_int_equal(get16(p + 4) << 16 | get16(p + 6), is_own ? ENTERPRISE_NUMBER : 29305);
	return p + 8;
}

/* Compares one field of a Template Record; returns its end. */
static const uint8_t *check_field(const uint8_t *p, int i, uint32_t groups)
{
	const struct ie *ie = ie_sent(i, groups);
	bool is_own = ie_table[i].owner == IE_OWNER_OWN;

	assert_int_equal(get16(p), ie->id | (is_own ? 0x8000u : 0));
	assert_int_equal(get16(p + 2), ie->octets);
	if (is_own)
		assert_int_equal(get16(p + 4) << 16 | get16(p + 6), ENTERPRISE_NUMBER);
	return p + (is_own ? 8 : 4);
}

/* Compares one Template Record; returns its end. */
static const uint8_t *check_template(const uint8_t *p, enum template_kind kind, uint32_t groups)
{
	const uint8_t *start = p;
	unsigned int n = 0;

	assert_int_equal(get16(p), template_id(kind, groups));
	p += 4;
	for (int i = 0; i < N_IES; i++) {
		if (!ie_is_reversed_in(&ie_table[i], kind, groups))
			continue;
		p = check_reverse_field(p, i, groups);
		n++;
	}
	for (int i = 0; i < N_IES; i++) {
		if (!ie_is_in(&ie_table[i], kind, groups))
			continue;
		p = check_field(p, i, groups);
		n++;
	}
	assert_int_equal(get16(start + 2), n);
	assert_int_equal(p - start, template_octets(kind, groups));
	return p;
}

/* Compares one Message of Templates from a layout on; returns the first not in it. */
static int check_message(const uint8_t *message, int layout, uint32_t groups)
{
	static const uint8_t domain_id[] = {0x01, 0x02, 0x03, 0x04};
	size_t octets = get16(message + 2);
	const uint8_t *p = message + 20;

	assert_true(octets > 20);
	if (!(groups & GROUP_BIFLOW))
		assert_true(octets <= TEMPLATES_MESSAGE_OCTETS);
	assert_true(octets <= 1280 - 40 - 8);
	assert_int_equal(get16(message), 10);
	assert_memory_equal(message + 12, domain_id, sizeof(domain_id));
	assert_int_equal(get16(message + 16), 2); /* one Template Set to the end */
	assert_int_equal(get16(message + 18), octets - 16);
	for (; p < message + octets; layout++)
		p = check_template(p, layout_kind(layout), layout_groups(layout, groups));
	assert_ptr_equal(p, message + octets);
	return layout;
}

/* Returns the number of Messages. */
static size_t check_messages(uint32_t groups)
{
	int octets = encode(groups);
	int layout = 0;
	size_t n = 0;

	for (int at = 0; at < octets; at += (int)get16(messages + at + 2), n++)
		layout = check_message(messages + at, layout, groups);
	assert_int_equal(layout, template_layouts(groups));
	return n;
}

static void test_one_message_has_each_base_template_once_in_order(void **state)
{
	(void)state;
	assert_int_equal(check_messages(GROUP_BASE), 1);
}

static void test_templates_of_every_set_of_groups_fit_the_smallest_mtu(void **state)
{
	(void)state;
	for (uint32_t groups = GROUP_BASE; groups <= GROUP_ALL; groups += 2)
		check_messages(groups);
}

static void test_templates_of_biflows_follow_and_have_reverse_elements_first(void **state)
{
	(void)state;
	for (uint32_t groups = GROUP_BASE; groups <= GROUP_ALL; groups += 2)
		check_messages(groups | GROUP_BIFLOW);
}

static void test_precise_templates_have_the_elements_of_precise_records(void **state)
{
	const uint8_t nanoseconds[] = {0, 156, 0, 8, 0, 157, 0, 8};

	(void)state;
	for (uint32_t groups = GROUP_BASE; groups <= GROUP_ALL; groups += 34) {
		check_messages(groups | GROUP_PRECISE);
		check_messages(groups | GROUP_PRECISE | GROUP_BIFLOW);
	}
	check_messages(GROUP_BASE | GROUP_PRECISE);
	assert_memory_equal(messages + 20 + 4, nanoseconds, sizeof(nanoseconds));
}

static void test_too_little_room_is_an_error(void **state)
{
	const struct template_scheme scheme = {7, ENTERPRISE_NUMBER, GROUP_BASE};
	uint8_t *message = malloc(64);

	(void)state;
	capture_begin();
	int octets = templates_encode(message, 64, &scheme);
	char *text = capture_end();

	assert_int_equal(octets, -EPROTO);
	assert_non_null(strstr(text, "write the Templates"));
	free(text);
	free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_message_has_each_base_template_once_in_order),
		cmocka_unit_test(test_templates_of_every_set_of_groups_fit_the_smallest_mtu),
		cmocka_unit_test(test_templates_of_biflows_follow_and_have_reverse_elements_first),
		cmocka_unit_test(test_precise_templates_have_the_elements_of_precise_records),
		cmocka_unit_test(test_too_little_room_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
