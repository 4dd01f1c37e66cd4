/* SPDX-License-Identifier: BSD-2-Clause */
/* The system clock is stepped: it is noticed, times follow, and no record is lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/clock.h"
#include "tests/lib/exporter_fixture.h"

#define HOUR_NS (3600 * (int64_t)NS_PER_S)
#define T0	(1000 * NS_PER_S)
#define TIME	1767400000u

static void assert_follows(const struct wall_clock *clock)
{
	int64_t apart =
		(int64_t)(wall_clock_ns(clock, clock_monotonic_ns()) / NS_PER_S) - time(NULL);

	assert_in_range(llabs(apart), 0, 1);
}

static void test_a_step_is_noticed_once_in_either_direction(void **state)
{
	static const int64_t steps_ns[] = {HOUR_NS, -HOUR_NS, 24 * HOUR_NS, -2 * (int64_t)NS_PER_S};
	struct wall_clock clock = {0};

	(void)state;
	assert_false(wall_clock_update(&clock)); /* the first reading is no step */
	assert_follows(&clock);
	for (size_t i = 0; i < sizeof(steps_ns) / sizeof(*steps_ns); i++) {
		clock.offset_ns -= steps_ns[i]; /* as if it had been stepped since */
		assert_true(wall_clock_update(&clock));
		assert_int_equal(clock.steps, i + 1);
		assert_follows(&clock);
		assert_false(wall_clock_update(&clock));
	}
}

static void test_a_clock_that_is_slewed_is_followed_in_silence(void **state)
{
	struct wall_clock clock = {0};

	(void)state;
	wall_clock_update(&clock);
	for (int i = 0; i < 10; i++) {
		clock.offset_ns -= (int64_t)NS_PER_S * 9 / 10;
		assert_false(wall_clock_update(&clock));
	}
	assert_int_equal(clock.steps, 0);
	assert_follows(&clock);
}

/* The reader fails if Export Time goes back, and counts gaps. */
static void test_an_exporter_loses_nothing_however_it_is_stepped(void **state)
{
	static const int32_t steps_s[] = {0, -3600, 0, 7200, -86400, 86400};
	static struct wire wire;
	struct exporter *e;
	uint32_t n = 0;
	uint16_t port;
	int fd = collector_open(AF_INET, &port);

	(void)state;
	e = open_exporter(TRANSPORT_UDP, AF_INET, port, true);
	for (uint32_t s = 0; s < 60; s++) {
		uint64_t now_ns = T0 + s * NS_PER_S;
		uint32_t time_s = TIME + s + (uint32_t)steps_s[s / 10];

		for (int i = 0; i < 200; i++) {
			struct flow_record r = sample_record(n++);

			exporter_record(e, &r);
		}
		exporter_flush(e, now_ns, NS_PER_S);
		for (uint64_t ms = 0; ms < 1000; ms++)
			exporter_run(e, now_ns + ms * NS_PER_MS, time_s);
		collector_read(fd, &wire);
		check_balance(e);
	}
	assert_int_equal(wire.data.records, n);
	assert_int_equal(wire.gaps, 0);
	assert_int_equal(exporter_stats(e)->sent.records, n);
	/* Templates have come again in time, whatever the clock said */
	assert_int_equal(wire.template_messages, 3);
	assert_int_equal(wire.export_time_s, TIME + 59 + 86400);
	exporter_close(e);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_step_is_noticed_once_in_either_direction),
		cmocka_unit_test(test_a_clock_that_is_slewed_is_followed_in_silence),
		cmocka_unit_test(test_an_exporter_loses_nothing_however_it_is_stepped),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
