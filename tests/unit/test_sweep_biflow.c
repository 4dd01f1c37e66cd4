/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both directions as one record (RFC 5103): what is paired when, which direction
 * is the forward one, and that every packet is told of once.
 */
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "probe/native_meter.h"
#include "tests/lib/sweep_fixture.h"

#define START	  (1000 * FIXTURE_S)
#define START_MS  (START / FIXTURE_MS)
#define MAX_FLOWS 4096
#define MAX_PAIRS 64

static struct sweep_fixture f;
static struct flow_record pairs[MAX_PAIRS][2]; /* forward, reverse */
static uint32_t n_pairs;
static struct xfp_volume told; /* in pairs, forward and reverse together */

static void keep_pair(void *arg, const struct flow_record *forward,
		      const struct flow_record *reverse)
{
	(void)arg;
	assert_true(n_pairs < MAX_PAIRS);
	memcpy(&pairs[n_pairs][0], forward, FLOW_RECORD_BASE_OCTETS);
	memcpy(&pairs[n_pairs][1], reverse, FLOW_RECORD_BASE_OCTETS);
	n_pairs++;
	told.packets += forward->packets + reverse->packets;
	told.octets += forward->octets + reverse->octets;
}

static int setup(void **state)
{
	(void)state;
	fixture_open(&f, MAX_FLOWS);
	f.sweep.biflow_sink = keep_pair;
	n_pairs = 0;
	told = (struct xfp_volume){0};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

static void meter(uint64_t after_ms, struct fixture_packet p)
{
	fixture_meter(&f, START + after_ms * FIXTURE_MS, &p);
}

static void sweep(uint64_t after_ms)
{
	fixture_sweep(&f, START + after_ms * FIXTURE_MS);
}

/* The n-th pair: packets of both, and whether the initiator of the fixture is forward. */
static void assert_pair(uint32_t n, uint64_t forward, uint64_t reverse, bool is_initiator)
{
	const struct flow_record *a = &pairs[n][0], *b = &pairs[n][1];

	assert_true(n < n_pairs);
	assert_int_equal(a->packets, forward);
	assert_int_equal(b->packets, reverse);
	assert_int_equal(a->source_port, b->destination_port);
	assert_int_equal(a->source4, b->destination4);
	assert_int_equal(a->destination_port == 443, is_initiator);
	assert_int_equal(a->biflow_direction, BIFLOW_INITIATOR);
}

static void test_both_directions_leave_as_one_record(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		meter(0, (struct fixture_packet){.id = 7, .octets = 100, .is_ipv6 = is_ipv6});
		meter(10, (struct fixture_packet){
				  .id = 7, .octets = 1500, .is_reverse = true, .is_ipv6 = is_ipv6});
		meter(20, (struct fixture_packet){.id = 7, .octets = 100, .is_ipv6 = is_ipv6});
	}
	sweep(15021);
	assert_int_equal(f.n_records, 0);
	assert_int_equal(n_pairs, 2);
	assert_pair(0, 2, 1, true);
	assert_pair(1, 2, 1, true);
	assert_int_equal(pairs[0][0].start_ms, START_MS);
	assert_int_equal(pairs[0][0].end_ms, START_MS + 20);
	assert_int_equal(pairs[0][1].start_ms, START_MS + 10);
	assert_int_equal(pairs[0][1].octets, 1500);
	assert_int_equal(f.sweep.stats.exported_records, 4);
	assert_int_equal(fixture_flows(&f), 0);
}

static void test_one_direction_alone_is_a_record_of_one(void **state)
{
	(void)state;
	meter(0, (struct fixture_packet){.id = 7});
	sweep(15001);
	assert_int_equal(n_pairs, 0);
	assert_int_equal(f.n_records, 1);
	assert_int_equal(f.record[0].packets, 1);
}

/* The other has nothing new: a reverse direction of no packets would be no news. */
static void test_direction_that_goes_on_alone_follows_as_a_record_of_one(void **state)
{
	(void)state;
	f.sweep.timeouts.active_ns = 5 * FIXTURE_S;
	meter(0, (struct fixture_packet){.id = 7});
	for (uint64_t ms = 10; ms <= 9010; ms += 1000) {
		meter(ms, (struct fixture_packet){.id = 7, .is_reverse = true});
		sweep(ms + 500);
	}
	sweep(60000);
	assert_int_equal(n_pairs, 1);
	assert_true(f.n_records >= 1);
	uint64_t packets = told.packets;

	for (uint32_t i = 0; i < f.n_records; i++) {
		assert_int_equal(f.record[i].source_port, 443);
		packets += f.record[i].packets;
	}
	assert_int_equal(packets, 11);
	assert_int_equal(fixture_flows(&f), 0);
}

static void test_forward_stays_forward_over_active_timeouts(void **state)
{
	(void)state;
	for (uint64_t s = 0; s <= 200; s++) {
		/* in each interval the responder is first */
		if (s)
			meter(s * 1000, (struct fixture_packet){.id = 7, .is_reverse = true});
		meter(s * 1000 + 10, (struct fixture_packet){.id = 7});
		sweep(s * 1000 + 500);
	}
	sweep(300000);
	assert_true(n_pairs >= 4);
	for (uint32_t i = 0; i < n_pairs; i++) {
		assert_pair(i, pairs[i][0].packets, pairs[i][1].packets, true);
		assert_int_equal(pairs[i][0].flow_id, pairs[0][0].flow_id);
		if (i == 0)
			continue;
		assert_int_equal(pairs[i][0].start_ms, pairs[i - 1][0].end_ms);
		assert_int_equal(pairs[i][1].start_ms, pairs[i - 1][1].end_ms);
	}
	assert_int_equal(told.packets, 401);
	assert_int_equal(told.octets, 40100);
	assert_int_equal(f.n_records, 0);
}

static struct fixture_packet tcp(bool is_reverse, uint8_t flags)
{
	return (struct fixture_packet){
		.id = 7, .protocol = IPPROTO_TCP, .is_reverse = is_reverse, .tcp_flags = flags};
}

/* The SYN-ACK is metered before the SYN, and the client has the lower port. */
static void test_syn_makes_its_sender_forward_though_all_else_speaks_against(void **state)
{
	(void)state;
	meter(0, tcp(false, TH_SYN | TH_ACK));
	meter(1, tcp(true, TH_SYN));
	meter(2, tcp(true, TH_ACK));
	sweep(30000);
	assert_int_equal(n_pairs, 1);
	assert_pair(0, 2, 1, false);
}

static void test_connection_met_late_has_the_client_forward(void **state)
{
	(void)state;
	meter(0, tcp(true, TH_ACK));
	meter(1, tcp(false, TH_ACK));
	sweep(30000);
	assert_int_equal(n_pairs, 1);
	assert_pair(0, 1, 1, true);
}

static void test_first_sender_is_forward_whatever_its_port(void **state)
{
	(void)state;
	meter(0, (struct fixture_packet){.id = 7, .is_reverse = true});
	meter(1, (struct fixture_packet){.id = 7});
	sweep(30000);
	assert_int_equal(n_pairs, 1);
	assert_pair(0, 1, 1, false);
}

/* A twin of either direction: one pair with all there is, before or after the fold. */
static void test_twins_are_folded_into_their_direction(void **state)
{
	(void)state;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		struct fixture_packet p = {.id = fixture_twin_id(&f, 1, is_shadow_first)};
		struct fixture_packet answer = {.id = p.id, .is_reverse = true};
		struct xfp_counts counts = {
			.sum = xfp_sum_of(3, 2000), .first_ns = START, .last_ns = START};
		uint64_t packets = told.packets, records = f.n_records;

		meter(0, p);
		fixture_twin(&f, &p, &counts);
		meter(1, answer);
		sweep(30000);
		assert_int_equal(f.n_records, records);
		assert_int_equal(told.packets - packets, 5);
		assert_int_equal(fixture_flows(&f), 0);
	}
	assert_int_equal(n_pairs, 2);
	assert_pair(0, 4, 1, true);
}

/* An echo reply of 10.0.0.1 to 10.0.0.2, or back: type and code 0, as ports are. */
static void meter_echo_reply(uint64_t after_ms, uint8_t from, uint8_t to)
{
	const uint8_t data[28] = {0x45,	     [3] = 28,	  [8] = 64,  [9] = IPPROTO_ICMP,
				  [12] = 10, [15] = from, [16] = 10, [19] = to};

	native_meter_packet(&f.cache, &(struct native_packet){
					      .data = data,
					      .captured_octets = sizeof(data),
					      .wire_octets = sizeof(data),
					      .time_ns = START + after_ms * FIXTURE_MS,
					      .ethertype = ETH_P_IP,
				      });
}

static void test_icmp_is_told_one_direction_at_a_time(void **state)
{
	(void)state;
	meter_echo_reply(0, 1, 2);
	meter_echo_reply(1, 2, 1);
	sweep(30000);
	assert_int_equal(n_pairs, 0);
	assert_int_equal(f.n_records, 2);
}

static void test_flush_pairs_what_is_left(void **state)
{
	(void)state;
	for (uint32_t id = 1; id <= 20; id++) {
		meter(id, (struct fixture_packet){.id = id, .octets = 100});
		meter(id + 1, (struct fixture_packet){.id = id, .octets = 200, .is_reverse = true});
	}
	meter(50, (struct fixture_packet){.id = 99, .octets = 300});
	sweep_flush(&f.sweep, START + FIXTURE_S, FLOW_END_FORCED);
	assert_int_equal(n_pairs, 20);
	assert_int_equal(f.n_records, 1);
	assert_int_equal(told.packets, 40);
	assert_int_equal(told.octets, 6000);
	assert_int_equal(f.sweep.stats.exported_packets, 41);
	assert_int_equal(f.sweep.stats.exported_octets, 6300);
	assert_int_equal(f.sweep.stats.by_reason[FLOW_END_FORCED], 41);
}

/* Chance decides who sends when; whatever is told when, it adds up. */
static void test_sums_are_exact_whatever_the_order(void **state)
{
	uint64_t seed = 88172645463325252u, octets = 0;
	struct xfp_volume alone = {0};

	(void)state;
	f.sweep.timeouts.active_ns = 5 * FIXTURE_S;
	for (uint64_t i = 0; i < 4000; i++) {
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		struct fixture_packet p = {.id = (uint32_t)(seed % 5),
					   .octets = (uint16_t)(60 + seed / 8 % 1000),
					   .protocol = seed >> 60 & 1 ? IPPROTO_TCP : IPPROTO_UDP,
					   .tcp_flags = seed >> 32 & (TH_SYN | TH_ACK | TH_FIN),
					   .is_reverse = seed >> 61 & 1};
		uint64_t gap = seed >> 40 & 255 ? 5 : 8000;

		octets += p.octets;
		meter(i * 20, p);
		if (i % 25 == 0 || gap > 5)
			sweep(i * 20 + gap);
		n_pairs = 0;
	}
	sweep_flush(&f.sweep, START + 1000 * FIXTURE_S, FLOW_END_FORCED);
	for (uint32_t i = 0; i < f.n_records; i++) {
		alone.packets += f.record[i].packets;
		alone.octets += f.record[i].octets;
	}
	assert_true(told.packets > 3000);
	assert_int_equal(told.packets + alone.packets, 4000);
	assert_int_equal(told.octets + alone.octets, octets);
	assert_int_equal(f.sweep.stats.exported_packets, 4000);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_both_directions_leave_as_one_record),
		WITH_CACHE(test_one_direction_alone_is_a_record_of_one),
		WITH_CACHE(test_direction_that_goes_on_alone_follows_as_a_record_of_one),
		WITH_CACHE(test_forward_stays_forward_over_active_timeouts),
		WITH_CACHE(test_syn_makes_its_sender_forward_though_all_else_speaks_against),
		WITH_CACHE(test_connection_met_late_has_the_client_forward),
		WITH_CACHE(test_first_sender_is_forward_whatever_its_port),
		WITH_CACHE(test_twins_are_folded_into_their_direction),
		WITH_CACHE(test_icmp_is_told_one_direction_at_a_time),
		WITH_CACHE(test_flush_pairs_what_is_left),
		WITH_CACHE(test_sums_are_exact_whatever_the_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
