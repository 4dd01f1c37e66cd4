/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for the operator: one line, of the right level, safe for a terminal
 * and valid JSON whatever they quote.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "probe/log.h"
#include "tests/lib/capture_stderr.h"

static void assert_printed(const char *expected)
{
	char *text = capture_end();

	assert_string_equal(text, expected);
	free(text);
}

static void test_text_line_names_program_and_level(void **state)
{
	(void)state;
	log_setup(LOG_INFO, false);
	capture_begin();
	log_warning("%s is %d", "mtu", 7);
	assert_printed("xflow-probe: warning: mtu is 7\n");
}

static void test_json_line_is_one_object(void **state)
{
	(void)state;
	log_setup(LOG_INFO, true);
	capture_begin();
	log_info("a \"b\" \\ c\n\033");
	assert_printed("{\"type\":\"log\",\"level\":\"info\","
		       "\"message\":\"a \\\"b\\\" \\\\ c\\u000a\\u001b\"}\n");
}

static void keep_copy(void *arg, enum log_level level, const char *message)
{
	snprintf(arg, 64, "%d %s", (int)level, message);
}

static void test_messages_may_be_copied_while_they_are_printed(void **state)
{
	char copy[64] = "";

	(void)state;
	log_setup(LOG_WARNING, true);
	log_copy(keep_copy, copy);
	capture_begin();
	log_info("not printed");
	free(capture_end());
	assert_string_equal(copy, "");
	capture_begin();
	log_errno(-ENOENT, "open \"%s\"", "x");
	free(capture_end());
	assert_string_equal(copy, "0 open \"x\": No such file or directory");
	log_copy(NULL, NULL);
	capture_begin();
	log_error("other");
	free(capture_end());
	assert_string_equal(copy, "0 open \"x\": No such file or directory");
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
	(void)state;
	log_setup(LOG_INFO, false);
	capture_begin();
	log_error("a\033[2Jb\nc\177d");
	assert_printed("xflow-probe: error: a?[2Jb?c?d\n");
}

static void test_what_is_not_utf8_is_replaced(void **state)
{
	(void)state;
	log_setup(LOG_INFO, true);
	capture_begin();
	log_error("\xc3\xa4 \xff \xc3 \xe0\x80\x80 \xed\xa0\x80 \xf4\x90\x80\x80 \xf0\x9f\x98\x80 "
		  "\xe2\x82");
	assert_printed("{\"type\":\"log\",\"level\":\"error\",\"message\":"
		       "\"\xc3\xa4 ? ? ??? ??? ???? \xf0\x9f\x98\x80 ??\"}\n");
}

static void test_messages_above_the_level_are_left_out(void **state)
{
	(void)state;
	log_setup(LOG_WARNING, false);
	capture_begin();
	log_info("not this");
	log_warning("this");
	assert_printed("xflow-probe: warning: this\n");
	assert_true(log_enabled(LOG_ERROR));
	assert_false(log_enabled(LOG_INFO));
}

static void test_log_errno_tells_the_reason_and_returns_it(void **state)
{
	(void)state;
	log_setup(LOG_INFO, false);
	capture_begin();
	assert_int_equal(log_errno(-ENOENT, "open %s", "x"), -ENOENT);
	assert_printed("xflow-probe: error: open x: No such file or directory\n");
}

static void test_long_message_is_cut_visibly(void **state)
{
	char text[5000], *printed;

	(void)state;
	memset(text, '"', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_setup(LOG_INFO, true);
	capture_begin();
	log_info("%s", text);
	printed = capture_end();
	assert_non_null(strstr(printed, "\\\"...\"}\n"));
	free(printed);
}

static void test_logging_keeps_errno(void **state)
{
	(void)state;
	log_setup(LOG_INFO, false);
	capture_begin();
	errno = EXDEV;
	log_info("x");
	assert_int_equal(errno, EXDEV);
	free(capture_end());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_line_names_program_and_level),
		cmocka_unit_test(test_json_line_is_one_object),
		cmocka_unit_test(test_messages_may_be_copied_while_they_are_printed),
		cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(test_what_is_not_utf8_is_replaced),
		cmocka_unit_test(test_messages_above_the_level_are_left_out),
		cmocka_unit_test(test_log_errno_tells_the_reason_and_returns_it),
		cmocka_unit_test(test_long_message_is_cut_visibly),
		cmocka_unit_test(test_logging_keeps_errno),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
