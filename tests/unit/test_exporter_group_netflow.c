/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups of exporters of NetFlow: what a Collector refuses goes to the next one. */
#include "tests/lib/group_fixture.h"

/* Of records of IPv6 what v5 refused stands for them. */
static uint64_t netflow_arrived(void)
{
	uint64_t n = 0;

	for (int i = 0; i < N; i++)
		n += f.netflow[i].data.records + stats_of(i)->not_sent_unsupported.records;
	return n;
}

static void check_failover_of_netflow(int protocol)
{
	f.protocol = protocol;
	open_udp_group(MODE_FAILOVER);
	record_samples(0, 3000);
	pass_seconds(2);
	const uint64_t sent = f.netflow[0].data.records;

	close_collector(0);
	record_samples(3000, 3000);
	pass_seconds(3);
	assert_int_equal(f.netflow[0].data.records, sent);
	assert_int_equal(stats_of(0)->sent.records, sent);
	assert_int_equal(stats_of(1)->sent.records, f.netflow[1].data.records);
	assert_int_equal(stats_of(0)->moved.records, f.netflow[1].data.records);
	assert_int_equal(f.netflow[1].gap, 0);
	close_collector(1);
	record_samples(6000, 3000);
	pass_seconds(3);
	assert_int_equal(netflow_arrived(), f.exported.records);
}

static void test_failover_loses_nothing_of_netflow9(void **state)
{
	(void)state;
	check_failover_of_netflow(EXPORT_NETFLOW9);
}

static void test_failover_loses_nothing_of_netflow5(void **state)
{
	(void)state;
	check_failover_of_netflow(EXPORT_NETFLOW5);
}

/* No Templates ask it: data does, and what is refused then is not lost either. */
static void test_failover_of_netflow5_goes_back_too(void **state)
{
	(void)state;
	f.protocol = EXPORT_NETFLOW5;
	open_udp_group(MODE_FAILOVER);
	f.cfg.groups[0].stable_s = 15;
	close_collector(0);
	record_samples(0, 100);
	pass_seconds(3);
	assert_int_equal(netflow_arrived(), 100);
	pass_seconds(14);
	record_samples(100, 100); /* for the first again, which refuses */
	pass_seconds(3);
	uint64_t second = f.netflow[1].data.records;

	assert_int_equal(netflow_arrived(), 200);
	f.fd[0] = collector_open(AF_INET, &f.port[0]);
	pass_seconds(16);
	record_samples(200, 100);
	pass_seconds(3);
	assert_int_equal(netflow_arrived(), 300);
	assert_int_equal(f.netflow[1].data.records, second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_failover_loses_nothing_of_netflow9),
		TEST(test_failover_loses_nothing_of_netflow5),
		TEST(test_failover_of_netflow5_goes_back_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
