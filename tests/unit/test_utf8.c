/* SPDX-License-Identifier: BSD-2-Clause */
/* What is well-formed UTF-8, by the tables of RFC 3629. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "probe/utf8.h"

static void test_characters_have_their_octets(void **state)
{
	(void)state;
	assert_int_equal(utf8_octets("a"), 1);
	assert_int_equal(utf8_octets("\xc3\xbc"), 2);
	assert_int_equal(utf8_octets("\xe2\x82\xac"), 3);
	assert_int_equal(utf8_octets("\xf0\x9f\x98\x80"), 4);
}

static void test_what_belongs_to_no_character_is_replaced(void **state)
{
	static const char *const cases[][2] = {
		{"Z\xc3\xbcrich", "Z\xc3\xbcrich"},
		{"\xff", "?"},
		{"a\xc3", "a?"}, /* cut */
		{"\xc0\xaf", "??"}, /* overlong */
		{"\xed\xa0\x80", "???"}, /* surrogate */
		{"\xf4\x90\x80\x80", "????"}, /* beyond Unicode */
		{"", ""},
	};
	char text[16];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "%s", cases[i][0]);
		utf8_repair(text);
		assert_string_equal(text, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters_have_their_octets),
		cmocka_unit_test(test_what_belongs_to_no_character_is_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
