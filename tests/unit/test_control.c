/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket with real connections, server and clients in one loop.
 * Time-outs are scripted: the tick is called with a later time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe/control.h"

#define REPLY_OCTETS (CONTROL_REPLY_OCTETS + 65536)

/* Stands for the probe behind the socket. */
struct probe {
	struct loop loop;
	struct control control;
	struct control_ops ops;
	uint32_t n_flows;
	bool is_slow; /* keeps the ledger's answer until give_ledger() */
	int n_ledgers;
	control_ledger_fn done;
	void *done_ctx;
	int status_err;
};

struct client {
	struct loop *loop;
	struct loop_watch watch;
	char *reply; /* [REPLY_OCTETS + 1] */
	size_t n;
};

static char folder[] = "/tmp/xflow-test-control-XXXXXX";
static char path[128];

static int give_status(void *arg, json_t *into)
{
	struct probe *p = arg;

	json_object_set_new(into, "flows", json_integer(p->n_flows));
	return p->status_err;
}

static void give_ledger(struct probe *p)
{
	const struct ledger l = {.exported = {.packets = (uint64_t)p->n_ledgers}};
	control_ledger_fn done = p->done;

	p->done = NULL;
	done(p->done_ctx, &l);
}

static void ask_ledger(void *arg, control_ledger_fn done, void *ctx)
{
	struct probe *p = arg;

	assert_null(p->done);
	p->done = done;
	p->done_ctx = ctx;
	p->n_ledgers++;
	if (!p->is_slow)
		give_ledger(p);
}

/* Flow i: 10.0.0.i -> 10.0.1.(i % 2), port i % 3, i octets, 1 packet. */
static void each_flow(void *arg, record_sink_fn fn, void *fn_arg)
{
	const struct probe *p = arg;

	for (uint32_t i = 1; i <= p->n_flows; i++) {
		const struct flow_record r = {.source4 = 0x0a000000 + i,
					      .destination4 = 0x0a000100 + i % 2,
					      .destination_port = (uint16_t)(i % 3),
					      .protocol = 17,
					      .octets = i,
					      .packets = 1};

		fn(fn_arg, &r);
	}
}

static void on_signal(void *arg, int signo)
{
	(void)arg;
	fail_msg("signal %d", signo);
}

static int set_up(void **state)
{
	struct probe *p = calloc(1, sizeof(*p));

	p->ops = (struct control_ops){p, give_status, ask_ledger, each_flow};
	p->n_flows = 5;
	*state = p;
	alarm(60); /* a loop that is not ended fails */
	return loop_open(&p->loop, on_signal, p) ||
	       control_open(&p->control, &p->loop, path, &p->ops);
}

static int tear_down(void **state)
{
	struct probe *p = *state;

	control_close(&p->control);
	control_close(&p->control);
	loop_close(&p->loop);
	free(p);
	return access(path, F_OK) == 0;
}

static int connect_to(const char *to)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, to);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void read_reply(void *arg, uint64_t now_ns, uint32_t events)
{
	struct client *c = arg;
	ssize_t n = recv(c->watch.fd, c->reply + c->n, REPLY_OCTETS - c->n, MSG_DONTWAIT);

	(void)now_ns;
	(void)events;
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		c->n += (size_t)n;
		return;
	}
	loop_unwatch(c->loop, &c->watch);
	close(c->watch.fd);
	loop_stop(c->loop);
}

static struct client open_client(struct probe *p, const void *request, size_t n)
{
	struct client c = {.loop = &p->loop, .reply = calloc(1, REPLY_OCTETS + 1)};

	c.watch.fd = connect_to(path);
	assert_true(c.watch.fd >= 0);
	assert_int_equal(send(c.watch.fd, request, n, MSG_NOSIGNAL), n);
	return c;
}

/* Run the loop until the server has hung up on the client. */
static void await_reply(struct client *c)
{
	c->watch.fn = read_reply;
	c->watch.arg = c;
	assert_int_equal(loop_watch_fd(c->loop, &c->watch, c->watch.fd, EPOLLIN), 0);
	assert_int_equal(loop_run(c->loop), 0);
}

static char *ask(struct probe *p, const char *request)
{
	struct client c = open_client(p, request, strlen(request));

	await_reply(&c);
	return c.reply;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;

	for (; (text = strchr(text, '\n')); text++)
		n++;
	return n;
}

static void check_reply(struct probe *p, const char *request, const char *expected)
{
	char *reply = ask(p, request);

	if (!strstr(reply, expected))
		fail_msg("'%s' is answered '%s'", request, reply);
	free(reply);
}

static void check_lines(struct probe *p, const char *request, size_t n)
{
	char *reply = ask(p, request);

	assert_int_equal(count_lines(reply), n);
	free(reply);
}

/* Turn the loop until all that is ready has been served. */
static void stop_at_tick(void *arg, uint64_t now_ns)
{
	(void)now_ns;
	loop_stop(arg);
}

static void serve_ready(struct probe *p)
{
	struct loop_timer t = {.fn = stop_at_tick, .arg = &p->loop};

	for (int i = 0; i < 300; i++) {
		assert_int_equal(loop_timer_open(&p->loop, &t), 0);
		loop_timer_set(&t, 0, 0);
		loop_run(&p->loop);
		loop_timer_close(&p->loop, &t);
	}
}

static void test_status_and_ledger_are_answered_by_one_line(void **state)
{
	struct probe *p = *state;

	check_reply(p, "status\n", "{\"type\":\"status\",\"flows\":5}\n");
	check_reply(p, "ledger\n", "{\"type\":\"ledger\",");
	check_lines(p, "ledger\n", 1);
	p->status_err = -EIO;
	check_reply(p, "status\n", "\"error\"");
}

static void test_flows_are_filtered(void **state)
{
	struct probe *p = *state;

	check_lines(p, "flows\n", 5);
	check_lines(p, "flows octets >= 3\n", 3);
	check_lines(p, "flows ipv6\n", 0);
	check_reply(p, "flows octets > 3 octets < 5\n", "\"octetDeltaCount\":4,");
	check_reply(p, "flows hots 10.0.0.1\n", "'hots' is unknown");
}

static void test_top_lists_the_largest_first(void **state)
{
	struct probe *p = *state;
	char *reply = ask(p, "top 2\n");

	assert_int_equal(count_lines(reply), 2);
	assert_non_null(strstr(reply, "\"octetDeltaCount\":5,"));
	assert_true(strstr(reply, "\"octetDeltaCount\":5,") < strstr(reply, "Count\":4,"));
	free(reply);
	/* 10.0.1.1 received flows 1, 3, 5; 10.0.1.0 received 2, 4 */
	check_reply(p, "top hosts 1\n",
		    "{\"type\":\"top-host\",\"address\":\"10.0.1.1\",\"octetDeltaCount\":9,"
		    "\"packetDeltaCount\":3,\"flows\":3}\n");
	/* ports 1: flows 1, 4; 2: flows 2, 5; 0: flow 3 */
	check_reply(p, "top ports 1\n",
		    "{\"type\":\"top-port\",\"protocolIdentifier\":17,"
		    "\"destinationTransportPort\":2,\"octetDeltaCount\":7,"
		    "\"packetDeltaCount\":2,\"flows\":2}\n");
	check_lines(p, "top hosts\n", 7);
	check_lines(p, "top\n", 5);
	check_reply(p, "top foo\n", "allowed");
	check_reply(p, "top hosts 0\n", "allowed");
	check_reply(p, "top hosts 1001\n", "allowed");
}

static void test_top_sums_up_what_finds_no_place(void **state)
{
	struct probe *p = *state;

	p->n_flows = 200000;
	check_reply(p, "top hosts 3\n", "{\"type\":\"truncated\",\"octetDeltaCount\":");
	check_lines(p, "top flows 1000\n", 1000);
}

static void test_long_reply_ends_saying_what_is_missing(void **state)
{
	struct probe *p = *state;
	char *reply, *last;

	p->n_flows = 100000;
	reply = ask(p, "flows\n");
	last = strstr(reply, "{\"type\":\"truncated\"");
	assert_non_null(last);
	assert_non_null(strstr(last, "\"matching\":100000}"));
	assert_true(strlen(reply) < CONTROL_REPLY_OCTETS + 1024);
	free(reply);
}

static void test_line_end_is_forgiving(void **state)
{
	struct probe *p = *state;
	struct client c;

	check_reply(p, "status \r\n", "\"status\"");
	c = open_client(p, "status", 6);
	shutdown(c.watch.fd, SHUT_WR);
	await_reply(&c);
	assert_non_null(strstr(c.reply, "\"type\":\"status\""));
	free(c.reply);
}

static void test_line_may_come_in_pieces(void **state)
{
	struct probe *p = *state;
	struct client c = open_client(p, "sta", 3);

	serve_ready(p);
	assert_int_equal(send(c.watch.fd, "tus\n", 4, 0), 4);
	await_reply(&c);
	assert_non_null(strstr(c.reply, "\"type\":\"status\""));
	free(c.reply);
}

static void test_bad_requests_are_answered_by_an_error(void **state)
{
	struct probe *p = *state;
	char long_line[CONTROL_REQUEST_OCTETS * 2];
	struct client c;

	check_reply(p, "\n", "unknown request");
	check_reply(p, "reboot now\n", "unknown request 'reboot ...'");
	check_reply(p, "status now\n", "unknown request");
	check_reply(p, "stat\xc3us\n", "ASCII");
	c = open_client(p, "status\0\n", 8);
	await_reply(&c);
	assert_non_null(strstr(c.reply, "ASCII"));
	free(c.reply);
	memset(long_line, 'x', sizeof(long_line));
	c = open_client(p, long_line, sizeof(long_line));
	await_reply(&c);
	assert_non_null(strstr(c.reply, "at most 2047 octets"));
	free(c.reply);
	check_reply(p, "status\n", "\"status\"");
}

static void test_client_gone_before_its_ledger_does_no_harm(void **state)
{
	struct probe *p = *state;
	struct client gone, stays;

	p->is_slow = true;
	gone = open_client(p, "ledger\n", 7);
	stays = open_client(p, "ledger\n", 7);
	serve_ready(p);
	assert_int_equal(p->control.n_clients, 2);
	close(gone.watch.fd);
	free(gone.reply);
	serve_ready(p);
	assert_int_equal(p->control.n_clients, 1);
	p->is_slow = false;
	give_ledger(p);
	await_reply(&stays);
	assert_non_null(strstr(stays.reply, "\"type\":\"ledger\""));
	free(stays.reply);
}

static void test_ledger_asked_for_during_a_reading_is_a_later_one(void **state)
{
	struct probe *p = *state;
	struct client first, second;

	p->is_slow = true;
	first = open_client(p, "ledger\n", 7);
	serve_ready(p);
	second = open_client(p, "ledger\n", 7);
	serve_ready(p);
	assert_int_equal(p->n_ledgers, 1);
	give_ledger(p);
	assert_int_equal(p->n_ledgers, 2);
	give_ledger(p);
	await_reply(&first);
	await_reply(&second);
	assert_non_null(strstr(first.reply, "\"exported_packets\":1,"));
	assert_non_null(strstr(second.reply, "\"exported_packets\":2,"));
	free(first.reply);
	free(second.reply);
}

static void test_ledger_that_comes_after_the_close_does_no_harm(void **state)
{
	struct probe *p = *state;
	struct client c;

	p->is_slow = true;
	c = open_client(p, "ledger\n", 7);
	serve_ready(p);
	control_close(&p->control);
	give_ledger(p);
	assert_int_equal(recv(c.watch.fd, c.reply, 1, 0), 0);
	close(c.watch.fd);
	free(c.reply);
}

static void test_slow_reader_does_not_hold_up_others_and_is_dropped(void **state)
{
	struct probe *p = *state;
	struct client slow;

	p->n_flows = 20000;
	slow = open_client(p, "flows\n", 6);
	serve_ready(p);
	assert_int_equal(p->control.n_clients, 1);
	check_reply(p, "status\n", "\"status\"");
	p->control.timer.fn(p->control.timer.arg, p->loop.now_ns + CONTROL_TIMEOUT_NS / 2);
	assert_int_equal(p->control.n_clients, 1);
	p->control.timer.fn(p->control.timer.arg, p->loop.now_ns + CONTROL_TIMEOUT_NS + 1);
	assert_int_equal(p->control.n_clients, 0);
	close(slow.watch.fd);
	free(slow.reply);
}

static void test_silent_client_is_dropped(void **state)
{
	struct probe *p = *state;
	struct client silent = open_client(p, "sta", 3);

	serve_ready(p);
	p->control.timer.fn(p->control.timer.arg, p->loop.now_ns + CONTROL_TIMEOUT_NS + 1);
	assert_int_equal(p->control.n_clients, 0);
	close(silent.watch.fd);
	free(silent.reply);
}

static void test_one_client_too_many_is_told_so(void **state)
{
	struct probe *p = *state;
	int fds[100];
	char reply[128];
	size_t n_refused = 0;

	for (int i = 0; i < 100; i++) {
		fds[i] = connect_to(path);
		assert_true(fds[i] >= 0);
		serve_ready(p);
	}
	assert_int_equal(p->control.n_clients, CONTROL_MAX_CLIENTS);
	for (int i = 0; i < 100; i++) {
		if (recv(fds[i], reply, sizeof(reply), MSG_DONTWAIT) > 0)
			n_refused++;
		close(fds[i]);
	}
	assert_int_equal(n_refused, 100 - CONTROL_MAX_CLIENTS);
	serve_ready(p);
	assert_int_equal(p->control.n_clients, 0);
	check_reply(p, "status\n", "\"status\"");
}

static void test_socket_has_mode_0660(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void test_socket_in_use_is_left_alone(void **state)
{
	struct probe *p = *state;
	struct control other = {0};

	assert_int_equal(control_open(&other, &p->loop, path, &p->ops), -EADDRINUSE);
	check_reply(p, "status\n", "\"status\"");
}

static void test_stale_socket_is_replaced_but_no_other_file(void **state)
{
	struct probe *p = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	control_close(&p->control);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_open(&p->control, &p->loop, path, &p->ops), 0);
	check_reply(p, "status\n", "\"status\"");
	control_close(&p->control);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(control_open(&p->control, &p->loop, path, &p->ops), -EEXIST);
	assert_int_equal(unlink(path), 0);
}

static void test_missing_folder_is_made_and_removed(void **state)
{
	struct probe *p = *state;
	struct control other = {0};
	char inner[192], socket_path[224];

	snprintf(inner, sizeof(inner), "%s/run", folder);
	snprintf(socket_path, sizeof(socket_path), "%s/control.sock", inner);
	assert_int_equal(control_open(&other, &p->loop, socket_path, &p->ops), 0);
	assert_int_equal(access(socket_path, F_OK), 0);
	control_close(&other);
	assert_int_equal(access(inner, F_OK), -1);
}

static void test_path_longer_than_an_address_is_refused(void **state)
{
	struct probe *p = *state;
	struct control other = {0};
	char long_path[200];

	snprintf(long_path, sizeof(long_path), "%s/%0120d", folder, 0);
	assert_int_equal(control_open(&other, &p->loop, long_path, &p->ops), -ENAMETOOLONG);
}

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_status_and_ledger_are_answered_by_one_line),
		TEST(test_flows_are_filtered),
		TEST(test_top_lists_the_largest_first),
		TEST(test_top_sums_up_what_finds_no_place),
		TEST(test_long_reply_ends_saying_what_is_missing),
		TEST(test_line_end_is_forgiving),
		TEST(test_line_may_come_in_pieces),
		TEST(test_bad_requests_are_answered_by_an_error),
		TEST(test_client_gone_before_its_ledger_does_no_harm),
		TEST(test_ledger_asked_for_during_a_reading_is_a_later_one),
		TEST(test_ledger_that_comes_after_the_close_does_no_harm),
		TEST(test_slow_reader_does_not_hold_up_others_and_is_dropped),
		TEST(test_silent_client_is_dropped),
		TEST(test_one_client_too_many_is_told_so),
		TEST(test_socket_has_mode_0660),
		TEST(test_socket_in_use_is_left_alone),
		TEST(test_stale_socket_is_replaced_but_no_other_file),
		TEST(test_missing_folder_is_made_and_removed),
		TEST(test_path_longer_than_an_address_is_refused),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
