/* SPDX-License-Identifier: BSD-2-Clause */
/* Statistics of beats, of a week's hours, and the tables of what is known elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/anomaly_beacon_pairs.h"
#include "probe/anomaly_clients.h"
#include "probe/anomaly_known.h"
#include "probe/beats.h"
#include "probe/clock.h"
#include "probe/distinct.h"
#include "probe/usual.h"

#define BEGIN_NS (1000000000ULL * NS_PER_S)
#define MB	 1000000ULL
#define DAY_NS	 (86400 * NS_PER_S)

static struct beats beats_of(const uint32_t *at_s, uint32_t n)
{
	struct beats b = {.n = 0};
	uint64_t last_ns = 0;

	for (uint32_t i = 0; i < n; i++)
		beats_add(&b, BEGIN_NS + at_s[i] * NS_PER_S, &last_ns);
	return b;
}

static void test_median_and_deviation_are_those_of_the_intervals(void **state)
{
	/* intervals 60 61 59 60 70 60: median 60, deviations 0 0 0 1 1 10: median 0.5 */
	static const uint32_t at_s[] = {0, 60, 121, 180, 240, 310, 370};
	struct beats b = beats_of(at_s, 7);
	struct beats_pattern p;

	(void)state;
	assert_true(beats_measure(&b, &p));
	assert_int_equal(p.n, 7);
	assert_int_equal(p.median_ms, 60000);
	assert_int_equal(p.mad_ms, 500);
	assert_true(p.cv > 0.05f && p.cv < 0.07f); /* 3.73 / 61.67 */
	assert_int_equal(p.missed, 0);
	assert_true(p.size_spread == 1); /* not known */
}

static void test_three_beats_are_too_few(void **state)
{
	static const uint32_t at_s[] = {0, 60, 120};
	struct beats b = beats_of(at_s, 3);
	struct beats_pattern p;

	(void)state;
	assert_false(beats_measure(&b, &p));
}

static void test_missed_beats_fold_and_bursts_are_one(void **state)
{
	static const uint32_t missed[] = {0, 60, 180, 240, 420, 480, 540, 600, 660, 720};
	static const uint32_t burst[] = {0,   3,   6,	60,  63,  66,  120, 123,
					 126, 180, 183, 186, 240, 243, 246};
	struct beats b = beats_of(missed, 10);
	struct beats_pattern p;

	(void)state;
	assert_true(beats_measure(&b, &p));
	assert_int_equal(p.missed, 2);
	assert_int_equal(p.mad_ms, 0);
	assert_true(p.cv == 0);
	b = beats_of(burst, 15);
	assert_true(beats_measure(&b, &p));
	assert_int_equal(p.median_ms, 60000);
	assert_int_equal(p.n, 4); /* the first one may have been in the middle */
}

static void test_starts_of_one_second_are_one_beat_in_any_order(void **state)
{
	static const uint64_t orders[][3] = {
		{0, 800, 1600}, {0, 1600, 800}, {1600, 0, 800}, {800, 1600, 0}};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct beats b = {.n = 0};
		uint64_t last_ns = 0;

		beats_add(&b, BEGIN_NS - 60 * NS_PER_S, &last_ns);
		for (size_t j = 0; j < 3; j++)
			beats_add(&b, BEGIN_NS + orders[i][j] * NS_PER_MS, &last_ns);
		assert_int_equal(b.n, 2);
		assert_int_equal(last_ns, BEGIN_NS + 1600 * NS_PER_MS);
	}
}

static void test_a_series_goes_on_for_years_and_keeps_the_latest(void **state)
{
	struct beats b = {.n = 0};
	struct beats_pattern p;
	uint64_t last_ns = 0;

	(void)state;
	for (uint64_t i = 0; i < 1000; i++)
		assert_true(beats_add(&b, BEGIN_NS + i * DAY_NS, &last_ns));
	assert_int_equal(b.n, 50); /* as many as 2^32 ms hold */
	assert_int_equal(beats_at_ns(&b, b.n - 1U), BEGIN_NS + 999 * DAY_NS);
	assert_true(beats_measure(&b, &p));
	assert_int_equal(p.median_ms, 86400000);
	/* and is silent for a hundred days */
	assert_true(beats_add(&b, BEGIN_NS + 1100 * DAY_NS, &last_ns));
	assert_int_equal(b.n, 1);
}

static void test_even_sizes_and_a_long_time_score_higher(void **state)
{
	struct beats b = {.n = 0};
	struct beats_pattern even, uneven;
	uint64_t last_ns = 0;

	(void)state;
	for (uint32_t i = 0; i < 30; i++) {
		beats_add(&b, BEGIN_NS + i * 60 * NS_PER_S, &last_ns);
		beats_add_size(&b, 500);
	}
	assert_true(beats_measure(&b, &even));
	for (uint32_t i = 0; i < 32; i++)
		beats_add_size(&b, i % 2 ? 100 : 100000);
	assert_true(beats_measure(&b, &uneven));
	assert_true(even.size_spread == 0 && uneven.size_spread > 0.9f);
	assert_true(beats_score(&even, 6 * 3600 * NS_PER_S) == 1);
	assert_true(beats_score(&even, 0) < 0.76f && beats_score(&even, 0) > 0.74f);
	assert_true(beats_score(&uneven, 0) < 0.6f);
}

static struct usual usual_of(uint32_t n_hours, uint64_t octets)
{
	struct usual u = {.hour = 1000, .since = 1000};

	for (uint32_t i = 0; i < n_hours; i++) {
		u.octets = octets + octets / 10 * (i % 3);
		usual_turn(&u, u.hour + 1);
	}
	return u;
}

static void test_an_hour_far_above_a_weeks_has_a_high_z(void **state)
{
	struct usual u = usual_of(50, 10 * MB);
	struct usual_compared c;

	(void)state;
	usual_compare(&u, 11 * MB, &c);
	assert_int_equal(c.n_hours, 50);
	assert_true(c.has_z && c.z > -1 && c.z < 1);
	assert_in_range(c.most, 11 * MB, 13 * MB);
	usual_compare(&u, 100 * MB, &c);
	assert_true(c.z > 3.5f);
}

static void test_few_hours_have_no_z_and_odd_ones_are_not_learned(void **state)
{
	struct usual u = usual_of(6, 10 * MB);
	struct usual_compared c;

	(void)state;
	usual_compare(&u, 10 * MB, &c);
	assert_false(c.has_z); /* the latest may be part of what is judged: five */
	u.octets = 5000 * MB;
	u.is_odd = true;
	usual_turn(&u, u.hour + 1);
	usual_turn(&u, u.hour + 1);
	usual_compare(&u, 10 * MB, &c);
	assert_true(c.has_z);
	assert_in_range(c.most, 10 * MB, 13 * MB);
}

static void test_after_three_days_the_same_hour_is_what_compares(void **state)
{
	struct usual u = {.hour = 2400, .since = 2400};
	struct usual_compared c;

	(void)state;
	for (uint32_t h = 0; h < 5 * 24; h++) {
		u.octets = h % 24 == 2 ? 500 * MB : 5 * MB;
		usual_turn(&u, u.hour + 1);
	}
	usual_turn(&u, u.hour + 2); /* two o'clock */
	usual_compare(&u, 500 * MB, &c);
	assert_true(c.z < 1);
	usual_turn(&u, u.hour + 1);
	usual_compare(&u, 500 * MB, &c);
	assert_true(c.z > 3.5f);
	/* a host that was away for months begins with nothing */
	usual_turn(&u, u.hour + 5000);
	usual_compare(&u, 500 * MB, &c);
	assert_int_equal(c.most, 0);
	usual_turn(&u, 5); /* backwards: it stays */
	assert_int_equal(u.hour, 2400 + 5 * 24 + 3 + 5000);
}

static void test_clients_of_a_service_are_counted_for_a_day_or_two(void **state)
{
	static struct clients c;
	uint64_t service = distinct_mix(1, 1);

	(void)state;
	for (uint32_t i = 0; i < 10; i++)
		clients_add(&c, service, distinct_mix(2, i), BEGIN_NS);
	assert_in_range(clients_count(&c, service, BEGIN_NS), 8, 12);
	/* a million others that one client has each take no place from it */
	for (uint32_t i = 0; i < 1000000; i++)
		clients_add(&c, distinct_mix(3, i), distinct_mix(2, 1), BEGIN_NS);
	assert_in_range(clients_count(&c, service, BEGIN_NS), 8, 12);
	assert_in_range(clients_count(&c, service, BEGIN_NS + DAY_NS), 8, 12);
	assert_int_equal(clients_count(&c, service, BEGIN_NS + 2 * DAY_NS), 0);
}

static void test_a_host_is_known_since_it_was_seen_first_whoever_comes_after(void **state)
{
	static struct known k;
	uint64_t host = distinct_mix(1, 1), later_ns = BEGIN_NS + 3600 * NS_PER_S;

	(void)state;
	assert_int_equal(known_since(&k, host, BEGIN_NS), BEGIN_NS);
	for (uint32_t i = 0; i < 1000000; i++)
		known_since(&k, distinct_mix(2, i), later_ns);
	assert_in_range(known_since(&k, host, later_ns), BEGIN_NS - 60 * NS_PER_S, BEGIN_NS);
	/* not for ever */
	assert_int_equal(known_since(&k, host, later_ns + 15 * DAY_NS), later_ns + 15 * DAY_NS);
}

static struct beacon_pair *pair_start(struct beacon_pairs *t, uint32_t i, uint64_t start_ns)
{
	struct flow_delta delta = {.first_ns = start_ns, .now_ns = start_ns};
	struct anomaly_flow flow = {
		.delta = &delta,
		.source = host_of_ipv4(i),
		.destination = host_of_ipv4(~i),
		.destination_port = 443,
		.protocol = 6,
	};
	struct beacon_pair *p = pairs_admit(t, distinct_mix(7, i), &flow);

	if (p)
		beats_add(&p->beats, start_ns, &p->last_ns);
	return p;
}

static void test_a_million_pairs_take_no_place_from_one_with_a_pattern(void **state)
{
	struct beacon_pairs *t = calloc(1, sizeof(*t));
	struct beacon_pair *p = NULL;

	(void)state;
	assert_non_null(t);
	assert_true(sizeof(*t) < 24 << 20);
	assert_null(pair_start(t, 0, BEGIN_NS));
	assert_null(pair_start(t, 0, BEGIN_NS + 60 * NS_PER_S));
	for (uint64_t n = 2; n < 5; n++) {
		p = pair_start(t, 0, BEGIN_NS + 60 * n * NS_PER_S);
		assert_non_null(p);
		assert_int_equal(p->beats.n, n + 1);
		p->regular_ns = BEGIN_NS;
		p->median_ms = 60000;
		for (uint32_t i = 1; i < 200000; i++)
			pair_start(t, i, BEGIN_NS + (60 * n + i % 50) * NS_PER_S);
	}
	for (uint32_t i = 200000; i < 1200000; i++)
		pair_start(t, i, BEGIN_NS + 290 * NS_PER_S);
	assert_ptr_equal(pair_start(t, 0, BEGIN_NS + 300 * NS_PER_S), p);
	/* it stopped: its place is needed now */
	for (uint64_t n = 0; n < 3; n++)
		for (uint32_t i = 1; i < 200000; i++)
			pair_start(t, i, BEGIN_NS + DAY_NS + 60 * n * NS_PER_S);
	assert_true(p->last_ns > BEGIN_NS + DAY_NS);
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median_and_deviation_are_those_of_the_intervals),
		cmocka_unit_test(test_three_beats_are_too_few),
		cmocka_unit_test(test_missed_beats_fold_and_bursts_are_one),
		cmocka_unit_test(test_starts_of_one_second_are_one_beat_in_any_order),
		cmocka_unit_test(test_a_series_goes_on_for_years_and_keeps_the_latest),
		cmocka_unit_test(test_even_sizes_and_a_long_time_score_higher),
		cmocka_unit_test(test_an_hour_far_above_a_weeks_has_a_high_z),
		cmocka_unit_test(test_few_hours_have_no_z_and_odd_ones_are_not_learned),
		cmocka_unit_test(test_after_three_days_the_same_hour_is_what_compares),
		cmocka_unit_test(test_clients_of_a_service_are_counted_for_a_day_or_two),
		cmocka_unit_test(test_a_host_is_known_since_it_was_seen_first_whoever_comes_after),
		cmocka_unit_test(test_a_million_pairs_take_no_place_from_one_with_a_pattern),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
