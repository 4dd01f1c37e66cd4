/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of xflowctl: whole lines against what the JSON line said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "probe/protocol.h"
#include "probe/xflowctl_table.h"

static char *print_lines(const char *const *lines, size_t n)
{
	struct table table = {0};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < n; i++) {
		json_t *line = json_loads(lines[i], 0, NULL);

		assert_non_null(line);
		table_print(&table, line, out);
		json_decref(line);
	}
	fclose(out);
	return text;
}

static void check_text(const char *line, const char *expected)
{
	char *text = print_lines(&line, 1);

	if (!strstr(text, expected))
		fail_msg("'%s' is not in:\n%s", expected, text);
	free(text);
}

static void test_flow_is_one_row(void **state)
{
	(void)state;
	check_text("{\"type\":\"flow\",\"flowStartMilliseconds\":\"2026-01-02T03:04:05.678Z\","
		   "\"sourceIPv4Address\":\"10.0.0.1\",\"destinationIPv4Address\":\"192.0.2.1\","
		   "\"sourceTransportPort\":4000,\"destinationTransportPort\":443,"
		   "\"protocolIdentifier\":6,\"octetDeltaCount\":1500,\"packetDeltaCount\":3,"
		   "\"connectionState\":\"never-answered\"}",
		   "\n2026-01-02T03:04:05.678Z  tcp     10.0.0.1:4000           192.0.2.1:443"
		   "                 3      1.50 k  never-answered\n");
}

static void test_ipv6_ports_stand_behind_brackets(void **state)
{
	(void)state;
	check_text("{\"type\":\"flow\",\"sourceIPv6Address\":\"2001:db8::1\","
		   "\"destinationIPv6Address\":\"2001:db8::2\",\"sourceTransportPort\":53,"
		   "\"destinationTransportPort\":5353,\"protocolIdentifier\":17}",
		   " udp     [2001:db8::1]:53        [2001:db8::2]:5353 ");
}

static void test_record_without_ports_or_protocol_name_shows_neither(void **state)
{
	(void)state;
	check_text("{\"type\":\"flow\",\"sourceIPv4Address\":\"10.0.0.1\","
		   "\"destinationIPv4Address\":\"10.0.0.2\",\"protocolIdentifier\":253}",
		   " 253     10.0.0.1                10.0.0.2 ");
}

static void test_counts_have_three_digits_and_a_unit(void **state)
{
	static const struct {
		long long count;
		const char *text;
	} cases[] = {
		{0, " 0  \n"},
		{999, " 999  \n"},
		{1000, " 1.00 k\n"},
		{9994, " 9.99 k\n"},
		{9995, " 10.0 k\n"},
		{99949, " 99.9 k\n"},
		{99950, " 100 k\n"},
		{999499, " 999 k\n"},
		{999500, " 1.00 M\n"},
		{1000000000, " 1.00 G\n"},
		{INT64_MAX, " 9.22 E\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char line[128];

		snprintf(line, sizeof(line),
			 "{\"type\":\"top-host\",\"address\":\"::1\",\"octetDeltaCount\":%lld}",
			 cases[i].count);
		check_text(line, cases[i].text);
	}
}

static void test_heading_is_printed_once_above_equal_rows(void **state)
{
	static const char *const lines[] = {
		"{\"type\":\"top-host\",\"address\":\"10.0.0.1\",\"flows\":1}",
		"{\"type\":\"top-host\",\"address\":\"10.0.0.2\",\"flows\":2}",
		"{\"type\":\"top-port\",\"protocolIdentifier\":17,"
		"\"destinationTransportPort\":53,\"flows\":3}",
	};
	char *text = print_lines(lines, 3);
	const char *first = strstr(text, "ADDRESS");

	(void)state;
	assert_non_null(first);
	assert_null(strstr(first + 1, "ADDRESS"));
	assert_non_null(strstr(text, "\nudp        53         3 "));
	free(text);
}

static void test_ledger_has_a_row_for_every_account(void **state)
{
	static const char line[] =
		"{\"type\":\"ledger\",\"seen_packets\":100,\"seen_octets\":9000,"
		"\"accounted_packets\":93,\"accounted_octets\":8000,\"accounted_ip_octets\":7000,"
		"\"reasons\":{\"not_ip\":7},\"reason_octets\":{\"not_ip\":1000},"
		"\"notices\":{\"tiny_fragment\":3},"
		"\"exported_packets\":90,\"exported_octets\":6900,\"exported_flows\":12,"
		"\"balanced\":false,\"exporters\":[{\"name\":\"local\",\"accepted_records\":12,"
		"\"accepted_packets\":90,\"accepted_octets\":6900,\"messages\":2,"
		"\"accepted_events\":7,\"sent_events\":4,\"spooled_events\":2}]}";

	(void)state;
	check_text(line, "seen                                      100                 9000  of "
			 "frames\n");
	check_text(line, "  not_ip                                    7                 1000\n");
	check_text(line, "\nNOTICE                                PACKETS\n"
			 "tiny_fragment                               3\n");
	check_text(line, "                                           93                 7000  of "
			 "IP\n");
	check_text(line, "  exported                                 90                 6900  12 "
			 "Flow Records\n");
	check_text(line, "  accepted                                 90                 6900  "
			 "12\n");
	check_text(line, "  2 IPFIX Messages");
	check_text(line, "  7 events: 4 sent, 0 queued, 2 spooled, 0 moved, 1 not sent\n");
	check_text(line, "balanced: NO\n");
}

static void test_ledger_tells_an_exporter_that_left_from_its_namesake(void **state)
{
	(void)state;
	check_text(
		"{\"type\":\"ledger\",\"exporters\":[{\"name\":\"local\",\"removed\":true}]}",
		"\nlocal (removed)                       PACKETS               OCTETS  RECORDS\n");
}

static void test_other_objects_are_names_and_values(void **state)
{
	(void)state;
	check_text("{\"type\":\"status\",\"version\":\"0.1\",\"cache\":{\"flows\":7,\"load\":0.5},"
		   "\"interfaces\":[{\"name\":\"eth0\"}]}",
		   "version                  0.1\ncache\n  flows                  7\n"
		   "  load                   0.5\ninterfaces\n  name                   eth0\n");
}

static void test_protocols_are_found_by_name_and_number(void **state)
{
	(void)state;
	assert_string_equal(protocol_name(6), "tcp");
	assert_string_equal(protocol_name(58), "icmpv6");
	assert_null(protocol_name(253));
	assert_int_equal(protocol_number("UDP"), 17);
	assert_int_equal(protocol_number("ipv6-icmp"), 58);
	assert_int_equal(protocol_number("255"), 255);
	assert_int_equal(protocol_number("256"), -EINVAL);
	assert_int_equal(protocol_number("6x"), -EINVAL);
	assert_int_equal(protocol_number(""), -EINVAL);
	assert_int_equal(protocol_number("-1"), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flow_is_one_row),
		cmocka_unit_test(test_ipv6_ports_stand_behind_brackets),
		cmocka_unit_test(test_record_without_ports_or_protocol_name_shows_neither),
		cmocka_unit_test(test_counts_have_three_digits_and_a_unit),
		cmocka_unit_test(test_heading_is_printed_once_above_equal_rows),
		cmocka_unit_test(test_ledger_has_a_row_for_every_account),
		cmocka_unit_test(test_ledger_tells_an_exporter_that_left_from_its_namesake),
		cmocka_unit_test(test_other_objects_are_names_and_values),
		cmocka_unit_test(test_protocols_are_found_by_name_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
