/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each key of the schema, in turn, refuses what it must refuse and takes what it
 * must take.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "probe/config.h"
#include "probe/config_schema.h"
#include "tests/lib/config_fixture.h"

/* Begin an item of a list, with what it requires beside `key`; returns how deep its keys are. */
static int begin_item(char **out, const struct config_key *key, const struct config_list *list)
{
	bool has_dash = false;

	const char *section = strchr(list->path, '.');
	int depth = section ? 1 : 0;

	if (section)
		*out += sprintf(*out, "%.*s:\n", (int)(section - list->path), list->path);
	*out += sprintf(*out, "%*s%s:\n", 2 * depth, "", section ? section + 1 : list->path);
	if (list->name_size) {
		*out += sprintf(*out, "%*s  some:\n", 2 * depth, "");
		return 2 + depth;
	}
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *other = &config_keys[i];

		if (other == key || config_list_of(other) != list || other->fallback)
			continue;
		*out += sprintf(*out, "  - %s: 'x:1'\n", strchr(other->path, '.') + 1);
		has_dash = true;
	}
	if (!has_dash)
		*out += sprintf(*out, "  -\n");
	return 2;
}

/* The default, or what goes where there is none. */
static const char *good_value(const struct config_key *key)
{
	if (key->fallback && *key->fallback)
		return key->fallback;
	if (key->type == CONFIG_NETWORKS)
		return "[192.0.2.0/24]";
	return key->fallback ? "\"\"" : "x";
}

/* YAML that sets one key, required neighbours included; value NULL = `key:` twice. */
static void write_key(char out[static 1024], const struct config_key *key, const char *value)
{
	const struct config_list *list = config_list_of(key);
	const char *name = config_key_name(key), *dot;
	int depth = list ? begin_item(&out, key, list) : 0;

	for (; (dot = strchr(name, '.')); name = dot + 1, depth++)
		out += sprintf(out, "%*s%.*s:\n", 2 * depth, "", (int)(dot - name), name);
	for (int i = 0; i < (value ? 1 : 2); i++)
		out += sprintf(out, "%*s%s: %s\n", 2 * depth, "", name,
			       value ? value : good_value(key));
}

static void test_every_default_is_valid(void **state)
{
	struct config cfg, initial;
	char text[1024];

	(void)state;
	config_init(&initial);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		write_key(text, key, good_value(key));
		if (load(&cfg, text))
			fail_msg("%s: %s", text, printed);
		if (!config_list_of(key))
			assert_memory_equal(&cfg, &initial, sizeof(cfg));
	}
}

static void test_every_key_refuses_a_mapping(void **state)
{
	char text[1024];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		write_key(text, &config_keys[i], "{a: b}");
		assert_refused(text, ": a mapping (allowed: ");
	}
}

static void test_every_key_but_a_list_refuses_a_list(void **state)
{
	char text[1024];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		write_key(text, &config_keys[i], "[[x]]");
		assert_refused(text, ": a list (allowed: ");
	}
}

static void test_every_key_refuses_to_have_no_value(void **state)
{
	static const char *const nothing[] = {"", "~", "null"};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < 3 * config_n_keys; i++) {
		const struct config_key *key = &config_keys[i / 3];

		write_key(text, key, nothing[i % 3]);
		assert_refused(text, key->type == CONFIG_WORDS || key->type == CONFIG_NETWORKS
					     ? "a single value (allowed: list of"
					     : "has no value (allowed: ");
	}
}

static void test_every_key_refuses_to_be_there_twice(void **state)
{
	char text[1024];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		write_key(text, &config_keys[i], NULL);
		assert_refused(text, "the key is here a second time");
	}
}

static bool is_number(const struct config_key *key)
{
	return key->type == CONFIG_U32 || key->type == CONFIG_SECONDS;
}

static void test_every_number_refuses_what_is_not_plain_decimal(void **state)
{
	static const char *const values[] = {"1e3", "0x10", "010",   "1_000", "-1",  "+1",
					     "60s", "many", ".5",    "5.",    "nan", ".inf",
					     "1 2", "00",   "1.2.3", "1:30"};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		for (size_t k = 0; is_number(&config_keys[i]) && k < 16; k++) {
			write_key(text, &config_keys[i], values[k]);
			assert_refused(text, "decimal number (allowed: ");
		}
	}
}

static void test_every_whole_number_refuses_a_fraction(void **state)
{
	char text[1024];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		if (config_keys[i].type != CONFIG_U32)
			continue;
		write_key(text, &config_keys[i], "1024.5");
		assert_refused(text, "not a whole decimal number (allowed: ");
	}
}

static void test_every_number_and_boolean_refuses_quotes(void **state)
{
	char text[1024], value[64];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		if (!is_number(&config_keys[i]) && config_keys[i].type != CONFIG_BOOL)
			continue;
		snprintf(value, sizeof(value), "'%s'", config_keys[i].fallback);
		write_key(text, &config_keys[i], value);
		assert_refused(text, "text in quotes");
	}
}

static void test_every_number_refuses_less_and_more_than_its_range(void **state)
{
	char text[1024], value[64];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		double step = key->type == CONFIG_U32 ? 1 : 0.001;
		const char *why = key->later ? "not available in this version" : "out of range";

		if (!is_number(key))
			continue;
		snprintf(value, sizeof(value), "%.3f", key->max + step);
		value[strcspn(value, key->type == CONFIG_U32 ? "." : "")] = '\0';
		write_key(text, key, value);
		assert_refused(text, why);
		snprintf(value, sizeof(value), "%s", "99999999999999999999999999");
		write_key(text, key, value);
		assert_refused(text, why);
		if (key->min == 0)
			continue;
		snprintf(value, sizeof(value), "%.3f", key->min - step);
		value[strcspn(value, key->type == CONFIG_U32 ? "." : "")] = '\0';
		write_key(text, key, value);
		assert_refused(text, why);
	}
}

static void test_every_number_takes_both_ends_of_its_range(void **state)
{
	struct config cfg;
	char text[1024], value[64];

	(void)state;
	for (size_t i = 0; i < 2 * config_n_keys; i++) {
		const struct config_key *key = &config_keys[i / 2];

		if (!is_number(key))
			continue;
		snprintf(value, sizeof(value), "%.10g", i % 2 ? key->max : key->min);
		write_key(text, key, value);
		if (load(&cfg, text))
			fail_msg("%s: %s", text, printed);
	}
}

static void test_every_word_refuses_others(void **state)
{
	char text[1024];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->type != CONFIG_ENUM && key->type != CONFIG_BOOL &&
		    key->type != CONFIG_WORDS)
			continue;
		write_key(text, key, key->type == CONFIG_WORDS ? "[frobnicate]" : "frobnicate");
		assert_refused(text, key->type == CONFIG_BOOL ? "neither true nor false"
							      : "not one of the words known here");
		write_key(text, key, key->type == CONFIG_WORDS ? "[Base]" : "Auto");
		assert_refused(text, "(allowed: ");
	}
}

static void test_every_later_word_is_not_available_in_this_version(void **state)
{
	char text[1024], value[64], words[256], *save;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (!key->later || is_number(key))
			continue;
		snprintf(words, sizeof(words), "%s", key->later);
		for (char *w = strtok_r(words, " |", &save); w; w = strtok_r(NULL, " |", &save)) {
			snprintf(value, sizeof(value), key->type == CONFIG_WORDS ? "[%s]" : "%s",
				 w);
			write_key(text, key, value);
			assert_refused(text, "not available in this version");
			n++;
		}
	}
	assert_in_range(n, 1, 100);
}

static void test_every_text_refuses_too_much_and_control_characters(void **state)
{
	char text[1024], value[400];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (key->type != CONFIG_STRING)
			continue;
		memset(value, 'a', sizeof(value));
		value[(size_t)key->max + 1] = '\0';
		write_key(text, key, value);
		assert_refused(text, "too long (allowed: ");
		write_key(text, key, "\"a\\nb\"");
		assert_refused(text, "has a control character in it");
		write_key(text, key, "\"a\\0b\"");
		assert_refused(text, "has a control character in it");
		if (key->min == 0)
			continue;
		write_key(text, key, "''");
		assert_refused(text, "empty (allowed: ");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_default_is_valid),
		cmocka_unit_test(test_every_key_refuses_a_mapping),
		cmocka_unit_test(test_every_key_but_a_list_refuses_a_list),
		cmocka_unit_test(test_every_key_refuses_to_have_no_value),
		cmocka_unit_test(test_every_key_refuses_to_be_there_twice),
		cmocka_unit_test(test_every_number_refuses_what_is_not_plain_decimal),
		cmocka_unit_test(test_every_whole_number_refuses_a_fraction),
		cmocka_unit_test(test_every_number_and_boolean_refuses_quotes),
		cmocka_unit_test(test_every_number_refuses_less_and_more_than_its_range),
		cmocka_unit_test(test_every_number_takes_both_ends_of_its_range),
		cmocka_unit_test(test_every_word_refuses_others),
		cmocka_unit_test(test_every_later_word_is_not_available_in_this_version),
		cmocka_unit_test(test_every_text_refuses_too_much_and_control_characters),
	};

	return cmocka_run_group_tests(tests, NULL, forget_printed);
}
