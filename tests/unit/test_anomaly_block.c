/* SPDX-License-Identifier: BSD-2-Clause */
/* Scans of a block of addresses by many, and what looks like one. */
#include "tests/lib/anomaly_send.h"

static const char *bot(uint32_t i)
{
	static char text[16];

	snprintf(text, sizeof(text), "198.%u.%u.%u", 18 + i / 62500, i / 250 % 250, i % 250 + 1);
	return text;
}

static const char *ours(uint32_t third, uint32_t fourth)
{
	static char text[16];

	snprintf(text, sizeof(text), "10.2.%u.%u", third, fourth);
	return text;
}

/* n addresses of 10.2.7.0/24, shared by so many sources. */
static void share(uint64_t ms, uint32_t n, uint32_t n_bots, uint16_t port)
{
	for (uint32_t i = 0; i < n; i++)
		refuse(ms + 10 * i, bot(i % n_bots), ours(7, 1 + i % 250), port);
}

static void test_a_block_that_many_share_is_named_with_how_many_they_are(void **state)
{
	struct anomaly_event e;

	(void)state;
	share(100, 99, 40, 445);
	anomaly_fixture_run(&f, 3000);
	assert_nothing();
	share(3100, 240, 40, 445);
	anomaly_fixture_run(&f, 8000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_DISTRIBUTED, &e);
	assert_false(e.has_source);
	assert_int_equal(host_ipv4(&e.destination), 0x0a020700);
	assert_int_equal(e.destination_length, 24);
	assert_int_equal(e.destination_port, 445);
	assert_in_range(e.n_sources, 36, 44);
	assert_int_equal(e.threshold, 100);
	assert_string_equal(e.rule, "anomaly.scan.distributed_hosts");
	assert_non_null(strstr(e.reason, "addresses of 10.2.7.0/24, by TCP port 445"));
}

static void test_the_block_that_is_named_has_most_of_what_was_tried(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		refuse(50, bot(i), ours(200, 1 + i), 22);
	for (uint32_t i = 0; i < 200; i++)
		refuse(100 + 10 * i, bot(i % 40), ours(16 + i % 4, 1 + i / 4), 22);
	anomaly_fixture_run(&f, 8000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_DISTRIBUTED, &e);
	assert_int_equal(host_ipv4(&e.destination), 0x0a021000);
	assert_int_equal(e.destination_length, 22);
}

static void test_silent_pings_by_many_are_a_scan_of_the_block(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 150; i++)
		send_icmp(100 + 10 * i, bot(i % 30), ours(7, 1 + i), 0x0800);
	anomaly_fixture_run(&f, 9000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_DISTRIBUTED, &e);
	assert_false(e.has_destination_port);
	assert_int_equal(e.destination_length, 24);
}

static void test_ipv6_addresses_of_one_link_are_a_block(void **state)
{
	char from[40], to[40];
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 150; i++) {
		snprintf(from, sizeof(from), "2001:db8:%x::1", i % 30);
		snprintf(to, sizeof(to), "fd00:0:0:5::%x", i + 1);
		refuse(100, from, to, 22);
	}
	anomaly_fixture_run(&f, 3000);
	assert_one(ANOMALY_ADDRESS_SCAN, ANOMALY_BY_DISTRIBUTED, &e);
	assert_int_equal(e.destination_length, 64);
	assert_int_equal(e.destination.octets[7], 5);
}

/* Of one packet anybody may be the source. */
static void test_sources_that_come_once_each_scan_nothing(void **state)
{
	(void)state;
	share(100, 240, 240, 445);
	anomaly_fixture_run(&f, 8000);
	assert_nothing();
}

static void test_clients_of_servers_that_are_down_scan_nothing(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 480; i++)
		refuse(100 + i, bot(i % 60), ours(7, 1 + (i * 7 + i / 60 * 11) % 120), 443);
	anomaly_fixture_run(&f, 8000);
	assert_nothing();
}

static void test_a_popular_server_that_refuses_is_no_block(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 900; i++)
		refuse(100 + i, bot(i % 300), ours(7, 1 + i % 9), 443);
	anomaly_fixture_run(&f, 8000);
	assert_nothing();
}

/* Many of ours share files with peers of one provider, of which most have gone. */
static void test_peers_that_have_gone_are_not_scanned(void **state)
{
	char to[16];

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		snprintf(to, sizeof(to), "203.0.%u.%u", i / 100, i % 100 + 1);
		refuse(100 + 10 * i, host(i % 20), to, 6881);
	}
	anomaly_fixture_run(&f, 8000);
	assert_nothing();
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_block_that_many_share_is_named_with_how_many_they_are),
		TEST(test_the_block_that_is_named_has_most_of_what_was_tried),
		TEST(test_silent_pings_by_many_are_a_scan_of_the_block),
		TEST(test_ipv6_addresses_of_one_link_are_a_block),
		TEST(test_sources_that_come_once_each_scan_nothing),
		TEST(test_clients_of_servers_that_are_down_scan_nothing),
		TEST(test_a_popular_server_that_refuses_is_no_block),
		TEST(test_peers_that_have_gone_are_not_scanned),
	};
#undef TEST

	return cmocka_run_group_tests_name("scans of blocks", tests, NULL, NULL);
}
