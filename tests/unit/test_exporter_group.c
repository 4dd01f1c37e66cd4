/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How exporters share records: who gets them, and that none is lost or there twice
 * when one Collector goes away. Time is scripted.
 */
#include <errno.h>

#include "tests/lib/group_fixture.h"

static uint64_t arrived(void)
{
	uint64_t n = 0;

	for (int i = 0; i < N; i++)
		n += f.w[i]->data.records;
	return n;
}

static void test_mirror_gives_each_all(void **state)
{
	(void)state;
	open_udp_group(MODE_MIRROR);
	record_samples(0, 500);
	pass_seconds(2);
	for (int i = 0; i < N; i++)
		assert_memory_equal(&f.w[i]->data, &f.exported, sizeof(f.exported));
}

static void test_balance_gives_each_record_to_one(void **state)
{
	(void)state;
	open_udp_group(MODE_BALANCE);
	record_samples(0, 3000);
	pass_seconds(2);
	assert_int_equal(arrived(), 3000);
	for (int i = 0; i < N; i++)
		assert_in_range(f.w[i]->data.records, 900, 1100);
}

/* The other direction of a Flow. */
static struct flow_record reversed(const struct flow_record *r)
{
	struct flow_record other = *r;

	other.source4 = r->destination4;
	other.destination4 = r->source4;
	memcpy(other.source6, r->destination6, sizeof(other.source6));
	memcpy(other.destination6, r->source6, sizeof(other.destination6));
	other.source_port = r->destination_port;
	other.destination_port = r->source_port;
	return other;
}

static void test_balance_keeps_both_directions_together(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		struct flow_record r = sample_record(i), other = reversed(&r);

		assert_int_equal(exporter_group_choice(&r, N), exporter_group_choice(&other, N));
	}
	/* That of the addresses alone decides too, or one host's Flows stay together. */
	struct flow_record r = sample_record(1);
	uint32_t chosen = 0;

	for (r.source_port = 1; r.source_port < 100; r.source_port++)
		chosen |= 1u << exporter_group_choice(&r, N);
	assert_int_equal(chosen, (1u << N) - 1);
}

static void test_balance_does_not_move_to_others_when_one_is_away(void **state)
{
	(void)state;
	open_udp_group(MODE_BALANCE);
	close_collector(1);
	record_samples(0, 3000);
	pass_seconds(2);
	assert_true(stats_of(1)->accepted.records >= 900);
	assert_true(stats_of(1)->not_sent_refused.records > 0);
	assert_int_equal(stats_of(1)->moved.records, 0);
}

static void test_failover_gives_all_to_the_first(void **state)
{
	(void)state;
	open_udp_group(MODE_FAILOVER);
	record_samples(0, 3000);
	pass_seconds(2);
	assert_int_equal(f.w[0]->data.records, 3000);
	assert_int_equal(stats_of(0)->sent.records, 3000);
	assert_int_equal(arrived(), 3000);
}

/* What was refused was sent before: it is sent again, to the next, and counts once. */
static void test_failover_loses_nothing_when_a_collector_is_closed(void **state)
{
	(void)state;
	open_udp_group(MODE_FAILOVER);
	record_samples(0, 3000);
	pass_seconds(2);
	close_collector(0);
	record_samples(3000, 3000);
	pass_seconds(3);
	assert_int_equal(f.w[0]->data.records, 3000);
	assert_int_equal(f.w[1]->data.records, 3000);
	assert_int_equal(stats_of(0)->sent.records, 3000);
	assert_int_equal(stats_of(0)->moved.records, 3000);
	assert_int_equal(stats_of(1)->sent.records, 3000);
	assert_int_equal(f.w[1]->gaps, 0);
	close_collector(1);
	record_samples(6000, 3000);
	pass_seconds(3);
	assert_int_equal(f.w[2]->data.records, 3000);
	assert_int_equal(arrived(), f.exported.records);
}

static void test_failover_goes_back_after_the_stable_period(void **state)
{
	(void)state;
	open_udp_group(MODE_FAILOVER);
	f.cfg.groups[0].stable_s = 15;
	close_collector(0);
	record_samples(0, 100);
	pass_seconds(3);
	assert_int_equal(f.w[1]->data.records, 100);
	f.fd[0] = collector_open(AF_INET, &f.port[0]);
	f.w[0]->templates = 0;
	record_samples(100, 100);
	pass_seconds(13); /* it works, but the last error is not 15 s ago */
	assert_false(exporter_is_away(f.sinks.exporter[0]));
	assert_int_equal(f.sinks.group[0].active, 1);
	assert_int_equal(f.w[1]->data.records, 200);
	assert_int_equal(f.w[0]->data.records, 0);
	pass_seconds(6);
	record_samples(200, 100);
	pass_seconds(2);
	assert_int_equal(f.w[1]->data.records, 200);
	assert_int_equal(f.w[0]->data.records, 100);
	assert_true(f.w[0]->templates > 0);
}

static void test_failover_with_all_away_waits_with_the_first(void **state)
{
	(void)state;
	open_udp_group(MODE_FAILOVER);
	for (int i = 0; i < N; i++)
		close_collector(i);
	record_samples(0, 1000);
	pass_seconds(5);
	assert_int_equal(f.sinks.group[0].active, 0);
	assert_int_equal(stats_of(0)->queued.records, 1000);
	f.fd[2] = collector_open(AF_INET, &f.port[2]);
	pass_seconds(14);
	assert_int_equal(f.w[2]->data.records, 1000);
	assert_int_equal(stats_of(2)->sent.records, 1000);
}

static void test_failover_may_end_in_a_file(void **state)
{
	char path[] = "/tmp/xflow-test-group-XXXXXX";
	static uint8_t data[1 << 20];

	(void)state;
	close(mkstemp(path));
	f.path = path;
	open_group(MODE_FAILOVER, (const int[N]){TRANSPORT_UDP, TRANSPORT_UDP, TRANSPORT_FILE});
	close_collector(0);
	close_collector(1);
	record_samples(0, 1000);
	pass_seconds(5);
	assert_int_equal(stats_of(2)->sent.records, 1000);
	FILE *in = fopen(path, "r");
	size_t octets = fread(data, 1, sizeof(data), in);

	fclose(in);
	unlink(path);
	assert_int_equal(wire_read_stream(f.w[2], data, octets), octets);
	assert_int_equal(f.w[2]->data.records, 1000);
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int small = 4096, one = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

static int accept_from(int listener)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 5000), 1);
	return accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* The first is TCP, whose reader stands still. Returns its connection. */
static int open_stalled_group(int *listener)
{
	*listener = listen_on(f.port[0]);
	open_group(MODE_FAILOVER, (const int[N]){TRANSPORT_TCP, TRANSPORT_UDP, TRANSPORT_UDP});
	pass_seconds(1);
	int fd = accept_from(*listener);

	pass_seconds(1);
	assert_int_equal(f.sinks.exporter[0]->session.state, SESSION_UP);
	record_samples(0, 60000); /* 5 MB, more than the kernel takes */
	pass_seconds(2);
	assert_true(f.sinks.exporter[0]->is_blocked);
	return fd;
}

static void test_failover_moves_what_a_reset_connection_did_not_acknowledge(void **state)
{
	int listener, fd;

	(void)state;
	fd = open_stalled_group(&listener);
	assert_true(f.sinks.exporter[0]->under_way.n_messages > 0);
	uint64_t sent = stats_of(0)->sent.records;

	close(listener);
	struct pollfd gone = {.fd = f.sinks.exporter[0]->session.fd, .events = POLLIN};

	close(fd); /* with unread data: RST */
	assert_int_equal(poll(&gone, 1, 5000), 1);
	pass_seconds(4);
	/* Acknowledged is what fitted into the other end's buffer, no more. */
	assert_in_range(stats_of(0)->sent.records, sent, sent + 300);
	assert_in_range(stats_of(0)->sent.records, 0, 600);
	assert_int_equal(stats_of(0)->sent.records + f.w[1]->data.records, 60000);
	assert_int_equal(stats_of(0)->queued.records, 0);
}

static size_t read_stream(int fd, uint8_t *data, size_t room)
{
	size_t octets = 0;
	ssize_t n;

	while ((n = recv(fd, data + octets, room - octets, MSG_DONTWAIT)) > 0)
		octets += (size_t)n;
	return octets;
}

/* What the kernel has of a connection that stands may yet arrive: it does not move. */
static void test_failover_moves_the_queue_of_a_stalled_reader(void **state)
{
	static uint8_t data[8 << 20];
	static struct wire w;
	size_t octets = 0;
	int listener, fd;

	(void)state;
	fd = open_stalled_group(&listener);
	for (int i = 0; i < 60 && !f.sinks.group[0].active; i++)
		pass_seconds(1); /* the kernel may take some more at any moment */
	assert_int_equal(f.sinks.group[0].active, 1);
	assert_true(f.w[1]->data.records > 0);
	for (int i = 0; i < 2000 && stats_of(0)->queued.records; i++) {
		struct pollfd p = {.fd = fd, .events = POLLIN};

		octets += read_stream(fd, data + octets, sizeof(data) - octets);
		poll(&p, 1, 5);
		pass_seconds(1);
	}
	octets += read_stream(fd, data + octets, sizeof(data) - octets);
	assert_int_equal(wire_read_stream(&w, data, octets), octets);
	assert_int_equal(w.data.records, stats_of(0)->sent.records);
	assert_int_equal(w.data.records + f.w[1]->data.records, 60000);
	close(fd);
	close(listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mirror_gives_each_all),
		TEST(test_balance_gives_each_record_to_one),
		TEST(test_balance_keeps_both_directions_together),
		TEST(test_balance_does_not_move_to_others_when_one_is_away),
		TEST(test_failover_gives_all_to_the_first),
		TEST(test_failover_loses_nothing_when_a_collector_is_closed),
		TEST(test_failover_goes_back_after_the_stable_period),
		TEST(test_failover_with_all_away_waits_with_the_first),
		TEST(test_failover_may_end_in_a_file),
		TEST(test_failover_moves_what_a_reset_connection_did_not_acknowledge),
		TEST(test_failover_moves_the_queue_of_a_stalled_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
