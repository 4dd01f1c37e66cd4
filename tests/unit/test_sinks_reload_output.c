/* SPDX-License-Identifier: BSD-2-Clause */
/* Standard output has the events while no exporter takes them, whatever a reload makes of that. */
#include <sys/mman.h>

#include "tests/lib/event_fixture.h"
#include "tests/lib/reload_fixture.h"

static int saved = -1, captured = -1;

static int setup_output(void **state)
{
	setup(state);
	f.cfg.anomaly.enabled = true;
	fflush(stdout);
	saved = dup(STDOUT_FILENO);
	captured = memfd_create("stdout", MFD_CLOEXEC);
	return dup2(captured, STDOUT_FILENO) < 0;
}

static int teardown_output(void **state)
{
	dup2(saved, STDOUT_FILENO);
	close(saved);
	close(captured);
	return teardown(state);
}

static void tell(void)
{
	const struct anomaly_event event = full_event(0);

	sinks_event(&f.sinks, &event);
	record_samples(3);
	pass_seconds(1);
}

/* Lines on standard output so far. */
static int lines(void)
{
	off_t octets = lseek(captured, 0, SEEK_END);
	char *text = mmap(NULL, (size_t)octets + 1, PROT_READ, MAP_PRIVATE, captured, 0);
	int n = 0;

	for (off_t i = 0; i < octets; i++)
		n += text[i] == '\n';
	munmap(text, (size_t)octets + 1);
	return n;
}

static void test_events_are_printed_when_no_exporter_takes_them_any_more(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->events = true;
	open_sinks();
	tell();
	assert_int_equal(lines(), 0);
	f.next.exporters[0].events = false;
	reload();
	tell();
	tell();
	assert_int_equal(lines(), 2); /* and no Flow Records */
	assert_int_equal(stats_of("a", true)->accepted.events, 1);
	assert_int_equal(stats_of("a", false)->accepted.records, 6);
}

static void test_events_are_not_printed_when_an_exporter_takes_them(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0);
	open_sinks();
	tell();
	assert_int_equal(lines(), 1);
	add_exporter(&f.next, "b", 1)->events = true;
	reload();
	tell();
	assert_int_equal(lines(), 1);
	assert_int_equal(stats_of("b", false)->accepted.events, 1);
	f.next.n_exporters = 1;
	reload();
	tell();
	assert_int_equal(lines(), 2);
}

static void test_refused_reload_leaves_the_output(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->events = true;
	open_sinks();
	f.next.exporters[0].events = false;
	struct exporter_config *e = add_exporter(&f.next, "b", 1);

	e->transport = TRANSPORT_FILE;
	strcpy(e->address, "/nowhere/at/all");
	assert_int_equal(prepare(), -ENOENT);
	tell();
	assert_int_equal(lines(), 0);
	assert_int_equal(stats_of("a", false)->accepted.events, 1);
}

static void test_records_stay_on_the_output_beside_events_of_an_exporter(void **state)
{
	(void)state;
	f.cfg.output = OUTPUT_JSON;
	add_exporter(&f.cfg, "a", 0);
	open_sinks();
	tell();
	assert_int_equal(lines(), 4);
	f.next.exporters[0].events = true;
	reload();
	tell();
	assert_int_equal(lines(), 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_output, teardown_output)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_events_are_printed_when_no_exporter_takes_them_any_more),
		TEST(test_events_are_not_printed_when_an_exporter_takes_them),
		TEST(test_refused_reload_leaves_the_output),
		TEST(test_records_stay_on_the_output_beside_events_of_an_exporter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
