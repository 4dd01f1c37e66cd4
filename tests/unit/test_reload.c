/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From one configuration to the next: what becomes of each exporter, which keys need a
 * restart and where they stand, and that the manual says the same.
 */
#include "probe/reload.h"

#include "probe/config_places.h"
#include "probe/configure.h"
#include "probe/sweep.h"
#include "tests/lib/config_fixture.h"

#define PAGE "man/xflow.yaml.5"

#define ALL_DETAILS UINT32_MAX

static struct config old, next;
static struct reload_plan plan;
static char paths[1024]; /* told of, each with a blank behind it */

static void keep_path(void *arg, const char *path)
{
	(void)arg;
	snprintf(paths + strlen(paths), sizeof(paths) - strlen(paths), "%s ", path);
}

/* The same for text and another one, which may have errors neither. */
static size_t plan_texts(const char *before, const char *now, uint32_t details)
{
	if (load(&old, before) || load(&next, now))
		fail_msg("%s", printed);
	*paths = '\0';
	return reload_plan(&plan, &old, &next, details, keep_path, NULL);
}

static void assert_refuses(const char *before, const char *now, const char *expected)
{
	plan_texts(before, now, ALL_DETAILS);
	assert_string_equal(paths, expected);
}

/* Actions of the next one's exporters, letter by letter, and those that leave. */
static void assert_plan(const char *before, const char *now, const char *actions,
			const char *removed)
{
	char text[CONFIG_MAX_EXPORTERS + 1] = "", gone[CONFIG_MAX_EXPORTERS + 1] = "";

	assert_int_equal(plan_texts(before, now, ALL_DETAILS), 0);
	for (size_t i = 0; i < next.n_exporters; i++) {
		const struct reload_exporter *e = &plan.exporter[i];

		text[i] = "KJCA"[e->action];
		if (e->action != RELOAD_ADD)
			assert_string_equal(old.exporters[e->old].name, next.exporters[i].name);
		if (e->action == RELOAD_CHANGE)
			assert_true(plan.leaves[e->old]);
	}
	for (size_t k = 0, n = 0; k < old.n_exporters; k++)
		if (plan.is_removed[k]) {
			assert_true(plan.leaves[k]);
			gone[n++] = *old.exporters[k].name;
		}
	assert_string_equal(text, actions);
	assert_string_equal(gone, removed);
}

#define HEAD  "exporters:\n"
#define A     " - {name: a, address: 'x:1'}\n"
#define B     " - {name: b, address: 'x:2', transport: tcp}\n"
#define C_V9  " - {name: c, address: 'x:3', protocol: netflow9}\n"
#define GROUP "groups: {g: {mode: %s}}\n"

static void test_exporters_are_known_by_name(void **state)
{
	(void)state;
	assert_plan(HEAD A B C_V9, HEAD A B C_V9, "KKK", "");
	assert_plan(HEAD A B C_V9, HEAD C_V9 A, "KK", "b");
	assert_plan(HEAD A, HEAD B A, "AK", "");
	assert_plan(HEAD A B, "{}\n", "", "ab");
	assert_plan("{}\n", HEAD A B, "AA", "");
	assert_plan(HEAD A, HEAD " - {name: z, address: 'x:1'}\n", "A", "a");
}

static void test_what_a_session_does_not_notice_adjusts_and_the_rest_changes(void **state)
{
	(void)state;
	assert_plan(HEAD A, HEAD " - {name: a, address: 'x:1', max_records_per_s: 5}\n", "J", "");
	assert_plan(HEAD A, HEAD " - {name: a, address: 'x:2'}\n", "C", "");
	assert_plan(HEAD A, HEAD " - {name: a, address: 'x:1', protocol: netflow5}\n", "C", "");
	assert_plan(HEAD A, HEAD " - {name: a, address: 'x:1', fields: [state]}\n", "C", "");
	assert_plan(HEAD A, HEAD " - {name: a, address: 'x:1', reconnect_s: 5, mtu: 1400}\n", "C",
		    "");
}

static void test_failover_is_another_session_and_other_modes_are_not(void **state)
{
	static const char in[] = HEAD " - {name: a, address: 'x:1', group: g}\n";
	char mirror[256], balance[256], failover[256];

	(void)state;
	snprintf(mirror, sizeof(mirror), GROUP "%s", "mirror", in);
	snprintf(balance, sizeof(balance), GROUP "%s", "balance", in);
	snprintf(failover, sizeof(failover), GROUP "%s", "failover", in);
	assert_plan(mirror, balance, "K", "");
	assert_plan(HEAD A, balance, "J", "");
	assert_plan(balance, failover, "C", "");
	assert_plan(failover, failover, "K", "");
	assert_plan(failover, HEAD A, "C", "");
}

static void test_interfaces_need_a_restart_but_for_their_order(void **state)
{
	(void)state;
	assert_refuses("interfaces: [{name: a}, {name: b, egress: tc}]\n",
		       "interfaces: [{name: b, egress: tc}, {name: a}]\n", "");
	assert_refuses("interfaces: [{name: a}]\n", "interfaces: [{name: a}, {name: b}]\n",
		       "interfaces[1].name ");
	assert_refuses("interfaces: [{name: a}, {name: b}]\n", "interfaces: [{name: b}]\n",
		       "interfaces ");
	assert_refuses("interfaces: [{name: a}]\n",
		       "interfaces: [{name: a, ingress: tc, egress: tc}]\n",
		       "interfaces[0].ingress interfaces[0].egress ");
}

static void test_fields_may_be_what_the_cache_keeps_details_of(void **state)
{
	static const char more[] = HEAD " - {name: a, address: 'x:1', fields: [l2]}\n"
					"output_fields: [size]\n";

	(void)state;
	assert_int_equal(plan_texts(HEAD A, more, 0), 2);
	assert_string_equal(paths, "output_fields exporters[0].fields ");
	assert_int_equal(plan_texts(HEAD A, more, sweep_details_of_groups(GROUP_L2 | GROUP_SIZE)),
			 0);
	assert_int_equal(
		plan_texts(HEAD A, HEAD " - {name: a, address: 'x:1', fields: [state]}\n", 0), 0);
}

/* Give the key another value than it has; false if there is none. */
static bool change(const struct config_key *key, void *base, const void *before)
{
	char least[32], most[32], words[512];
	const char *reason;

	snprintf(least, sizeof(least), "%.10g", key->min);
	snprintf(most, sizeof(most), "%.10g", key->max);
	snprintf(words, sizeof(words), "%s", key->words ? key->words : "");
	char *last = strrchr(words, ' ');
	const char *const values[] = {least,   most,	       last ? last + 1 : "",
				      "false", "192.0.2.0/24", "/other"};

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++)
		if (!config_key_set(key, base, values[i], key->type != CONFIG_STRING, &reason) &&
		    !config_key_equals(key, base, before))
			return true;
	return false;
}

static void test_every_key_does_what_its_row_says(void **state)
{
	static const enum reload_action actions[] = {
		[CONFIG_SESSION] = RELOAD_CHANGE, [CONFIG_AT_ONCE] = RELOAD_ADJUST};

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		const struct config_list *list = config_list_of(key);
		bool is_exporters = list && !strcmp(list->path, "exporters");

		if (!key->size || !strcmp(key->path, "exporters[].name") || (list && !is_exporters))
			continue;
		assert_int_equal(load(&old, HEAD A), 0);
		next = old;
		if (!change(key, is_exporters ? (void *)next.exporters : (void *)&next,
			    is_exporters ? (void *)old.exporters : (void *)&old))
			fail_msg("%s: no other value", key->path);
		*paths = '\0';
		size_t n = reload_plan(&plan, &old, &next, ALL_DETAILS, keep_path, NULL);

		assert_int_equal(n, key->reload == CONFIG_RESTART);
		if (n)
			assert_memory_equal(paths, key->path, strlen(key->path));
		if (is_exporters)
			assert_int_equal(plan.exporter[0].action, actions[key->reload]);
		*paths = '\0';
		reload_news(&old, &next, keep_path, NULL);
		assert_int_equal(*paths != '\0', !is_exporters);
	}
}

static void test_news_of_groups_are_told(void **state)
{
	(void)state;
	plan_texts("groups: {a: {mode: mirror}}\n", "groups: {a: {mode: balance}}\n", ALL_DETAILS);
	reload_news(&old, &next, keep_path, NULL);
	assert_string_equal(paths, "groups ");
	plan_texts("groups: {a: {mode: mirror}}\n", "groups: {b: {mode: mirror}}\n", ALL_DETAILS);
	reload_news(&old, &next, keep_path, NULL);
	assert_string_equal(paths, "groups ");
	plan_texts("groups: {a: }\n", "groups: {a: {mode: mirror}}\n", ALL_DETAILS);
	reload_news(&old, &next, keep_path, NULL);
	assert_string_equal(paths, "");
}

/* Where `path` stands in text, as "line:column", or "". */
static const char *place_of(const char *text, const char *path)
{
	static char out[64];
	char file[] = "/tmp/test_reload.XXXXXX";
	struct config_places places = {0};
	int fd = mkstemp(file);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	config_init(&next);
	assert_int_equal(config_load_places(&next, file, &places), 0);
	close(fd);
	unlink(file);
	const struct config_place *at = config_places_find(&places, path);

	*out = '\0';
	if (at)
		snprintf(out, sizeof(out), "%zu:%zu", at->line, at->column);
	config_places_free(&places);
	config_places_free(&places);
	return out;
}

static void test_a_key_has_its_place_or_that_of_what_it_would_be_in(void **state)
{
	static const char text[] = "interfaces:\n"
				   "  - name: a\n"
				   "    egress: tc\n"
				   "  - {name: b, ingress: tc}\n"
				   "flow_cache:\n"
				   "  max_flows: 4096\n"
				   "groups:\n"
				   "  g: {mode: mirror}\n"
				   "anomaly: {allow: [10.0.0.1, 10.0.0.2]}\n";

	(void)state;
	assert_string_equal(place_of(text, "interfaces[0].name"), "2:11");
	assert_string_equal(place_of(text, "interfaces[0].egress"), "3:13");
	assert_string_equal(place_of(text, "interfaces[1].ingress"), "4:24");
	assert_string_equal(place_of(text, "interfaces[1].egress"), "4:5");
	assert_string_equal(place_of(text, "interfaces"), "2:3");
	assert_string_equal(place_of(text, "interfaces[2].name"), "2:3");
	assert_string_equal(place_of(text, "flow_cache.max_flows"), "6:14");
	assert_string_equal(place_of(text, "flow_cache.max_flows_ipv6"), "6:3");
	assert_string_equal(place_of(text, "anomaly.allow"), "9:18");
	assert_string_equal(place_of(text, "control.socket"), "");
	assert_string_equal(place_of("{}\n", "interfaces[0].name"), "");
}

static void test_many_values_have_their_places(void **state)
{
	char text[8192] = "exporters:\n", path[32], expected[16];
	size_t n = strlen(text);

	(void)state;
	for (int i = 0; i < CONFIG_MAX_EXPORTERS; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      " - name: e%d\n   address: 'x:1'\n   transport: tcp\n"
				      "   reconnect_s: 5\n   mtu: 1400\n   group: main\n"
				      "   options: none\n   fields: [base]\n",
				      i);
	for (int i = 0; i < CONFIG_MAX_EXPORTERS; i++) {
		snprintf(path, sizeof(path), "exporters[%d].mtu", i);
		snprintf(expected, sizeof(expected), "%d:9", 6 + 8 * i);
		assert_string_equal(place_of(text, path), expected);
	}
}

/* The most exact of the names, or beginnings of names, that stand in a list of the page. */
static size_t listed(const char *page, const char *heading, const char *path)
{
	const char *at = strstr(page, heading);
	size_t best = 0;

	if (!at)
		fail_msg("%s has no %s", PAGE, heading);
	for (at = strstr(at, "\n.Bl ") + 1; strncmp(at, ".El", 3) != 0; at = strchr(at, '\n') + 1) {
		char name[CONFIG_PATH_TEXT_MAX] = "";

		if (sscanf(at, ".It Va %95s", name) != 1)
			continue;
		size_t n = strlen(name);
		bool is_beginning = name[n - 1] == '*';

		if (is_beginning ? !strncmp(path, name, n - 1) : !strcmp(path, name))
			best = n > best ? n : best;
	}
	return best;
}

static void test_the_manual_says_of_every_key_what_its_row_says(void **state)
{
	static const char *const headings[] = {[CONFIG_RESTART] = ".Ss Needs a restart",
					       [CONFIG_SESSION] = ".Ss Begins a new session",
					       [CONFIG_AT_ONCE] = ".Ss Takes effect at once"};
	static char page[1 << 17];
	FILE *in = fopen(PAGE, "r");

	(void)state;
	assert_non_null(in);
	page[fread(page, 1, sizeof(page) - 1, in)] = '\0';
	fclose(in);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		size_t best[3];

		if (!key->size) /* has one value */
			continue;
		for (int k = 0; k < 3; k++)
			best[k] = listed(page, headings[k], key->path);
		for (int k = 0; k < 3; k++)
			if (k != (int)key->reload && best[k] >= best[key->reload])
				fail_msg("%s: %s does not say \"%s\"", key->path, PAGE,
					 headings[key->reload] + strlen(".Ss "));
	}
}

static void test_the_command_line_comes_before_the_file_again(void **state)
{
	char file[] = "/tmp/test_reload.XXXXXX";
	static const char text[] = "interfaces: [{name: a}]\nflow_cache: {idle_timeout_s: 30}\n"
				   "exporters: [{address: 'x:1'}]\n";
	char name[] = "xflow-probe", c[] = "-c", option[] = "--idle-timeout", seven[] = "7";
	char *argv[] = {name, c, file, option, seven, NULL};
	struct config_places places = {0};
	static struct options opt;
	int fd = mkstemp(file);

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(options_parse(&opt, 5, argv), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(configure(&next, &opt, &places), 0);
		assert_true(next.flow_cache.idle_timeout_s == 7);
		assert_string_equal(next.exporters[0].name, "udp:x:1");
	}
	config_places_free(&places);
	unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exporters_are_known_by_name),
		cmocka_unit_test(test_what_a_session_does_not_notice_adjusts_and_the_rest_changes),
		cmocka_unit_test(test_failover_is_another_session_and_other_modes_are_not),
		cmocka_unit_test(test_interfaces_need_a_restart_but_for_their_order),
		cmocka_unit_test(test_fields_may_be_what_the_cache_keeps_details_of),
		cmocka_unit_test(test_every_key_does_what_its_row_says),
		cmocka_unit_test(test_news_of_groups_are_told),
		cmocka_unit_test(test_a_key_has_its_place_or_that_of_what_it_would_be_in),
		cmocka_unit_test(test_many_values_have_their_places),
		cmocka_unit_test(test_the_manual_says_of_every_key_what_its_row_says),
		cmocka_unit_test(test_the_command_line_comes_before_the_file_again),
	};

	return cmocka_run_group_tests(tests, NULL, forget_printed);
}
