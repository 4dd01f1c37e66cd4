/* SPDX-License-Identifier: BSD-2-Clause */
/* What a Collector of NetFlow v9 is told of the probe (RFC 3954 6). Time is scripted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "probe/exporter_netflow9_options.h"
#include "probe/exporter_private.h"
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/netflow_fixture.h"

enum { STATISTICS = 320, INTERFACE = 325 };
enum { TOTAL_BYTES_EXP = 40, TOTAL_PKTS_EXP = 41, TOTAL_FLOWS_EXP = 42 };
enum { INPUT_SNMP = 10, IF_NAME = 82, IF_DESC = 83 };

static int n_interfaces;

static int two_interfaces(struct interface_name *names, size_t max)
{
	assert_true(max >= 2);
	names[0] = (struct interface_name){1, "lo", ""};
	names[1] = (struct interface_name){70000, "fifteen-octets1", "uplink"};
	return 2;
}

static int many_interfaces(struct interface_name *names, size_t max)
{
	assert_true(max >= (size_t)n_interfaces);
	for (int i = 0; i < n_interfaces; i++) {
		names[i] = (struct interface_name){.index = (uint32_t)i + 1};
		snprintf(names[i].name, sizeof(names[i].name), "eth%d", i);
	}
	return n_interfaces;
}

static const struct options_facts facts = {.read_interfaces = two_interfaces};

static int setup(void **state)
{
	(void)state;
	assert_int_equal(netflow_open(EXPORT_NETFLOW9, 77, GROUP_BASE), 0);
	exporter_set_facts(netflow.e, &facts);
	return 0;
}

/* So many records, of n-th seconds on, each second as the sweep and the loop do. */
static void run_seconds(uint32_t seconds, uint32_t n_records)
{
	for (uint32_t s = 0; s <= seconds; s++) {
		uint64_t now_ns = NETFLOW_T0 + s * NETFLOW_S;

		for (uint32_t i = 0; s == 0 && i < n_records; i++) {
			struct flow_record r = netflow_sample(i);

			exporter_record(netflow.e, &r);
		}
		exporter_flush(netflow.e, now_ns, NETFLOW_S);
		for (int i = 0; i < 20; i++) {
			exporter_run(netflow.e, now_ns + i * NETFLOW_S / 20, NETFLOW_TIME + s);
			netflow_read_socket(netflow.fd, &netflow.w);
		}
	}
}

static void test_templates_are_as_rfc_3954_has_them(void **state)
{
	/* RFC 3954 6.1: the scope's length and the options', in octets; one scope of 4 octets. */
	static const uint8_t expected[] = {
		0,  1, 0, 28, 0x01, 0x40, 0, 4, 0, 12, 0, 1,  0,  4,  0,  42, 0, 8, 0,
		41, 0, 8, 0,  40,   0,	  8, 0, 0, 0,  1, 0,  28, 1,  69, 0,  4, 0, 12,
		0,  1, 0, 4,  0,    10,	  0, 4, 0, 82, 0, 16, 0,  83, 0,  64, 0, 0,
	};
	static struct options_batch b;
	const struct options_state options = {.domain_id = 77};

	(void)state;
	netflow9_encode_options(&b, &options, OPTIONS_TEMPLATES);
	assert_int_equal(b.n_messages, 1);
	assert_int_equal(b.messages[0].octets, 20 + sizeof(expected));
	assert_int_equal(b.data[3], 2); /* records */
	assert_memory_equal(b.data + 20, expected, sizeof(expected));
}

static void test_statistics_tell_what_was_exported_before(void **state)
{
	const struct exporter_stats *s = exporter_stats(netflow.e);

	(void)state;
	run_seconds(2, 500);
	uint64_t messages = s->messages, octets = s->message_octets;

	assert_int_equal(netflow.w.data.records, 500);
	exporter_drain(netflow.e, NETFLOW_T0 + 3 * NETFLOW_S, NETFLOW_TIME + 3, 0);
	netflow_read_socket(netflow.fd, &netflow.w);
	const struct netflow_options *o = netflow_options_of(&netflow.w, STATISTICS);

	assert_int_equal(o->n_records, 2); /* with the Templates, and at the end */
	assert_int_equal(o->n_scopes, 1);
	assert_int_equal(o->type[0], 1); /* System */
	assert_int_equal(o->record[3], 77);
	assert_int_equal(netflow_option(o, TOTAL_FLOWS_EXP), 500);
	assert_int_equal(netflow_option(o, TOTAL_PKTS_EXP), messages);
	assert_int_equal(netflow_option(o, TOTAL_BYTES_EXP), octets);
	assert_int_equal(s->messages, messages + 1);
}

static void test_interfaces_have_names_and_descriptions(void **state)
{
	(void)state;
	run_seconds(1, 0);
	const struct netflow_options *o = netflow_options_of(&netflow.w, INTERFACE);
	const char *name = (const char *)o->record + 8;

	assert_int_equal(o->n_records, 2);
	assert_int_equal(netflow_option(o, INPUT_SNMP), 70000);
	assert_string_equal(name, "fifteen-octets1");
	assert_string_equal(name + 16, "uplink");
	/* fixed lengths: nothing of the longer name may be left behind the shorter one */
	assert_int_equal(o->record_octets, 4 + 4 + 16 + 64);
}

static void test_they_come_with_the_templates_and_are_numbered_as_packets(void **state)
{
	(void)state;
	run_seconds(130, 1000); /* Templates at 0, 4, 8, 68, 128 */
	assert_int_equal(netflow.w.template_messages, 5);
	assert_int_equal(netflow.w.options_templates, 5 * 2);
	assert_int_equal(netflow_options_of(&netflow.w, STATISTICS)->n_records, 5);
	assert_int_equal(netflow_options_of(&netflow.w, INTERFACE)->n_records, 5 * 2);
	assert_int_equal(netflow.w.data.records, 1000);
	assert_int_equal(netflow.w.gap, 0);
	assert_int_equal(netflow.w.uptime_steps_back, 0);
	assert_int_equal(netflow.w.next_sequence, exporter_stats(netflow.e)->sequence);
	check_balance(netflow.e);
}

static void test_many_interfaces_fit_the_smallest_path(void **state)
{
	static struct options_batch b;
	static struct interface_name names[OPTIONS_MAX_INTERFACES];
	const struct options_state options = {
		.domain_id = 77, .interfaces = names, .n_interfaces = OPTIONS_MAX_INTERFACES};
	static struct netflow_wire w;

	(void)state;
	n_interfaces = OPTIONS_MAX_INTERFACES;
	many_interfaces(names, OPTIONS_MAX_INTERFACES);
	netflow9_encode_options(&b, &options, OPTIONS_TEMPLATES | OPTIONS_NAMES | OPTIONS_COUNTS);
	for (size_t i = 0; i < b.n_messages; i++) {
		assert_true(b.messages[i].octets <= 512 - 48);
		w.next_sequence = 0; /* is stamped later */
		netflow9_read(&w, b.data + b.messages[i].offset, b.messages[i].octets);
	}
	assert_int_equal(netflow_options_of(&w, INTERFACE)->n_records, OPTIONS_MAX_INTERFACES);
	assert_int_equal(netflow_options_of(&w, STATISTICS)->n_records, 1);
}

static void test_nothing_is_told_when_nothing_is_wanted(void **state)
{
	struct exporter_config cfg = netflow.e->cfg;

	(void)state;
	exporter_close(netflow.e);
	cfg.options = EXPORTER_OPTIONS_NONE;
	assert_int_equal(exporter_open(&netflow.e, &cfg, 77, 32473, true), 0);
	exporter_set_facts(netflow.e, &facts);
	run_seconds(70, 100);
	assert_int_equal(netflow.w.options_templates, 0);
	assert_int_equal(netflow.w.data.records, 100);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, netflow_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_templates_are_as_rfc_3954_has_them),
		TEST(test_statistics_tell_what_was_exported_before),
		TEST(test_interfaces_have_names_and_descriptions),
		TEST(test_they_come_with_the_templates_and_are_numbered_as_packets),
		cmocka_unit_test(test_many_interfaces_fit_the_smallest_path),
		TEST(test_nothing_is_told_when_nothing_is_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
