/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When a Flow ends and why: the arithmetic alone. What follows from it for the
 * Flow Cache is in test_sweep.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "probe/expiry.h"

#define S   1000000000ULL
#define NOW (1000 * S)

static const struct expiry_timeouts timeouts = {.active_ns = 60 * S, .idle_ns = 15 * S};

/* A Flow that began `age` and was last seen `silence` seconds ago, nothing exported. */
static struct expiry_flow udp_flow(uint64_t age_s, uint64_t silence_s)
{
	return (struct expiry_flow){
		.first_ns = NOW - age_s * S,
		.last_ns = NOW - silence_s * S,
		.packets = 10,
		.unexported = 10,
	};
}

static struct expiry_flow tcp_flow(uint64_t silence_s, uint16_t flags)
{
	struct expiry_flow flow = udp_flow(20, silence_s);

	flow.is_tcp = true;
	flow.tcp_flags = flags;
	return flow;
}

static void assert_ends(const struct expiry_flow *flow, const struct expiry_flow *reverse,
			int reason)
{
	assert_int_equal(expiry_judge(&timeouts, flow, reverse, NOW).end_reason, reason);
}

/* The Flow goes on and is due in `in_s` seconds. */
static void assert_due(const struct expiry_flow *flow, const struct expiry_flow *reverse,
		       uint64_t in_s)
{
	struct expiry_verdict verdict = expiry_judge(&timeouts, flow, reverse, NOW);

	assert_int_equal(verdict.end_reason, 0);
	assert_int_equal(verdict.due_ns, NOW + in_s * S);
}

static void test_idle_flow_ends_with_reason_1(void **state)
{
	struct expiry_flow flow = udp_flow(20, 15);

	(void)state;
	assert_ends(&flow, NULL, FLOW_END_IDLE_TIMEOUT);
	flow.last_ns++;
	assert_int_equal(expiry_judge(&timeouts, &flow, NULL, NOW).due_ns, NOW + 1);
}

static void test_conversation_is_idle_as_a_whole(void **state)
{
	struct expiry_flow flow = udp_flow(20, 15), reverse = udp_flow(20, 3);

	(void)state;
	assert_due(&flow, &reverse, 12);
	assert_due(&reverse, &flow, 12);
	reverse = udp_flow(20, 16);
	assert_ends(&flow, &reverse, FLOW_END_IDLE_TIMEOUT);
	assert_ends(&reverse, &flow, FLOW_END_IDLE_TIMEOUT);
}

static void test_last_packet_ahead_of_the_clock_is_not_idle(void **state)
{
	struct expiry_flow flow = udp_flow(20, 0);

	(void)state;
	flow.last_ns = NOW + S / 100;
	assert_false(expiry_is_candidate(&timeouts, &flow, NOW));
	assert_int_equal(expiry_judge(&timeouts, &flow, NULL, NOW).end_reason, 0);
}

static void test_active_flow_is_reported_with_reason_2(void **state)
{
	struct expiry_flow flow = udp_flow(60, 1);

	(void)state;
	assert_ends(&flow, NULL, FLOW_END_ACTIVE_TIMEOUT);
	flow = udp_flow(59, 1);
	assert_due(&flow, NULL, 1);
}

static void test_active_timeout_runs_from_the_last_exported_interval(void **state)
{
	struct expiry_flow flow = udp_flow(100, 1);

	(void)state;
	flow.exported_ns = NOW - 50 * S;
	assert_due(&flow, NULL, 10);
	flow.exported_ns = NOW - 60 * S;
	assert_ends(&flow, NULL, FLOW_END_ACTIVE_TIMEOUT);
}

static void test_nothing_new_is_no_active_report(void **state)
{
	struct expiry_flow flow = udp_flow(200, 5);

	(void)state;
	flow.exported_ns = NOW - 100 * S;
	flow.unexported = 0;
	assert_due(&flow, NULL, 1);
}

static void test_idle_is_told_rather_than_active(void **state)
{
	struct expiry_flow flow = udp_flow(80, 15);

	(void)state;
	assert_ends(&flow, NULL, FLOW_END_IDLE_TIMEOUT);
}

static void test_fin_of_both_sides_ends_after_two_seconds(void **state)
{
	struct expiry_flow flow = tcp_flow(2, TH_SYN | TH_ACK | TH_FIN);
	struct expiry_flow reverse = tcp_flow(3, TH_SYN | TH_ACK | TH_FIN);

	(void)state;
	assert_ends(&flow, &reverse, FLOW_END_DETECTED);
	assert_ends(&reverse, &flow, FLOW_END_DETECTED);
	flow = tcp_flow(1, TH_SYN | TH_ACK | TH_FIN);
	assert_due(&flow, &reverse, 1);
	assert_due(&reverse, &flow, 1);
}

static void test_fin_of_one_of_two_sides_is_no_end(void **state)
{
	struct expiry_flow flow = tcp_flow(10, TH_SYN | TH_ACK | TH_FIN);
	struct expiry_flow reverse = tcp_flow(9, TH_SYN | TH_ACK);

	(void)state;
	assert_due(&flow, &reverse, 6);
	assert_due(&reverse, &flow, 6);
}

static void test_end_of_the_only_side_seen_waits_five_seconds(void **state)
{
	struct expiry_flow flow = tcp_flow(4, TH_ACK | TH_FIN);

	(void)state;
	assert_due(&flow, NULL, 1);
	flow = tcp_flow(5, TH_ACK | TH_FIN);
	assert_ends(&flow, NULL, FLOW_END_DETECTED);
	flow = tcp_flow(5, TH_RST);
	assert_ends(&flow, NULL, FLOW_END_DETECTED);
}

static void test_rst_of_either_side_ends_after_two_seconds(void **state)
{
	struct expiry_flow flow = tcp_flow(2, TH_SYN | TH_ACK);
	struct expiry_flow reverse = tcp_flow(2, TH_RST | TH_ACK);

	(void)state;
	assert_ends(&flow, &reverse, FLOW_END_DETECTED);
	assert_ends(&reverse, &flow, FLOW_END_DETECTED);
	reverse = tcp_flow(1, TH_RST | TH_ACK);
	assert_due(&flow, &reverse, 1);
}

static void test_flags_of_other_protocols_end_nothing(void **state)
{
	struct expiry_flow flow = udp_flow(20, 6);

	(void)state;
	flow.tcp_flags = TH_FIN | TH_RST;
	assert_false(expiry_is_candidate(&timeouts, &flow, NOW));
	assert_due(&flow, NULL, 9);
}

static void test_pressure_takes_single_packets_at_once_and_halves_the_rest(void **state)
{
	struct expiry_timeouts full = timeouts;
	struct expiry_flow single = udp_flow(1, 1), other = udp_flow(20, 8);

	(void)state;
	full.pressure_permille = 1000;
	single.packets = single.unexported = 1;
	assert_int_equal(expiry_judge(&full, &single, NULL, NOW).end_reason,
			 FLOW_END_LACK_OF_RESOURCES);
	assert_int_equal(expiry_judge(&full, &other, NULL, NOW).end_reason,
			 FLOW_END_LACK_OF_RESOURCES);
	other = udp_flow(20, 7);
	assert_int_equal(expiry_judge(&full, &other, NULL, NOW).end_reason, 0);
	/* answered: the conversation is as patient as its more patient side */
	assert_int_equal(expiry_judge(&full, &single, &other, NOW).end_reason, 0);
	/* past the configured timeout it is that timeout, pressure or not */
	other = udp_flow(20, 15);
	assert_int_equal(expiry_judge(&full, &other, NULL, NOW).end_reason, FLOW_END_IDLE_TIMEOUT);
}

static void test_half_the_pressure_takes_half_the_patience(void **state)
{
	struct expiry_timeouts half = timeouts;
	struct expiry_flow single = udp_flow(20, 7);

	(void)state;
	half.pressure_permille = 500;
	single.packets = single.unexported = 1;
	assert_int_equal(expiry_judge(&half, &single, NULL, NOW).due_ns, NOW + S / 2);
	single.last_ns -= S / 2;
	assert_int_equal(expiry_judge(&half, &single, NULL, NOW).end_reason,
			 FLOW_END_LACK_OF_RESOURCES);
}

/* Only candidates get their other direction looked up: every end must be one. */
static void test_every_flow_that_ends_is_a_candidate(void **state)
{
	static const uint16_t flags[] = {0, TH_ACK, TH_FIN, TH_RST};

	(void)state;
	for (uint64_t silence = 0; silence < 20; silence++) {
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
			struct expiry_flow flow = tcp_flow(silence, flags[i]);
			uint8_t reason = expiry_judge(&timeouts, &flow, NULL, NOW).end_reason;

			if (reason && reason != FLOW_END_ACTIVE_TIMEOUT)
				assert_true(expiry_is_candidate(&timeouts, &flow, NOW));
		}
	}
}

/* What goes on at a glance, expiry_judge() lets go on; the rest is left to it. */
static void assert_glance(const struct expiry_timeouts *t, const struct expiry_flow *flow)
{
	struct expiry_verdict verdict = expiry_judge(t, flow, NULL, NOW);
	bool is_candidate = expiry_is_candidate(t, flow, NOW);
	uint64_t due_ns;

	if (expiry_goes_on(t, flow, NOW, &due_ns)) {
		assert_false(is_candidate);
		assert_int_equal(verdict.end_reason, 0);
		assert_int_equal(verdict.due_ns, due_ns);
	} else {
		assert_true(is_candidate || verdict.end_reason ||
			    NOW >= expiry_active_due_ns(t, flow));
	}
}

static void test_glance_lets_go_on_what_the_judgement_does(void **state)
{
	static const uint16_t flags[] = {0, TH_ACK, TH_FIN, TH_RST};

	(void)state;
	for (uint32_t i = 0; i < 90 * 20 * 4 * 2 * 2 * 2 * 3; i++) {
		uint32_t n = i;
		struct expiry_flow flow = {.first_ns = NOW - n % 90 * S};
		struct expiry_timeouts t = timeouts;

		n /= 90;
		flow.last_ns = NOW - n % 20 * S;
		if (flow.last_ns < flow.first_ns)
			flow.last_ns = flow.first_ns;
		n /= 20;
		flow.tcp_flags = flags[n % 4];
		n /= 4;
		flow.is_tcp = n % 2;
		n /= 2;
		flow.packets = n % 2 ? 1 : 10;
		n /= 2;
		flow.exported_ns = n % 2 ? flow.first_ns + (flow.last_ns - flow.first_ns) / 2 : 0;
		n /= 2;
		t.pressure_permille = n % 3 * 500;
		flow.unexported = i % 5 ? flow.packets : 0;
		assert_glance(&t, &flow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_idle_flow_ends_with_reason_1),
		cmocka_unit_test(test_conversation_is_idle_as_a_whole),
		cmocka_unit_test(test_last_packet_ahead_of_the_clock_is_not_idle),
		cmocka_unit_test(test_active_flow_is_reported_with_reason_2),
		cmocka_unit_test(test_active_timeout_runs_from_the_last_exported_interval),
		cmocka_unit_test(test_nothing_new_is_no_active_report),
		cmocka_unit_test(test_idle_is_told_rather_than_active),
		cmocka_unit_test(test_fin_of_both_sides_ends_after_two_seconds),
		cmocka_unit_test(test_fin_of_one_of_two_sides_is_no_end),
		cmocka_unit_test(test_end_of_the_only_side_seen_waits_five_seconds),
		cmocka_unit_test(test_rst_of_either_side_ends_after_two_seconds),
		cmocka_unit_test(test_flags_of_other_protocols_end_nothing),
		cmocka_unit_test(test_pressure_takes_single_packets_at_once_and_halves_the_rest),
		cmocka_unit_test(test_half_the_pressure_takes_half_the_patience),
		cmocka_unit_test(test_every_flow_that_ends_is_a_candidate),
		cmocka_unit_test(test_glance_lets_go_on_what_the_judgement_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
