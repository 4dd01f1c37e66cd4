/* SPDX-License-Identifier: BSD-2-Clause */
/* What profiles decide on, who may decide otherwise, and what an exporter makes of it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/config.h"
#include "probe/config_schema.h"
#include "probe/exporter.h"
#include "probe/ie.h"
#include "probe/profile.h"
#include "tests/lib/config_fixture.h"
#include "tests/lib/exporter_fixture.h"

#define PAGE "man/xflow.yaml.5"

/* Load one exporter with these keys; the reader is given its configuration. */
static struct exporter_config entry(const char *keys)
{
	static struct config cfg;
	char text[512];

	snprintf(text, sizeof(text), "exporters: [{name: a, address: '127.0.0.1:1', %s}]\n", keys);
	if (load(&cfg, text))
		fail_msg("%s: %s", keys, printed);
	assert_string_equal(printed, "");
	return cfg.exporters[0];
}

static struct exporter_config entry_of(enum profile profile)
{
	char keys[64];

	snprintf(keys, sizeof(keys), "profile: %s", profile_name(profile));
	return entry(keys);
}

static const struct config_key *key_of(const char *name)
{
	char path[CONFIG_PATH_TEXT_MAX];

	snprintf(path, sizeof(path), "exporters[].%s", name);
	return config_key_find(path);
}

static void test_defaults_are_those_of_the_first_profile(void **state)
{
	const char *key;

	(void)state;
	assert_string_equal(config_key_find("exporters[].profile")->fallback, profile_name(0));
	for (size_t i = 0; (key = profile_key(i)); i++)
		assert_string_equal(key_of(key)->fallback, profile_value(0, key));
}

static void test_exporter_is_what_its_profile_decides(void **state)
{
	const char *key;

	(void)state;
	for (enum profile p = 0; p < N_PROFILES; p++) {
		struct exporter_config e = entry_of(p);
		char text[CONFIG_VALUE_TEXT_MAX];

		assert_int_equal(e.profile, p);
		for (size_t i = 0; (key = profile_key(i)); i++) {
			config_key_format(key_of(key), &e, text);
			assert_string_equal(text, profile_value(p, key));
		}
	}
}

static void test_key_of_the_entry_stays_wherever_it_stands(void **state)
{
	struct exporter_config before = entry("biflow: split, fields: [base, l2], profile: full");
	struct exporter_config behind = entry("profile: full, biflow: split, fields: [base, l2]");
	struct exporter_config at_default = entry("profile: elastiflow, options: auto");

	(void)state;
	assert_int_equal(before.biflow, BIFLOW_SPLIT);
	assert_int_equal(before.fields, GROUP_BASE | GROUP_L2);
	assert_int_equal(before.precision, PRECISION_FULL);
	assert_int_equal(before.options, EXPORTER_OPTIONS_ALL);
	assert_memory_equal(&before, &behind, sizeof(before));
	assert_int_equal(at_default.options, EXPORTER_OPTIONS_AUTO);
	assert_int_equal(at_default.max_records_per_message, 63);
}

static void test_each_exporter_has_its_own_profile(void **state)
{
	struct config cfg;

	(void)state;
	assert_int_equal(load(&cfg, "exporters:\n"
				    "  - {name: a, address: 'h:1', profile: full}\n"
				    "  - {name: b, address: 'h:2'}\n"
				    "  - {name: c, address: 'h:3', profile: elastiflow}\n"),
			 0);
	assert_int_equal(cfg.exporters[0].biflow, BIFLOW_RFC5103);
	assert_int_equal(cfg.exporters[1].biflow, BIFLOW_SPLIT);
	assert_int_equal(cfg.exporters[1].fields, GROUP_BASE);
	assert_int_equal(cfg.exporters[2].options, EXPORTER_OPTIONS_NONE);
}

/* It has neither biflows nor most of the groups: nobody is told off for what a profile says. */
static void test_netflow_is_as_ever_with_each_profile(void **state)
{
	char keys[128];

	(void)state;
	for (enum profile p = 0; p < N_PROFILES; p++) {
		struct exporter_config plain = entry("protocol: netflow9");

		snprintf(keys, sizeof(keys), "profile: %s, protocol: netflow9", profile_name(p));
		struct exporter_config e = entry(keys);

		e.profile = plain.profile;
		assert_memory_equal(&e, &plain, sizeof(e));
	}
}

static void test_unknown_profile_is_refused_with_those_there_are(void **state)
{
	struct config cfg;

	(void)state;
	assert_int_equal(load(&cfg, "exporters: [{address: 'h:1', profile: splunk}]\n"), -EINVAL);
	assert_told("exporters[0].profile: splunk");
	assert_told("allowed: nfcapd | silk | elastiflow | pmacct | full");
}

static uint32_t groups_of_own_elements(void)
{
	uint32_t groups = 0;

	for (int i = 0; i < N_IES; i++)
		groups |= ie_table[i].owner == IE_OWNER_OWN ? 1u << ie_table[i].group : 0;
	return groups;
}

static bool is_debugging;

/* Print what config_check() has to say of one exporter. */
static void check(const char *keys)
{
	struct config cfg;
	struct exporter_config e = entry(keys);

	config_init(&cfg);
	cfg.exporters[0] = e;
	cfg.n_exporters = 1;
	strcpy(cfg.read_path, "x");
	free(printed);
	if (is_debugging)
		log_setup(LOG_DEBUG, false);
	capture_begin();
	assert_int_equal(config_check(&cfg), 0);
	printed = capture_end();
}

/* Logstash drops the whole Template for one of them. */
static void test_elastiflow_is_warned_of_every_enterprise_element(void **state)
{
	(void)state;
	for (int group = 1; group < N_GROUPS; group++) {
		struct exporter_config word = {.fields = 1u << group};
		char keys[128], text[CONFIG_VALUE_TEXT_MAX];

		config_key_format(key_of("fields"), &word, text);
		snprintf(keys, sizeof(keys), "profile: elastiflow, fields: %.80s", text);
		check(keys);
		assert_int_equal(strstr(printed, "warning: exporters[0].fields") != NULL,
				 groups_of_own_elements() >> group & 1);
	}
	assert_false(groups_of_own_elements() & GROUP_BASE);
}

static void test_fields_a_collector_stores_nothing_of_are_told(void **state)
{
	(void)state;
	check("fields: [base, size]"); /* nobody has said nfcapd */
	assert_null(strstr(printed, "stores nothing"));
	is_debugging = true;
	check("fields: [base, l2, size, state]");
	is_debugging = false;
	assert_told("exporters[0].fields: [size, state]: nfcapd stores nothing of them");
	check("profile: silk, fields: [l2, icmp]");
	assert_told("exporters[0].fields: [l2]: SiLK stores nothing of them");
	check("fields: [base, l2]");
	assert_string_equal(printed, "");
	check("profile: pmacct, fields: [l2, ip, icmp]");
	assert_string_equal(printed, "");
}

static void test_message_has_no_more_records_than_the_profile_allows(void **state)
{
	static struct wire w;
	static const struct exporter_config none;
	uint16_t port = 0;
	int fd = collector_open(AF_INET, &port);
	struct exporter *e;
	struct exporter_config cfg = none;

	(void)state;
	cfg = entry_of(PROFILE_ELASTIFLOW);
	cfg.mtu = 9000;
	snprintf(cfg.address, sizeof(cfg.address), "127.0.0.1:%u", port);
	assert_int_equal(exporter_open(&e, &cfg, 7, 32473, false), 0);
	for (int i = 0; i < 1000; i++) {
		struct flow_record r = sample_record(0); /* all of one kind */

		exporter_record(e, &r);
	}
	exporter_flush(e, 1, 1000000000);
	exporter_run(e, 1, 1700000000);
	exporter_drain(e, 2, 1700000000, 1000);
	collector_read(fd, &w);
	assert_int_equal(w.data.records, 1000);
	assert_int_equal(w.messages - w.template_messages, (1000 + 62) / 63);
	assert_int_equal(w.options_messages, 0);
	check_balance(e);
	exporter_close(e);
	close(fd);
}

static bool has_element(json_t *template, const char *name)
{
	json_t *elements = json_object_get(template, "elements");

	for (size_t i = 0; i < json_array_size(elements); i++)
		if (!strcmp(json_string_value(json_array_get(elements, i)), name))
			return true;
	return false;
}

static json_t *describe(const char *keys)
{
	struct exporter_config cfg = entry(keys);
	struct exporter *e;

	assert_int_equal(exporter_open(&e, &cfg, 7, 32473, false), 0);
	json_t *object = exporter_describe(e);

	exporter_close(e);
	assert_non_null(object);
	return object;
}

static void test_description_says_what_results(void **state)
{
	json_t *plain = describe("profile: pmacct"), *full = describe("profile: full");
	json_t *v5 = describe("protocol: netflow5"), *v9 = describe("protocol: netflow9");
	json_t *of_plain = json_array_get(json_object_get(plain, "templates"), 0);
	json_t *of_full = json_array_get(json_object_get(full, "templates"), 4);

	(void)state;
	assert_string_equal(json_string_value(json_object_get(plain, "profile")), "pmacct");
	assert_int_equal(json_integer_value(json_object_get(of_plain, "id")), 256);
	assert_int_equal(json_integer_value(json_object_get(of_plain, "octets")), 77);
	assert_true(has_element(of_plain, "flowStartMilliseconds"));
	assert_false(has_element(of_plain, "sourceIPv6Address"));
	assert_string_equal(json_string_value(json_object_get(full, "biflow")), "rfc5103");
	assert_int_equal(json_array_size(json_object_get(full, "templates")), 6);
	assert_true(has_element(of_full, "reverseFlowStartNanoseconds"));
	assert_true(has_element(of_full, "reverseTcpMaximumSegmentSize"));
	assert_false(has_element(of_full, "flowStartMilliseconds"));
	assert_int_equal(json_array_size(json_object_get(v5, "templates")), 0);
	assert_false(has_element(json_array_get(json_object_get(v9, "templates"), 0), "flowId"));
	json_decref(plain);
	json_decref(full);
	json_decref(v5);
	json_decref(v9);
}

/* `.It Cm NAME` of the profile, up to the next item. */
static const char *find_on_page(const char *page, const char *name, const char **end)
{
	char heading[64];

	snprintf(heading, sizeof(heading), "\n.It Cm %s\n", name);
	const char *start = strstr(strstr(page, ".Sh PROFILES"), heading);

	if (!start)
		fail_msg("no profile %s on the page", name);
	*end = strstr(start + 1, "\n.It Cm ");
	if (!*end)
		*end = strstr(start + 1, "\n.El");
	return start;
}

static void test_page_says_what_each_profile_decides_differently(void **state)
{
	static char page[1 << 17];
	FILE *f = fopen(PAGE, "r");
	const char *key, *end;

	(void)state;
	assert_non_null(f);
	page[fread(page, 1, sizeof(page) - 1, f)] = '\0';
	fclose(f);
	for (enum profile p = 1; p < N_PROFILES; p++) {
		const char *at = find_on_page(page, profile_name(p), &end);

		for (size_t i = 0; (key = profile_key(i)); i++) {
			const char *value = profile_value(p, key);
			char said[512];

			snprintf(said, sizeof(said), "\n.Va %s : Sy %s", key,
				 !strcmp(key, "fields") ? "all" : value);
			const char *found = strstr(at, said);

			if ((found && found < end) != (strcmp(value, profile_value(0, key)) != 0))
				fail_msg("%s: %s %s", profile_name(p), key, value);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults_are_those_of_the_first_profile),
		cmocka_unit_test(test_exporter_is_what_its_profile_decides),
		cmocka_unit_test(test_key_of_the_entry_stays_wherever_it_stands),
		cmocka_unit_test(test_each_exporter_has_its_own_profile),
		cmocka_unit_test(test_netflow_is_as_ever_with_each_profile),
		cmocka_unit_test(test_unknown_profile_is_refused_with_those_there_are),
		cmocka_unit_test(test_elastiflow_is_warned_of_every_enterprise_element),
		cmocka_unit_test(test_fields_a_collector_stores_nothing_of_are_told),
		cmocka_unit_test(test_message_has_no_more_records_than_the_profile_allows),
		cmocka_unit_test(test_description_says_what_results),
		cmocka_unit_test(test_page_says_what_each_profile_decides_differently),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
