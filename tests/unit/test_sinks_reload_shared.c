/* SPDX-License-Identifier: BSD-2-Clause */
/* Reloads with what exporters share: spools that pass on, groups, and sources of NetFlow. */
#include "tests/lib/reload_fixture.h"

#include "tests/lib/netflow_fixture.h"

/* What was refused is on disk, and whoever has the name and the folder then sends it. */
static void test_a_changed_one_sends_what_was_spooled(void **state)
{
	struct exporter_config *e = add_exporter(&f.cfg, "a", 0);

	(void)state;
	snprintf(e->spool_path, sizeof(e->spool_path), "%s", f.folder);
	close(f.c[0].fd);
	f.c[0].fd = -1;
	open_sinks();
	record_samples(1000);
	pass_seconds(3);
	assert_int_equal(stats_of("a", false)->spooled.records, 1000);
	f.next.exporters[0].spool_max_mib = 2;
	reload();
	record_samples(500);
	pass_seconds(1);
	assert_int_equal(stats_of("a", false)->recovered.records, 1000);
	assert_int_equal(stats_of("a", true)->moved.records, 1000);
	assert_int_equal(stats_of("a", true)->spooled.records, 0);
	f.c[0].fd = collector_open(AF_INET, &f.c[0].port);
	pass_seconds(20);
	assert_stream(0, 0, 1500);
	assert_int_equal(stats_of("a", false)->sent.records, 1500);
}

static void test_what_one_that_goes_has_spooled_stays_for_the_next_of_its_name(void **state)
{
	struct exporter_config *e = add_exporter(&f.cfg, "a", 0);

	(void)state;
	snprintf(e->spool_path, sizeof(e->spool_path), "%s", f.folder);
	close(f.c[0].fd);
	f.c[0].fd = -1;
	open_sinks();
	record_samples(1000);
	pass_seconds(1);
	struct config with = f.next;

	f.next.n_exporters = 0;
	reload();
	pass_seconds(6);
	assert_int_equal(stats_of("a", true)->spooled.records, 1000);
	record_samples(50);
	f.next = with;
	reload();
	pass_seconds(1);
	assert_int_equal(stats_of("a", true)->spooled.records, 0);
	assert_int_equal(stats_of("a", true)->moved.records, 1000);
	assert_int_equal(stats_of("a", false)->recovered.records, 1000);
}

static void put_in_group(struct config *cfg, int mode)
{
	cfg->groups[0] = (struct group_config){.name = "g", .mode = mode, .stable_s = 10};
	cfg->n_groups = 1;
	for (size_t i = 0; i < cfg->n_exporters; i++)
		strcpy(cfg->exporters[i].group, "g");
}

static void test_one_may_join_and_leave_those_that_share(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0);
	add_exporter(&f.cfg, "b", 1);
	put_in_group(&f.cfg, MODE_BALANCE);
	open_sinks();
	record_samples(3000);
	pass_seconds(1);
	uint64_t b = stats_of("b", false)->accepted.records;

	add_exporter(&f.next, "c", 2);
	put_in_group(&f.next, MODE_BALANCE);
	reload();
	record_samples(3000);
	pass_seconds(1);
	assert_in_range(stats_of("c", false)->accepted.records, 900, 1100);
	assert_in_range(stats_of("b", false)->accepted.records, b + 900, b + 1100);
	f.next.exporters[1] = f.next.exporters[2];
	f.next.n_exporters = 2;
	reload();
	record_samples(3000);
	pass_seconds(2);
	assert_int_equal(f.c[0].w[0]->data.records + f.c[1].w[0]->data.records +
				 f.c[2].w[0]->data.records,
			 9000);
	put_in_group(&f.next, MODE_MIRROR);
	reload();
	record_samples(100);
	pass_seconds(1);
	assert_int_equal(f.c[0].n_streams, 1);
	assert_int_equal(f.c[2].n_streams, 1);
}

static void test_failover_goes_on_with_whom_it_had(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0);
	add_exporter(&f.cfg, "b", 1);
	put_in_group(&f.cfg, MODE_FAILOVER);
	close(f.c[0].fd);
	f.c[0].fd = -1;
	open_sinks();
	record_samples(1000);
	pass_seconds(3);
	assert_stream(1, 0, 1000);
	add_exporter(&f.next, "c", 2);
	put_in_group(&f.next, MODE_FAILOVER);
	reload();
	assert_int_equal(f.sinks.group[0].active, 1);
	record_samples(1000);
	pass_seconds(1);
	assert_stream(1, 0, 2000);
	/* The one that had them goes. */
	f.next.exporters[1] = f.next.exporters[2];
	f.next.n_exporters = 2;
	record_samples(100);
	reload();
	record_samples(1000);
	pass_seconds(3);
	assert_stream(1, 0, 2100);
	assert_stream(2, 0, 1000);
}

static void test_failover_loses_nothing_with_one_that_is_away_and_goes(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0);
	add_exporter(&f.cfg, "b", 1);
	put_in_group(&f.cfg, MODE_FAILOVER);
	for (int i = 0; i < 2; i++) {
		close(f.c[i].fd);
		f.c[i].fd = -1;
	}
	open_sinks();
	record_samples(1000);
	pass_seconds(3); /* with both away they wait with the first */
	assert_int_equal(stats_of("a", false)->queued.records, 1000);
	f.next.exporters[0] = f.next.exporters[1];
	f.next.n_exporters = 1;
	reload();
	assert_int_equal(stats_of("a", true)->moved.records, 1000);
	f.c[1].fd = collector_open(AF_INET, &f.c[1].port);
	record_samples(100);
	pass_seconds(20);
	assert_stream(1, 0, 1100);
	assert_int_equal(stats_of("b", false)->sent.records, 1100);
}

/* Where the old one was a source of NetFlow there is another one: each counts from 0. */
static void test_netflow_changes_as_ipfix_does(void **state)
{
	static struct netflow_wire w;

	(void)state;
	memset(&w, 0, sizeof(w));
	add_exporter(&f.cfg, "v9", 0)->protocol = EXPORT_NETFLOW9;
	add_exporter(&f.cfg, "v5", 1)->protocol = EXPORT_NETFLOW5;
	open_sinks();
	struct collector kept = f.c[0], left = f.c[1];

	f.c[0].fd = f.c[1].fd = -1; /* not IPFIX */
	for (uint32_t i = 0; i < 600; i++) {
		struct flow_record r = netflow_sample(i);

		f.exported.records++;
		f.exported.packets += r.packets;
		f.exported.octets += r.octets;
		sinks_record(&f.sinks, &r);
		if (i != 299)
			continue;
		f.next.exporters[1].address[0] = '\0';
		snprintf(f.next.exporters[1].address, sizeof(f.next.exporters[1].address),
			 "127.0.0.1:%u", f.c[2].port);
		f.next.exporters[1].protocol = EXPORT_IPFIX;
		reload();
	}
	pass_seconds(2);
	netflow_read_socket(kept.fd, &w);
	assert_int_equal(w.data.records, 600);
	assert_int_equal(w.gap, 0);
	memset(&w, 0, sizeof(w));
	netflow_read_socket(left.fd, &w);
	assert_int_equal(stats_of("v5", true)->accepted.records, 300);
	assert_int_equal(w.data.records + stats_of("v5", true)->not_sent_unsupported.records, 300);
	assert_stream(2, 0, 300);
	f.c[0].fd = kept.fd;
	f.c[1].fd = left.fd;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELOAD_TEST(test_a_changed_one_sends_what_was_spooled),
		RELOAD_TEST(test_what_one_that_goes_has_spooled_stays_for_the_next_of_its_name),
		RELOAD_TEST(test_one_may_join_and_leave_those_that_share),
		RELOAD_TEST(test_failover_goes_on_with_whom_it_had),
		RELOAD_TEST(test_failover_loses_nothing_with_one_that_is_away_and_goes),
		RELOAD_TEST(test_netflow_changes_as_ipfix_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
