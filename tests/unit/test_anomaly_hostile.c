/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traffic aimed at the detectors: sources that are forged, and more hosts than their
 * tables hold. What is really there is found nonetheless, no table grows, and nobody is
 * guilty of what may be forged unless the event says so.
 */
#include <string.h>

#include "tests/lib/anomaly_send.h"

#define MIN	(60 * 1000ULL)
#define SCANNER "203.0.113.9"
#define SERVER	"203.0.113.20"

static uint64_t memory(void)
{
	struct anomaly_stats stats;

	anomaly_stats(f.anomaly, &stats);
	return stats.memory_octets;
}

/* Whoever is told of as guilty is who really is; others by "spoofed likely" only. */
static void assert_guilty(const char *text)
{
	struct network network;
	const char *reason;

	assert_int_equal(network_parse(text, &network, &reason), 0);
	for (uint32_t i = 0; i < f.n_events; i++)
		if (f.event[i].has_source && !f.event[i].is_spoofed &&
		    !host_equals(&f.event[i].source, &network.address))
			fail_msg("forged: %s", f.event[i].reason);
}

/* 12000 hosts elsewhere that are seen once, over four seconds, and what is told between. */
static void crowd(uint16_t port, uint8_t flags, void (*between)(uint64_t ms, uint32_t i))
{
	uint64_t before = memory();

	for (uint32_t i = 0; i < 12000; i++) {
		send_tcp(1000 + i / 3, forged(i), (uint16_t)(1024 + i), TARGET, port, flags);
		if (i % 200 == 0)
			between(1000 + i / 3, i / 200);
	}
	anomaly_fixture_finish(&f, 20000);
	assert_int_equal(memory(), before);
}

static void scan_one(uint64_t ms, uint32_t i)
{
	refuse(ms, SCANNER, TARGET, (uint16_t)(1000 + i));
}

static void test_a_scanner_is_found_among_forged_sources_and_is_the_only_one(void **state)
{
	(void)state;
	crowd(80, TH_SYN, scan_one);
	assert_found(ANOMALY_PORT_SCAN);
	assert_guilty(SCANNER);
}

static void test_packets_of_forged_sources_that_break_rules_are_one_event(void **state)
{
	struct anomaly_event e;

	(void)state;
	crowd(80, TH_SYN | TH_FIN, scan_one);
	assert_found(ANOMALY_PORT_SCAN);
	assert_guilty(SCANNER);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_PROTOCOL_VIOLATION, ANOMALY_START, &e),
			 1);
	assert_true(e.is_spoofed && e.has_destination && !e.has_source);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_true(e.n_sources >= 50);
}

/* Of every table by struck host: one packet each to 12000 of them, and one that is struck. */
static void scatter(uint8_t protocol, uint16_t from_port, uint16_t to_port, uint8_t flags,
		    void (*between)(uint64_t ms, uint32_t i))
{
	uint64_t before = memory();

	for (uint32_t i = 0; i < 12000; i++) {
		anomaly_fixture_packet(&f, 1000 + i / 3,
				       (struct anomaly_packet){
					       .from = SCANNER,
					       .to = forged(i),
					       .from_port = from_port,
					       .to_port = to_port,
					       .protocol = protocol,
					       .flags = flags,
				       });
		between(1000 + i / 3, i);
	}
	anomaly_fixture_finish(&f, 30000);
	assert_int_equal(memory(), before);
	assert_guilty(SCANNER);
}

static void flood_one(uint64_t ms, uint32_t i)
{
	send_tcp(ms, forged(100000 + i), (uint16_t)(1024 + i), TARGET, 80, TH_SYN);
}

static void test_a_syn_flood_is_found_among_many_that_get_one(void **state)
{
	struct anomaly_event e;

	(void)state;
	scatter(IPPROTO_TCP, CLIENT, 80, TH_SYN, flood_one);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_SYN_FLOOD, ANOMALY_START, &e), 1);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_true(e.is_spoofed);
}

static void drown_one(uint64_t ms, uint32_t i)
{
	send_udp(ms, forged(100000 + i), (uint16_t)(1024 + i), TARGET, 9999);
}

static void test_a_flood_by_volume_is_found_among_many_that_get_one_packet(void **state)
{
	struct anomaly_event e;

	(void)state;
	teardown(state);
	f.cfg.anomaly.ddos.packets_per_s = 1000;
	anomaly_fixture_open(&f);
	scatter(IPPROTO_UDP, CLIENT, 9998, 0, drown_one);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_DDOS, ANOMALY_START, &e), 1);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_true(e.is_spoofed);
}

static void reflect_one(uint64_t ms, uint32_t i)
{
	if (i % 50 == 0)
		anomaly_fixture_packet(&f, ms,
				       (struct anomaly_packet){.from = host(i / 50 % 250),
							       .to = TARGET,
							       .from_port = 53,
							       .to_port = 4444,
							       .protocol = IPPROTO_UDP,
							       .payload = 1400});
}

static void test_reflection_is_found_among_many_that_get_one_answer(void **state)
{
	struct anomaly_event e;

	(void)state;
	scatter(IPPROTO_UDP, 53, 4444, 0, reflect_one);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_REFLECTION, ANOMALY_START, &e), 1);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
}

static void share_one(uint64_t ms, uint32_t i)
{
	if (i % 50 == 0)
		refuse(ms, host(i / 50 % 30), TARGET, (uint16_t)(1 + i / 50));
}

static void test_a_distributed_scan_is_found_among_many_hosts_that_refuse_once(void **state)
{
	(void)state;
	scatter(IPPROTO_TCP, CLIENT, 445, TH_SYN, share_one);
	for (uint32_t i = 0; i < f.n_events; i++)
		if (f.event[i].subclass == ANOMALY_BY_DISTRIBUTED)
			return;
	fail_msg("no distributed scan among %u events", f.n_events);
}

/* A connection that is answered and over. */
static void exchange(uint64_t ms, const char *to, uint16_t from_port, uint16_t payload)
{
	send_tcp(ms, LOCAL, from_port, to, 443, TH_SYN);
	send_tcp(ms, to, 443, LOCAL, from_port, TH_SYN | TH_ACK);
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = LOCAL,
						       .to = to,
						       .from_port = from_port,
						       .to_port = 443,
						       .flags = TH_ACK | TH_FIN,
						       .payload = payload});
	send_tcp(ms, to, 443, LOCAL, from_port, TH_ACK | TH_FIN);
}

/* Beacon, its clients, hosts that are known, hosts and pairs that send: all by one of ours. */
static void test_a_beacon_and_a_leak_are_found_among_many_services(void **state)
{
	uint64_t before;

	(void)state;
	teardown(state);
	f.cfg.anomaly.exfiltration.mbyte_per_hour = 10;
	f.cfg.anomaly.exfiltration.learning_s = 0;
	anomaly_fixture_open(&f);
	before = memory();
	for (uint32_t i = 0; i < 40 * 250; i++) {
		uint64_t ms = i * (MIN / 250);

		exchange(ms, forged(i), (uint16_t)(1024 + i % 50000), 100);
		if (i % 250 == 0)
			exchange(ms, SERVER, (uint16_t)(60000 + i / 250), 200);
		if (i % 50 == 0)
			exchange(ms, "203.0.113.30", (uint16_t)(55000 + i / 50), 65000);
	}
	anomaly_fixture_finish(&f, 41 * MIN);
	assert_found(ANOMALY_BEACON);
	assert_found(ANOMALY_EXFILTRATION);
	assert_int_equal(memory(), before);
}

static void test_a_tunnel_is_found_among_many_that_are_pinged(void **state)
{
	uint64_t before = memory();

	(void)state;
	for (uint32_t i = 0; i < 12000; i++) {
		ping(i * 8, forged(i), 56, 0);
		if (i % 40 == 0)
			ping(i * 8, SERVER, 100, 1000);
	}
	anomaly_fixture_finish(&f, 100000);
	assert_found(ANOMALY_ICMP_TUNNEL);
	assert_int_equal(memory(), before);
}

/* Answers are seen here, but none of what is forged in the name of a host of ours. */
static void test_what_is_sent_in_a_name_of_ours_without_an_answer_is_spoofed_likely(void **state)
{
	uint8_t classes[] = {ANOMALY_BEACON, ANOMALY_EXFILTRATION, ANOMALY_ICMP_TUNNEL};
	struct anomaly_event e;

	(void)state;
	teardown(state);
	f.cfg.anomaly.exfiltration.mbyte_per_hour = 10;
	f.cfg.anomaly.exfiltration.learning_s = 0;
	anomaly_fixture_open(&f);
	for (uint32_t i = 0; i < 40; i++) {
		connect_to(i * MIN, TARGET, host(i), 80);
		send_tcp(i * MIN, LOCAL, (uint16_t)(CLIENT + i), SERVER, 443, TH_SYN);
		for (uint32_t k = 0; k < 6; k++)
			anomaly_fixture_packet(&f, i * MIN + 100,
					       (struct anomaly_packet){
						       .from = LOCAL,
						       .to = SERVER,
						       .from_port = (uint16_t)(CLIENT + i),
						       .to_port = 443,
						       .flags = TH_ACK,
						       .payload = 65000,
					       });
		for (uint16_t k = 0; k < 100; k++)
			ping(i * MIN + 200 + k, SERVER, 100 + 5 * k, 0);
	}
	anomaly_fixture_finish(&f, 41 * MIN);
	for (size_t i = 0; i < sizeof(classes); i++) {
		assert_int_equal(anomaly_fixture_count(&f, classes[i], ANOMALY_START, &e), 1);
		if (!e.is_spoofed || !strstr(e.reason, "spoofed likely"))
			fail_msg("forged: %s", e.reason);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_scanner_is_found_among_forged_sources_and_is_the_only_one),
		TEST(test_packets_of_forged_sources_that_break_rules_are_one_event),
		TEST(test_a_syn_flood_is_found_among_many_that_get_one),
		TEST(test_a_flood_by_volume_is_found_among_many_that_get_one_packet),
		TEST(test_reflection_is_found_among_many_that_get_one_answer),
		TEST(test_a_distributed_scan_is_found_among_many_hosts_that_refuse_once),
		TEST(test_a_beacon_and_a_leak_are_found_among_many_services),
		TEST(test_a_tunnel_is_found_among_many_that_are_pinged),
		TEST(test_what_is_sent_in_a_name_of_ours_without_an_answer_is_spoofed_likely),
	};
#undef TEST

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
