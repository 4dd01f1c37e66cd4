/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traffic aimed at the detectors: sources that are forged, more hosts than their tables
 * hold, hosts that collide, and times that run backwards. What is really there is found
 * nonetheless, no table grows, and nobody is guilty of what may be forged unless the event
 * says so.
 */
#include <stdlib.h>
#include <string.h>

#include "probe/anomaly_private.h"
#include "tests/lib/anomaly_send.h"

#define MIN	(60 * 1000ULL)
#define SCANNER "203.0.113.9"
#define SERVER	"203.0.113.20"

/* The i-th of many addresses elsewhere. */
static const char *forged(uint32_t i)
{
	static char text[16];

	i = i * 2654435761U >> 8;
	snprintf(text, sizeof(text), "%u.%u.%u.%u", 20 + (i >> 16) % 64, i >> 8 & 255, i & 255,
		 1 + (i >> 22));
	return text;
}

static uint64_t memory(void)
{
	struct anomaly_stats stats;

	anomaly_stats(f.anomaly, &stats);
	return stats.memory_octets;
}

static uint32_t n_starts(uint8_t class)
{
	return anomaly_fixture_count(&f, class, ANOMALY_START, NULL);
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

static void assert_found(uint8_t class)
{
	if (!n_starts(class))
		fail_msg("no %s among %u events", anomaly_class_name(class), f.n_events);
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

static void ping(uint64_t ms, const char *to, uint16_t asked, uint16_t answered)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = LOCAL,
						       .to = to,
						       .from_port = 0x0800,
						       .protocol = IPPROTO_ICMP,
						       .payload = asked});
	if (answered)
		anomaly_fixture_packet(&f, ms,
				       (struct anomaly_packet){.from = to,
							       .to = LOCAL,
							       .protocol = IPPROTO_ICMP,
							       .payload = answered});
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

#define SETS 2048

static void test_hosts_that_collide_under_one_seed_do_not_under_another(void **state)
{
	static struct anomaly known, secret;
	uint64_t used[SETS / 64] = {0};
	uint32_t n = 0, n_sets = 0;

	(void)state;
	known.seed = 0;
	secret.seed = 0x5eed;
	for (uint32_t i = 0; n < 64; i++) {
		struct host h = host_of_ipv4(i);

		if (anomaly_hash(&known, &h, CONTACT_TCP) % SETS)
			continue;
		place_use(used, (uint32_t)(anomaly_hash(&secret, &h, CONTACT_TCP) % SETS));
		n++;
	}
	FOR_PLACES(i, used, SETS)
	{
		n_sets++;
	}
	assert_true(n_sets > 56); /* of 64 places at random in 2048 */
}

/* A packet of each kind that detectors look for, so that ms counts down. */
static void incidents_of_all_kinds(uint64_t ms, uint32_t i)
{
	refuse(ms, SCANNER, TARGET, (uint16_t)(1 + i));
	send_tcp(ms, REMOTE, CLIENT, LOCAL, (uint16_t)(1 + i), TH_SYN | TH_FIN);
	ping(ms, SERVER, 100, 1000);
	reflect_one(ms, i * 50);
	for (uint32_t k = 0; k < 12; k++)
		send_tcp(ms, forged(i * 12 + k), CLIENT, "10.0.0.4", 80, TH_SYN);
	for (uint32_t k = 0; k < 40; k++)
		send_udp(ms, forged(100000 + i * 40 + k), CLIENT, "10.0.0.3", 9999);
}

static void test_times_that_run_backwards_hide_nothing_and_break_nothing(void **state)
{
	const uint8_t classes[] = {ANOMALY_PORT_SCAN,  ANOMALY_PROTOCOL_VIOLATION,
				   ANOMALY_SYN_FLOOD,  ANOMALY_DDOS,
				   ANOMALY_REFLECTION, ANOMALY_ICMP_TUNNEL};

	(void)state;
	teardown(state);
	f.cfg.anomaly.ddos.packets_per_s = 1000;
	f.cfg.anomaly.syn_flood.syn_per_s = 500;
	anomaly_fixture_open(&f);
	/* each second's packets from its end to its begin, one day before and one after */
	for (uint32_t s = 0; s < 4; s++)
		for (uint32_t i = 0; i < 60; i++) {
			uint64_t ms = 24 * 60 * MIN + s * 1000 + 990 - i * 16;

			incidents_of_all_kinds(ms, s * 60 + i);
		}
	anomaly_fixture_run(&f, 24 * 60 * MIN + 20000);
	for (size_t i = 0; i < sizeof(classes); i++)
		assert_found(classes[i]);
	/* and all of it again a day earlier */
	for (uint32_t i = 0; i < 240; i++)
		incidents_of_all_kinds(i * 16, i);
	anomaly_fixture_finish(&f, 24 * 60 * MIN + 40000);
	for (uint32_t i = 0; i < f.n_events; i++) {
		assert_true(f.event[i].start_ms <= f.event[i].end_ms);
		assert_true(!i || f.event[i].time_ms >= f.event[i - 1].time_ms);
	}
}

static void test_a_scan_in_reverse_order_of_time_is_one(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		anomaly_fixture_run(&f, 100000 + 1000 * i);
		refuse(100000 - 2000 * i, SCANNER, TARGET, (uint16_t)(1 + i));
	}
	anomaly_fixture_finish(&f, 130000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, NULL);
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
		TEST(test_hosts_that_collide_under_one_seed_do_not_under_another),
		TEST(test_times_that_run_backwards_hide_nothing_and_break_nothing),
		TEST(test_a_scan_in_reverse_order_of_time_is_one),
	};
#undef TEST

	return cmocka_run_group_tests_name("hostile", tests, NULL, NULL);
}
