/* SPDX-License-Identifier: BSD-2-Clause */
/* Exporters that leave hold nothing up, whatever held them up, and lose nothing by that. */
#include <poll.h>

#include "tests/lib/reload_fixture.h"

static int n_waits;

/* In front of the system's: what waits for a Collector does so here. */
int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	n_waits += timeout != 0;
	return ppoll(fds, n, &(struct timespec){.tv_nsec = timeout * 1000000}, NULL);
}

static int begin(void **state)
{
	n_waits = 0;
	return setup(state);
}

/* More than a socket has room for in one go. */
static void test_what_a_cap_held_back_leaves_without_a_wait(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "goes", 0)->max_records_per_s = 10;
	add_exporter(&f.cfg, "stays", 1);
	open_sinks();
	record_samples(20000);
	pass_seconds(1);
	f.next.exporters[0] = f.next.exporters[1];
	f.next.n_exporters = 1;
	reload();
	pass_seconds(4);
	assert_true(stats_of("goes", true)->queued.records > 19000);
	pass_seconds(4);
	assert_int_equal(n_waits, 0);
	assert_int_equal(f.sinks.leaving.n_leaving, 0);
	assert_stream(0, 0, 20000);
	assert_int_equal(stats_of("goes", true)->sent.records, 20000);
}

static void test_those_that_wait_for_another_leave_without_a_wait(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->max_records_per_s = 10;
	open_sinks();
	for (uint32_t i = 0; i < 3; i++) {
		record_samples(5000);
		pass_seconds(1);
		f.next.exporters[0].fields = i % 2 ? 0 : GROUP_STATE;
		reload();
	}
	assert_int_equal(f.sinks.leaving.n_leaving, 2); /* the first was hurried, and has gone */
	record_samples(5000);
	f.next.exporters[0].max_records_per_s = 0;
	reload();
	pass_seconds(8);
	assert_int_equal(n_waits, 0);
	assert_int_equal(f.sinks.leaving.n_leaving, 0);
	assert_int_equal(f.c[0].n_streams, 4);
	for (size_t k = 0; k < 4; k++)
		assert_stream(0, k, 5000);
	assert_false(f.c[0].is_mixed);
}

/* The earliest has no more time when there are too many; then it is counted what it had. */
static void test_too_many_that_leave_hold_nothing_up(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->max_records_per_s = 1;
	open_sinks();
	record_samples(5000);
	pass_seconds(1);
	for (uint32_t i = 0; i <= CONFIG_MAX_EXPORTERS; i++) {
		snprintf(f.next.exporters[0].address, sizeof(f.next.exporters[0].address),
			 "127.0.0.2:%u", i + 1);
		f.next.exporters[0].transport = TRANSPORT_TCP;
		reload();
		record_samples(1);
	}
	assert_int_equal(n_waits, 0);
	assert_int_equal(f.sinks.leaving.n_leaving, CONFIG_MAX_EXPORTERS);
	const struct exporter_stats *left = &f.sinks.leaving.left[0].stats;

	read_along();
	assert_int_equal(left->sent.records, f.c[0].w[0]->data.records);
	assert_int_equal(left->sent.records + ledger_sum_not_sent(left).records, 5000);
	pass_seconds(8);
	assert_int_equal(n_waits, 0);
	assert_int_equal(f.sinks.leaving.n_leaving, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_a_cap_held_back_leaves_without_a_wait),
		TEST(test_those_that_wait_for_another_leave_without_a_wait),
		TEST(test_too_many_that_leave_hold_nothing_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
