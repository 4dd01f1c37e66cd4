/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sweep with `deduplicate`: a Flow is one at all Observation Points, so its other
 * direction is found at any, and a twin that two CPUs made at two points is no more
 * than duplicates.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "tests/lib/sweep_fixture.h"

#define START	  (1000 * FIXTURE_S)
#define MAX_FLOWS 65536

/* Points of two interfaces. */
#define INGRESS_1 0
#define EGRESS_1  1
#define INGRESS_2 2
#define EGRESS_2  3

static struct sweep_fixture f;
static uint64_t told_packets, told_octets;

static void on_flow(void *arg, const struct flow_delta *d)
{
	(void)arg;
	told_packets += d->packets;
	told_octets += d->octets;
}

static void on_sweep(void *arg, uint64_t now_ns)
{
	(void)arg;
	(void)now_ns;
}

static const struct sweep_observer observer = {.on_flow = on_flow, .on_sweep = on_sweep};

static int setup(void **state)
{
	(void)state;
	told_packets = told_octets = 0;
	fixture_open_joined(&f, MAX_FLOWS, &observer);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

static void sweep(uint64_t after_ms)
{
	f.cache.is_native = false; /* where the observer's twins are looked for */
	fixture_sweep(&f, START + after_ms * FIXTURE_MS);
	f.cache.is_native = true;
}

static void meter(uint64_t after_ms, const struct fixture_packet *p)
{
	fixture_meter(&f, START + after_ms * FIXTURE_MS, p);
}

/*
 * A Flow of one packet of 100 octets at INGRESS_1, and its twin of 3 packets, 2000
 * octets, at `obs_point`.
 */
static struct fixture_packet twins(bool is_shadow_first, uint8_t obs_point)
{
	struct fixture_packet p = {
		.id = fixture_twin_id(&f, 1, is_shadow_first), .ttl = 64, .obs_point = INGRESS_1};
	struct fixture_packet twin = p;
	struct xfp_counts counts = {
		.sum = xfp_sum_of(3, 2000),
		.first_ns = START - 2 * FIXTURE_MS,
		.last_ns = START + 3 * FIXTURE_MS,
		.lengths = 1400u << 16 | 60,
		.ttl_flags = 63u << 24 | 50u << 16 | TH_URG,
	};

	meter(0, &p);
	twin.obs_point = obs_point;
	fixture_twin(&f, &twin, &counts);
	return p;
}

static void assert_duplicates(uint64_t packets, uint64_t octets)
{
	assert_int_equal(f.sweep.stats.duplicates.packets, packets);
	assert_int_equal(f.sweep.stats.duplicates.octets, octets);
}

static void assert_own_packets(const struct flow_record *r, uint64_t packets, uint64_t octets)
{
	assert_int_equal(r->packets, packets);
	assert_int_equal(r->octets, octets);
	assert_int_equal(r->start_ms, START / FIXTURE_MS);
	assert_int_equal(r->ttl_max, 64);
	assert_int_equal(r->length_max, 100);
	assert_int_equal(r->tcp_flags, 0);
	assert_int_equal(r->direction, FLOW_INGRESS);
	assert_int_equal(r->ingress, 1);
}

static void test_packets_of_a_twin_at_another_point_are_duplicates(void **state)
{
	(void)state;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		twins(is_shadow_first, EGRESS_2);
		sweep(15010);
		assert_int_equal(f.n_records, 1);
		assert_own_packets(&f.record[0], 1, 100);
		assert_duplicates(3 * (is_shadow_first + 1), 2000 * (is_shadow_first + 1));
		assert_int_equal(fixture_flows(&f), 0);
		fixture_forget(&f);
	}
	assert_int_equal(told_packets, 2);
	assert_int_equal(told_octets, 200);
}

static void test_twin_at_the_same_point_is_of_the_flow(void **state)
{
	(void)state;
	twins(false, INGRESS_1);
	sweep(15010);
	assert_int_equal(f.n_records, 1);
	assert_int_equal(f.record[0].packets, 4);
	assert_int_equal(f.record[0].octets, 2100);
	assert_duplicates(0, 0);
	assert_int_equal(told_packets, 4);
}

static void test_flow_that_lives_on_reports_none_of_the_duplicates(void **state)
{
	uint64_t packets = 0;

	(void)state;
	f.sweep.timeouts.active_ns = 2 * FIXTURE_S;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		struct fixture_packet p = twins(is_shadow_first, INGRESS_2);

		for (uint64_t ms = 500; ms <= 20000; ms += 500) {
			meter(ms, &p);
			sweep(ms + 10);
		}
		sweep(35001);
	}
	for (uint32_t i = 0; i < f.n_records; i++)
		packets += f.record[i].packets;
	assert_int_equal(packets, 2 * 41);
	assert_duplicates(6, 4000);
	assert_int_equal(told_packets, 2 * 41);
}

static void test_flush_counts_duplicates_too(void **state)
{
	(void)state;
	for (int is_shadow_first = 0; is_shadow_first < 2; is_shadow_first++) {
		twins(is_shadow_first, EGRESS_1);
		sweep_flush(&f.sweep, START + FIXTURE_S, FLOW_END_FORCED);
		assert_int_equal(f.n_records, 1);
		assert_own_packets(&f.record[0], 1, 100);
		fixture_forget(&f);
	}
	assert_duplicates(6, 4000);
}

/* A router: one direction comes in at the one interface, the other at the other. */
static void test_connection_ends_whose_directions_were_seen_at_two_points(void **state)
{
	(void)state;
	for (int is_ipv6 = 0; is_ipv6 < 2; is_ipv6++) {
		struct fixture_packet there = {.id = 7,
					       .is_ipv6 = is_ipv6,
					       .protocol = IPPROTO_TCP,
					       .tcp_flags = TH_FIN | TH_ACK,
					       .obs_point = INGRESS_1};
		struct fixture_packet back = there;

		back.is_reverse = true;
		back.obs_point = INGRESS_2;
		meter(0, &there);
		meter(1, &back);
		sweep(1900);
		assert_int_equal(f.n_records, 0);
		sweep(2100); /* the linger of both sides, not the longer one of one side */
		assert_int_equal(f.n_records, 2);
		for (int i = 0; i < 2; i++) {
			bool is_back = f.record[i].source_port == 443;

			assert_int_equal(f.record[i].end_reason, FLOW_END_DETECTED);
			assert_int_equal(f.record[i].ingress, is_back ? 2 : 1);
		}
		assert_int_equal(fixture_flows(&f), 0);
		fixture_forget(&f);
	}
}

static void test_flow_id_is_that_of_the_first_point_throughout(void **state)
{
	struct fixture_packet p = {.id = 7, .obs_point = EGRESS_2};

	(void)state;
	f.sweep.timeouts.active_ns = FIXTURE_S;
	for (uint64_t ms = 0; ms <= 5000; ms += 500) {
		meter(ms, &p);
		sweep(ms + 10);
	}
	assert_true(f.n_records >= 4);
	for (uint32_t i = 1; i < f.n_records; i++) {
		assert_int_equal(f.record[i].flow_id, f.record[0].flow_id);
		assert_int_equal(f.record[i].egress, 2);
	}
}

/* Places follow from keys without the point, in the table that has grown, too. */
static void test_flows_are_found_in_a_table_that_has_grown(void **state)
{
	uint32_t n_slots = f.cache.table[FLOW_IPV4].n_slots;

	(void)state;
	for (uint32_t id = 0; id < n_slots; id++)
		meter(0, &(struct fixture_packet){.id = id, .obs_point = (uint8_t)(id % 4)});
	assert_true(f.cache.table[FLOW_IPV4].n_slots > n_slots);
	for (uint32_t id = 0; id < n_slots; id++)
		meter(1, &(struct fixture_packet){.id = id, .obs_point = (uint8_t)(id % 4)});
	assert_int_equal(fixture_flows(&f), n_slots);
	assert_int_equal(f.cache.rows->reason[XFP_duplicate].packets, 0);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_CACHE(test_packets_of_a_twin_at_another_point_are_duplicates),
		WITH_CACHE(test_twin_at_the_same_point_is_of_the_flow),
		WITH_CACHE(test_flow_that_lives_on_reports_none_of_the_duplicates),
		WITH_CACHE(test_flush_counts_duplicates_too),
		WITH_CACHE(test_connection_ends_whose_directions_were_seen_at_two_points),
		WITH_CACHE(test_flow_id_is_that_of_the_first_point_throughout),
		WITH_CACHE(test_flows_are_found_in_a_table_that_has_grown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
