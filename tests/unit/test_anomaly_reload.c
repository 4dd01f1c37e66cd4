/* SPDX-License-Identifier: BSD-2-Clause */
/* Anomaly detection that goes on with another configuration. */
#include <netinet/in.h>
#include <stdio.h>
#include <netinet/tcp.h>

#include "tests/lib/anomaly_case.h"

#define SCANNER "203.0.113.7"
#define TARGET	"10.0.0.2"

/* n ports from `first` on that are closed, within 100 ms. */
static void scan(uint64_t ms, uint16_t first, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		uint16_t port = (uint16_t)(first + i);

		anomaly_fixture_packet(&f, ms + i % 100,
				       (struct anomaly_packet){.from = SCANNER,
							       .to = TARGET,
							       .from_port = 40000,
							       .to_port = port,
							       .flags = TH_SYN});
		anomaly_fixture_packet(&f, ms + i % 100,
				       (struct anomaly_packet){.from = TARGET,
							       .to = SCANNER,
							       .from_port = port,
							       .to_port = 40000,
							       .flags = TH_RST | TH_ACK});
	}
}

static void reload(void)
{
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, f.sweep.now_ns), 0);
}

static uint32_t count(uint8_t state, bool is_dry)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f.n_events; i++)
		n += f.event[i].class == ANOMALY_PORT_SCAN && f.event[i].state == state &&
		     f.event[i].is_dry_run == is_dry;
	return n;
}

static void test_an_incident_that_is_allowed_ends_at_once_and_stays_ended(void **state)
{
	const char *reason;

	(void)state;
	scan(100, 1, 100);
	anomaly_fixture_run(&f, 5000);
	assert_int_equal(count(ANOMALY_START, false), 1);
	assert_int_equal(count(ANOMALY_END, false), 0);
	f.cfg.anomaly.allow.n = 1;
	assert_int_equal(network_parse(SCANNER, &f.cfg.anomaly.allow.item[0], &reason), 0);
	reload();
	assert_int_equal(count(ANOMALY_END, false), 1);
	scan(6000, 200, 100);
	anomaly_fixture_run(&f, 10000);
	assert_int_equal(f.n_events, 2);
	/* and off the list again it is one that may begin */
	f.cfg.anomaly.allow.n = 0;
	reload();
	scan(400000, 400, 100);
	anomaly_fixture_run(&f, 405000);
	assert_int_equal(count(ANOMALY_START, false), 2);
}

static void test_others_do_not_notice_the_list(void **state)
{
	const char *reason;

	(void)state;
	scan(100, 1, 100);
	anomaly_fixture_run(&f, 5000);
	f.cfg.anomaly.allow.n = 1;
	assert_int_equal(network_parse(TARGET, &f.cfg.anomaly.allow.item[0], &reason), 0);
	reload();
	anomaly_fixture_run(&f, 10000);
	assert_int_equal(f.n_events, 1);
}

static void test_thresholds_count_from_then_on(void **state)
{
	(void)state;
	f.cfg.anomaly.scan.contacts = 500;
	f.cfg.anomaly.scan.slow = 200;
	reload();
	scan(100, 1, 100);
	anomaly_fixture_run(&f, 5000);
	assert_int_equal(f.n_events, 0);
	f.cfg.anomaly.scan.contacts = 15;
	reload();
	scan(6000, 200, 1);
	anomaly_fixture_run(&f, 10000);
	assert_int_equal(count(ANOMALY_START, false), 1);
}

static void test_a_detector_is_switched_off_and_on(void **state)
{
	struct anomaly_stats all, some;

	(void)state;
	scan(100, 1, 10);
	anomaly_fixture_run(&f, 5000);
	anomaly_stats(f.anomaly, &all);
	f.cfg.anomaly.scan.enabled = false;
	reload();
	anomaly_stats(f.anomaly, &some);
	assert_true(some.memory_octets < all.memory_octets);
	scan(6000, 100, 100);
	anomaly_fixture_run(&f, 10000);
	assert_int_equal(f.n_events, 0);
	f.cfg.anomaly.scan.enabled = true;
	reload();
	anomaly_stats(f.anomaly, &some);
	assert_int_equal(some.memory_octets, all.memory_octets);
	scan(11000, 300, 10); /* what was before is forgotten */
	anomaly_fixture_run(&f, 15000);
	assert_int_equal(f.n_events, 0);
	scan(16000, 400, 10);
	anomaly_fixture_run(&f, 20000);
	assert_int_equal(count(ANOMALY_START, false), 1);
}

static void test_the_end_of_a_dry_run_tells_of_what_goes_on(void **state)
{
	(void)state;
	f.cfg.anomaly.dry_run = true;
	reload();
	scan(100, 1, 100);
	anomaly_fixture_run(&f, 5000);
	assert_int_equal(count(ANOMALY_START, true), 1);
	f.cfg.anomaly.dry_run = false;
	reload();
	assert_int_equal(count(ANOMALY_START, false), 1);
	assert_int_equal(f.event[0].event_id, f.event[1].event_id);
	reload();
	assert_int_equal(f.n_events, 2);
	f.cfg.anomaly.dry_run = true;
	reload();
	assert_int_equal(f.n_events, 2);
	anomaly_fixture_finish(&f, 6000);
	assert_int_equal(count(ANOMALY_END, true), 1);
}

/* UDP from 200 sources for two seconds, 2250 packets in each. */
static void flood(uint64_t ms)
{
	char from[16];

	for (uint32_t i = 0; i < 4500; i++) {
		snprintf(from, sizeof(from), "198.18.0.%u", 1 + i % 200);
		anomaly_fixture_packet(&f, ms + i * 4 / 9,
				       (struct anomaly_packet){.from = from,
							       .to = TARGET,
							       .from_port = 4000,
							       .to_port = 9999,
							       .protocol = IPPROTO_UDP,
							       .payload = 500});
	}
}

/* The volume detector keeps what its rough counts have to reach. */
static void test_thresholds_of_volume_change_both_ways(void **state)
{
	(void)state;
	f.cfg.anomaly.ddos.packets_per_s = 1000000;
	reload();
	flood(1000);
	anomaly_fixture_run(&f, 5000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_DDOS, ANOMALY_START, NULL), 0);
	f.cfg.anomaly.ddos.packets_per_s = 1000;
	reload();
	flood(6000);
	anomaly_fixture_run(&f, 10000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_DDOS, ANOMALY_START, NULL), 1);
}

/* Data that goes on leaving, one connection in all. */
static void upload(uint64_t ms, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		anomaly_fixture_packet(&f, ms + 20 * i,
				       (struct anomaly_packet){.from = "192.0.2.1",
							       .to = "203.0.113.9",
							       .from_port = 40000,
							       .to_port = 443,
							       .flags = TH_ACK,
							       .payload = 65000});
}

static uint32_t count_leaks(void)
{
	return anomaly_fixture_count(&f, ANOMALY_EXFILTRATION, ANOMALY_START, NULL);
}

static void leak_little(void)
{
	f.cfg.anomaly.exfiltration.mbyte_per_hour = 10;
	f.cfg.anomaly.exfiltration.learning_s = 0;
	reload();
	upload(100, 200);
	anomaly_fixture_run(&f, 5000);
	assert_int_equal(count_leaks(), 0);
}

static void test_a_flow_that_goes_on_leaves_once_its_host_is_ours(void **state)
{
	struct network_list *ours = &f.cfg.anomaly.local_networks;
	const char *reason;

	(void)state;
	leak_little();
	assert_int_equal(network_parse("192.0.2.0/24", &ours->item[ours->n++], &reason), 0);
	reload();
	upload(6000, 200);
	anomaly_fixture_run(&f, 11000);
	assert_int_equal(count_leaks(), 1);
}

static void test_networks_of_the_interfaces_change(void **state)
{
	struct network_list attached = {.n = 1};
	const char *reason;

	(void)state;
	leak_little();
	assert_int_equal(network_parse("192.0.2.0/24", &attached.item[0], &reason), 0);
	anomaly_attach(f.anomaly, &attached);
	upload(6000, 100);
	anomaly_fixture_run(&f, 8000);
	attached.n = 0;
	anomaly_attach(f.anomaly, &attached);
	upload(9000, 200);
	anomaly_fixture_run(&f, 13000);
	assert_int_equal(count_leaks(), 0);
	attached.n = 1;
	anomaly_attach(f.anomaly, &attached);
	upload(14000, 100);
	anomaly_fixture_run(&f, 20000);
	assert_int_equal(count_leaks(), 1);
}

/* A connection that takes half a minute: its begin, or its rest. */
static void call(uint32_t minute, bool is_rest)
{
	for (uint32_t k = is_rest ? 2 : 0; k < (is_rest ? 4 : 2); k++)
		anomaly_fixture_packet(&f, minute * 60000 + k * 10000,
				       (struct anomaly_packet){
					       .from = "10.0.0.1",
					       .to = "203.0.113.9",
					       .from_port = (uint16_t)(40000 + minute),
					       .to_port = 443,
					       .flags = k ? TH_ACK : TH_SYN,
				       });
	anomaly_fixture_run(&f, minute * 60000 + (is_rest ? 35000 : 15000));
}

static void test_a_flow_that_goes_on_is_a_beat_once_its_service_is_not_allowed(void **state)
{
	struct network_list *allow = &f.cfg.anomaly.beacon.allow;
	const char *reason;

	(void)state;
	assert_int_equal(network_parse("203.0.113.9", &allow->item[0], &reason), 0);
	for (uint32_t minute = 0; minute < 40; minute++) {
		allow->n = 1;
		reload();
		call(minute, false);
		allow->n = 0;
		reload();
		call(minute, true);
	}
	anomaly_fixture_finish(&f, 41 * 60000);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_BEACON, ANOMALY_START, NULL), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_an_incident_that_is_allowed_ends_at_once_and_stays_ended),
		TEST(test_others_do_not_notice_the_list),
		TEST(test_thresholds_count_from_then_on),
		TEST(test_a_detector_is_switched_off_and_on),
		TEST(test_the_end_of_a_dry_run_tells_of_what_goes_on),
		TEST(test_thresholds_of_volume_change_both_ways),
		TEST(test_a_flow_that_goes_on_leaves_once_its_host_is_ours),
		TEST(test_networks_of_the_interfaces_change),
		TEST(test_a_flow_that_goes_on_is_a_beat_once_its_service_is_not_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
