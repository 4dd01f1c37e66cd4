/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * max_records_per_message of Messages that came to be without it: out of a spool that was
 * filled with another configuration, and from an exporter that has another one.
 */
#include "tests/lib/away_fixture.h"
#include "tests/lib/netflow_fixture.h"

#define MOST 5

static void test_replay_keeps_to_the_records_of_a_message(void **state)
{
	(void)state;
	open_it();
	seconds(3, 1000);
	exporter_drain(f.e, f.now_ns, TIME, 1000);
	exporter_close(f.e);
	f.cfg.max_records_per_message = MOST;
	come();
	open_it();
	assert_int_equal(stats()->recovered.records, 3000);
	seconds(2, 100);
	until_sent();
	assert_int_equal(f.w->most_records, MOST);
	assert_int_equal(f.w->data.records, 3200);
	assert_int_equal(f.w->gaps, 0);
	assert_int_equal(f.w->data.octets, stats()->sent.octets);
}

/* So fast that Messages leave many in a call, if they may. */
static void test_messages_of_another_exporter_keep_to_the_records_of_a_message(void **state)
{
	struct exporter *from;
	struct exporter_config cfg = f.cfg;

	(void)state;
	snprintf(cfg.address, sizeof(cfg.address), "127.0.0.1:1");
	*cfg.spool_path = *f.cfg.spool_path = '\0';
	f.cfg.max_records_per_message = MOST;
	come();
	open_it();
	second(0, true);
	assert_int_equal(exporter_open(&from, &cfg, 7, 32473, true), 0);
	for (uint32_t i = 0; i < 2000; i++) {
		struct flow_record r = netflow_sample(7 * i + 1); /* of one kind, all of them */

		r.is_ipv6 = false;
		exporter_record(from, &r);
	}
	exporter_hand_over(from, f.e);
	exporter_close(from);
	pace_spread(&f.e->pace, f.now_ns, 2 * MS, f.e->queue.n_messages);
	f.now_ns += MS;
	while (stats()->queued.records) {
		f.now_ns = exporter_run(f.e, f.now_ns, TIME + 1);
		collector_read(f.fd, f.w);
		check_balance(f.e);
	}
	assert_int_equal(f.w->most_records, MOST);
	assert_int_equal(f.w->data.records, 2000);
	assert_int_equal(f.w->gaps, 0);
	assert_int_equal(f.w->data.octets, stats()->sent.octets);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, away_setup, away_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_replay_keeps_to_the_records_of_a_message),
		TEST(test_messages_of_another_exporter_keep_to_the_records_of_a_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
