/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sweep over a Flow Cache that the native Metering Process filled, on a
 * scripted clock: which Flows end when, why, and with what counts. Twins are in
 * test_sweep_twins.c, a comparison with a model in test_sweep_model.c.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "tests/lib/sweep_case.h"

static void test_idle_flow_leaves_with_all_it_counted(void **state)
{
	(void)state;
	meter(0, (struct fixture_packet){.id = 7, .octets = 100, .ttl = 64});
	meter(1500, (struct fixture_packet){.id = 7, .octets = 1500, .ttl = 60});
	sweep(16499);
	assert_int_equal(f.n_records, 0);
	sweep(16501);
	assert_records(1, FLOW_END_IDLE_TIMEOUT);
	assert_int_equal(fixture_id(&f.record[0]), 7);
	assert_int_equal(f.record[0].packets, 2);
	assert_int_equal(f.record[0].octets, 1600);
	assert_int_equal(f.record[0].start_ms, START / FIXTURE_MS);
	assert_int_equal(f.record[0].end_ms, START / FIXTURE_MS + 1500);
	assert_int_equal(f.record[0].length_min, 100);
	assert_int_equal(f.record[0].length_max, 1500);
	assert_int_equal(f.record[0].ttl_min, 60);
	assert_int_equal(f.record[0].ttl_max, 64);
	assert_int_equal(fixture_flows(&f), 0);
	assert_int_equal(f.cache.table[FLOW_IPV4].n_live, 0);
}

static void test_both_directions_leave_together(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		meter(0, (struct fixture_packet){.id = 7, .is_ipv6 = is_ipv6});
		meter(9000,
		      (struct fixture_packet){.id = 7, .is_ipv6 = is_ipv6, .is_reverse = true});
	}
	sweep(23000);
	assert_int_equal(f.n_records, 0);
	sweep(24001);
	assert_records(4, FLOW_END_IDLE_TIMEOUT);
	assert_int_equal(fixture_flows(&f), 0);
}

static void test_active_reports_are_differences_that_add_up(void **state)
{
	uint64_t packets = 0, octets = 0, end_ms = START / FIXTURE_MS;

	(void)state;
	for (uint64_t ms = 0; ms <= 200000; ms += 500) {
		meter(ms, (struct fixture_packet){.id = 7, .octets = 60 + ms / 500});
		if (ms % 1000 == 0)
			sweep(ms + 200);
	}
	assert_records(3, FLOW_END_ACTIVE_TIMEOUT);
	sweep(216000);
	assert_int_equal(f.n_records, 4);
	assert_int_equal(f.record[3].end_reason, FLOW_END_IDLE_TIMEOUT);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(f.record[i].flow_id, f.record[0].flow_id);
		assert_int_equal(f.record[i].start_ms, end_ms);
		packets += f.record[i].packets;
		octets += f.record[i].octets;
		end_ms = f.record[i].end_ms;
	}
	assert_int_equal(end_ms, START / FIXTURE_MS + 200000);
	assert_int_equal(packets, 401);
	assert_int_equal(octets, 401 * 60 + 400 * 401 / 2);
}

/* Of where they meet the marks keep ms. */
static void test_first_start_and_last_end_are_exact_to_the_ns(void **state)
{
	struct fixture_packet p = {.id = 7};

	(void)state;
	f.sweep.timeouts.active_ns = 20 * FIXTURE_S;
	for (uint64_t at = 0; at <= 20; at += 5)
		fixture_meter(&f, START + at * FIXTURE_S + 123456, &p);
	sweep(20100);
	fixture_meter(&f, START + 22 * FIXTURE_S + 999999, &p);
	sweep(38000);
	assert_int_equal(f.n_records, 2);
	assert_int_equal(f.record[0].end_reason, FLOW_END_ACTIVE_TIMEOUT);
	assert_int_equal(f.record[0].start_ms_rest, 123456);
	assert_int_equal(f.record[0].end_ms_rest, 0);
	assert_int_equal(f.record[1].start_ms, f.record[0].end_ms);
	assert_int_equal(f.record[1].start_ms_rest, 0);
	assert_int_equal(f.record[1].end_ms, START / FIXTURE_MS + 22000);
	assert_int_equal(f.record[1].end_ms_rest, 999999);
}

static void test_silence_after_an_active_report_makes_no_empty_record(void **state)
{
	(void)state;
	f.sweep.timeouts.active_ns = FIXTURE_S;
	meter(0, (struct fixture_packet){.id = 7});
	for (uint64_t ms = 1001; ms < 20000; ms += 1000)
		sweep(ms);
	assert_records(1, FLOW_END_ACTIVE_TIMEOUT);
	assert_int_equal(f.sweep.stats.retired, 1);
	assert_int_equal(fixture_flows(&f), 0);
}

static void test_successor_has_an_id_of_its_own(void **state)
{
	(void)state;
	meter(0, (struct fixture_packet){.id = 7});
	sweep(15001);
	meter(15010, (struct fixture_packet){.id = 7});
	sweep(30020);
	assert_records(2, FLOW_END_IDLE_TIMEOUT);
	assert_int_not_equal(f.record[0].flow_id, f.record[1].flow_id);
	assert_int_equal(f.record[1].start_ms, START / FIXTURE_MS + 15010);
}

/* A connection of two packets a side; the last one of each side has these flags. */
static void tcp_connection(uint32_t id, uint8_t forward, uint8_t backward)
{
	struct fixture_packet p = {.id = id, .protocol = IPPROTO_TCP, .tcp_flags = TH_SYN};

	meter(0, p);
	p.is_reverse = true;
	p.tcp_flags = TH_SYN | TH_ACK;
	meter(1, p);
	sweep(2); /* from here on only the hint tells of the end */
	p.tcp_flags = TH_ACK | backward;
	meter(100, p);
	p.is_reverse = false;
	p.tcp_flags = TH_ACK | forward;
	meter(101, p);
}

static void test_fin_of_both_sides_ends_after_the_linger(void **state)
{
	(void)state;
	tcp_connection(7, TH_FIN, TH_FIN);
	sweep(1000);
	sweep(2000);
	assert_int_equal(f.n_records, 0);
	sweep(2103);
	assert_records(2, FLOW_END_DETECTED);
	assert_int_equal(f.record[0].tcp_flags, TH_SYN | TH_ACK | TH_FIN);
	assert_int_equal(fixture_flows(&f), 0);
}

static void test_half_closed_connection_goes_on(void **state)
{
	(void)state;
	tcp_connection(7, 0, TH_FIN);
	sweep(10000);
	assert_int_equal(f.n_records, 0);
	sweep(15103);
	assert_records(2, FLOW_END_IDLE_TIMEOUT);
}

static void test_rst_ends_both_sides_after_the_linger(void **state)
{
	(void)state;
	tcp_connection(7, TH_RST, 0);
	sweep(2000);
	assert_int_equal(f.n_records, 0);
	sweep(2103);
	assert_records(2, FLOW_END_DETECTED);
}

static void test_end_of_the_only_side_seen_lingers_longer(void **state)
{
	(void)state;
	meter(0, (struct fixture_packet){.id = 7, .protocol = IPPROTO_TCP, .tcp_flags = TH_FIN});
	meter(0, (struct fixture_packet){.id = 8, .protocol = IPPROTO_TCP, .tcp_flags = TH_RST});
	sweep(4900);
	assert_int_equal(f.n_records, 0);
	sweep(5002);
	assert_records(2, FLOW_END_DETECTED);
}

/* Retransmissions and the last ACK come behind a FIN: they belong to the Flow. */
static void test_packets_in_the_linger_stay_with_their_flow(void **state)
{
	(void)state;
	tcp_connection(7, TH_FIN, TH_FIN);
	sweep(1000);
	meter(2050, (struct fixture_packet){.id = 7, .protocol = IPPROTO_TCP, .tcp_flags = TH_ACK});
	sweep(2103);
	assert_int_equal(f.n_records, 0);
	sweep(4052);
	assert_records(2, FLOW_END_DETECTED);
	assert_int_equal(f.record[0].packets + f.record[1].packets, 5);
}

static void test_slices_retire_at_most_a_thirtieth_and_a_chunk(void **state)
{
	uint32_t n_slots = f.cache.table[FLOW_IPV4].n_slots;

	(void)state;
	for (uint32_t id = 0; id < 3000; id++)
		meter(0, (struct fixture_packet){.id = id});
	sweep_begin(&f.sweep, START + 16 * FIXTURE_S);
	for (f.n_slices = 0; sweep_mark(&f.sweep); f.n_slices++) {
		assert_true(f.sweep.n_retired <= n_slots / 30 + XFP_CHUNK_SLOTS);
		sweep_harvest(&f.sweep);
	}
	assert_true(f.n_slices >= 3000 / (n_slots / 30 + XFP_CHUNK_SLOTS));
	assert_records(3000, FLOW_END_IDLE_TIMEOUT);
	assert_int_equal(fixture_flows(&f), 0);
	assert_int_equal(f.cache.table[FLOW_IPV4].n_live, 0);
}

/*
 * Half the conversations end while the rest lives on: their other directions
 * are retired from far away, before or after their own chunk is looked at.
 */
static void test_live_flows_are_counted_right_whoever_retires_them(void **state)
{
	const struct flow_table *t = &f.cache.table[FLOW_IPV4];

	(void)state;
	for (uint32_t id = 0; id < 1000; id++)
		for (int side = 0; side < 2; side++)
			meter(id % 2 * 10000,
			      (struct fixture_packet){.id = id, .is_reverse = side});
	sweep(10001);
	assert_int_equal(t->n_live, 2000);
	sweep(15002);
	assert_records(1000, FLOW_END_IDLE_TIMEOUT);
	assert_int_equal(fixture_flows(&f), 1000);
	assert_int_equal(t->n_live, 1000);
}

/* High-water mark 50 %: the silent single packets go, the conversations stay. */
static void test_pressure_takes_single_packets_first_with_reason_5(void **state)
{
	(void)state;
	f.sweep.high_water_pct = 50;
	for (uint32_t id = 0; id < 3000; id++) {
		meter(0, (struct fixture_packet){.id = id});
		if (id < 500)
			meter(1, (struct fixture_packet){.id = id});
	}
	sweep(8000);
	assert_int_equal(f.n_records, 0);
	assert_true(sweep_is_under_pressure(&f.sweep));
	/* 952 above 2048 of 2048: 464 of 1000; single packets last 8.04 s, others 11.52 s */
	sweep(8100);
	assert_records(2500, FLOW_END_LACK_OF_RESOURCES);
	for (uint32_t i = 0; i < f.n_records; i++)
		assert_true(fixture_id(&f.record[i]) >= 500);
	assert_false(sweep_is_under_pressure(&f.sweep));
	fixture_forget(&f);
	sweep(11600);
	assert_int_equal(f.n_records, 0);
	sweep(15002);
	assert_records(500, FLOW_END_IDLE_TIMEOUT);
}

static void test_chunk_without_news_is_not_read_until_due(void **state)
{
	uint64_t looked_at;

	(void)state;
	for (uint32_t id = 0; id < 3000; id++)
		meter(0, (struct fixture_packet){.id = id});
	sweep(1000);
	looked_at = f.sweep.stats.looked_at;
	assert_int_equal(looked_at, 3000);
	/* packets of known Flows are no news */
	for (uint32_t id = 0; id < 3000; id++)
		meter(1500, (struct fixture_packet){.id = id});
	for (uint64_t ms = 2000; ms < 15000; ms += 1000)
		sweep(ms);
	assert_int_equal(f.sweep.stats.looked_at, looked_at);
	assert_int_equal(sweep_next_due_ns(&f.sweep), START + 15 * FIXTURE_S);
	/* one new Flow: its chunk is read, and in it only what is due */
	meter(14000, (struct fixture_packet){.id = 5000});
	sweep(14001);
	assert_int_equal(f.sweep.stats.looked_at, looked_at + 1);
}

static void test_flush_exports_everything_with_one_reason(void **state)
{
	(void)state;
	for (uint32_t id = 0; id < 500; id++) {
		meter(0, (struct fixture_packet){.id = id});
		meter(0, (struct fixture_packet){.id = id, .is_ipv6 = true});
	}
	sweep_flush(&f.sweep, START + FIXTURE_S, FLOW_END_FORCED);
	assert_records(1000, FLOW_END_FORCED);
	assert_int_equal(f.sweep.stats.exported_packets, 1000);
	assert_int_equal(fixture_flows(&f), 0);
	assert_int_equal(sweep_next_due_ns(&f.sweep), UINT64_MAX);
}

static void test_flush_includes_what_a_sweep_had_marked(void **state)
{
	(void)state;
	meter(0, (struct fixture_packet){.id = 7});
	meter(14000, (struct fixture_packet){.id = 8});
	sweep_begin(&f.sweep, START + 15002 * FIXTURE_MS);
	assert_true(sweep_mark(&f.sweep));
	sweep_flush(&f.sweep, START + 16 * FIXTURE_S, FLOW_END_FORCED);
	assert_int_equal(f.n_records, 2);
	assert_int_equal(f.record[0].end_reason, FLOW_END_IDLE_TIMEOUT);
	assert_int_equal(f.record[1].end_reason, FLOW_END_FORCED);
	assert_int_equal(f.sweep.stats.retired, 2);
}

static void test_busy_place_is_freed_after_a_grace_period_and_counted(void **state)
{
	uint8_t *tag = flow_tag_at(&f.cache.table[FLOW_IPV4], 1234);

	(void)state;
	*tag = XFP_TAG_BUSY;
	f.cache.table[FLOW_IPV4].news[1234 / XFP_CHUNK_SLOTS] = 1;
	for (uint64_t ms = 1000; ms < 8000; ms += 1000)
		sweep(ms);
	assert_int_equal(*tag, XFP_TAG_FREE);
	assert_int_equal(f.sweep.stats.stranded, 1);
	assert_int_equal(f.n_records, 0);
}

/* A place that is BUSY at one look and a Flow at the next was just being filled. */
static void test_busy_place_that_becomes_a_flow_is_left_alone(void **state)
{
	struct flow_table *t = &f.cache.table[FLOW_IPV4];
	struct fixture_packet p = {.id = 7};
	uint8_t *tag, value;
	uint32_t slot;

	(void)state;
	fixture_meter(&f, START, &p);
	slot = fixture_slot(&f, &p);
	tag = flow_tag_at(t, slot);
	value = *tag;
	for (uint64_t ms = 1000; ms < 8000; ms += 1000) {
		*tag = XFP_TAG_BUSY;
		t->news[slot / XFP_CHUNK_SLOTS] = 1;
		sweep_begin(&f.sweep, START + ms * FIXTURE_MS);
		if (sweep_mark(&f.sweep)) {
			*tag = value;
			sweep_harvest(&f.sweep);
		}
		*tag = value;
	}
	assert_int_equal(f.sweep.stats.stranded, 0);
	sweep(15001);
	assert_records(1, FLOW_END_IDLE_TIMEOUT);
}

/* Nothing but the tag is left of a killed predecessor: no mark, no news. */
static void test_retiring_place_of_a_killed_predecessor_is_taken(void **state)
{
	struct fixture_packet p = {.id = 7, .octets = 900};
	uint32_t slot;

	(void)state;
	fixture_meter(&f, START, &p);
	slot = fixture_slot(&f, &p);
	*flow_tag_at(&f.cache.table[FLOW_IPV4], slot) = XFP_TAG_RETIRING;
	memset(f.cache.table[FLOW_IPV4].news, 0,
	       f.cache.table[FLOW_IPV4].n_chunks * sizeof(f.cache.table[FLOW_IPV4].news[0]));
	sweep(1000);
	assert_records(1, FLOW_END_FORCED);
	assert_int_equal(f.record[0].octets, 900);
	assert_int_equal(*flow_tag_at(&f.cache.table[FLOW_IPV4], slot), XFP_TAG_FREE);
	assert_int_equal(fixture_flows(&f), 0);
}

/*
 * One direction has long been silent with packets to report, the other goes on:
 * reported at the active timeout, it must be looked at again in time, on a
 * machine that is up for 40 days (due ticks half around).
 */
static void test_silent_direction_of_a_live_conversation_stays_due(void **state)
{
	uint64_t up_40_days = 40 * 86400 * FIXTURE_S;
	struct fixture_packet p = {.id = 7}, back = {.id = 7, .is_reverse = true};

	(void)state;
	f.sweep.timeouts.active_ns = 20 * FIXTURE_S;
	fixture_meter(&f, up_40_days, &p);
	for (uint64_t s = 0; s < 50; s++) {
		fixture_meter(&f, up_40_days + s * FIXTURE_S, &back);
		fixture_sweep(&f, up_40_days + s * FIXTURE_S + 1);
	}
	fixture_forget(&f);
	fixture_meter(&f, up_40_days + 50 * FIXTURE_S, &p);
	fixture_sweep(&f, up_40_days + 53 * FIXTURE_S);
	assert_records(1, FLOW_END_ACTIVE_TIMEOUT);
	assert_int_equal(f.record[0].packets, 1);
}

/* Of two CPUs that store at once the one with the older packet may win. */
static void test_latest_packet_that_goes_back_a_tick_moves_no_interval(void **state)
{
	struct fixture_packet p = {.id = 7};
	struct flow_table *t = &f.cache.table[FLOW_IPV4];
	uint64_t up_60_days = 60 * 86400 * FIXTURE_S, end_ms;

	(void)state;
	f.sweep.timeouts.active_ns = 20 * FIXTURE_S;
	fixture_meter(&f, up_60_days, &p);
	fixture_meter(&f, up_60_days + 20 * FIXTURE_S, &p);
	fixture_sweep(&f, up_60_days + 21 * FIXTURE_S);
	assert_records(1, FLOW_END_ACTIVE_TIMEOUT);
	end_ms = f.record[0].end_ms;
	fixture_meter(&f, up_60_days + 20 * FIXTURE_S, &p);
	flow_counts_at(t, fixture_slot(&f, &p))->last_ns -= 8 * FIXTURE_MS;
	fixture_forget(&f);
	fixture_sweep(&f, up_60_days + 40 * FIXTURE_S);
	assert_records(1, FLOW_END_IDLE_TIMEOUT);
	assert_in_range(f.record[0].start_ms, end_ms - 8, end_ms);
	assert_in_range(f.record[0].end_ms, f.record[0].start_ms, end_ms);
}

static void test_groups_hold_what_follows_from_base(void **state)
{
	(void)state;
	f.sweep.groups = GROUP_BASE | GROUP_TIMING | GROUP_IP;
	meter(0, (struct fixture_packet){.id = 7});
	meter(2500, (struct fixture_packet){.id = 7});
	sweep(30000);
	assert_int_equal(f.n_records, 1);
	assert_int_equal(f.record[0].timing.duration_ms, 2500);
	assert_int_equal(f.record[0].ip.dscp, f.record[0].tos >> 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_idle_flow_leaves_with_all_it_counted),
		WITH_CACHE(test_both_directions_leave_together),
		WITH_CACHE(test_active_reports_are_differences_that_add_up),
		WITH_CACHE(test_first_start_and_last_end_are_exact_to_the_ns),
		WITH_CACHE(test_silence_after_an_active_report_makes_no_empty_record),
		WITH_CACHE(test_latest_packet_that_goes_back_a_tick_moves_no_interval),
		WITH_CACHE(test_groups_hold_what_follows_from_base),
		WITH_CACHE(test_successor_has_an_id_of_its_own),
		WITH_CACHE(test_fin_of_both_sides_ends_after_the_linger),
		WITH_CACHE(test_half_closed_connection_goes_on),
		WITH_CACHE(test_rst_ends_both_sides_after_the_linger),
		WITH_CACHE(test_end_of_the_only_side_seen_lingers_longer),
		WITH_CACHE(test_packets_in_the_linger_stay_with_their_flow),
		WITH_CACHE(test_slices_retire_at_most_a_thirtieth_and_a_chunk),
		WITH_CACHE(test_live_flows_are_counted_right_whoever_retires_them),
		WITH_CACHE(test_pressure_takes_single_packets_first_with_reason_5),
		WITH_CACHE(test_chunk_without_news_is_not_read_until_due),
		WITH_CACHE(test_flush_exports_everything_with_one_reason),
		WITH_CACHE(test_flush_includes_what_a_sweep_had_marked),
		WITH_CACHE(test_busy_place_is_freed_after_a_grace_period_and_counted),
		WITH_CACHE(test_busy_place_that_becomes_a_flow_is_left_alone),
		WITH_CACHE(test_retiring_place_of_a_killed_predecessor_is_taken),
		WITH_CACHE(test_silent_direction_of_a_live_conversation_stays_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
