/* SPDX-License-Identifier: BSD-2-Clause */
/* What an event tells beside what it is about: how much was amplified, what else was broken. */
#include "tests/lib/anomaly_send.h"

#define QUESTION_OCTETS 60 /* with 28 of headers */
#define ANSWER_OCTETS	600

static void send_answer(uint64_t ms, uint32_t server, uint16_t service, uint16_t port,
			uint16_t octets)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = host(server),
						       .from_port = service,
						       .to = LOCAL,
						       .to_port = port,
						       .protocol = IPPROTO_UDP,
						       .payload = (uint16_t)(octets - 28)});
}

/* A server that was asked, and answered with as many octets. */
static void ask(uint64_t ms, uint32_t server, uint16_t service, uint16_t octets)
{
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = LOCAL,
						       .from_port = 5000,
						       .to = host(server),
						       .to_port = service,
						       .protocol = IPPROTO_UDP,
						       .payload = (uint16_t)(octets - 28)});
	send_answer(ms + 1, server, service, 5000, octets);
}

/* Both directions are observed; then answers that nobody asked for. */
static void reflect(struct anomaly_event *e)
{
	for (uint16_t i = 0; i < 20; i++)
		connect_to(0, host(i), LOCAL, (uint16_t)(80 + i));
	for (uint32_t i = 0; i < 60; i++)
		send_answer(1100 + i, 1000 + i, 123, 4444, ANSWER_OCTETS);
	anomaly_fixture_run(&f, 2000);
	assert_one(ANOMALY_REFLECTION, ANOMALY_BY_NTP, e);
}

static void test_a_question_that_was_seen_tells_how_much_was_amplified(void **state)
{
	struct anomaly_event e;

	(void)state;
	ask(1000, 1, 123, QUESTION_OCTETS);
	ask(1010, 2, 123, QUESTION_OCTETS);
	reflect(&e);
	assert_true(e.amplification == (float)ANSWER_OCTETS / QUESTION_OCTETS);
}

static void test_a_question_to_another_service_tells_nothing(void **state)
{
	struct anomaly_event e;

	(void)state;
	ask(1010, 2, 53, QUESTION_OCTETS);
	reflect(&e);
	assert_true(e.amplification == 0);
}

static void test_an_event_tells_what_else_the_same_host_broke(void **state)
{
	struct anomaly_event first = {0}, second = {0};

	(void)state;
	send_tcp(0, REMOTE, CLIENT, TARGET, 80, TH_SYN | TH_FIN);
	send_tcp(0, "198.51.100.8", CLIENT, TARGET, 80, TH_SYN | TH_FIN);
	anomaly_fixture_run(&f, 1000);
	send_tcp(1000, REMOTE, CLIENT, TARGET, 81, TH_SYN | TH_RST);
	anomaly_fixture_run(&f, 2000);
	for (uint32_t i = 0; i < f.n_events; i++) {
		if (f.event[i].subclass == ANOMALY_BY_SYN_RST)
			second = f.event[i];
		else if (host_ipv4(&f.event[i].source) == 0xc6336407)
			first = f.event[i];
	}
	assert_int_equal(first.violation_id, 2);
	assert_int_equal(first.violations, 1 << 2);
	assert_int_equal(second.violation_id, 3);
	assert_int_equal(second.violations, 1 << 2 | 1 << 3);
}

static void test_what_was_broken_long_ago_is_not_told(void **state)
{
	struct anomaly_event e;

	(void)state;
	send_tcp(0, REMOTE, CLIENT, TARGET, 80, TH_SYN | TH_FIN);
	anomaly_fixture_run(&f, 100000);
	f.n_events = 0;
	send_tcp(100000, REMOTE, CLIENT, TARGET, 81, TH_SYN | TH_RST);
	anomaly_fixture_run(&f, 101000);
	assert_one(ANOMALY_PROTOCOL_VIOLATION, ANOMALY_BY_SYN_RST, &e);
	assert_int_equal(e.violations, 1 << 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_a_question_that_was_seen_tells_how_much_was_amplified),
		TEST(test_a_question_to_another_service_tells_nothing),
		TEST(test_an_event_tells_what_else_the_same_host_broke),
		TEST(test_what_was_broken_long_ago_is_not_told),
	};

	return cmocka_run_group_tests_name("evidence of events", tests, NULL, NULL);
}
