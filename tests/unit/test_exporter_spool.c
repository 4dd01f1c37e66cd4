/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Collector over UDP that is away for a while gets every record once, later: those
 * of before, in order, beside those of now; and what a spool has no room for.
 */
#include <glob.h>

#include "tests/lib/away_fixture.h"

static void test_closed_udp_collector_misses_nothing(void **state)
{
	(void)state;
	come();
	open_it();
	seconds(3, 500);
	go();
	seconds(20, 500);
	assert_in_range(stats()->spooled.records, 9000, 10000);
	assert_int_equal(stats()->sent.records, 1500);
	come();
	seconds(12, 500);
	assert_true(f.w->data.records > 1500);
	until_sent();
	assert_all_arrived();
}

/* A report arrives of options data, of a round that began with this number of Flows. */
static void refuse_options(uint32_t flow_sequence)
{
	static const uint8_t header[SESSION_REFUSED_OCTETS] = {0, 10, [11] = 5}; /* domain 0 */

	memcpy(f.e->session.refused, header, sizeof(header));
	f.e->session.refused_octets = sizeof(header);
	f.e->options.flow_sequence = flow_sequence;
	exporter_return_refused(f.e);
	assert_int_equal(f.e->under_way.n_messages, 0);
}

/* Its number is of another Observation Domain than theirs. */
static void test_refused_options_data_take_back_the_flows_behind(void **state)
{
	(void)state;
	come();
	open_it();
	second(500, true);
	assert_true(f.e->under_way.n_messages > 0);
	refuse_options(stats()->sequence);
	assert_int_equal(stats()->queued.records, 0);
	second(500, true);
	size_t n = f.e->under_way.n_messages;

	assert_true(n > 0);
	refuse_options(queue_first(&f.e->under_way)->sequence);
	assert_int_equal(f.e->queue.n_messages, n);
}

static void test_collector_away_with_options_data_misses_nothing(void **state)
{
	(void)state;
	f.cfg.options = EXPORTER_OPTIONS_AUTO;
	f.cfg.template_refresh_s = 3;
	come();
	open_it();
	seconds(3, 500);
	assert_true(f.w->options_messages > 0);
	assert_true(f.e->under_way.n_messages > 0);
	go();
	seconds(20, 500);
	uint64_t known = f.w->options_messages;

	come();
	seconds(12, 500);
	until_sent();
	assert_int_equal(f.w->data.records, f.n_records);
	assert_int_equal(stats()->sent.records, f.n_records);
	assert_true(f.w->options_messages > known);
}

static void test_options_data_wait_while_the_collector_is_away(void **state)
{
	(void)state;
	f.cfg.options = EXPORTER_OPTIONS_AUTO;
	open_it();
	seconds(3, 0);
	uint64_t templates = stats()->templates_sent, messages = stats()->messages;

	seconds(10, 0);
	assert_in_range(stats()->templates_sent - templates, 9 * 4, 11 * 4);
	assert_in_range(stats()->messages - messages, 9, 11);
}

static void test_replay_keeps_to_its_rate_and_order(void **state)
{
	(void)state;
	open_it();
	seconds(10, 1000);
	come();
	uint64_t spooled = stats()->spooled.records;

	while (stats()->spooled.records == spooled)
		second(0, true); /* until it is known to be back */
	spooled = stats()->spooled.records;
	seconds(4, 0);
	assert_in_range(spooled - stats()->spooled.records, 3900, 4100);
	until_sent();
	assert_all_arrived();
}

/* What goes to disk, and comes from it, would make what comes later leave too fast. */
static void test_what_is_stored_is_no_part_of_the_pace(void **state)
{
	(void)state;
	f.cfg.spool_max_records_per_s = 20000;
	open_it();
	seconds(8, 5000);
	assert_int_equal(stats()->spooled.records, 40000);
	assert_int_equal(f.e->pace.total, f.e->pace.done);
	second(20, true);
	assert_int_equal(f.e->pace.window_ns, 900 * MS);
	come();
	while (stats()->sent.records < 1000)
		second(20, true);
	second(20, true);
	assert_in_range(f.e->pace.total, 1, 200); /* a few of what came out are queued */
	assert_true(f.e->pace.window_ns > S / 2);
	until_sent();
	assert_all_arrived();
}

static void test_collector_that_goes_again_during_the_replay_misses_nothing(void **state)
{
	(void)state;
	open_it();
	seconds(10, 1000);
	for (int i = 0; i < 3; i++) {
		come();
		seconds(13, 10);
		uint64_t spooled = stats()->spooled.records;

		assert_true(f.w->data.records > 0 && spooled > 0);
		go();
		seconds(3, 10);
		assert_true(stats()->spooled.records >= spooled);
	}
	come();
	seconds(12, 10);
	until_sent();
	assert_all_arrived();
}

static void test_end_of_the_run_leaves_what_was_not_sent_on_disk(void **state)
{
	(void)state;
	open_it();
	seconds(3, 1000);
	for (int i = 0; i < 10; i++) {
		struct flow_record r = sample_record(f.n_records++);

		exporter_record(f.e, &r);
	}
	exporter_drain(f.e, f.now_ns, TIME, 1000);
	check_balance(f.e);
	assert_int_equal(stats()->spooled.records, 3010);
	exporter_close(f.e);
	come();
	open_it();
	assert_int_equal(stats()->recovered.records, 3010);
	seconds(2, 0);
	until_sent();
	assert_int_equal(f.w->data.records, 3010);
	assert_int_equal(f.w->gaps, 0);
}

/* Nothing is written at the end: what was on disk is all there is. */
static void test_killed_probe_replays_what_is_on_disk(void **state)
{
	(void)state;
	open_it();
	seconds(3, 1000);
	assert_int_equal(stats()->spooled.records, 3000);
	exporter_close(f.e);
	open_it();
	assert_int_equal(stats()->recovered.records, 3000);
	assert_int_equal(stats()->accepted.records, 0);
	seconds(3, 100);
	come();
	seconds(13, 100);
	until_sent();
	assert_int_equal(f.w->data.records, f.n_records);
	check_balance(f.e);
}

static void test_loss_beyond_the_bound_is_exact(void **state)
{
	(void)state;
	f.cfg.spool_max_mib = 1;
	f.cfg.spool_max_records_per_s = 1000000;
	open_it();
	seconds(40, 1000);
	assert_true(stats()->not_sent_spool_full.records > 20000);
	come();
	seconds(12, 0);
	until_sent();
	assert_int_equal(f.w->data.records + stats()->not_sent_spool_full.records, f.n_records);
	assert_int_equal(f.w->data.records, stats()->sent.records);
	assert_int_equal(f.w->data.octets, stats()->sent.octets);
}

static void test_ten_minutes_of_absence_lose_nothing_within_the_bound(void **state)
{
	(void)state;
	f.cfg.spool_max_records_per_s = 1000000;
	open_it();
	seconds(600, 250); /* 13 MB */
	assert_int_equal(stats()->spooled.records, f.n_records);
	come();
	seconds(12, 250);
	until_sent();
	assert_all_arrived();
	assert_int_equal(stats()->spool_octets, 0);
}

/* Returns the records in all files on disk, each of which is a sound IPFIX File. */
static uint64_t read_files(void)
{
	char pattern[128];
	uint64_t n_records = 0;
	glob_t files;

	snprintf(pattern, sizeof(pattern), "%s/a_b/*.ipfix", f.folder);
	assert_int_equal(glob(pattern, 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		static struct wire w;
		FILE *in = fopen(files.gl_pathv[i], "r");
		size_t octets = fread(f.data, 1, DATA_MAX, in);

		fclose(in);
		memset(&w, 0, sizeof(w));
		assert_int_equal(wire_read_stream(&w, f.data, octets), octets);
		assert_int_equal(w.gaps, 0);
		n_records += w.data.records;
	}
	globfree(&files);
	return n_records;
}

/* Flows end by the clock as it is; what is sent is stamped with no time before that. */
static void test_clock_stepped_while_spooling_loses_nothing(void **state)
{
	static const int32_t steps_s[] = {0, -3600, 0, 3600, 7200, -86400, 0};

	(void)state;
	f.cfg.spool_max_records_per_s = 1000000;
	open_it();
	for (size_t i = 0; i < sizeof(steps_s) / sizeof(*steps_s); i++) {
		f.step_s = steps_s[i];
		seconds(7, 300);
	}
	assert_int_equal(stats()->spooled.records, f.n_records);
	assert_int_equal(read_files(), f.n_records);
	f.step_s = -600;
	come();
	seconds(12, 300);
	f.step_s = 600; /* while it is replayed too */
	seconds(12, 300);
	until_sent();
	assert_all_arrived();
	assert_int_equal(stats()->spool_octets, 0);
}

/* Files are found by their numbers, whatever the clock said. */
static void test_killed_probe_replays_all_though_the_clock_was_stepped_back(void **state)
{
	(void)state;
	f.cfg.spool_max_records_per_s = 1000000;
	open_it();
	seconds(10, 1000);
	f.step_s = -7200;
	seconds(10, 1000);
	assert_int_equal(stats()->spooled.records, 20000);
	exporter_close(f.e);
	f.step_s = -14400;
	open_it();
	assert_int_equal(stats()->recovered.records, 20000);
	seconds(10, 1000);
	assert_int_equal(stats()->spooled.records, 30000);
	come();
	seconds(12, 0);
	until_sent();
	assert_int_equal(f.w->data.records, 30000);
	assert_int_equal(stats()->not_sent_spool_error.records, 0);
	check_balance(f.e);
}

static void set_file_limit(rlim_t octets)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_disk_that_takes_nothing_leaves_records_in_memory(void **state)
{
	(void)state;
	open_it();
	set_file_limit(20000);
	seconds(5, 1000);
	assert_true(stats()->queued.records > 4000);
	assert_true(stats()->spooled.records > 0);
	set_file_limit(RLIM_INFINITY);
	seconds(2, 0);
	assert_int_equal(stats()->queued.records, 0);
	come();
	seconds(12, 0);
	until_sent();
	assert_all_arrived();
}

static void test_full_queue_beside_a_disk_that_takes_nothing_is_counted(void **state)
{
	(void)state;
	open_it();
	seconds(6, 0);
	set_file_limit(1000);
	second(1000, true);
	f.e->queue.octets += QUEUE_MAX_OCTETS;
	second(1000, true);
	f.e->queue.octets -= QUEUE_MAX_OCTETS;
	set_file_limit(RLIM_INFINITY);
	assert_int_equal(stats()->not_sent_spool_full.records, 1000);
	seconds(2, 0);
	assert_int_equal(stats()->spooled.records, 1000);
	assert_int_equal(stats()->not_sent_spool_full.records, 1000);
}

static void test_collector_gets_templates_when_it_is_back(void **state)
{
	(void)state;
	come();
	open_it();
	seconds(20, 10); /* all early copies are out */
	go();
	seconds(3, 10);
	come();
	memset(f.w, 0, sizeof(*f.w));
	/* the reader fails if data comes before them */
	for (int i = 0; i < 20 && !f.w->data.records; i++)
		seconds(1, 10);
	uint64_t before = f.w->template_messages;

	assert_true(f.w->data.records > 0 && before > 0);
	seconds(10, 10);
	assert_in_range(f.w->template_messages - before, 2, 3);
	until_sent();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, away_setup, away_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_closed_udp_collector_misses_nothing),
		TEST(test_refused_options_data_take_back_the_flows_behind),
		TEST(test_collector_away_with_options_data_misses_nothing),
		TEST(test_options_data_wait_while_the_collector_is_away),
		TEST(test_replay_keeps_to_its_rate_and_order),
		TEST(test_what_is_stored_is_no_part_of_the_pace),
		TEST(test_collector_that_goes_again_during_the_replay_misses_nothing),
		TEST(test_end_of_the_run_leaves_what_was_not_sent_on_disk),
		TEST(test_killed_probe_replays_what_is_on_disk),
		TEST(test_loss_beyond_the_bound_is_exact),
		TEST(test_ten_minutes_of_absence_lose_nothing_within_the_bound),
		TEST(test_clock_stepped_while_spooling_loses_nothing),
		TEST(test_killed_probe_replays_all_though_the_clock_was_stepped_back),
		TEST(test_disk_that_takes_nothing_leaves_records_in_memory),
		TEST(test_full_queue_beside_a_disk_that_takes_nothing_is_counted),
		TEST(test_collector_gets_templates_when_it_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
