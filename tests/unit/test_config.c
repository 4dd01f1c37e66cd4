/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The configuration as a whole: the shipped file, the man page and what is
 * printed say what the schema says; checks between keys; addresses.
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
#include "probe/record.h"
#include "tests/lib/config_fixture.h"

#define SHIPPED "conf/xflow.yaml"
#define PAGE	"man/xflow.yaml.5"

static char *read_file(const char *path, size_t *length)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	assert_non_null(f);
	assert_non_null(text);
	*length = fread(text, 1, (1 << 20) - 1, f);
	fclose(f);
	return text;
}

static int check(const struct config *cfg)
{
	int err;

	free(printed);
	capture_begin();
	err = config_check(cfg);
	printed = capture_end();
	return err;
}

static struct config minimal(void)
{
	struct config cfg;

	assert_int_equal(load(&cfg, "interfaces: [{name: eth0}]\n"
				    "exporters: [{name: a, address: '127.0.0.1:9995'}]\n"),
			 0);
	return cfg;
}

static void test_shipped_file_is_valid_and_all_defaults(void **state)
{
	struct config cfg, expected;
	size_t length;
	char *text = read_file(SHIPPED, &length);

	(void)state;
	assert_int_equal(load(&expected, "interfaces: [{name: eth0}]\n"
					 "exporters: [{name: local, address: '127.0.0.1:9995'}]\n"),
			 0);
	if (load(&cfg, text))
		fail_msg("%s", printed);
	assert_memory_equal(&cfg, &expected, sizeof(cfg));
	expected.n_interfaces = expected.n_exporters = 0;
	memset(expected.interfaces, 0, sizeof(expected.interfaces));
	memset(expected.exporters, 0, sizeof(expected.exporters));
	config_init(&cfg);
	assert_memory_equal(&cfg, &expected, sizeof(cfg));
	assert_int_equal(load(&cfg, text), 0);
	assert_int_equal(check(&cfg), 0);
	free(text);
}

static void test_shipped_file_has_every_key(void **state)
{
	size_t length;
	char *text = read_file(SHIPPED, &length), line[128];

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const char *dot = strrchr(config_keys[i].path, '.');

		snprintf(line, sizeof(line), " %s: ", dot ? dot + 1 : config_keys[i].path);
		if (!strstr(text, line + !dot))
			fail_msg("%s is not in the file", config_keys[i].path);
	}
	free(text);
}

static void test_no_prefix_of_the_shipped_file_does_harm(void **state)
{
	struct config cfg;
	size_t length;
	char *text = read_file(SHIPPED, &length);

	(void)state;
	for (size_t n = 0; n < length; n++) {
		char *part = malloc(n); /* its end is where the sanitizer looks */
		int err;

		memcpy(part, text, n);
		config_init(&cfg);
		err = load_octets(&cfg, part, n);
		assert_true(err == 0 || err == -EINVAL);
		assert_true((err == 0) == (*printed == '\0'));
		free(part);
	}
	free(text);
}

static void test_no_changed_octet_of_the_shipped_file_does_harm(void **state)
{
	static const char octets[] = "\0\n\t:-[]{}'\"#&*!|>%@\\9 ~\xff\xc3";
	struct config cfg;
	size_t length;
	char *text = read_file(SHIPPED, &length);

	(void)state;
	for (size_t i = 0; i < length; i++) {
		char kept = text[i];
		int err;

		text[i] = octets[i * 7 % (sizeof(octets) - 1)];
		config_init(&cfg);
		err = load_octets(&cfg, text, length);
		assert_true(err == 0 || err == -EINVAL);
		assert_true((err == 0) == (*printed == '\0'));
		text[i] = kept;
	}
	free(text);
}

static void assert_round_trip(const struct config *cfg)
{
	struct config again;
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	assert_int_equal(config_print(cfg, out), 0);
	fclose(out);
	if (load(&again, text))
		fail_msg("%s%s", text, printed);
	assert_memory_equal(&again, cfg, sizeof(again));
	free(text);
}

static void test_printed_configuration_loads_back_equal(void **state)
{
	struct config cfg;

	(void)state;
	config_init(&cfg);
	assert_round_trip(&cfg);
	assert_int_equal(
		load(&cfg,
		     "observation_domain_id: 4294967295\nenterprise_number: 9\n"
		     "interfaces: [{name: 'a\"b\\c#', egress: tc, ingress: off}, {name: 'null'}]\n"
		     "flow_cache: {max_flows: 1024, active_timeout_s: 0.1, sweep_interval_s: "
		     "0.1}\n"),
		-EINVAL); /* active_timeout_s is at least 1 */
	assert_int_equal(
		load(&cfg,
		     "observation_domain_id: 4294967295\nenterprise_number: 9\n"
		     "interfaces: [{name: 'a\"b\\c#', egress: tc, ingress: off}, {name: 'null'}]\n"
		     "flow_cache: {max_flows: 1024, active_timeout_s: 80000.30000000000000001,\n"
		     "  idle_timeout_s: 1.0000000001, sweep_interval_s: 0.1, timestamps: precise}\n"
		     "exporters: [{address: 'file: {x}', transport: file, mtu: 1500,\n"
		     "  max_records_per_s: 10, template_refresh_s: 3, fields: [tcp, base, l2],\n"
		     "  file: {rotate_s: 7, compress: true}},\n"
		     "  {address: '[::1]:5', group: b, spool: {path: '/a: b', max_mib: 1},\n"
		     "  name: \"\xc3\xa4 'x'\", transport: tcp}]\n"
		     "groups: {b: {mode: failover, stable_s: 3}, a: {mode: balance}, c-1: }\n"
		     "control: {socket: ''}\nlog: {level: debug, format: json}\n"),
		0);
	assert_true(cfg.log_json);
	assert_int_equal(cfg.log_level, LOG_DEBUG);
	assert_int_equal(cfg.interfaces[0].ingress, INGRESS_OFF);
	assert_int_equal(cfg.exporters[0].mtu, 1500);
	assert_int_equal(cfg.exporters[0].fields, GROUP_BASE | GROUP_TCP | GROUP_L2);
	assert_int_equal(cfg.exporters[1].fields, GROUP_BASE);
	assert_int_equal(cfg.exporters[1].mtu, 0);
	assert_int_equal(cfg.exporters[1].transport, TRANSPORT_TCP);
	assert_round_trip(&cfg);
}

static void test_printing_to_a_full_disk_is_an_error(void **state)
{
	struct config cfg;
	FILE *out = fopen("/dev/full", "w");

	(void)state;
	config_init(&cfg);
	assert_non_null(out);
	assert_int_equal(config_print(&cfg, out), -EIO);
	fclose(out);
}

static void test_man_page_has_every_key_with_range_and_default(void **state)
{
	size_t length;
	char *text = read_file(PAGE, &length), item[128], says[2048];
	char allowed[CONFIG_VALUE_TEXT_MAX];

	(void)state;
	for (char *c = text; *c; c++)
		*c = *c == '\n' ? ' ' : *c;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		char *found, *end;

		snprintf(item, sizeof(item), " .It Va %s ", key->path);
		config_key_allowed(key, allowed);
		snprintf(says, sizeof(says), "Allowed: %s; %s%s.", allowed,
			 key->fallback ? "default " : "required",
			 key->fallback ? (*key->fallback ? key->fallback : "empty") : "");
		found = strstr(text, item);
		assert_non_null(found);
		end = strstr(found + 1, " .It Va ");
		if (end)
			*end = '\0';
		if (!strstr(found, says))
			fail_msg("\"%s\" is not in: %s", says, found);
		if (end)
			*end = ' ';
	}
	free(text);
}

static void assert_check_refuses(const struct config *cfg, const char *part)
{
	assert_int_equal(check(cfg), -EINVAL);
	assert_told(part);
	assert_int_equal(count_lines(), 1);
}

static void test_interface_twice_is_refused(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.interfaces[cfg.n_interfaces++] = cfg.interfaces[0];
	assert_check_refuses(&cfg, "interfaces[1]: eth0 is there twice");
}

static void test_interface_without_a_hook_is_refused(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.interfaces[0].ingress = INGRESS_OFF;
	assert_check_refuses(&cfg, "metered neither on ingress nor on egress");
	cfg.interfaces[0].egress = EGRESS_TC;
	assert_int_equal(check(&cfg), 0);
}

static void test_name_no_interface_can_have_is_refused(void **state)
{
	static const char *const names[] = {".", "..", "a/b", "a:b", "a b"};
	struct config cfg = minimal();

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		strcpy(cfg.interfaces[0].name, names[i]);
		assert_check_refuses(&cfg, "is no name an interface can have");
	}
}

static void test_nothing_to_observe_is_refused(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.n_interfaces = 0;
	assert_check_refuses(&cfg, "nothing to observe; give -i NAME");
	strcpy(cfg.read_path, "x.pcap");
	assert_int_equal(check(&cfg), 0);
}

static void test_interface_and_file_together_are_refused(void **state)
{
	struct config cfg = minimal();

	(void)state;
	strcpy(cfg.read_path, "x.pcap");
	assert_check_refuses(&cfg, "either -i or -r");
}

static void test_two_exporters_of_one_name_are_refused(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.exporters[cfg.n_exporters++] = cfg.exporters[0];
	assert_check_refuses(&cfg, "exporters[1].name: a is the name of exporters[0] too");
}

static void test_sweep_longer_than_a_timeout_is_refused(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.flow_cache.sweep_interval_s = 20;
	assert_check_refuses(&cfg, "longer than idle_timeout_s");
	cfg.flow_cache.idle_timeout_s = 20;
	cfg.flow_cache.active_timeout_s = 19;
	assert_check_refuses(&cfg, "longer than active_timeout_s");
}

static void test_enterprise_numbers_of_others_are_refused(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.enterprise_number = 29305;
	assert_check_refuses(&cfg, "enterprise_number: 29305 is taken");
	cfg.enterprise_number = 0;
	assert_check_refuses(&cfg, "enterprise_number: 0 is taken");
}

static void test_domain_beyond_16_bits_is_warned_about_with_netflow5(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.observation_domain_id = 65536;
	assert_int_equal(check(&cfg), 0);
	assert_string_equal(printed, "");
	cfg.exporters[0].protocol = EXPORT_NETFLOW5;
	assert_int_equal(check(&cfg), 0);
	assert_non_null(strstr(printed, "the low 16 bits of 65536 only"));
	cfg.observation_domain_id = 65535;
	assert_int_equal(check(&cfg), 0);
	assert_string_equal(printed, "");
}

static void test_enterprise_number_is_warned_about_where_its_elements_are_exported(void **state)
{
	struct config cfg = minimal();

	(void)state;
	assert_int_equal(check(&cfg), 0);
	assert_string_equal(printed, "");
	cfg.exporters[0].fields = GROUP_BASE | GROUP_L2; /* IANA's only */
	assert_int_equal(check(&cfg), 0);
	assert_string_equal(printed, "");
	cfg.exporters[0].fields = GROUP_BASE | GROUP_STATE;
	assert_int_equal(check(&cfg), 0);
	assert_non_null(strstr(printed, "32473 is for documentation"));
	cfg.enterprise_number = 0x10000;
	assert_int_equal(check(&cfg), 0);
	assert_non_null(strstr(printed, "takes its elements for those of 0"));
	cfg.enterprise_number = 35632;
	assert_int_equal(check(&cfg), 0);
	assert_string_equal(printed, "");
}

static void test_mtu_too_small_for_the_templates_is_refused(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.enterprise_number = 35632;
	cfg.exporters[0].mtu = 512;
	cfg.exporters[0].fields = GROUP_ALL;
	assert_int_equal(check(&cfg), 0);
	cfg.exporters[0].biflow = BIFLOW_RFC5103;
	assert_check_refuses(&cfg, "exporters[0].mtu: the Templates of these fields take 1028");
	cfg.exporters[0].fields = GROUP_BASE;
	cfg.exporters[0].events = cfg.anomaly.enabled = true;
	assert_check_refuses(&cfg, "exporters[0].mtu: the Templates of these fields take 514");
	cfg.exporters[0].mtu = 1280;
	assert_int_equal(check(&cfg), 0);
	cfg.exporters[0].mtu = 0; /* that of the path */
	assert_int_equal(check(&cfg), 0);
}

static void test_fields_in_use_are_those_of_any_sink(void **state)
{
	struct config cfg = minimal();

	(void)state;
	assert_int_equal(fields_in_use(&cfg), GROUP_BASE);
	assert_int_equal(load(&cfg, "interfaces: [{name: eth0}]\n"
				    "exporters: [{name: a, address: 'a:1', fields: [base, tcp]},\n"
				    "  {name: b, address: 'b:1', fields: [state]}]\n"
				    "output_fields: [base, l2]\n"),
			 0);
	assert_int_equal(fields_in_use(&cfg), GROUP_BASE | GROUP_TCP | GROUP_STATE | GROUP_L2);
}

static void test_bad_collector_address_is_refused(void **state)
{
	static const struct {
		const char *address, *reason;
	} bad[] = {
		{"127.0.0.1", "no port; write HOST:PORT"},
		{"127.0.0.1:", "not a number (1 .. 65535)"},
		{"127.0.0.1:0", "out of range (1 .. 65535)"},
		{"127.0.0.1:65536", "out of range (1 .. 65535)"},
		{"127.0.0.1:18446744073709551617", "out of range (1 .. 65535)"},
		{"127.0.0.1:http", "not a number"},
		{"127.0.0.1:-1", "not a number"},
		{"127.0.0.1:99x", "not a number"},
		{":9995", "no host; write HOST:PORT"},
		{"a b:9995", "no host"},
		{"::1:9995", "write an IPv6 address as [IPV6]:PORT"},
		{"2001:db8::1", "write an IPv6 address as [IPV6]:PORT"},
		{"[::1]", "no port"},
		{"[::1", "no port"},
		{"[::1]9995", "no port"},
		{"[::1]:", "not a number"},
		{"[]:5", "no IPv6 address in the brackets"},
		{"[localhost]:5", "no IPv6 address in the brackets"},
		{"[", "no IPv6 address in the brackets"},
	};
	struct config cfg = minimal();

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		strcpy(cfg.exporters[0].address, bad[i].address);
		assert_check_refuses(&cfg, bad[i].reason);
	}
	cfg.exporters[0].transport = TRANSPORT_FILE;
	assert_int_equal(check(&cfg), 0);
}

static void test_address_is_split_into_host_and_port(void **state)
{
	static const struct {
		const char *address, *host;
		uint16_t port;
	} good[] = {
		{"127.0.0.1:9995", "127.0.0.1", 9995},
		{"collector.example:65535", "collector.example", 65535},
		{"[2001:db8::1]:1", "2001:db8::1", 1},
		{"[fe80::1%eth0]:4739", "fe80::1%eth0", 4739},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		char host[CONFIG_ADDRESS_MAX];
		const char *reason;
		uint16_t port;

		assert_int_equal(config_split_address(good[i].address, host, &port, &reason), 0);
		assert_string_equal(host, good[i].host);
		assert_int_equal(port, good[i].port);
	}
}

static void test_all_errors_between_keys_are_reported(void **state)
{
	struct config cfg = minimal();

	(void)state;
	cfg.enterprise_number = 29305;
	cfg.interfaces[0].ingress = INGRESS_OFF;
	cfg.flow_cache.sweep_interval_s = 20;
	strcpy(cfg.exporters[0].address, "x");
	assert_int_equal(check(&cfg), -EINVAL);
	assert_int_equal(count_lines(), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shipped_file_is_valid_and_all_defaults),
		cmocka_unit_test(test_shipped_file_has_every_key),
		cmocka_unit_test(test_no_prefix_of_the_shipped_file_does_harm),
		cmocka_unit_test(test_no_changed_octet_of_the_shipped_file_does_harm),
		cmocka_unit_test(test_printed_configuration_loads_back_equal),
		cmocka_unit_test(test_printing_to_a_full_disk_is_an_error),
		cmocka_unit_test(test_man_page_has_every_key_with_range_and_default),
		cmocka_unit_test(test_interface_twice_is_refused),
		cmocka_unit_test(test_interface_without_a_hook_is_refused),
		cmocka_unit_test(test_name_no_interface_can_have_is_refused),
		cmocka_unit_test(test_nothing_to_observe_is_refused),
		cmocka_unit_test(test_interface_and_file_together_are_refused),
		cmocka_unit_test(test_two_exporters_of_one_name_are_refused),
		cmocka_unit_test(test_sweep_longer_than_a_timeout_is_refused),
		cmocka_unit_test(test_enterprise_numbers_of_others_are_refused),
		cmocka_unit_test(
			test_enterprise_number_is_warned_about_where_its_elements_are_exported),
		cmocka_unit_test(test_mtu_too_small_for_the_templates_is_refused),
		cmocka_unit_test(test_domain_beyond_16_bits_is_warned_about_with_netflow5),
		cmocka_unit_test(test_fields_in_use_are_those_of_any_sink),
		cmocka_unit_test(test_bad_collector_address_is_refused),
		cmocka_unit_test(test_address_is_split_into_host_and_port),
		cmocka_unit_test(test_all_errors_between_keys_are_reported),
	};

	return cmocka_run_group_tests(tests, NULL, forget_printed);
}
