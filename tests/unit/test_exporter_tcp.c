/* SPDX-License-Identifier: BSD-2-Clause */
/* Export over TCP: partial writes, lost connections, and coming back. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_private.h"
#include "tests/lib/exporter_fixture.h"

#define MS   1000000ull
#define S    (1000 * MS)
#define T0   (1000 * S)
#define TIME 1767400000u

#define READ_MAX (8 << 20)

/* What one connection brought. */
struct stream {
	int fd;
	uint8_t *data;
	size_t octets;
};

static int listen_on(uint16_t *port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(*port)};
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int small = 4096;
	int one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)); /* inherited by accept() */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(fd, 4), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static struct stream accept_stream(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};
	struct stream s = {.data = malloc(READ_MAX)};

	assert_int_equal(poll(&p, 1, 5000), 1);
	s.fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	assert_true(s.fd >= 0);
	return s;
}

static void read_some(struct stream *s)
{
	ssize_t n;

	while ((n = recv(s->fd, s->data + s->octets, READ_MAX - s->octets, MSG_DONTWAIT)) > 0)
		s->octets += (size_t)n;
}

/* Reads until this many octets are there. */
static void read_until(struct stream *s, uint64_t octets)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};

	while (s->octets < octets) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		read_some(s);
	}
	assert_int_equal(s->octets, octets);
}

static void close_stream(struct stream *s)
{
	close(s->fd);
	free(s->data);
}

static void record_samples(struct exporter *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct flow_record r = sample_record(i);

		exporter_record(e, &r);
	}
}

/* Run until the connection is there, or refused. */
static void try_to_connect(struct exporter *e, uint64_t now_ns)
{
	exporter_run(e, now_ns, TIME);
	struct pollfd p = {.fd = exporter_fd(e), .events = POLLOUT};

	if (p.fd < 0)
		return;
	assert_int_equal(poll(&p, 1, 5000), 1);
	exporter_run(e, now_ns, TIME);
}

static void connect_exporter(struct exporter *e, uint64_t now_ns)
{
	try_to_connect(e, now_ns);
	assert_int_equal(e->session.state, SESSION_UP);
}

/* The collector closes; returns when the exporter's kernel knows. */
static void close_and_tell(struct stream *s, const struct exporter *e)
{
	struct pollfd p = {.fd = e->session.fd, .events = POLLIN};

	close_stream(s);
	assert_int_equal(poll(&p, 1, 5000), 1);
}

/* Run a second of scripted time, reading as told. */
static uint64_t run_second(struct exporter *e, uint64_t now_ns, struct stream *reader)
{
	uint64_t end_ns = now_ns + S;

	while (now_ns < end_ns) {
		uint64_t next_ns = exporter_run(e, now_ns, TIME);

		if (reader)
			read_some(reader);
		check_balance(e);
		now_ns = next_ns < end_ns ? next_ns : end_ns;
	}
	return now_ns;
}

static void test_stalled_reader_delays_but_loses_nothing(void **state)
{
	struct wire w = {0};
	uint16_t port = 0;
	int listener = listen_on(&port);
	struct exporter *e = open_exporter(TRANSPORT_TCP, AF_INET, port, true);
	const struct exporter_stats *s = exporter_stats(e);

	(void)state;
	connect_exporter(e, T0);
	struct stream reader = accept_stream(listener);

	record_samples(e, 60000); /* 5 MB, more than the kernel takes unread */
	exporter_flush(e, T0, S);
	uint64_t now_ns = run_second(e, T0, NULL);

	assert_true(s->queued.records > 0);
	assert_true(exporter_fd(e) >= 0);
	struct pollfd room = {.fd = e->session.fd, .events = POLLOUT};

	for (int i = 0; i < 2000 && s->queued.records; i++) {
		now_ns = run_second(e, now_ns, &reader);
		poll(&room, 1, 10);
	}
	read_until(&reader, s->message_octets);
	assert_int_equal(s->sent.records, 60000);
	assert_int_equal(wire_read_stream(&w, reader.data, reader.octets), reader.octets);
	assert_memory_equal(&w.data, &s->sent, sizeof(w.data));
	assert_int_equal(w.gaps, 0);
	assert_int_equal(w.template_messages, 1);
	close_stream(&reader);
	close(listener);
	exporter_close(e);
}

static void test_lost_connection_comes_back_as_a_new_session(void **state)
{
	struct wire w = {0};
	uint16_t port = 0;
	int listener = listen_on(&port);
	struct exporter *e = open_exporter(TRANSPORT_TCP, AF_INET, port, true);
	const struct exporter_stats *s = exporter_stats(e);

	(void)state;
	connect_exporter(e, T0);
	struct stream first = accept_stream(listener);

	record_samples(e, 1000);
	exporter_flush(e, T0, S);
	uint64_t now_ns = run_second(e, T0, &first);

	assert_int_equal(s->sent.records, 1000);
	close_and_tell(&first, e);
	uint64_t octets = s->message_octets;

	record_samples(e, 500);
	exporter_flush(e, now_ns, S);
	now_ns = run_second(e, now_ns, NULL);
	/* Not before a minute after the first attempt. */
	assert_int_equal(e->session.state, SESSION_WAITING);
	assert_int_equal(s->queued.records, 500);
	assert_int_equal(exporter_run(e, T0 + 59 * S, TIME), T0 + 60 * S);
	assert_int_equal(s->queued.records, 500);
	connect_exporter(e, T0 + 60 * S);
	struct stream second = accept_stream(listener);

	exporter_flush(e, T0 + 61 * S, S);
	run_second(e, T0 + 61 * S, &second);
	read_until(&second, s->message_octets - octets);
	assert_int_equal(wire_read_stream(&w, second.data, second.octets), second.octets);
	assert_int_equal(w.template_messages, 1);
	assert_int_equal(w.data.records, 500);
	assert_int_equal(w.next_sequence, 500); /* from 0 */
	assert_int_equal(s->sent.records, 1500);
	close_stream(&second);
	close(listener);
	exporter_close(e);
}

static void test_message_under_way_when_the_connection_breaks_is_lost(void **state)
{
	uint16_t port = 0;
	int listener = listen_on(&port);
	struct exporter *e = open_exporter(TRANSPORT_TCP, AF_INET, port, true);
	const struct exporter_stats *s = exporter_stats(e);

	(void)state;
	connect_exporter(e, T0);
	struct stream reader = accept_stream(listener);

	record_samples(e, 60000);
	exporter_flush(e, T0, S);
	uint64_t now_ns = run_second(e, T0, NULL);

	assert_true(e->partial_octets > 0);
	uint64_t queued = s->queued.records;

	close_and_tell(&reader, e); /* with unread data: RST */
	now_ns = run_second(e, now_ns, NULL);
	assert_int_equal(e->session.state, SESSION_WAITING);
	connect_exporter(e, now_ns + 60 * S);
	reader = accept_stream(listener);
	exporter_run(e, now_ns + 60 * S, TIME);
	/* One Message, the rest goes to the new session. */
	assert_in_range(s->not_sent_error.records, 1, 64);
	assert_int_equal(s->not_sent_error.records + s->queued.records +
				 (s->sent.records - (60000 - queued)),
			 queued);
	check_balance(e);
	close_stream(&reader);
	close(listener);
	exporter_close(e);
}

static void test_refusing_collector_is_tried_once_a_minute(void **state)
{
	uint16_t port = 0;
	int listener = listen_on(&port);
	struct exporter *e = open_exporter(TRANSPORT_TCP, AF_INET, port, true);

	(void)state;
	close(listener);
	record_samples(e, 100);
	exporter_flush(e, T0, S);
	try_to_connect(e, T0);
	assert_int_equal(e->session.error, -ECONNREFUSED);
	assert_int_equal(exporter_run(e, T0 + S, TIME), T0 + 60 * S);
	assert_int_equal(exporter_stats(e)->queued.records, 100);
	listener = listen_on(&port);
	connect_exporter(e, T0 + 60 * S);
	exporter_flush(e, T0 + 60 * S, S);
	run_second(e, T0 + 60 * S, NULL);
	assert_int_equal(exporter_stats(e)->sent.records, 100);
	close(listener);
	exporter_close(e);
}

static void test_drain_waits_for_the_connection_but_not_for_ever(void **state)
{
	struct wire w = {0};
	uint16_t port = 0;
	int listener = listen_on(&port);
	struct exporter *e = open_exporter(TRANSPORT_TCP, AF_INET, port, false);

	(void)state;
	record_samples(e, 100);
	exporter_drain(e, T0, TIME, 2000);
	assert_int_equal(exporter_stats(e)->sent.records, 100);
	struct stream reader = accept_stream(listener);

	read_some(&reader);
	wire_read_stream(&w, reader.data, reader.octets);
	assert_int_equal(w.data.records, 100);
	e->unpaced_stall_ms = 50;
	record_samples(e, 60000); /* nobody reads */
	exporter_drain(e, T0 + S, TIME, 50);
	assert_int_equal(exporter_stats(e)->queued.records, 0);
	assert_true(exporter_stats(e)->not_sent_error.records > 0);
	check_balance(e);
	close_stream(&reader);
	close(listener);
	exporter_close(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stalled_reader_delays_but_loses_nothing),
		cmocka_unit_test(test_lost_connection_comes_back_as_a_new_session),
		cmocka_unit_test(test_message_under_way_when_the_connection_breaks_is_lost),
		cmocka_unit_test(test_refusing_collector_is_tried_once_a_minute),
		cmocka_unit_test(test_drain_waits_for_the_connection_but_not_for_ever),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
