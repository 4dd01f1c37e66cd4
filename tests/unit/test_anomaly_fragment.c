/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fragments in what detectors judge: later ones are packets of their first one's Flow,
 * and a first one may end before the flags of TCP.
 */
#include "tests/lib/anomaly_send.h"

#define FULL 1480 /* octets behind the IP header of a fragment that fills 1500 */

static void send_answer(uint64_t ms, const char *server, uint16_t payload)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = server,
						       .to = TARGET,
						       .from_port = 53,
						       .to_port = 4444,
						       .protocol = IPPROTO_UDP,
						       .payload = payload,
						       .fragment = FULL});
}

static void send_in_eights(uint64_t ms, uint16_t port, uint8_t flags)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = LOCAL,
						       .to = TARGET,
						       .from_port = CLIENT,
						       .to_port = port,
						       .flags = flags,
						       .fragment = 8});
}

static void test_an_answer_with_a_short_last_fragment_is_a_large_one(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint32_t i = 0; i < 12; i++)
		send_answer(100 + i, host(i), FULL);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_REFLECTION, ANOMALY_BY_DNS, &e);
	assert_int_equal(e.threshold, 10);
	assert_int_equal(e.n_sources, 12);
}

static void test_one_large_answer_among_small_ones_makes_them_no_large_ones(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 12; i++) {
		send_answer(100 + i, host(i), FULL - 8);
		for (uint32_t k = 0; k < 5; k++)
			send_answer(200 + i, host(i), 100);
	}
	anomaly_fixture_run(&f, 2000);
	assert_nothing();
}

static void test_a_scan_that_hides_its_flags_in_fragments_is_one_by_syn(void **state)
{
	struct anomaly_event e;

	(void)state;
	for (uint16_t i = 0; i < 15; i++) {
		send_in_eights(100, 1 + i, TH_SYN);
		send_tcp(101, TARGET, 1 + i, LOCAL, CLIENT, TH_RST | TH_ACK);
	}
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_int_equal(e.n_ports, 15);
}

static void test_answered_contacts_with_hidden_flags_are_no_scan(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 15; i++) {
		send_in_eights(100, 1 + i, TH_SYN);
		send_tcp(101, TARGET, 1 + i, LOCAL, CLIENT, TH_SYN | TH_ACK);
	}
	anomaly_fixture_run(&f, 10000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_TINY_FRAGMENT, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_an_answer_with_a_short_last_fragment_is_a_large_one),
		TEST(test_one_large_answer_among_small_ones_makes_them_no_large_ones),
		TEST(test_a_scan_that_hides_its_flags_in_fragments_is_one_by_syn),
		TEST(test_answered_contacts_with_hidden_flags_are_no_scan),
	};
#undef TEST

	return cmocka_run_group_tests_name("fragments", tests, NULL, NULL);
}
