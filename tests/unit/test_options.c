/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line: each option does what xflow-probe(8) says, goes over the
 * file, and is told with its fix when it is wrong.
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
#include "probe/options.h"
#include "probe/profile.h"
#include "probe/record.h"
#include "tests/lib/capture_stderr.h"

static char *printed; /* by the last parse */

/* Parse a command line given as words between single spaces. */
static int parse(struct options *opt, const char *line)
{
	static char program[] = "xflow-probe", words[4096];
	char *argv[300] = {program}, *save;
	int argc = 1, err;

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	free(printed);
	log_setup(LOG_INFO, false);
	capture_begin();
	err = options_parse(opt, argc, argv);
	printed = capture_end();
	return err;
}

/* Parse and put over the defaults. */
static struct config apply(const char *line)
{
	struct options opt;
	struct config cfg;

	if (parse(&opt, line))
		fail_msg("%s: %s", line, printed);
	config_init(&cfg);
	options_apply(&cfg, &opt);
	return cfg;
}

static void assert_refused(const char *line, const char *part)
{
	struct options opt;

	if (parse(&opt, line) != -EINVAL)
		fail_msg("accepted: %s", line);
	if (!strstr(printed, part))
		fail_msg("\"%s\" is not in: %s", part, printed);
	if (strchr(printed, '\n')[1])
		fail_msg("more than one message: %s", printed);
}

static void test_interface_is_metered_on_ingress(void **state)
{
	struct config cfg = apply("-i eth0 --interface eth1:egress");

	(void)state;
	assert_int_equal(cfg.n_interfaces, 2);
	assert_string_equal(cfg.interfaces[0].name, "eth0");
	assert_int_equal(cfg.interfaces[0].ingress, INGRESS_AUTO);
	assert_int_equal(cfg.interfaces[0].egress, EGRESS_OFF);
	assert_string_equal(cfg.interfaces[1].name, "eth1");
	assert_int_equal(cfg.interfaces[1].ingress, INGRESS_AUTO);
	assert_int_equal(cfg.interfaces[1].egress, EGRESS_TC);
}

static void test_collector_prefix_is_its_transport_or_protocol(void **state)
{
	static const struct {
		const char *given, *address, *name;
		int transport, protocol;
	} cases[] = {
		{"127.0.0.1:9995", "127.0.0.1:9995", "udp:127.0.0.1:9995", TRANSPORT_UDP,
		 EXPORT_IPFIX},
		{"udp:a.example:1", "a.example:1", "udp:a.example:1", TRANSPORT_UDP, EXPORT_IPFIX},
		{"tcp:[::1]:4739", "[::1]:4739", "tcp:[::1]:4739", TRANSPORT_TCP, EXPORT_IPFIX},
		{"[2001:db8::1]:9", "[2001:db8::1]:9", "udp:[2001:db8::1]:9", TRANSPORT_UDP,
		 EXPORT_IPFIX},
		{"file:/tmp/x:y", "/tmp/x:y", "file:/tmp/x:y", TRANSPORT_FILE, EXPORT_IPFIX},
		{"file:tcp:1", "tcp:1", "file:tcp:1", TRANSPORT_FILE, EXPORT_IPFIX},
		{"netflow9:h:1", "h:1", "udp:h:1", TRANSPORT_UDP, EXPORT_NETFLOW9},
		{"netflow5:[::1]:1", "[::1]:1", "udp:[::1]:1", TRANSPORT_UDP, EXPORT_NETFLOW5},
	};
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config cfg;

		snprintf(line, sizeof(line), "-i lo --collector %s", cases[i].given);
		cfg = apply(line);
		assert_int_equal(cfg.n_exporters, 1);
		assert_string_equal(cfg.exporters[0].address, cases[i].address);
		assert_string_equal(cfg.exporters[0].name, cases[i].name);
		assert_int_equal(cfg.exporters[0].transport, cases[i].transport);
		assert_int_equal(cfg.exporters[0].protocol, cases[i].protocol);
		assert_int_equal(cfg.exporters[0].template_refresh_s, 60);
		assert_int_equal(config_check(&cfg), 0);
	}
}

static void test_collectors_are_repeatable(void **state)
{
	struct config cfg = apply("-i lo --collector a:1 --collector tcp:a:1");

	(void)state;
	assert_int_equal(cfg.n_exporters, 2);
	assert_int_equal(config_check(&cfg), 0);
}

static void test_knobs_set_their_keys(void **state)
{
	struct config cfg = apply("-i lo --active-timeout 5 --idle-timeout=1.5 --max-flows 4096 "
				  "--duration 0.5 --biflow split --sampling 0");

	(void)state;
	assert_true(cfg.flow_cache.active_timeout_s == 5);
	assert_true(cfg.flow_cache.idle_timeout_s == 1.5);
	assert_int_equal(cfg.flow_cache.max_flows, 4096);
	assert_int_equal(cfg.flow_cache.max_flows_ipv6, 262144);
	assert_true(cfg.duration_s == 0.5);
}

static void test_fields_are_those_of_the_output_and_of_each_collector(void **state)
{
	struct config cfg = apply("-i lo --fields l2,tcp --collector h:1 --collector h:2");

	(void)state;
	assert_int_equal(cfg.output_fields, GROUP_L2 | GROUP_TCP);
	assert_int_equal(cfg.exporters[0].fields, GROUP_L2 | GROUP_TCP);
	assert_int_equal(cfg.exporters[1].fields, GROUP_L2 | GROUP_TCP);
	cfg = apply("-i lo --collector h:1");
	assert_int_equal(cfg.output_fields, GROUP_BASE);
	assert_int_equal(cfg.exporters[0].fields, GROUP_BASE);
}

static void test_biflow_is_of_the_output_and_of_each_collector(void **state)
{
	struct config cfg = apply("-i lo --biflow rfc5103 -o json --collector h:1");

	(void)state;
	assert_int_equal(cfg.output_biflow, BIFLOW_RFC5103);
	assert_int_equal(cfg.exporters[0].biflow, BIFLOW_RFC5103);
	assert_true(biflow_in_use(&cfg));
	cfg = apply("-i lo --biflow rfc5103 -o table");
	assert_false(biflow_in_use(&cfg)); /* a table has a line for each direction */
	cfg = apply("-i lo -o json --collector h:1");
	assert_false(biflow_in_use(&cfg));
}

static void test_profile_is_that_of_each_collector_but_for_other_options(void **state)
{
	struct config cfg = apply("-i lo --profile full --collector h:1 --collector h:2 "
				  "--biflow split");

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(cfg.exporters[i].profile, PROFILE_FULL);
		assert_int_equal(cfg.exporters[i].precision, PRECISION_FULL);
		assert_int_equal(cfg.exporters[i].fields, GROUP_ALL);
		assert_int_equal(cfg.exporters[i].biflow, BIFLOW_SPLIT);
	}
	assert_refused("--profile splunk", "allowed: nfcapd | silk | elastiflow | pmacct | full");
}

static void test_output_is_json_without_a_collector(void **state)
{
	(void)state;
	assert_int_equal(apply("-i lo").output, OUTPUT_JSON);
	assert_int_equal(apply("-i lo --collector a:1").output, OUTPUT_NONE);
	assert_int_equal(apply("-i lo --collector a:1 -o json").output, OUTPUT_JSON);
	assert_int_equal(apply("-i lo -o table").output, OUTPUT_TABLE);
	assert_int_equal(apply("-i lo --output none").output, OUTPUT_NONE);
}

static void test_file_to_read_is_taken_as_it_is(void **state)
{
	(void)state;
	assert_string_equal(apply("-r -").read_path, "-");
	assert_string_equal(apply("--read null").read_path, "null");
}

static void test_file_to_read_has_room_for_more_flows(void **state)
{
	struct config file = apply("-r x.pcap"), live = apply("-i lo");

	(void)state;
	assert_int_equal(live.flow_cache.max_flows, 1048576);
	assert_int_equal(live.flow_cache.max_flows_ipv6, 262144);
	assert_int_equal(file.flow_cache.max_flows, 16777216);
	assert_int_equal(file.flow_cache.max_flows_ipv6, 4194304);
}

static void test_room_asked_for_holds_for_a_file_too(void **state)
{
	struct options opt;
	struct config cfg;

	(void)state;
	assert_int_equal(apply("-r x.pcap --max-flows 1048576").flow_cache.max_flows, 1048576);
	assert_int_equal(apply("-r x.pcap --max-flows 4096").flow_cache.max_flows_ipv6, 4194304);

	assert_int_equal(parse(&opt, "-r x.pcap"), 0);
	config_init(&cfg);
	cfg.flow_cache.max_flows_ipv6 = 262144; /* as a configuration would */
	options_apply(&cfg, &opt);
	assert_int_equal(cfg.flow_cache.max_flows, 16777216);
	assert_int_equal(cfg.flow_cache.max_flows_ipv6, 262144);
}

static void test_switches_are_kept(void **state)
{
	struct options opt;

	(void)state;
	assert_int_equal(parse(&opt, "-n -vv -v -c x.yaml"), 0);
	assert_true(opt.is_check_only);
	assert_int_equal(opt.verbose, 3);
	assert_string_equal(opt.config_path, "x.yaml");
	assert_false(opt.wants_help);
	assert_int_equal(parse(&opt, "--help --version"), 0);
	assert_true(opt.wants_help);
	assert_true(opt.wants_version);
	assert_int_equal(opt.verbose, 0);
}

static void test_verbose_prints_debug_messages(void **state)
{
	(void)state;
	assert_int_equal(apply("-i lo").log_level, LOG_INFO);
	assert_int_equal(apply("-i lo -v").log_level, LOG_DEBUG);
	assert_int_equal(apply("-i lo -vv").verbose, 2);
}

static struct config apply_over_file(const char *line)
{
	struct options opt;
	struct config cfg;

	assert_int_equal(parse(&opt, line), 0);
	config_init(&cfg);
	assert_int_equal(config_load(&cfg, "conf/xflow.yaml"), 0);
	options_apply(&cfg, &opt);
	return cfg;
}

static void test_options_go_over_the_file(void **state)
{
	struct config cfg = apply_over_file("-i a -i b --collector x:1 --idle-timeout 3");

	(void)state;
	assert_int_equal(cfg.n_interfaces, 2);
	assert_string_equal(cfg.interfaces[0].name, "a");
	assert_int_equal(cfg.n_exporters, 1);
	assert_string_equal(cfg.exporters[0].name, "udp:x:1");
	assert_true(cfg.flow_cache.idle_timeout_s == 3);
	assert_true(cfg.flow_cache.active_timeout_s == 60);
}

static void test_file_stays_where_no_option_is_given(void **state)
{
	struct config cfg = apply_over_file("-v");

	(void)state;
	assert_string_equal(cfg.interfaces[0].name, "eth0");
	assert_string_equal(cfg.exporters[0].name, "local");
	assert_int_equal(cfg.output, OUTPUT_NONE);
}

static void test_file_to_read_replaces_interfaces_of_the_configuration(void **state)
{
	struct config cfg = apply_over_file("-r x.pcap");

	(void)state;
	assert_int_equal(cfg.n_interfaces, 0);
	assert_int_equal(cfg.n_exporters, 1);
	assert_int_equal(config_check(&cfg), 0);
}

static void test_interface_and_file_to_read_exclude_each_other(void **state)
{
	struct config cfg = apply("-i lo -r x.pcap");
	int err;

	(void)state;
	free(printed);
	capture_begin();
	err = config_check(&cfg);
	printed = capture_end();
	assert_int_equal(err, -EINVAL);
	assert_non_null(strstr(printed, "either -i or -r"));
}

static void test_wrong_usage_is_told_with_its_fix(void **state)
{
	(void)state;
	assert_refused("--frobnicate", "--frobnicate is no option");
	assert_refused("-x", "-x is no option; see --help");
	assert_refused("-nx", "-x is no option");
	assert_refused("--check=5", "--check=5 is no option, or lacks or has a value too many");
	assert_refused("eth0", "eth0: not an option; interfaces are given as -i NAME");
	assert_refused("-i", "--interface has no value; write --interface NAME[:egress]");
	assert_refused("-n --collector", "--collector has no value; write --collector ");
	assert_refused("-i eth0:ingress", "only :egress may follow a name");
	assert_refused("-i :egress", "empty (allowed: text of 1 .. 15 octets)");
	assert_refused("-i abcdefghijklmnop", "too long (allowed: text of 1 .. 15 octets)");
	assert_refused("--collector 127.0.0.1", "no port; write HOST:PORT");
	assert_refused("--collector udp:9995", "no port; write HOST:PORT");
	assert_refused("--collector ::1:9995", "write an IPv6 address as [IPV6]:PORT");
	assert_refused("--collector a:0", "out of range (1 .. 65535)");
	assert_refused("--collector file:", "empty (allowed: ");
	assert_refused(
		"-o xml",
		"--output xml: not one of the words known here (allowed: json | table | none)");
	assert_refused("--duration 0", "--duration 0: out of range (allowed: 0.1 .. ");
	assert_refused("--duration 1m", "not a decimal number");
	assert_refused("--active-timeout 0", "out of range (allowed: 1 .. 86400)");
	assert_refused("--idle-timeout x", "not a decimal number");
	assert_refused("--max-flows 1e6",
		       "not a whole decimal number (allowed: auto | 1024 .. 67108864)");
	assert_refused("--biflow both",
		       "not one of the words known here (allowed: split | rfc5103)");
	assert_refused("--fields l2,l3",
		       "not one of the words known here (allowed: list of base | l2 | ip | icmp | "
		       "tcp | tcp_health | fragment | size | timing | tunnel | state)");
	assert_refused("--fields l2,", "not one of the words known here");
	assert_refused("--fields application", "not available in this version");
	assert_refused("--sampling 100", "not available in this version (allowed: 0)");
}

static void test_options_of_features_not_built_are_unknown(void **state)
{
	(void)state;
	assert_refused("--dashboard", "is no option");
	assert_refused("--no-application", "is no option");
	assert_refused("--top-talkers=5", "is no option");
	assert_refused("--export=x.pcap", "is no option");
}

static void test_too_many_of_a_kind_are_refused(void **state)
{
	char line[4096];
	size_t n = 0;
	struct options opt;

	(void)state;
	for (int i = 0; i < CONFIG_MAX_INTERFACES; i++)
		n += sprintf(line + n, "-i i%d ", i);
	assert_int_equal(parse(&opt, line), 0);
	strcpy(line + n, "-i x");
	assert_refused(line, "more than 64 interfaces");
	n = 0;
	for (int i = 0; i < CONFIG_MAX_EXPORTERS; i++)
		n += sprintf(line + n, "--collector i:%d ", i + 1);
	assert_int_equal(parse(&opt, line), 0);
	strcpy(line + n, "--collector x:1");
	assert_refused(line, "more than 16 collectors");
}

static void test_all_errors_of_a_command_line_are_reported(void **state)
{
	struct options opt;
	size_t n = 0;

	(void)state;
	assert_int_equal(parse(&opt, "-x --max-flows 1 -o xml eth0"), -EINVAL);
	for (const char *c = printed; *c; c++)
		n += *c == '\n';
	assert_int_equal(n, 4);
}

static void test_long_collector_name_is_kept_whole(void **state)
{
	char line[600], path[256];
	struct config cfg;

	(void)state;
	memset(path, 'p', 255);
	path[255] = '\0';
	snprintf(line, sizeof(line), "-i lo --collector file:%s", path);
	cfg = apply(line);
	assert_string_equal(cfg.exporters[0].address, path);
	assert_int_equal(strlen(cfg.exporters[0].name), 260);
	snprintf(line, sizeof(line), "-i lo --collector file:%sp", path);
	assert_refused(line, "too long");
}

static char *read_all(FILE *f)
{
	char *text = calloc(1, 1 << 16);

	assert_non_null(f);
	assert_non_null(text);
	rewind(f);
	assert_in_range(fread(text, 1, (1 << 16) - 1, f), 1, 1 << 16);
	fclose(f);
	return text;
}

static void test_help_and_man_page_have_every_option(void **state)
{
	FILE *help = tmpfile();
	char *help_text, *page, option[64];

	(void)state;
	options_print_help(help);
	help_text = read_all(help);
	page = read_all(fopen("man/xflow-probe.8", "r"));
	for (size_t i = 0; options_name(i); i++) {
		snprintf(option, sizeof(option), "--%s", options_name(i));
		if (!strstr(help_text, option))
			fail_msg("%s is not in the help", option);
		snprintf(option, sizeof(option), "Fl -%s", options_name(i));
		if (!strstr(page, option))
			fail_msg("%s is not in the man page", option);
	}
	free(help_text);
	free(page);
}

static int forget_printed(void **state)
{
	(void)state;
	free(printed);
	printed = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interface_is_metered_on_ingress),
		cmocka_unit_test(test_collector_prefix_is_its_transport_or_protocol),
		cmocka_unit_test(test_collectors_are_repeatable),
		cmocka_unit_test(test_knobs_set_their_keys),
		cmocka_unit_test(test_fields_are_those_of_the_output_and_of_each_collector),
		cmocka_unit_test(test_biflow_is_of_the_output_and_of_each_collector),
		cmocka_unit_test(test_profile_is_that_of_each_collector_but_for_other_options),
		cmocka_unit_test(test_output_is_json_without_a_collector),
		cmocka_unit_test(test_file_to_read_is_taken_as_it_is),
		cmocka_unit_test(test_file_to_read_has_room_for_more_flows),
		cmocka_unit_test(test_room_asked_for_holds_for_a_file_too),
		cmocka_unit_test(test_switches_are_kept),
		cmocka_unit_test(test_verbose_prints_debug_messages),
		cmocka_unit_test(test_options_go_over_the_file),
		cmocka_unit_test(test_file_stays_where_no_option_is_given),
		cmocka_unit_test(test_file_to_read_replaces_interfaces_of_the_configuration),
		cmocka_unit_test(test_interface_and_file_to_read_exclude_each_other),
		cmocka_unit_test(test_wrong_usage_is_told_with_its_fix),
		cmocka_unit_test(test_options_of_features_not_built_are_unknown),
		cmocka_unit_test(test_too_many_of_a_kind_are_refused),
		cmocka_unit_test(test_all_errors_of_a_command_line_are_reported),
		cmocka_unit_test(test_long_collector_name_is_kept_whole),
		cmocka_unit_test(test_help_and_man_page_have_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, forget_printed);
}
