/* SPDX-License-Identifier: BSD-2-Clause */
/* The same over TCP: Collectors that come late, are reset, or do not read. */
#include "tests/lib/away_fixture.h"

static void use_tcp(void)
{
	f.cfg.transport = TRANSPORT_TCP;
}

static void test_tcp_collector_that_comes_late_misses_nothing(void **state)
{
	(void)state;
	use_tcp();
	open_it();
	seconds(8, 500);
	assert_int_equal(stats()->spooled.records, 4000);
	come();
	seconds(6, 500);
	until_sent();
	assert_all_arrived();
}

static void test_lost_connection_loses_nothing_it_had_not_acknowledged(void **state)
{
	(void)state;
	use_tcp();
	f.cfg.spool_max_records_per_s = 1000000;
	come();
	open_it();
	seconds(2, 0);
	second(40000, false); /* more than the kernel takes unread */
	assert_true(stats()->queued.records > 1000);
	go(); /* with unread data */
	seconds(2, 10);
	assert_true(stats()->spooled.records > 1000);
	uint64_t acknowledged = stats()->sent.records;

	/* What the other end had taken and not read: a few Messages. */
	assert_in_range(acknowledged, 0, 500);
	come();
	seconds(5, 10);
	until_sent();
	assert_int_equal(acknowledged + f.w->data.records, f.n_records);
	assert_int_equal(f.w->gaps, 0);
}

static void test_reset_during_the_replay_sends_nothing_twice(void **state)
{
	(void)state;
	use_tcp();
	f.cfg.spool_max_records_per_s = 1000000;
	open_it();
	seconds(10, 6000);
	assert_int_equal(stats()->spooled.records, 60000);
	come();
	for (int i = 0; i < 8; i++)
		second(0, false);
	assert_true(f.e->is_blocked && queue_first(&f.e->queue)->place.file);
	int fd = accept4(f.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct pollfd gone = {.fd = f.e->session.fd, .events = POLLIN};

	close(fd); /* with unread data: RST */
	assert_int_equal(poll(&gone, 1, 5000), 1);
	second(0, true);
	seconds(6, 10);
	until_sent();
	assert_in_range(f.n_records - f.w->data.records, 0, 500);
	assert_int_equal(stats()->sent.records, f.n_records);
	assert_int_equal(f.w->gaps, 0);
}

static void test_stalled_reader_makes_records_go_to_disk(void **state)
{
	(void)state;
	use_tcp();
	f.cfg.spool_max_records_per_s = 1000000;
	come();
	open_it();
	seconds(2, 100);
	int small = 4608; /* so that it takes parts of Messages */

	setsockopt(f.e->session.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < 25; i++)
		second(5000, false);
	assert_true(f.e->partial_octets > 0);
	assert_true(stats()->spooled.records > 20000);
	seconds(10, 100);
	until_sent();
	assert_all_arrived();
}

static void test_message_that_is_begun_is_ended_after_a_stall(void **state)
{
	int small = 4608;

	(void)state;
	use_tcp();
	f.cfg.spool_max_mib = 1;
	f.cfg.spool_max_records_per_s = 1000000;
	come();
	open_it();
	seconds(2, 100);
	setsockopt(f.e->session.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	for (int i = 0; i < 25; i++)
		second(5000, false);
	assert_true(f.e->partial_octets > 0);
	assert_true(stats()->not_sent_spool_full.records > 20000);
	seconds(10, 100);
	until_sent();
	assert_int_equal(f.w->data.records + stats()->not_sent_spool_full.records, f.n_records);
	assert_memory_equal(&f.w->data, &stats()->sent, sizeof(f.w->data));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, away_setup, away_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_tcp_collector_that_comes_late_misses_nothing),
		TEST(test_lost_connection_loses_nothing_it_had_not_acknowledged),
		TEST(test_reset_during_the_replay_sends_nothing_twice),
		TEST(test_stalled_reader_makes_records_go_to_disk),
		TEST(test_message_that_is_begun_is_ended_after_a_stall),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
