/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The state of a TCP connection by the control bits of one or both directions,
 * and that it agrees with when Flows end; the second half is that of a sweep.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "probe/connection.h"
#include "tests/lib/sweep_fixture.h"

#define START (1000 * FIXTURE_S)
#define NOW   (START + FIXTURE_S)

static struct sweep_fixture f;

/* A direction that began a second ago. */
static struct expiry_flow side(uint16_t flags)
{
	return (struct expiry_flow){
		.first_ns = START,
		.last_ns = START,
		.packets = 5,
		.unexported = 5,
		.tcp_flags = flags,
		.is_tcp = true,
	};
}

static void assert_both(uint16_t flags, uint16_t reverse_flags, enum connection_state expected)
{
	struct expiry_flow flow = side(flags), reverse = side(reverse_flags);

	assert_int_equal(connection_state(&flow, &reverse, 0, NOW), expected);
	assert_int_equal(connection_state(&reverse, &flow, 0, NOW), expected);
}

static void assert_one(uint16_t flags, uint8_t end_reason, enum connection_state expected)
{
	struct expiry_flow flow = side(flags);

	assert_int_equal(connection_state(&flow, NULL, end_reason, NOW), expected);
}

static void test_each_step_of_a_connection_has_its_state(void **state)
{
	(void)state;
	assert_one(TH_SYN, 0, CONNECTION_OPENING);
	assert_both(TH_SYN, TH_SYN | TH_ACK, CONNECTION_OPENING);
	assert_both(TH_SYN | TH_ACK, TH_SYN | TH_ACK, CONNECTION_ESTABLISHED);
	assert_both(TH_SYN | TH_ACK | TH_FIN, TH_SYN | TH_ACK, CONNECTION_CLOSING);
	assert_both(TH_SYN | TH_ACK | TH_FIN, TH_SYN | TH_ACK | TH_FIN, CONNECTION_CLOSED);
}

static void test_rst_of_either_side_resets(void **state)
{
	(void)state;
	assert_both(TH_SYN, TH_RST | TH_ACK, CONNECTION_RESET);
	assert_both(TH_SYN | TH_ACK | TH_RST, TH_SYN | TH_ACK, CONNECTION_RESET);
	assert_both(TH_SYN | TH_ACK | TH_RST, TH_SYN | TH_ACK | TH_FIN, CONNECTION_RESET);
	assert_one(TH_RST | TH_ACK, 0, CONNECTION_RESET);
}

static void test_rst_behind_both_fins_leaves_closed(void **state)
{
	(void)state;
	assert_both(TH_ACK | TH_FIN | TH_RST, TH_ACK | TH_FIN, CONNECTION_CLOSED);
}

static void test_syn_is_never_answered_when_it_ends_or_grows_old(void **state)
{
	struct expiry_flow flow = side(TH_SYN);

	(void)state;
	assert_one(TH_SYN, FLOW_END_IDLE_TIMEOUT, CONNECTION_NEVER_ANSWERED);
	assert_one(TH_SYN, FLOW_END_FORCED, CONNECTION_NEVER_ANSWERED);
	assert_one(TH_SYN, FLOW_END_LACK_OF_RESOURCES, CONNECTION_NEVER_ANSWERED);
	assert_one(TH_SYN, FLOW_END_ACTIVE_TIMEOUT, CONNECTION_OPENING);
	assert_int_equal(connection_state(&flow, NULL, FLOW_END_ACTIVE_TIMEOUT,
					  START + CONNECTION_ANSWER_NS - 1),
			 CONNECTION_OPENING);
	assert_int_equal(connection_state(&flow, NULL, 0, START + CONNECTION_ANSWER_NS),
			 CONNECTION_NEVER_ANSWERED);
}

static void test_syn_with_congestion_bits_is_a_syn(void **state)
{
	(void)state;
	assert_one(TH_SYN | 0xc0, 0, CONNECTION_OPENING); /* ECE, CWR (RFC 3168 6.1.1) */
}

static void test_handshake_that_the_client_leaves_stays_opening(void **state)
{
	struct expiry_flow flow = side(TH_SYN), reverse = side(TH_SYN | TH_ACK);

	(void)state;
	assert_int_equal(connection_state(&flow, &reverse, FLOW_END_IDLE_TIMEOUT, NOW),
			 CONNECTION_OPENING);
}

static void test_the_only_side_seen_says_it_all(void **state)
{
	struct expiry_flow answer = side(TH_SYN | TH_ACK);

	(void)state;
	assert_one(TH_ACK, 0, CONNECTION_ESTABLISHED);
	assert_one(TH_SYN | TH_ACK, 0, CONNECTION_ESTABLISHED);
	assert_one(TH_ACK | TH_FIN, 0, CONNECTION_CLOSING);
	assert_one(TH_ACK | TH_FIN, FLOW_END_FORCED, CONNECTION_CLOSING);
	assert_one(TH_ACK | TH_FIN, FLOW_END_DETECTED, CONNECTION_CLOSED);
	answer.packets = 1;
	assert_int_equal(connection_state(&answer, NULL, 0, NOW), CONNECTION_OPENING);
}

static void test_what_is_no_connection_has_no_state(void **state)
{
	struct expiry_flow udp = side(TH_SYN | TH_FIN);

	(void)state;
	udp.is_tcp = false;
	assert_int_equal(connection_state(&udp, NULL, 0, NOW), CONNECTION_NONE);
	assert_one(0, FLOW_END_IDLE_TIMEOUT, CONNECTION_NONE);
	assert_one(TH_URG | TH_PUSH, 0, CONNECTION_NONE);
}

static bool is_at_an_end(enum connection_state state)
{
	return state == CONNECTION_CLOSED || state == CONNECTION_RESET;
}

/* All pairs of SYN, ACK, FIN, RST: ended by expiry_judge() means closed or reset, and back. */
static void test_flows_that_end_by_their_flags_are_closed_or_reset(void **state)
{
	const struct expiry_timeouts timeouts = {.active_ns = 60 * FIXTURE_S,
						 .idle_ns = 15 * FIXTURE_S};

	(void)state;
	for (uint16_t flags = 0; flags < 0x20; flags++) {
		struct expiry_flow flow = side(flags);
		uint64_t now = START + EXPIRY_LINGER_ONE_SIDE_NS;
		uint8_t reason = expiry_judge(&timeouts, &flow, NULL, now).end_reason;

		assert_int_equal(reason == FLOW_END_DETECTED,
				 is_at_an_end(connection_state(&flow, NULL, reason, now)));
		for (uint16_t other = 0; other < 0x20; other++) {
			struct expiry_flow reverse = side(other);

			now = START + EXPIRY_LINGER_NS;
			reason = expiry_judge(&timeouts, &flow, &reverse, now).end_reason;
			assert_int_equal(
				reason == FLOW_END_DETECTED,
				is_at_an_end(connection_state(&flow, &reverse, reason, now)));
		}
	}
}

static void test_states_have_names_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < CONNECTION_STATES; i++)
		assert_int_equal(connection_state_number(connection_state_name((uint8_t)i)), i);
	assert_string_equal(connection_state_name(CONNECTION_NEVER_ANSWERED), "never-answered");
	assert_string_equal(connection_state_name(CONNECTION_STATES), "none");
	assert_int_equal(connection_state_number("open"), -EINVAL);
}

/* ---- in the records of a sweep ------------------------------------------------------- */

static int setup(void **state)
{
	(void)state;
	fixture_open(&f, 4096);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

/* A segment of conversation `id`, `after_ms` after the start. */
static void meter(uint64_t after_ms, uint32_t id, bool is_reverse, uint8_t flags)
{
	fixture_meter(&f, START + after_ms * FIXTURE_MS,
		      &(struct fixture_packet){
			      .id = id,
			      .is_reverse = is_reverse,
			      .is_ipv6 = id & 1,
			      .protocol = IPPROTO_TCP,
			      .tcp_flags = flags,
		      });
}

static void meter_handshake(uint32_t id)
{
	meter(0, id, false, TH_SYN);
	meter(1, id, true, TH_SYN | TH_ACK);
	meter(2, id, false, TH_ACK);
}

static void sweep(uint64_t after_ms)
{
	fixture_sweep(&f, START + after_ms * FIXTURE_MS);
}

/* Since fixture_forget() there are n records, and all have this state. */
static void assert_records(uint32_t n, enum connection_state expected)
{
	assert_int_equal(f.n_records, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(f.record[i].connection_state, expected);
	fixture_forget(&f);
}

static void test_both_records_of_a_closed_connection_say_so(void **state)
{
	(void)state;
	for (uint32_t id = 100; id < 140; id++) {
		meter_handshake(id);
		meter(100, id, true, TH_ACK | TH_FIN);
		meter(101, id, false, TH_ACK | TH_FIN);
	}
	sweep(2200);
	assert_records(80, CONNECTION_CLOSED);
}

static void test_both_records_of_an_idle_connection_say_established(void **state)
{
	(void)state;
	for (uint32_t id = 100; id < 140; id++)
		meter_handshake(id);
	sweep(15100);
	assert_records(80, CONNECTION_ESTABLISHED);
}

static void test_reset_counts_in_the_record_of_the_side_that_sent_none(void **state)
{
	(void)state;
	meter(0, 7, false, TH_SYN);
	meter(1, 7, true, TH_RST | TH_ACK);
	sweep(2100);
	assert_records(2, CONNECTION_RESET);
}

static uint32_t pair_slot[2], n_seen;

static void assert_pair_in_place(void *arg, const struct flow_record *r)
{
	(void)arg;
	(void)r;
	n_seen++;
	for (int i = 0; i < 2; i++)
		assert_int_equal(*flow_tag_at(&f.cache.table[FLOW_IPV4], pair_slot[i]),
				 XFP_TAG_RETIRING);
}

/* A place that is free may hold another Flow the next moment. */
static void test_both_directions_keep_their_place_until_both_records_are_made(void **state)
{
	(void)state;
	meter_handshake(8);
	for (int i = 0; i < 2; i++)
		pair_slot[i] = fixture_slot(&f, &(struct fixture_packet){.id = 8,
									 .is_reverse = i,
									 .protocol = IPPROTO_TCP});
	f.sweep.sink = assert_pair_in_place;
	n_seen = 0;
	sweep(15100);
	assert_int_equal(n_seen, 2);
	assert_int_equal(fixture_flows(&f), 0);
}

static void test_last_records_of_a_stop_know_both_directions(void **state)
{
	(void)state;
	for (uint32_t id = 100; id < 140; id++) {
		meter_handshake(id);
		meter(100, id, true, TH_ACK | TH_FIN);
	}
	sweep_flush(&f.sweep, START + 200 * FIXTURE_MS, FLOW_END_FORCED);
	assert_records(80, CONNECTION_CLOSING);
}

static void test_active_record_tells_the_state_of_its_moment(void **state)
{
	(void)state;
	meter_handshake(7);
	for (uint64_t s = 1; s < 60; s++)
		meter(s * 1000, 7, s & 1, TH_ACK);
	sweep(60100);
	assert_records(2, CONNECTION_ESTABLISHED);
	meter(60200, 7, false, TH_ACK | TH_FIN);
	meter(60300, 7, true, TH_ACK | TH_FIN);
	sweep(62500);
	assert_records(2, CONNECTION_CLOSED);
}

static void describe(enum flow_family family, const struct fixture_packet *p, struct flow_record *r)
{
	sweep_describe(&f.sweep, family, fixture_slot(&f, p), r);
	assert_int_equal(r->connection_state, CONNECTION_NONE);
	sweep_describe_state(&f.sweep, family, fixture_slot(&f, p), r);
}

static void test_unanswered_syn_is_opening_while_young_and_then_never_answered(void **state)
{
	struct fixture_packet p = {.id = 7, .protocol = IPPROTO_TCP, .is_ipv6 = true};
	struct flow_record r;

	(void)state;
	meter(0, 7, false, TH_SYN);
	sweep(1000);
	describe(FLOW_IPV6, &p, &r);
	assert_int_equal(r.connection_state, CONNECTION_OPENING);
	sweep(6000);
	describe(FLOW_IPV6, &p, &r);
	assert_int_equal(r.connection_state, CONNECTION_NEVER_ANSWERED);
	sweep(15100);
	assert_records(1, CONNECTION_NEVER_ANSWERED);
}

static void test_live_view_looks_at_the_other_direction(void **state)
{
	struct fixture_packet p = {.id = 8, .protocol = IPPROTO_TCP};
	struct flow_record r;

	(void)state;
	meter_handshake(8);
	meter(100, 8, true, TH_ACK | TH_FIN);
	describe(FLOW_IPV4, &p, &r);
	assert_int_equal(r.connection_state, CONNECTION_CLOSING);
}

#define SWEEP_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_step_of_a_connection_has_its_state),
		cmocka_unit_test(test_rst_of_either_side_resets),
		cmocka_unit_test(test_rst_behind_both_fins_leaves_closed),
		cmocka_unit_test(test_syn_is_never_answered_when_it_ends_or_grows_old),
		cmocka_unit_test(test_syn_with_congestion_bits_is_a_syn),
		cmocka_unit_test(test_handshake_that_the_client_leaves_stays_opening),
		cmocka_unit_test(test_the_only_side_seen_says_it_all),
		cmocka_unit_test(test_what_is_no_connection_has_no_state),
		cmocka_unit_test(test_flows_that_end_by_their_flags_are_closed_or_reset),
		cmocka_unit_test(test_states_have_names_both_ways),
		SWEEP_TEST(test_both_records_of_a_closed_connection_say_so),
		SWEEP_TEST(test_both_records_of_an_idle_connection_say_established),
		SWEEP_TEST(test_reset_counts_in_the_record_of_the_side_that_sent_none),
		SWEEP_TEST(test_both_directions_keep_their_place_until_both_records_are_made),
		SWEEP_TEST(test_last_records_of_a_stop_know_both_directions),
		SWEEP_TEST(test_active_record_tells_the_state_of_its_moment),
		SWEEP_TEST(test_unanswered_syn_is_opening_while_young_and_then_never_answered),
		SWEEP_TEST(test_live_view_looks_at_the_other_direction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
