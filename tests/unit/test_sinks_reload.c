/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exporters that come, go and change: no record is lost or there twice, no session of
 * another one notices, and the ledger balances at every step.
 */
#include "tests/lib/reload_fixture.h"

#include "tests/lib/capture_stderr.h"

static void test_the_one_that_stays_notices_nothing(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "stays", 0);
	add_exporter(&f.cfg, "goes", 1);
	open_sinks();
	record_samples(500);
	pass_seconds(1);
	uint64_t templates = stats_of("stays", false)->templates_sent;
	const struct exporter *e = f.sinks.exporter[0];

	f.next.n_exporters = 0;
	add_exporter(&f.next, "comes", 2);
	add_exporter(&f.next, "stays", 0);
	record_samples(100);
	reload();
	assert_ptr_equal(f.sinks.exporter[1], e);
	record_samples(300);
	pass_seconds(2);
	assert_int_equal(f.c[0].n_streams, 1);
	assert_stream(0, 0, 900);
	assert_int_equal(stats_of("stays", false)->templates_sent, templates);
	assert_int_equal(stats_of("stays", false)->sequence, f.c[0].w[0]->next_sequence);
}

static void test_one_that_comes_has_templates_first_and_what_comes_then(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "stays", 0);
	open_sinks();
	record_samples(500);
	add_exporter(&f.next, "comes", 1);
	reload();
	record_samples(300);
	pass_seconds(2);
	assert_stream(1, 0, 300); /* data without a Template fails in the reader */
	assert_true(f.c[1].w[0]->templates > 0);
	assert_int_equal(stats_of("comes", false)->accepted.records, 300);
}

static void test_one_that_goes_sends_all_that_was_due(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "stays", 0);
	add_exporter(&f.cfg, "goes", 1)->max_records_per_s = 1000;
	open_sinks();
	record_samples(3000);
	pass_seconds(1);
	assert_true(stats_of("goes", false)->queued.records > 1500);
	f.next.n_exporters = 1;
	record_samples(77); /* in the making */
	reload();
	assert_int_equal(f.sinks.n_exporters, 1);
	record_samples(300);
	pass_seconds(4);
	assert_stream(1, 0, 3077);
	assert_int_equal(stats_of("goes", true)->sent.records, 3077);
	assert_int_equal(f.sinks.leaving.n_leaving, 0);
}

static void test_one_that_goes_has_five_seconds_whatever_its_rate(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "goes", 1)->max_records_per_s = 10;
	open_sinks();
	record_samples(800);
	pass_seconds(1);
	f.next.n_exporters = 0;
	reload();
	pass_seconds(4);
	assert_int_equal(f.sinks.leaving.n_leaving, 1);
	assert_true(stats_of("goes", true)->queued.records > 600);
	pass_seconds(2);
	assert_int_equal(f.sinks.leaving.n_leaving, 0);
	assert_stream(1, 0, 800);
}

static void test_what_one_that_goes_cannot_send_has_a_name(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "goes", 1)->transport = TRANSPORT_TCP; /* nobody listens */
	open_sinks();
	record_samples(3000);
	pass_seconds(1);
	f.next.n_exporters = 0;
	reload();
	pass_seconds(6);
	assert_int_equal(stats_of("goes", true)->queued.records, 0);
	assert_int_equal(stats_of("goes", true)->not_sent_refused.records, 3000);
}

static void test_a_changed_one_ends_before_it_begins_anew(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->max_records_per_s = 2000;
	open_sinks();
	record_samples(3000);
	pass_seconds(1);
	f.next.exporters[0].fields = GROUP_STATE;
	f.next.exporters[0].biflow = BIFLOW_RFC5103;
	f.next.exporters[0].max_records_per_s = 0;
	reload();
	record_samples(500);
	pass_seconds(3);
	assert_int_equal(f.c[0].n_streams, 2);
	assert_stream(0, 0, 3000);
	assert_stream(0, 1, 500);
	assert_false(f.c[0].is_mixed);
	assert_int_equal(stats_of("a", true)->sent.records, 3000);
	assert_int_equal(stats_of("a", false)->accepted.records, 500);
}

static void test_another_address_begins_at_once(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->max_records_per_s = 1000;
	open_sinks();
	record_samples(3000);
	pass_seconds(1);
	f.next.n_exporters = 0;
	add_exporter(&f.next, "a", 1);
	reload();
	record_samples(500);
	pass_seconds(1);
	assert_stream(1, 0, 500);
	assert_int_equal(f.sinks.leaving.n_leaving, 1);
	pass_seconds(3);
	assert_stream(0, 0, 3000);
}

static void test_new_values_of_some_keys_need_no_new_session(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->max_records_per_s = 1000;
	open_sinks();
	record_samples(3000);
	pass_seconds(1);
	assert_true(f.c[0].w[0]->data.records < 1200);
	f.next.exporters[0].max_records_per_s = 0;
	reload();
	pass_seconds(1);
	assert_int_equal(f.c[0].n_streams, 1);
	assert_stream(0, 0, 3000);
}

static void test_a_shorter_refresh_does_not_wait_for_the_longer_one(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->template_refresh_s = 86400;
	open_sinks();
	pass_seconds(12); /* the copies at start */
	uint64_t templates = f.c[0].w[0]->templates;

	pass_seconds(20);
	assert_int_equal(f.c[0].w[0]->templates, templates);
	f.next.exporters[0].template_refresh_s = 15;
	reload();
	pass_seconds(16);
	assert_int_equal(f.c[0].w[0]->templates, templates + 4);
	pass_seconds(15);
	assert_int_equal(f.c[0].w[0]->templates, templates + 8);
}

/* Begun again before the one before has left. */
static void test_reloads_may_follow_one_another(void **state)
{
	static const uint32_t fields[] = {GROUP_STATE, 0, GROUP_STATE};

	(void)state;
	add_exporter(&f.cfg, "a", 0)->max_records_per_s = 10;
	open_sinks();
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		record_samples(1000);
		sinks_flush(&f.sinks, f.now_ns, S);
		sinks_run(&f.sinks, f.now_ns, TIME);
		read_along();
		f.next.exporters[0].fields = fields[i];
		reload();
	}
	record_samples(1000);
	f.next.exporters[0].max_records_per_s = 0;
	reload();
	pass_seconds(8);
	assert_int_equal(f.c[0].n_streams, 4);
	for (size_t k = 0; k < 4; k++)
		assert_stream(0, k, 1000);
	assert_false(f.c[0].is_mixed);
	assert_int_equal(stats_of("a", true)->sent.records, 3000);
}

static void test_many_that_left_are_counted_together(void **state)
{
	static struct ledger l;
	char name[16];

	(void)state;
	open_sinks();
	for (int i = 0; i < 3 * CONFIG_MAX_EXPORTERS; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		f.next.n_exporters = 0;
		add_exporter(&f.next, name, 0);
		reload();
		record_samples(10);
		pass_seconds(1);
	}
	sinks_ledger(&f.sinks, &l);
	assert_int_equal(l.n_exporters, 1 + CONFIG_MAX_EXPORTERS + 1);
	assert_string_equal(l.exporters[l.n_exporters - 1].name, "(others)");
	uint64_t sent = 0;

	for (size_t i = 0; i < l.n_exporters; i++)
		sent += l.exporters[i].stats.sent.records;
	assert_int_equal(sent, f.exported.records);
}

static void test_a_file_that_cannot_be_made_changes_nothing(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0);
	open_sinks();
	record_samples(100);
	f.next.exporters[0].fields = GROUP_STATE;
	add_exporter(&f.next, "b", 1);
	struct exporter_config *file = add_exporter(&f.next, "file", 0);

	file->transport = TRANSPORT_FILE;
	snprintf(file->address, sizeof(file->address), "%s/nowhere/file", f.folder);
	capture_begin();
	assert_int_equal(prepare(), -ENOENT);
	free(capture_end());
	assert_int_equal(f.sinks.n_exporters, 1);
	record_samples(100);
	pass_seconds(2);
	assert_int_equal(f.c[0].n_streams, 1);
	assert_stream(0, 0, 200);
	assert_int_equal(f.c[1].n_streams, 0);
}

static void test_an_imbalance_is_not_forgotten(void **state)
{
	static struct ledger l;

	(void)state;
	add_exporter(&f.cfg, "a", 0);
	open_sinks();
	record_samples(100);
	f.exported.records++; /* one that no exporter was given */
	assert_int_equal(prepare(), 0);
	sinks_reload_commit(&f.sinks, &f.cfg, &f.plan, &f.fresh,
			    &(struct sinks_moment){.exported = f.exported, .now_ns = f.now_ns});
	l.exported = f.exported;
	sinks_ledger(&f.sinks, &l);
	assert_false(ledger_exporters_are_balanced(&l));
}

static void test_the_end_of_the_run_waits_for_those_that_leave(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0)->max_records_per_s = 10;
	open_sinks();
	record_samples(500);
	f.next.exporters[0].fields = GROUP_STATE;
	reload();
	record_samples(300);
	sinks_flush(&f.sinks, f.now_ns, 1);
	sinks_drain(&f.sinks, f.now_ns, TIME);
	read_along();
	assert_balanced();
	assert_stream(0, 0, 500);
	assert_stream(0, 1, 300);
	assert_false(f.c[0].is_mixed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELOAD_TEST(test_the_one_that_stays_notices_nothing),
		RELOAD_TEST(test_one_that_comes_has_templates_first_and_what_comes_then),
		RELOAD_TEST(test_one_that_goes_sends_all_that_was_due),
		RELOAD_TEST(test_one_that_goes_has_five_seconds_whatever_its_rate),
		RELOAD_TEST(test_what_one_that_goes_cannot_send_has_a_name),
		RELOAD_TEST(test_a_changed_one_ends_before_it_begins_anew),
		RELOAD_TEST(test_another_address_begins_at_once),
		RELOAD_TEST(test_new_values_of_some_keys_need_no_new_session),
		RELOAD_TEST(test_a_shorter_refresh_does_not_wait_for_the_longer_one),
		RELOAD_TEST(test_reloads_may_follow_one_another),
		RELOAD_TEST(test_many_that_left_are_counted_together),
		RELOAD_TEST(test_a_file_that_cannot_be_made_changes_nothing),
		RELOAD_TEST(test_an_imbalance_is_not_forgotten),
		RELOAD_TEST(test_the_end_of_the_run_waits_for_those_that_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
