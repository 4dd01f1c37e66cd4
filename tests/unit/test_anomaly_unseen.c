/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What no Flow tells: floods larger than the Flow Cache, what looks like one when the
 * cache is too small, and packets that cannot be read.
 */
#include <arpa/inet.h>
#include <linux/if_ether.h>

#include "probe/ledger.h"
#include "probe/native_meter.h"
#include "tests/lib/anomaly_send.h"

#define FEW 300 /* Flows of a cache that is full soon */

static void open_full(void)
{
	f.max_flows = FEW;
	anomaly_fixture_open(&f);
}

static int setup_full(void **state)
{
	(void)state;
	anomaly_fixture_init(&f);
	open_full();
	return 0;
}

/* n SYN to port 80 within a second, each from a host of its own; n below 62500. */
static void flood(uint64_t ms, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		send_tcp(ms + i * 900 / n, host(i + (uint32_t)ms), (uint16_t)(1024 + i), TARGET, 80,
			 TH_SYN);
}

static void test_a_syn_flood_without_a_place_is_told_with_its_rate(void **state)
{
	struct anomaly_event e;

	(void)state;
	flood(0, 3000);
	flood(1000, 3000);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_SYN_FLOOD, ANOMALY_BY_SYN, &e);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_int_equal(e.destination_port, 80);
	assert_int_equal(e.value, 3000);
	assert_int_equal(e.n_syn, 6000);
	assert_in_range(e.n_unseen, 6000 - 2 * 512, 5800);
	assert_true(e.is_spoofed);
	assert_in_range(e.n_sources, 3300, 4700); /* 4000 different ones */
	assert_non_null(strstr(e.reason, "found no place in the Flow Cache"));
}

/* Clients with whole handshakes, and a few segments more. */
static void serve(uint64_t ms, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(1024 + i);
		uint64_t at = ms + i * 900 / n;

		send_tcp(at, host(i), port, TARGET, 80, TH_SYN);
		send_tcp(at, TARGET, 80, host(i), port, TH_SYN | TH_ACK);
		for (int k = 0; k < 3; k++) {
			send_tcp(at, host(i), port, TARGET, 80, TH_ACK);
			send_tcp(at, TARGET, 80, host(i), port, TH_ACK);
		}
	}
}

static void test_a_busy_server_is_not_flooded_when_the_cache_is_too_small(void **state)
{
	(void)state;
	f.cfg.anomaly.ddos.packets_per_s = 2000;
	teardown(state);
	open_full();
	for (uint64_t s = 0; s < 3; s++)
		serve(1000 * s, 3000);
	anomaly_fixture_finish(&f, 10000);
	assert_nothing();
}

static void test_a_flood_by_udp_without_a_place_is_told_by_volume(void **state)
{
	struct anomaly_event e;

	(void)state;
	f.cfg.anomaly.ddos.packets_per_s = 2000;
	teardown(state);
	open_full();
	for (uint64_t s = 0; s < 2; s++)
		for (uint32_t i = 0; i < 5000; i++)
			send_udp(1000 * s + i * 900 / 5000, host(i), (uint16_t)(1024 + i), TARGET,
				 (uint16_t)(i * 7 + 1));
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_UDP, &e);
	assert_int_equal(e.value, 5000);
	assert_true(e.is_spoofed);
	assert_true(e.n_unseen > 8500);
}

static void sum_taken(void *arg, const struct unseen_news *news)
{
	if (news->view == XFP_UNSEEN_TARGET)
		*(uint64_t *)arg += news->packets;
}

static void test_each_packet_without_a_place_is_told_of_once_or_counted(void **state)
{
	struct xfp_ledger_row sum;
	uint64_t told = 0;

	(void)state;
	/* so many targets that most of them find no counter */
	for (uint32_t i = 0; i < 30000; i++)
		send_udp(0, LOCAL, 53, host(i), 53);
	unseen_take(f.cache.unseen, 0, sum_taken, &told);
	ledger_sum_rows(&sum, f.cache.rows, f.cache.n_rows);
	assert_int_equal(told + sum.notice[XFP_uncounted], ledger_sum_overflow(&sum).packets);
	assert_true(told > 0 && sum.notice[XFP_uncounted] > told);
}

static uint64_t largest_packets;

static void largest(void *arg, const struct unseen_news *news)
{
	(void)arg;
	if (news->view == XFP_UNSEEN_TARGET && host_ipv4(&news->host) == 0x0a000002)
		largest_packets += news->packets;
}

static void test_who_gets_much_has_a_counter_whatever_else_comes(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		send_udp(0, LOCAL, 53, host(i), 53);
	unseen_take(f.cache.unseen, 0, largest, NULL);
	largest_packets = 0;
	for (uint32_t i = 0; i < 30000; i++) {
		send_udp(0, LOCAL, 53, host(i), 53);
		if (i % 20 == 0)
			send_udp(0, host(i), 53, TARGET, (uint16_t)i);
	}
	unseen_take(f.cache.unseen, 0, largest, NULL);
	assert_in_range(largest_packets, 1400, 1500);
}

/* ---- packets that cannot be read ------------------------------------------------ */

#define IP_OCTETS 20

static uint8_t datagram[1200];

/* An IPv4 datagram so long, with an IP header that is right. */
static void build(const char *from, const char *to, uint8_t protocol, uint16_t octets)
{
	memset(datagram, 0, sizeof(datagram));
	datagram[0] = 0x45;
	datagram[2] = (uint8_t)(octets >> 8);
	datagram[3] = (uint8_t)octets;
	datagram[8] = 64;
	datagram[9] = protocol;
	assert_int_equal(inet_pton(AF_INET, from, datagram + 12), 1);
	assert_int_equal(inet_pton(AF_INET, to, datagram + 16), 1);
	datagram[IP_OCTETS + 1] = 1; /* ports, and the length of a TCP header */
	datagram[IP_OCTETS + 3] = 2;
	datagram[IP_OCTETS + 12] = 0x50;
	datagram[IP_OCTETS + 13] = TH_ACK;
}

static void meter_raw(uint64_t ms, uint32_t captured, uint32_t wire)
{
	anomaly_fixture_run(&f, ms);
	native_meter_packet(&f.cache, &(struct native_packet){
					      .data = datagram,
					      .captured_octets = captured,
					      .wire_octets = wire,
					      .time_ns = 1000000ULL * (1000000000000ULL + ms),
					      .ethertype = ETH_P_IP,
				      });
	f.has_news = true;
}

/* An IP header of four words. */
static void send_short_header(uint64_t ms, const char *from, const char *to)
{
	build(from, to, IPPROTO_UDP, 28);
	datagram[0] = 0x44;
	meter_raw(ms, 28, 28);
}

static void test_packets_that_cannot_be_read_are_told_with_who_sent_them(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 9; i++)
		send_short_header(i, REMOTE, TARGET);
	anomaly_fixture_run(&f, 1000);
	assert_nothing();
	send_short_header(1001, REMOTE, TARGET);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_BAD_HEADER_LENGTH, &e);
	assert_true(e.has_source && e.has_destination);
	assert_int_equal(host_ipv4(&e.source), 0xc6336407);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_false(e.is_spoofed);
	assert_int_equal(e.value, 10);
	assert_int_equal(e.n_unseen, 10);
	assert_int_equal(e.violation_id, 8);
	assert_non_null(strstr(e.reason, "they have no Flow"));
}

static void test_packets_that_cannot_be_read_of_forged_sources_name_whom_they_strike(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 3000; i++)
		send_short_header(i / 10, host(i), TARGET);
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_BAD_HEADER_LENGTH, &e);
	assert_false(e.has_source);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_true(e.is_spoofed);
	assert_int_equal(e.value, 3000);
}

static void test_packets_cut_by_the_capture_break_no_protocol(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		build(REMOTE, TARGET, IPPROTO_TCP, 140);
		meter_raw(i, 30, 140);
		datagram[3] = 0; /* a device was to cut it, and write its length */
		meter_raw(i, 140, 140);
	}
	anomaly_fixture_finish(&f, 2000);
	assert_nothing();
}

static void test_segments_that_end_inside_their_header_break_their_protocol(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 20; i++) {
		build(REMOTE, TARGET, IPPROTO_TCP, 32);
		meter_raw(i, 40, 40);
	}
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_TRUNCATED, NULL);
}

static void test_one_fragment_beyond_the_longest_datagram_is_told(void **state)
{
	struct anomaly_event e;

	(void)state;
	build(REMOTE, TARGET, IPPROTO_ICMP, 1000);
	datagram[6] = 0x1f; /* offset 65528 */
	datagram[7] = 0xff;
	meter_raw(0, 1000, 1000);
	anomaly_fixture_run(&f, 1000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_OVERSIZED_FRAGMENT, &e);
	assert_int_equal(host_ipv4(&e.source), 0xc6336407);
	assert_int_equal(e.n_unseen, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define FULL(name) cmocka_unit_test_setup_teardown(name, setup_full, teardown)
	const struct CMUnitTest tests[] = {
		FULL(test_a_syn_flood_without_a_place_is_told_with_its_rate),
		FULL(test_a_busy_server_is_not_flooded_when_the_cache_is_too_small),
		FULL(test_a_flood_by_udp_without_a_place_is_told_by_volume),
		FULL(test_each_packet_without_a_place_is_told_of_once_or_counted),
		FULL(test_who_gets_much_has_a_counter_whatever_else_comes),
		TEST(test_packets_that_cannot_be_read_are_told_with_who_sent_them),
		TEST(test_packets_that_cannot_be_read_of_forged_sources_name_whom_they_strike),
		TEST(test_packets_cut_by_the_capture_break_no_protocol),
		TEST(test_segments_that_end_inside_their_header_break_their_protocol),
		TEST(test_one_fragment_beyond_the_longest_datagram_is_told),
	};
#undef FULL
#undef TEST

	return cmocka_run_group_tests_name("what no Flow tells", tests, NULL, NULL);
}
