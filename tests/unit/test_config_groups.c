/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups of exporters, spools and files in the configuration, and what they exclude. */
#include "probe/config.h"

#include "tests/lib/config_fixture.h"

static int check(const struct config *cfg)
{
	int err;

	free(printed);
	capture_begin();
	err = config_check(cfg);
	printed = capture_end();
	return err;
}

static void assert_check_refuses(const struct config *cfg, const char *part)
{
	assert_int_equal(check(cfg), -EINVAL);
	assert_told(part);
	assert_int_equal(count_lines(), 1);
}

/* Load, and check. */
static void assert_check_refuses_text(const char *text, const char *part)
{
	struct config cfg;

	if (load(&cfg, text))
		fail_msg("%s", printed);
	assert_check_refuses(&cfg, part);
}

#define TWO_EXPORTERS "interfaces: [{name: a}]\ngroups: {f: {mode: failover}}\nexporters:\n"

static void test_groups_spools_and_files_are_read(void **state)
{
	struct config cfg;

	(void)state;
	assert_int_equal(load(&cfg,
			      "exporters: [{address: x, transport: file,\n"
			      "  file: {rotate_s: 7, compress: true}},\n"
			      "  {address: '[::1]:5', name: b, group: b, spool: {path: '/a: b'}}]\n"
			      "groups: {b: {mode: failover, stable_s: 3}, a: {mode: balance}, "
			      "c-1: }\n"),
			 0);
	assert_int_equal(cfg.exporters[0].rotate_s, 7);
	assert_true(cfg.exporters[0].compress);
	assert_string_equal(cfg.exporters[1].group, "b");
	assert_string_equal(cfg.exporters[1].spool_path, "/a: b");
	assert_int_equal(cfg.n_groups, 3);
	assert_string_equal(cfg.groups[0].name, "b");
	assert_int_equal(cfg.groups[0].mode, MODE_FAILOVER);
	assert_int_equal(cfg.groups[0].stable_s, 3);
	assert_int_equal(cfg.groups[1].mode, MODE_BALANCE);
	assert_int_equal(cfg.groups[2].mode, MODE_MIRROR);
}

static void test_group_that_is_not_there_is_refused(void **state)
{
	struct config cfg;

	(void)state;
	assert_check_refuses_text(TWO_EXPORTERS " - {name: a, address: 'x:1', group: g}\n",
				  "exporters[0].group: there is no group g; add it to groups");
	/* the one that need not be named */
	assert_int_equal(load(&cfg, TWO_EXPORTERS " - {name: a, address: 'x:1'}\n"), 0);
	assert_int_equal(check(&cfg), 0);
}

static void test_failover_between_unlike_records_is_refused(void **state)
{
	struct config cfg;

	(void)state;
	assert_check_refuses_text(
		TWO_EXPORTERS " - {name: a, address: 'x:1', group: f}\n"
			      " - {name: b, address: 'x:2', group: f, biflow: rfc5103}\n",
		"exporters[1]: differs from exporters[0] in fields, biflow, precision or events");
	assert_check_refuses_text(
		TWO_EXPORTERS " - {name: a, address: 'x:1', group: f}\n"
			      " - {name: b, address: 'x:2', group: f, events: true}\n"
			      "anomaly: {enabled: true}\nenterprise_number: 35632\n",
		"exporters[1]: differs from exporters[0] in fields, biflow, precision or events");
	assert_int_equal(load(&cfg, TWO_EXPORTERS
			      " - {name: a, address: 'x:1', group: f}\n"
			      " - {name: b, address: 'x:2', group: f, transport: tcp}\n"
			      " - {name: c, address: 'x:3', fields: [l2]}\n"),
			 0);
	assert_int_equal(check(&cfg), 0);
}

static void test_failover_between_unlike_protocols_is_refused(void **state)
{
	struct config cfg;

	(void)state;
	assert_check_refuses_text(TWO_EXPORTERS
				  " - {name: a, address: 'x:1', group: f, protocol: netflow5}\n"
				  " - {name: b, address: 'x:2', group: f, protocol: netflow9}\n",
				  "exporters[1].protocol: not that of exporters[0]");
	assert_int_equal(load(&cfg, TWO_EXPORTERS
			      " - {name: a, address: 'x:1', group: f, protocol: netflow9}\n"
			      " - {name: b, address: 'x:2', group: f, protocol: netflow9}\n"
			      " - {name: c, address: 'x:3'}\n"),
			 0);
	assert_int_equal(check(&cfg), 0);
}

static void test_events_are_refused_where_the_protocol_has_none(void **state)
{
	static const char *const protocols[] = {"netflow9", "netflow5"};
	char text[200];

	(void)state;
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text),
			 "interfaces: [{name: eth0}]\n"
			 "exporters: [{address: 'x:1', protocol: %s, events: true}]\n"
			 "anomaly: {enabled: true}\nenterprise_number: 35632\n",
			 protocols[i]);
		assert_check_refuses_text(text, "has no elements for them; leave it out, or set "
						"protocol: ipfix");
	}
}

static void test_events_that_nobody_looks_for_are_warned_about(void **state)
{
	struct config cfg;

	(void)state;
	assert_int_equal(load(&cfg, "interfaces: [{name: eth0}]\nenterprise_number: 35632\n"
				    "exporters: [{address: 'x:1', events: true}]\n"),
			 0);
	assert_int_equal(check(&cfg), 0);
	assert_non_null(strstr(printed, "exporters[0].events: nobody looks for anomalies"));
	cfg.anomaly.enabled = true;
	assert_int_equal(check(&cfg), 0);
	assert_string_equal(printed, "");
	cfg.enterprise_number = 32473; /* events have elements of ours */
	assert_int_equal(check(&cfg), 0);
	assert_non_null(strstr(printed, "32473 is for documentation"));
}

static void test_group_is_a_mapping_from_good_names(void **state)
{
	(void)state;
	assert_refused("groups: {'a b': {mode: mirror}}\n", "a b: no name");
	assert_refused("groups: {a: {mode: mirror}, a: {mode: mirror}}\n",
		       "a is here a second time");
	assert_refused("groups: [a]\n", "a list (allowed: a mapping)");
	assert_refused("groups: {a: {mod: mirror}}\n",
		       "groups.a.mod: unknown key, perhaps mode is meant");
	assert_refused("groups: {[a, b]: {mode: mirror}}\n", "no name");
}

static void test_transports_there_are_not_are_refused_with_the_way_round(void **state)
{
	static const struct {
		const char *word, *lack, *way;
	} cases[] = {
		{"sctp", "built without SCTP", "set transport: tcp, through WireGuard or stunnel"},
		{"tls", "built without OpenSSL", "set transport: tcp to a stunnel"},
		{"dtls", "built without OpenSSL",
		 "send through WireGuard, or set transport: tcp to a stunnel"},
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "exporters: [{address: a:1, transport: %s}]\n",
			 cases[i].word);
		assert_refused(text, ":1:39: exporters[0].transport: ");
		assert_refused(text, cases[i].lack);
		assert_refused(text, cases[i].way);
	}
}

static void test_spool_and_rotation_are_for_their_transports(void **state)
{
	(void)state;
	assert_check_refuses_text(TWO_EXPORTERS
				  " - {name: a, address: x, transport: file, spool: {path: /s}}\n",
				  "exporters[0].spool: a file is never away");
	assert_check_refuses_text(TWO_EXPORTERS
				  " - {name: a, address: 'x:1', file: {compress: true}}\n",
				  "exporters[0].file: only of transport file");
	assert_check_refuses_text(
		TWO_EXPORTERS
		" - {name: a, address: 'x:1', protocol: netflow9, spool: {path: /s}}\n",
		"exporters[0].spool: holds IPFIX only, not NetFlow v9; leave it out, or set "
		"protocol: ipfix");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_groups_spools_and_files_are_read),
		cmocka_unit_test(test_group_that_is_not_there_is_refused),
		cmocka_unit_test(test_failover_between_unlike_records_is_refused),
		cmocka_unit_test(test_failover_between_unlike_protocols_is_refused),
		cmocka_unit_test(test_events_are_refused_where_the_protocol_has_none),
		cmocka_unit_test(test_events_that_nobody_looks_for_are_warned_about),
		cmocka_unit_test(test_group_is_a_mapping_from_good_names),
		cmocka_unit_test(test_transports_there_are_not_are_refused_with_the_way_round),
		cmocka_unit_test(test_spool_and_rotation_are_for_their_transports),
	};

	return cmocka_run_group_tests(tests, NULL, forget_printed);
}
