/* SPDX-License-Identifier: BSD-2-Clause */
/* Which exporters of a group an event goes to, and what goes to standard output. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/sinks.h"
#include "tests/lib/exporter_fixture.h"

#define MS   1000000ull
#define S    (1000 * MS)
#define T0   (1000 * S)
#define TIME 1767400000u
#define N    3

struct fixture {
	int fd[N]; /* the Collectors' sockets, -1 = closed */
	struct wire *w[N];
	struct config cfg;
	struct sinks sinks;
	uint64_t now_ns;
};

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	f = (struct fixture){.now_ns = T0,
			     .cfg = {.observation_domain_id = 7,
				     .enterprise_number = 32473,
				     .output = OUTPUT_NONE,
				     .n_groups = 1,
				     .n_exporters = N}};
	f.cfg.groups[0] = (struct group_config){.name = "g", .stable_s = 10};
	for (int i = 0; i < N; i++) {
		struct exporter_config *e = &f.cfg.exporters[i];
		uint16_t port = 0;

		f.fd[i] = collector_open(AF_INET, &port);
		f.w[i] = calloc(1, sizeof(struct wire));
		*e = (struct exporter_config){.template_refresh_s = 60, .group = "g"};
		snprintf(e->name, sizeof(e->name), "%c", 'a' + i);
		snprintf(e->address, sizeof(e->address), "127.0.0.1:%u", port);
	}
	return 0;
}

static void close_collector(int i)
{
	close(f.fd[i]);
	f.fd[i] = -1;
}

static int teardown(void **state)
{
	(void)state;
	sinks_close(&f.sinks);
	for (int i = 0; i < N; i++) {
		if (f.fd[i] >= 0)
			close_collector(i);
		free(f.w[i]);
	}
	return 0;
}

/* The exporters that want events have a bit in `wanted`. */
static void open_group(int mode, unsigned int wanted)
{
	f.cfg.groups[0].mode = mode;
	for (int i = 0; i < N; i++)
		f.cfg.exporters[i].events = wanted >> i & 1;
	assert_int_equal(sinks_open(&f.sinks, &f.cfg, true), 0);
}

static void pass_a_second(void)
{
	sinks_flush(&f.sinks, f.now_ns, S);
	for (uint64_t end_ns = f.now_ns + S; f.now_ns < end_ns; f.now_ns += 100 * MS) {
		sinks_run(&f.sinks, f.now_ns, TIME + (uint32_t)((f.now_ns - T0) / S));
		for (int i = 0; i < N; i++) {
			check_balance(f.sinks.exporter[i]);
			if (f.fd[i] >= 0)
				collector_read(f.fd[i], f.w[i]);
		}
	}
}

/* Raise so many events, and let them leave. */
static void raise_events(uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		struct anomaly_event e = {.event_id = i, .time_ms = TIME * 1000ull};

		sinks_event(&f.sinks, &e);
	}
	pass_a_second();
	pass_a_second();
}

static void test_mirror_gives_events_to_all_that_want_them(void **state)
{
	(void)state;
	open_group(MODE_MIRROR, 5);
	raise_events(20);
	assert_int_equal(f.w[0]->events, 20);
	assert_int_equal(f.w[1]->events, 0);
	assert_int_equal(f.w[2]->events, 20);
}

static void test_balance_gives_each_event_to_one_that_wants_events(void **state)
{
	(void)state;
	open_group(MODE_BALANCE, 5);
	raise_events(40);
	assert_in_range(f.w[0]->events, 8, 32);
	assert_int_equal(f.w[0]->events + f.w[2]->events, 40);
	assert_int_equal(f.w[1]->events, 0);
}

static void test_failover_gives_events_to_the_one_that_is_there(void **state)
{
	(void)state;
	open_group(MODE_FAILOVER, 7);
	raise_events(10);
	assert_int_equal(f.w[0]->events, 10);
	close_collector(0);
	for (int i = 0; i < 4; i++)
		raise_events(10);
	pass_a_second();
	assert_int_equal(f.w[0]->events + f.w[1]->events, 50);
	assert_true(exporter_stats(f.sinks.exporter[0])->moved.events > 0);
}

static void test_a_group_without_takers_loses_no_event_and_counts_none(void **state)
{
	(void)state;
	open_group(MODE_BALANCE, 0);
	raise_events(10);
	for (int i = 0; i < N; i++)
		assert_int_equal(exporter_stats(f.sinks.exporter[i])->accepted.events, 0);
}

static void test_an_event_of_a_dry_run_goes_nowhere(void **state)
{
	struct anomaly_event e = {.is_dry_run = true, .state = ANOMALY_START};

	(void)state;
	open_group(MODE_MIRROR, 7);
	sinks_event(&f.sinks, &e);
	pass_a_second();
	assert_int_equal(exporter_stats(f.sinks.exporter[0])->accepted.events, 0);
}

static void test_standard_output_has_events_only_while_no_exporter_has(void **state)
{
	(void)state;
	f.cfg.anomaly.enabled = true;
	open_group(MODE_MIRROR, 2);
	assert_false(f.sinks.has_output);
	sinks_close(&f.sinks);
	open_group(MODE_MIRROR, 0);
	assert_true(f.sinks.has_output && f.sinks.is_for_events);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_mirror_gives_events_to_all_that_want_them),
		TEST(test_balance_gives_each_event_to_one_that_wants_events),
		TEST(test_failover_gives_events_to_the_one_that_is_there),
		TEST(test_a_group_without_takers_loses_no_event_and_counts_none),
		TEST(test_an_event_of_a_dry_run_goes_nowhere),
		TEST(test_standard_output_has_events_only_while_no_exporter_has),
	};

	return cmocka_run_group_tests_name("events in groups", tests, NULL, NULL);
}
