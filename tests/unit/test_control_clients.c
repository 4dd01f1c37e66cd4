/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Clients of the control socket that leave, dawdle or are too many, and the
 * socket's file. Time-outs are scripted: the tick is called with a later time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/control_fixture.h"

static void test_client_gone_before_its_ledger_does_no_harm(void **state)
{
	struct control_fixture *f = *state;
	struct client gone, stays;

	f->is_slow = true;
	gone = client_open(f, "ledger\n", 7);
	stays = client_open(f, "ledger\n", 7);
	control_fixture_serve(f);
	assert_int_equal(f->control.n_clients, 2);
	close(gone.watch.fd);
	free(gone.reply);
	control_fixture_serve(f);
	assert_int_equal(f->control.n_clients, 1);
	f->is_slow = false;
	control_fixture_give_ledger(f);
	client_await(&stays);
	assert_non_null(strstr(stays.reply, "\"type\":\"ledger\""));
	free(stays.reply);
}

static void test_ledger_asked_for_during_a_reading_is_a_later_one(void **state)
{
	struct control_fixture *f = *state;
	struct client first, second;

	f->is_slow = true;
	first = client_open(f, "ledger\n", 7);
	control_fixture_serve(f);
	second = client_open(f, "ledger\n", 7);
	control_fixture_serve(f);
	assert_int_equal(f->n_ledgers, 1);
	control_fixture_give_ledger(f);
	assert_int_equal(f->n_ledgers, 2);
	control_fixture_give_ledger(f);
	client_await(&first);
	client_await(&second);
	assert_non_null(strstr(first.reply, "\"exported_packets\":1,"));
	assert_non_null(strstr(second.reply, "\"exported_packets\":2,"));
	free(first.reply);
	free(second.reply);
}

static void test_ledger_that_comes_after_the_close_does_no_harm(void **state)
{
	struct control_fixture *f = *state;
	struct client c;

	f->is_slow = true;
	c = client_open(f, "ledger\n", 7);
	control_fixture_serve(f);
	control_close(&f->control);
	control_fixture_give_ledger(f);
	assert_int_equal(recv(c.watch.fd, c.reply, 1, 0), 0);
	close(c.watch.fd);
	free(c.reply);
}

static void test_slow_reader_does_not_hold_up_others_and_is_dropped(void **state)
{
	struct control_fixture *f = *state;
	struct client slow;

	f->n_flows = 20000;
	slow = client_open(f, "flows\n", 6);
	control_fixture_serve(f);
	assert_int_equal(f->control.n_clients, 1);
	check_reply(f, "status\n", "\"status\"");
	f->control.timer.fn(f->control.timer.arg, f->loop.now_ns + CONTROL_TIMEOUT_NS / 2);
	assert_int_equal(f->control.n_clients, 1);
	f->control.timer.fn(f->control.timer.arg, f->loop.now_ns + CONTROL_TIMEOUT_NS + 1);
	assert_int_equal(f->control.n_clients, 0);
	close(slow.watch.fd);
	free(slow.reply);
}

static void test_silent_client_is_dropped(void **state)
{
	struct control_fixture *f = *state;
	struct client silent = client_open(f, "sta", 3);

	control_fixture_serve(f);
	f->control.timer.fn(f->control.timer.arg, f->loop.now_ns + CONTROL_TIMEOUT_NS + 1);
	assert_int_equal(f->control.n_clients, 0);
	close(silent.watch.fd);
	free(silent.reply);
}

static void test_one_client_too_many_is_told_so(void **state)
{
	struct control_fixture *f = *state;
	int fds[100];
	char reply[128];
	size_t n_refused = 0;

	for (int i = 0; i < 100; i++) {
		fds[i] = client_connect(f);
		control_fixture_serve(f);
	}
	assert_int_equal(f->control.n_clients, CONTROL_MAX_CLIENTS);
	for (int i = 0; i < 100; i++) {
		if (recv(fds[i], reply, sizeof(reply), MSG_DONTWAIT) > 0)
			n_refused++;
		close(fds[i]);
	}
	assert_int_equal(n_refused, 100 - CONTROL_MAX_CLIENTS);
	control_fixture_serve(f);
	assert_int_equal(f->control.n_clients, 0);
	check_reply(f, "status\n", "\"status\"");
}

static void test_socket_has_mode_0660(void **state)
{
	const struct control_fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
}

static void test_socket_in_use_is_left_alone(void **state)
{
	struct control_fixture *f = *state;
	struct control other = {0};

	assert_int_equal(control_open(&other, &f->loop, f->path, &f->ops), -EADDRINUSE);
	check_reply(f, "status\n", "\"status\"");
}

static void test_stale_socket_is_replaced_but_no_other_file(void **state)
{
	struct control_fixture *f = *state;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	control_close(&f->control);
	strcpy(address.sun_path, f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	assert_int_equal(control_open(&f->control, &f->loop, f->path, &f->ops), 0);
	check_reply(f, "status\n", "\"status\"");
	control_close(&f->control);
	close(open(f->path, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(control_open(&f->control, &f->loop, f->path, &f->ops), -EEXIST);
	assert_int_equal(unlink(f->path), 0);
}

static void test_missing_folder_is_made_and_removed(void **state)
{
	struct control_fixture *f = *state;
	struct control other = {0};
	char inner[192], socket_path[224];

	snprintf(inner, sizeof(inner), "%s/run", f->folder);
	snprintf(socket_path, sizeof(socket_path), "%s/control.sock", inner);
	assert_int_equal(control_open(&other, &f->loop, socket_path, &f->ops), 0);
	assert_int_equal(access(socket_path, F_OK), 0);
	control_close(&other);
	assert_int_equal(access(inner, F_OK), -1);
}

static void test_path_longer_than_an_address_is_refused(void **state)
{
	struct control_fixture *f = *state;
	struct control other = {0};
	char long_path[200];

	snprintf(long_path, sizeof(long_path), "%s/%0120d", f->folder, 0);
	assert_int_equal(control_open(&other, &f->loop, long_path, &f->ops), -ENAMETOOLONG);
}

#define TEST(name)                                                                                 \
	cmocka_unit_test_setup_teardown(name, control_fixture_open, control_fixture_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
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

	return cmocka_run_group_tests(tests, NULL, NULL);
}
