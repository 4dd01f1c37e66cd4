/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests over the control socket and what is answered, over real connections,
 * server and clients in one loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "tests/lib/control_fixture.h"

static void test_status_and_ledger_are_answered_by_one_line(void **state)
{
	struct control_fixture *f = *state;

	check_reply(f, "status\n", "{\"type\":\"status\",\"flows\":5}\n");
	check_reply(f, "ledger\n", "{\"type\":\"ledger\",");
	check_lines(f, "ledger\n", 1);
	f->status_err = -EIO;
	check_reply(f, "status\n", "\"error\"");
}

static void test_templates_are_listed_and_sent_when_asked_to(void **state)
{
	struct control_fixture *f = *state;

	check_lines(f, "templates\n", 2);
	assert_int_equal(f->n_sends, 0);
	check_reply(f, "templates send\n",
		    "{\"type\":\"templates\",\"template_ids\":[256,257],\"sent_again\":true}\n");
	assert_int_equal(f->n_sends, 1);
	check_reply(f, "templates sned\n", "'sned' is not understood (allowed: send)");
	assert_int_equal(f->n_sends, 1);
}

static void test_protocols_are_listed_all_or_one(void **state)
{
	struct control_fixture *f = *state;

	check_lines(f, "protocols\n", 2);
	check_reply(f, "protocols udp\n", "{\"type\":\"protocol\",\"number\":17,\"off\":false}\n");
	check_reply(f, "protocols  200 \n",
		    "{\"type\":\"protocol\",\"number\":200,\"off\":false}\n");
	check_reply(f, "protocols 256\n", "'256' is no IP protocol that is known here");
	check_reply(f, "protocols upd\n", "'upd' is no IP protocol that is known here");
}

static void test_protocol_is_switched_and_told_of(void **state)
{
	struct control_fixture *f = *state;

	check_reply(f, "protocols udp off\n", "flow_cache.protocols is `fixed`");
	assert_false(f->is_off[17]);
	f->has_switches = true;
	check_reply(f, "protocols udp off\n",
		    "{\"type\":\"protocol\",\"number\":17,\"off\":true}\n");
	check_reply(f, "protocols 17 on\n",
		    "{\"type\":\"protocol\",\"number\":17,\"off\":false}\n");
	check_reply(f, "protocols udp of\n", "'of' is not understood (allowed: on, off)");
	check_reply(f, "protocols udp off now\n", "'off now' is not understood");
	check_reply(f, "protocols off\n", "'off' is no IP protocol that is known here");
	assert_false(f->is_off[17]);
}

static void test_reload_is_answered_by_what_was_done_or_every_error(void **state)
{
	struct control_fixture *f = *state;

	check_reply(f, "reload\n", "{\"type\":\"reload\",\"kept\":[\"local\"]}\n");
	check_lines(f, "reload\n", 1);
	f->reload_err = -EINVAL;
	check_lines(f, "reload\n", 2);
	check_reply(f, "reload\n", "{\"type\":\"error\",\"error\":\"a.yaml:1:2\"}\n");
	assert_int_equal(f->n_reloads, 4);
	check_reply(f, "reload now\n", "unknown request 'reload ...'");
	assert_int_equal(f->n_reloads, 4);
}

static void test_flows_are_filtered(void **state)
{
	struct control_fixture *f = *state;

	check_lines(f, "flows\n", 5);
	check_lines(f, "flows octets >= 3\n", 3);
	check_lines(f, "flows ipv6\n", 0);
	check_lines(f, "flows state closed\n", 2);
	check_lines(f, "flows not state closed octets >= 3\n", 2);
	check_reply(f, "flows octets > 3 octets < 5\n", "\"octetDeltaCount\":4,");
	check_reply(f, "flows hots 10.0.0.1\n", "'hots' is unknown");
}

static void test_top_lists_the_largest_first(void **state)
{
	struct control_fixture *f = *state;
	char *reply = ask(f, "top 2\n");

	assert_int_equal(count_lines(reply), 2);
	assert_non_null(strstr(reply, "\"octetDeltaCount\":5,"));
	assert_true(strstr(reply, "\"octetDeltaCount\":5,") < strstr(reply, "Count\":4,"));
	free(reply);
	/* 10.0.1.1 received flows 1, 3, 5; 10.0.1.0 received 2, 4 */
	check_reply(f, "top hosts 1\n",
		    "{\"type\":\"top-host\",\"address\":\"10.0.1.1\",\"octetDeltaCount\":9,"
		    "\"packetDeltaCount\":3,\"flows\":3}\n");
	/* ports 1: flows 1, 4; 2: flows 2, 5; 0: flow 3 */
	check_reply(f, "top ports 1\n",
		    "{\"type\":\"top-port\",\"protocolIdentifier\":17,"
		    "\"destinationTransportPort\":2,\"octetDeltaCount\":7,"
		    "\"packetDeltaCount\":2,\"flows\":2}\n");
	check_lines(f, "top hosts\n", 7);
	check_lines(f, "top\n", 5);
	check_reply(f, "top foo\n", "allowed");
	check_reply(f, "top hosts 0\n", "allowed");
	check_reply(f, "top hosts 1001\n", "allowed");
}

static void test_top_sums_up_what_finds_no_place(void **state)
{
	struct control_fixture *f = *state;

	f->n_flows = 200000;
	check_reply(f, "top hosts 3\n", "{\"type\":\"truncated\",\"octetDeltaCount\":");
	check_lines(f, "top flows 1000\n", 1000);
}

static void test_long_reply_ends_saying_what_is_missing(void **state)
{
	struct control_fixture *f = *state;
	char *reply, *last;

	f->n_flows = 100000;
	reply = ask(f, "flows\n");
	last = strstr(reply, "{\"type\":\"truncated\"");
	assert_non_null(last);
	assert_non_null(strstr(last, "\"matching\":100000}"));
	assert_true(strlen(reply) < CONTROL_REPLY_OCTETS + 1024);
	free(reply);
}

static void test_events_are_listed_and_explained(void **state)
{
	struct control_fixture *f = *state;

	f->detects = true;
	check_reply(f, "events\n", "{\"type\":\"event\",\"eventId\":7,");
	check_lines(f, "events\n", 1);
	check_reply(f, "explain 7\n",
		    "{\"type\":\"explanation\",\"eventId\":7,\"seen\":\"it scans\",\"why\":\"20 is "
		    "not below the threshold, 15 of anomaly.scan.contacts, within 300 s\","
		    "\"silence\":\"anomaly.scan.contacts above 20, or 10.0.0.1 in "
		    "anomaly.allow\",\"event\":{\"type\":\"event\",\"eventId\":7,");
	check_reply(f, "explain 7\n", "\"flowIds\":[]}}\n");
	check_reply(f, "explain 8\n", "no event 8 is known");
	check_reply(f, "explain seven\n", "not an eventId");
	check_reply(f, "explain 7 8\n", "not an eventId");
}

static void test_events_that_nobody_looks_for_are_an_error_with_its_fix(void **state)
{
	check_reply(*state, "events\n", "set anomaly.enabled");
	check_reply(*state, "explain 7\n", "set anomaly.enabled");
}

static void test_line_end_is_forgiving(void **state)
{
	struct control_fixture *f = *state;
	struct client c;

	check_reply(f, "status \r\n", "\"status\"");
	c = client_open(f, "status", 6);
	shutdown(c.watch.fd, SHUT_WR);
	client_await(&c);
	assert_non_null(strstr(c.reply, "\"type\":\"status\""));
	free(c.reply);
}

static void test_line_may_come_in_pieces(void **state)
{
	struct control_fixture *f = *state;
	struct client c = client_open(f, "sta", 3);

	control_fixture_serve(f);
	assert_int_equal(send(c.watch.fd, "tus\n", 4, 0), 4);
	client_await(&c);
	assert_non_null(strstr(c.reply, "\"type\":\"status\""));
	free(c.reply);
}

static void test_bad_requests_are_answered_by_an_error(void **state)
{
	struct control_fixture *f = *state;
	char long_line[CONTROL_REQUEST_OCTETS * 2];
	struct client c;

	check_reply(f, "\n", "unknown request");
	check_reply(f, "reboot now\n", "unknown request 'reboot ...'");
	check_reply(f, "status now\n", "unknown request");
	check_reply(f, "stat\xc3us\n", "ASCII");
	c = client_open(f, "status\0\n", 8);
	client_await(&c);
	assert_non_null(strstr(c.reply, "ASCII"));
	free(c.reply);
	memset(long_line, 'x', sizeof(long_line));
	c = client_open(f, long_line, sizeof(long_line));
	client_await(&c);
	assert_non_null(strstr(c.reply, "at most 2047 octets"));
	free(c.reply);
	check_reply(f, "status\n", "\"status\"");
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, control_fixture_open, control_fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_status_and_ledger_are_answered_by_one_line),
		TEST(test_templates_are_listed_and_sent_when_asked_to),
		TEST(test_protocols_are_listed_all_or_one),
		TEST(test_protocol_is_switched_and_told_of),
		TEST(test_reload_is_answered_by_what_was_done_or_every_error),
		TEST(test_flows_are_filtered),
		TEST(test_top_lists_the_largest_first),
		TEST(test_top_sums_up_what_finds_no_place),
		TEST(test_long_reply_ends_saying_what_is_missing),
		TEST(test_events_are_listed_and_explained),
		TEST(test_events_that_nobody_looks_for_are_an_error_with_its_fix),
		TEST(test_line_end_is_forgiving),
		TEST(test_line_may_come_in_pieces),
		TEST(test_bad_requests_are_answered_by_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
