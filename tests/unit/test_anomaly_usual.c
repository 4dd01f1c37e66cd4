/* SPDX-License-Identifier: BSD-2-Clause */
/* Floods against what is usual: when it counts, what the event says, and who cannot raise it. */
#include "tests/lib/anomaly_send.h"

#define LEARN_S	 2400
#define SENDERS	 12
#define PER_S	 16 /* as configured here */
#define LEARNED	 12 /* sent all the time */
#define BIN_S	 600
#define SYN_PORT 443

static int setup_low(void **state)
{
	(void)state;
	anomaly_fixture_init(&f);
	f.cfg.anomaly.ddos.packets_per_s = PER_S;
	f.cfg.anomaly.syn_flood.syn_per_s = PER_S;
	f.cfg.anomaly.scan.enabled = false;
	f.cfg.anomaly.baseline.learn_s = LEARN_S;
	anomaly_fixture_open(&f);
	return 0;
}

/* n packets of UDP that nobody answers, in each second up to `end_s`. Returns end_s. */
static uint64_t pour(uint64_t begin_s, uint64_t end_s, uint32_t n)
{
	for (uint64_t s = begin_s; s < end_s; s++)
		for (uint32_t i = 0; i < n; i++)
			send_udp(1000 * s + 900 * i / n, host(i % SENDERS), 4000, TARGET, 9);
	anomaly_fixture_run(&f, 1000 * end_s);
	return end_s;
}

static void test_while_it_is_learned_the_configured_threshold_counts(void **state)
{
	struct anomaly_event e;
	char line[ANOMALY_JSON_MAX];

	(void)state;
	pour(1, 1700, LEARNED);
	assert_nothing();
	pour(1700, 1710, PER_S + 10);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_UDP, &e);
	assert_int_equal(e.threshold, PER_S);
	assert_true(e.is_learning);
	assert_in_range(e.baseline, LEARNED - 1, LEARNED + 1);
	*anomaly_put_json(line, &e) = '\0';
	assert_non_null(strstr(line, "\"baselineLearning\":true"));
	*anomaly_put_explanation(line, &e) = '\0';
	assert_non_null(strstr(line, "within 2 s; what is usual is still being learned\""));
}

/*
 * Ten minutes with an incident in them are not learned from; and as `times` is 0, what is
 * usual does not matter.
 */
static void test_then_it_takes_four_times_what_is_usual_which_no_flood_changes(void **state)
{
	struct anomaly_event e;
	char line[ANOMALY_JSON_MAX];
	uint64_t s;

	(void)state;
	s = pour(1, LEARN_S + BIN_S, LEARNED);
	s = pour(s, s + 10, 3 * LEARNED);
	assert_nothing();
	pour(s, s + 10, 5 * LEARNED);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_UDP, &e);
	assert_false(e.is_learning);
	assert_in_range(e.baseline, LEARNED - 1, LEARNED + 1);
	assert_in_range(e.threshold, 4 * (LEARNED - 1), 4 * (LEARNED + 1));
	*anomaly_put_explanation(line, &e) = '\0';
	assert_non_null(strstr(line, "; usual is "));
	/* less than the threshold, but it goes on */
	s = pour(s + 10, s + 2ull * BIN_S, 3 * LEARNED);
	s = pour(s, s + BIN_S, 2);
	f.n_events = 0;
	s = pour(s, s + 10, 6 * LEARNED);
	assert_true(f.n_events > 0);
	assert_in_range(f.event[0].threshold, 4 * (LEARNED - 1), 4 * (LEARNED + 1));
	f.cfg.anomaly.baseline.times = 0;
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, f.sweep.now_ns), 0);
	s = pour(s, s + BIN_S, 2);
	f.n_events = 0;
	pour(s, s + 10, PER_S + 4);
	assert_true(f.n_events > 0);
	assert_int_equal(f.event[0].threshold, PER_S);
}

/* n SYN of so many clients, of which each `answered`-th goes on, in each second up to end_s. */
static uint64_t knock(uint64_t begin_s, uint64_t end_s, uint32_t n, uint32_t answered)
{
	for (uint64_t s = begin_s; s < end_s; s++)
		for (uint32_t i = 0; i < n; i++) {
			uint16_t port = (uint16_t)(1024 + (s * 131 + i) % 60000);
			uint64_t ms = 1000 * s + 900 * i / n;

			send_tcp(ms, host(i % SENDERS), port, TARGET, SYN_PORT, TH_SYN);
			if (i % answered == 0)
				send_tcp(ms, host(i % SENDERS), port, TARGET, SYN_PORT, TH_ACK);
		}
	anomaly_fixture_run(&f, 1000 * end_s);
	return end_s;
}

static void test_a_busy_port_has_more_syn_before_it_is_flooded(void **state)
{
	struct anomaly_event e;
	uint64_t s;

	(void)state;
	f.cfg.anomaly.ddos.enabled = false;
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, f.sweep.now_ns), 0);
	s = knock(1, LEARN_S + BIN_S, LEARNED, 1);
	s = knock(s, s + 10, 3 * LEARNED, 30);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_SYN_FLOOD, ANOMALY_START, NULL), 0);
	knock(s, s + 10, 6 * LEARNED, 30);
	assert_int_equal(anomaly_fixture_count(&f, ANOMALY_SYN_FLOOD, ANOMALY_START, &e), 1);
	assert_false(e.is_learning);
	assert_in_range(e.baseline, LEARNED - 1, LEARNED + 1);
	assert_in_range(e.threshold, 4 * (LEARNED - 1), 4 * (LEARNED + 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_low, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_while_it_is_learned_the_configured_threshold_counts),
		TEST(test_then_it_takes_four_times_what_is_usual_which_no_flood_changes),
		TEST(test_a_busy_port_has_more_syn_before_it_is_flooded),
	};
#undef TEST

	return cmocka_run_group_tests_name("floods and what is usual", tests, NULL, NULL);
}
