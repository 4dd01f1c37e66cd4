/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Errors of xflow.yaml are told with line, column and path, all of them, and
 * leave the configuration as it was.
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
#include "tests/lib/config_fixture.h"

static void test_unknown_key_is_reported_with_its_line_and_column(void **state)
{
	(void)state;
	assert_refused("flow_cache:\n  max_flow: 5\n",
		       ":2:3: flow_cache.max_flow: unknown key, perhaps max_flows is meant "
		       "(allowed: max_flows, max_flows_ipv6, active_timeout_s,");
	assert_refused("\n\nfrobnicate: {a: [b, {c: d}]}\n",
		       ":3:1: frobnicate: unknown key (allowed: observation_domain_id, interfaces, "
		       "flow_cache, selection, exporters, groups,");
	assert_refused("interfaces:\n  - name: eth0\n    egres: tc\n",
		       ":3:5: interfaces[0].egres: unknown key, perhaps egress is meant");
}

static void test_keys_of_sections_not_built_are_unknown(void **state)
{
	static const char *const names[] = {"http", "siem", "geoip", "capture"};
	char text[64];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%s: {}\n", names[i]);
		assert_refused(text, "unknown key");
	}
}

static void test_dotted_path_is_not_a_key(void **state)
{
	(void)state;
	assert_refused("flow_cache.max_flows: 5000\n", "unknown key");
	assert_refused("'': 5000\n", "unknown key");
	assert_refused("'interfaces[]': []\n", "unknown key");
}

static void test_value_is_reported_with_its_line_and_column(void **state)
{
	(void)state;
	assert_refused("exporters:\n  - name: a\n    address: x:1\n  - name: b\n    address: y:2\n"
		       "    transport: quic\n",
		       ":6:16: exporters[1].transport: quic: not one of the words known here "
		       "(allowed: udp | tcp | file)");
}

static void test_missing_required_key_is_reported_at_its_entry(void **state)
{
	(void)state;
	assert_refused("exporters:\n  - name: a\n",
		       ":2:5: exporters[0]: the key address is missing");
	assert_refused("interfaces:\n  - {}\n", ":2:5: interfaces[0]: the key name is missing");
}

static void test_all_errors_of_a_file_are_reported(void **state)
{
	struct config cfg;

	(void)state;
	assert_int_equal(load(&cfg,
			      "observation_domain_id: x\nfoo: 1\nlog: {level: loud, level: info}\n"
			      "interfaces: [{egress: up}, 5]\ncontrol: []\n"),
			 -EINVAL);
	assert_int_equal(count_lines(), 7 + 1);
	assert_told(":1:24: ");
	assert_told(":2:1: ");
	assert_told(":3:14: ");
	assert_told(":3:20: ");
	assert_told(":4:14: interfaces[0]: the key name");
	assert_told(":4:23: ");
	assert_told(":4:28: interfaces[1]: a single value");
	assert_told(":5:10: control: a list (allowed: a mapping)");
}

static void test_configuration_is_untouched_when_the_file_has_an_error(void **state)
{
	struct config cfg, before;

	(void)state;
	config_init(&before);
	assert_int_equal(load(&cfg, "observation_domain_id: 7\nfoo: 1\n"), -EINVAL);
	assert_memory_equal(&cfg, &before, sizeof(cfg));
}

static void test_too_many_list_entries_are_refused_once(void **state)
{
	char text[8192];
	size_t n = sprintf(text, "interfaces:\n");

	(void)state;
	for (int i = 0; i < CONFIG_MAX_INTERFACES + 3; i++)
		n += sprintf(text + n, "  - {name: i%d}\n", i);
	assert_refused(text, ":66:5: interfaces[64]: one too many (allowed: 64 entries)");
	n = sprintf(text, "exporters:\n");
	for (int i = 0; i < CONFIG_MAX_EXPORTERS + 3; i++)
		n += sprintf(text + n, "  - {address: 'i%d:1'}\n", i);
	assert_refused(text, ":18:5: exporters[16]: one too many (allowed: 16 entries)");
}

static void test_lists_as_long_as_allowed_are_kept(void **state)
{
	struct config cfg;
	char text[8192];
	size_t n = sprintf(text, "interfaces:\n");

	(void)state;
	for (int i = 0; i < CONFIG_MAX_INTERFACES; i++)
		n += sprintf(text + n, "  - {name: i%d}\n", i);
	assert_int_equal(load(&cfg, text), 0);
	assert_int_equal(cfg.n_interfaces, CONFIG_MAX_INTERFACES);
	assert_string_equal(cfg.interfaces[63].name, "i63");
}

static void test_broken_yaml_is_reported_with_its_line_and_column(void **state)
{
	(void)state;
	assert_refused("log:\n\tlevel: info\n", ":2:1: not YAML: ");
	assert_refused("interfaces: [\n", ":2:1: not YAML: ");
	assert_refused("}\n", ":1:1: not YAML: ");
	assert_refused("\"abc\n", "not YAML: ");
}

static void test_what_is_not_utf8_is_reported_with_its_place(void **state)
{
	(void)state;
	assert_refused("log:\n  level: \xff\n", ":2:10: ");
	assert_told("UTF-8");
	assert_refused("\xff\xfel\0o\0", "UTF-8");
}

static void test_aliases_anchors_and_tags_are_refused(void **state)
{
	struct config cfg;

	(void)state;
	assert_refused("observation_domain_id: &a 5\n", ":1:24: anchor &a");
	assert_refused("observation_domain_id: !!int 5\n", ":1:24: tag ");
	assert_refused("observation_domain_id: *a\n", ":1:24: observation_domain_id: an alias");
	assert_int_equal(load(&cfg, "log: &x {level: info}\ncontrol: *x\n<<: *x\n*x : 5\n"),
			 -EINVAL);
	assert_int_equal(count_lines(), 4);
}

static void test_keys_must_be_text(void **state)
{
	(void)state;
	assert_refused("? [a]\n: 5\n", "(allowed: the name of a key)");
	assert_refused("- a\n", ":1:1: a list (allowed: a mapping of keys)");
	assert_refused("hello\n", ":1:1: a single value (allowed: a mapping of keys)");
	assert_refused("{}\n---\n{}\n", ":2:1: a second document (allowed: one)");
}

static void test_empty_file_is_all_defaults(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "# nothing\n",
					    "---\n",
					    "{}\n",
					    "\xef\xbb\xbf\n",
					    "interfaces:\nflow_cache:\n",
					    "---\n...\n"};
	struct config cfg, initial;

	(void)state;
	config_init(&initial);
	for (size_t i = 0; i < 8; i++) {
		if (load(&cfg, texts[i]))
			fail_msg("%s: %s", texts[i], printed);
		assert_memory_equal(&cfg, &initial, sizeof(cfg));
	}
}

static void test_file_that_cannot_be_read_is_told(void **state)
{
	struct config cfg;
	int err;

	(void)state;
	config_init(&cfg);
	free(printed);
	capture_begin();
	err = config_load(&cfg, "/nonexistent/x.yaml");
	printed = capture_end();
	assert_int_equal(err, -ENOENT);
	assert_told("read configuration /nonexistent/x.yaml");
	free(printed);
	capture_begin();
	err = config_load(&cfg, "/");
	printed = capture_end();
	assert_int_equal(err, -EISDIR);
	assert_told("directory");
}

static void test_file_above_one_mebioctet_is_refused(void **state)
{
	struct config cfg;
	size_t length = (1 << 20) + 1;
	char *text = malloc(length);

	(void)state;
	config_init(&cfg);
	memset(text, '\n', length);
	assert_int_equal(load_octets(&cfg, text, length), -EFBIG);
	assert_told("at most 1 MiB");
	assert_int_equal(load_octets(&cfg, text, length - 1), 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unknown_key_is_reported_with_its_line_and_column),
		cmocka_unit_test(test_keys_of_sections_not_built_are_unknown),
		cmocka_unit_test(test_dotted_path_is_not_a_key),
		cmocka_unit_test(test_value_is_reported_with_its_line_and_column),
		cmocka_unit_test(test_missing_required_key_is_reported_at_its_entry),
		cmocka_unit_test(test_all_errors_of_a_file_are_reported),
		cmocka_unit_test(test_configuration_is_untouched_when_the_file_has_an_error),
		cmocka_unit_test(test_too_many_list_entries_are_refused_once),
		cmocka_unit_test(test_lists_as_long_as_allowed_are_kept),
		cmocka_unit_test(test_broken_yaml_is_reported_with_its_line_and_column),
		cmocka_unit_test(test_what_is_not_utf8_is_reported_with_its_place),
		cmocka_unit_test(test_aliases_anchors_and_tags_are_refused),
		cmocka_unit_test(test_keys_must_be_text),
		cmocka_unit_test(test_empty_file_is_all_defaults),
		cmocka_unit_test(test_file_that_cannot_be_read_is_told),
		cmocka_unit_test(test_file_above_one_mebioctet_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, forget_printed);
}
