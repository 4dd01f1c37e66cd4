/* SPDX-License-Identifier: BSD-2-Clause */
/* Flow Records on a pipe: both forms, and a reader that goes away. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/json.h"
#include "probe/output.h"

static const struct flow_record tcp6 = {
	.start_ms = 1767323045678,
	.end_ms = 1767323105001,
	.octets = 5000,
	.packets = 12,
	.source6 = {0x20, 0x01, 0x0d, 0xb8, [15] = 1},
	.destination6 = {0x20, 0x01, 0x0d, 0xb8, [15] = 2},
	.source_port = 40000,
	.destination_port = 443,
	.tcp_flags = 0x11b,
	.protocol = 6,
	.end_reason = FLOW_END_DETECTED,
	.connection_state = 4,
	.is_ipv6 = 1,
};
static const struct flow_record icmp4 = {
	.start_ms = 1767323045000,
	.end_ms = 1767323045000,
	.octets = 84,
	.packets = 1,
	.source4 = 0xc0000201,
	.destination4 = 0xc6336407,
	.protocol = 1,
	.icmp_type_code = 0x0301,
	.end_reason = FLOW_END_IDLE_TIMEOUT,
};

struct pipe_ends {
	int in;
	int out;
};

static struct pipe_ends make_pipe(void)
{
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	return (struct pipe_ends){fds[0], fds[1]};
}

static const char *read_text(int fd)
{
	static char text[65536];
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert_true(n > 0);
	text[n] = '\0';
	return text;
}

static void test_json_lines_are_those_of_the_formatter(void **state)
{
	struct pipe_ends p = make_pipe();
	struct output_stream o;
	char expected[2 * JSON_FLOW_MAX_OCTETS];

	(void)state;
	assert_int_equal(output_open(&o, p.out, OUTPUT_JSON, GROUP_BASE), 0);
	output_record(&o, &tcp6);
	output_record(&o, &icmp4);
	output_line(&o, "{\"type\":\"ledger\"}\n", 18);
	char *end = json_put_flow(json_put_flow(expected, &tcp6, GROUP_BASE), &icmp4, GROUP_BASE);

	strcpy(end, "{\"type\":\"ledger\"}\n");
	assert_string_equal(read_text(p.in), expected);
	output_close(&o);
	assert_int_equal(o.records_written, 2);
	assert_int_equal(o.records_lost, 0);
	close(p.in);
	close(p.out);
}

static void test_table_has_a_heading_and_aligned_rows(void **state)
{
	struct pipe_ends p = make_pipe();
	struct output_stream o;
	char words[10][64];

	(void)state;
	assert_int_equal(output_open(&o, p.out, OUTPUT_TABLE, GROUP_BASE), 0);
	output_record(&o, &tcp6);
	output_record(&o, &icmp4);
	output_close(&o);
	const char *heading = read_text(p.in);
	const char *row = strchr(heading, '\n') + 1;
	const char *row2 = strchr(row, '\n') + 1;

	assert_int_equal(strncmp(heading, "start ", 6), 0);
	assert_int_equal(sscanf(row, "%63s %63s %63s %63s %63s %63s %63s %63s %63s %63s", words[0],
				words[1], words[2], words[3], words[4], words[5], words[6],
				words[7], words[8], words[9]),
			 10);
	assert_string_equal(words[0], "2026-01-02T03:04:05.678Z");
	assert_string_equal(words[1], "59.323");
	assert_string_equal(words[2], "tcp");
	assert_string_equal(words[3], "[2001:db8::1]:40000");
	assert_string_equal(words[4], "[2001:db8::2]:443");
	assert_string_equal(words[5], "NAPSF");
	assert_string_equal(words[6], "12");
	assert_string_equal(words[7], "5000");
	assert_string_equal(words[8], "end");
	assert_string_equal(words[9], "closed");
	assert_int_equal(sscanf(row2, "%*s %*s %*s %63s %*s %63s", words[0], words[1]), 2);
	assert_string_equal(words[0], "192.0.2.1");
	assert_string_equal(words[1], "3.1");
	/* Columns of heading and rows begin at the same place. */
	assert_int_equal(strstr(heading, "source") - heading, strstr(row, "[2001") - row);
	assert_int_equal(strstr(heading, "source") - heading, strstr(row2, "192.0") - row2);
	assert_int_equal(strstr(heading, "reason") - heading, strstr(row, "end ") - row);
	assert_int_equal(strstr(heading, "state") - heading, strstr(row, "closed\n") - row);
	assert_non_null(strstr(row2, " idle\n"));
	close(p.in);
	close(p.out);
}

static void test_closed_reader_costs_records_not_the_process(void **state)
{
	struct pipe_ends p = make_pipe();
	struct output_stream o;

	(void)state;
	assert_int_equal(output_open(&o, p.out, OUTPUT_JSON, GROUP_BASE), 0);
	output_record(&o, &tcp6);
	output_flush(&o);
	assert_int_equal(o.records_written, 1);
	close(p.in);
	for (int i = 0; i < 3000; i++)
		output_record(&o, &icmp4);
	output_line(&o, "{}\n", 3);
	output_close(&o);
	assert_int_equal(o.records_written, 1);
	assert_int_equal(o.records_lost, 3000);
	close(p.out);
}

static void test_full_disk_is_counted(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct output_stream o;

	(void)state;
	assert_int_equal(output_open(&o, fd, OUTPUT_TABLE, GROUP_BASE), 0);
	output_record(&o, &tcp6);
	output_record(&o, &icmp4);
	output_close(&o);
	assert_int_equal(o.records_written, 0);
	assert_int_equal(o.records_lost, 2);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_lines_are_those_of_the_formatter),
		cmocka_unit_test(test_table_has_a_heading_and_aligned_rows),
		cmocka_unit_test(test_closed_reader_costs_records_not_the_process),
		cmocka_unit_test(test_full_disk_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
