/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events on their way to a Collector: before all Flow Records, in an account of their
 * own, and as safe as those from a Collector that goes away.
 */
#include "tests/lib/away_fixture.h"
#include "tests/lib/wire_octets.h"

static int setup(void **state)
{
	int err = away_setup(state);

	f.cfg.events = true;
	return err;
}

static int setup_without_spool(void **state)
{
	int err = setup(state);

	*f.cfg.spool_path = '\0';
	return err;
}

/* The n-th of a sequence. */
static void tell(uint64_t n)
{
	struct anomaly_event e = {
		.event_id = n,
		.state = ANOMALY_START,
		.class = ANOMALY_PORT_SCAN,
		.has_source = true,
		.source = host_of_ipv4(htonl(0xc0000201)),
		.time_ms = TIME * 1000ull,
		.reason = "192.0.2.1 does something",
	};

	exporter_event(f.e, &e);
}

static void run_once(void)
{
	exporter_run(f.e, f.now_ns, TIME + (uint32_t)((f.now_ns - T0) / S));
	read_along();
	check_balance(f.e);
}

static void open_with_collector(void)
{
	come();
	open_it();
	seconds(2, 10);
}

static void test_an_event_leaves_at_once_and_before_flow_records_that_wait(void **state)
{
	(void)state;
	open_with_collector();
	for (int i = 0; i < 20000; i++) {
		struct flow_record r = sample_record(f.n_records++);

		exporter_record(f.e, &r);
	}
	exporter_flush(f.e, f.now_ns, S);
	run_once();
	uint64_t sent = f.w->data.records;

	assert_true(sent < 1000);
	tell(1);
	tell(2);
	run_once();
	assert_int_equal(f.w->events, 2);
	assert_int_equal(f.w->event_id, 2);
	assert_int_equal(f.w->records_before_event, sent);
	seconds(2, 0);
	assert_int_equal(f.w->data.records, f.n_records);
}

static void test_events_are_counted_apart_from_flow_records(void **state)
{
	(void)state;
	f.cfg.options = EXPORTER_OPTIONS_AUTO;
	open_with_collector();
	for (uint64_t i = 0; i < 5; i++)
		tell(i);
	seconds(2, 10);
	assert_int_equal(f.w->events, 5);
	assert_int_equal(stats()->accepted.events, 5);
	assert_int_equal(stats()->sent.events, 5);
	assert_int_equal(stats()->sent.records, f.n_records);
	assert_int_equal(f.e->options.flow_records, f.n_records);
	assert_int_equal(f.w->gaps, 0); /* of the numbers of Flows */
}

static void test_sequence_numbers_count_events_in_their_own_domain(void **state)
{
	(void)state;
	open_with_collector();
	for (uint64_t i = 0; i < 5; i++)
		tell(i);
	run_once();
	assert_true(exporter_resend_templates(f.e));
	run_once();
	assert_int_equal(f.w->next_event_sequence, 5);
	assert_int_equal(f.w->event_gaps, 0);
	assert_int_equal(stats()->sequence, f.w->data.records);
}

/* Sends a second of Flow Records and two events; returns all octets that arrived. */
static size_t octets_with_events(bool events, uint8_t *data)
{
	size_t octets = 0;
	ssize_t n;

	f.cfg.events = events;
	f.now_ns = T0;
	f.n_records = 0;
	come();
	open_it();
	for (int i = 0; i < 3; i++) {
		if (events)
			tell(1);
		second(100, false);
		tell(2);
	}
	while ((n = recv(f.fd, data + octets, DATA_MAX - octets, MSG_DONTWAIT)) > 0)
		octets += get32(data + octets + 12) ? (size_t)n : 0; /* of domain 7 */
	exporter_close(f.e);
	f.e = NULL;
	go();
	return octets;
}

static void test_flow_records_are_the_same_octets_with_and_without_events(void **state)
{
	(void)state;
	uint8_t *with = malloc(DATA_MAX);
	size_t octets = octets_with_events(false, f.data);

	assert_true(octets > 3 * 50 * 100);
	assert_int_equal(octets_with_events(true, with), octets);
	assert_memory_equal(with, f.data, octets);
	free(with);
}

static void test_an_exporter_without_events_takes_none(void **state)
{
	(void)state;
	f.cfg.events = false;
	open_with_collector();
	tell(1);
	seconds(2, 10);
	assert_int_equal(f.w->events, 0);
	assert_int_equal(stats()->accepted.events, 0);
	assert_int_equal(exporter_templates(f.e), 4);
	assert_int_equal(f.w->options_messages, 0);
}

static void test_events_wait_in_the_spool_for_their_collector(void **state)
{
	(void)state;
	open_with_collector();
	go();
	for (uint64_t i = 1; i <= 10; i++) {
		tell(i);
		second(50, true);
	}
	assert_true(stats()->spooled.events >= 9);
	assert_int_equal(f.w->events, 0);
	come();
	seconds(15, 10);
	until_sent();
	assert_int_equal(f.w->events, 10);
	assert_int_equal(f.w->event_id, 10);
	assert_int_equal(stats()->sent.events, 10);
	assert_all_arrived();
}

static void test_events_in_the_spool_outlive_the_probe(void **state)
{
	(void)state;
	open_it();
	seconds(8, 0);
	tell(1);
	tell(2);
	seconds(2, 0);
	exporter_drain(f.e, f.now_ns, TIME, 10);
	assert_int_equal(stats()->spooled.events, 2);
	exporter_close(f.e);
	come();
	open_it();
	assert_int_equal(stats()->recovered.events, 2);
	seconds(10, 0);
	assert_int_equal(f.w->events, 2);
	assert_int_equal(f.w->event_id, 2);
	assert_int_equal(stats()->spooled.events, 0);
}

/* Fails unless the Messages of each Observation Domain count from 0. */
static void test_a_spooled_file_counts_each_domain_on_its_own(void **state)
{
	char path[128];
	uint32_t next[2] = {0}; /* of the domains 0 and 7 */
	size_t at = 0, octets;

	(void)state;
	open_it();
	seconds(8, 0);
	for (uint64_t i = 0; i < 3; i++) {
		tell(i);
		second(1, true);
	}
	snprintf(path, sizeof(path), "%s/a_b/00000001.ipfix", f.folder);
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	octets = fread(f.data, 1, DATA_MAX, in);
	fclose(in);
	for (; at < octets; at += get16(f.data + at + 2)) {
		const uint8_t *m = f.data + at;
		uint32_t *number = &next[get32(m + 12) != 0];

		assert_int_equal(get32(m + 8), *number);
		*number += get16(m + 16) >= 256;
	}
	assert_int_equal(next[0], 3);
	assert_int_equal(next[1], 3);
}

static void test_an_event_that_was_refused_is_sent_again(void **state)
{
	(void)state;
	open_with_collector();
	go();
	tell(1); /* what comes back is an error of ICMP */
	for (int i = 0; i < 3; i++)
		second(0, true);
	assert_int_equal(stats()->sent.events, 0);
	come();
	seconds(12, 0);
	assert_int_equal(f.w->events, 1);
	assert_int_equal(stats()->sent.events, 1);
}

/* Of two under way the report names the second by its number in domain 0. */
static void test_a_report_takes_back_the_event_it_names_and_what_is_behind(void **state)
{
	uint8_t header[SESSION_REFUSED_OCTETS] = {0, 10};

	(void)state;
	open_with_collector();
	tell(1);
	second(500, true);
	tell(2);
	run_once();
	tell(3);
	run_once();
	header[11] = 1; /* Sequence Number of the second event */
	memcpy(f.e->session.refused, header, sizeof(header));
	f.e->session.refused_octets = sizeof(header);
	exporter_return_refused(f.e);
	check_balance(f.e);
	assert_int_equal(f.e->events.n_messages, 2);
	assert_int_equal(stats()->queued.events, 2);
	assert_int_equal(stats()->sent.events, 1);
	assert_int_equal(stats()->queued.records, 0);
}

static void test_without_a_spool_events_that_are_refused_are_counted_as_lost(void **state)
{
	(void)state;
	open_with_collector();
	go();
	for (uint64_t i = 0; i < 10; i++) {
		tell(i);
		tell(i);
		second(0, true);
	}
	exporter_drain(f.e, f.now_ns, TIME + 10, 10);
	check_balance(f.e);
	const struct exporter_stats *s = stats();

	assert_true(s->not_sent_refused.events > 0);
	assert_int_equal(s->not_sent_refused.events + s->not_sent_error.events + s->sent.events,
			 20);
	assert_int_equal(stats()->not_sent_refused.records, 0);
	assert_int_equal(stats()->queued.events, 0);
}

static void test_at_the_end_an_event_that_cannot_leave_is_counted(void **state)
{
	(void)state;
	f.cfg.transport = TRANSPORT_TCP;
	open_it();
	tell(1);
	run_once();
	assert_int_equal(stats()->queued.events, 1);
	exporter_drain(f.e, f.now_ns, TIME, 10);
	check_balance(f.e);
	assert_int_equal(stats()->queued.events, 0);
	assert_int_equal(stats()->not_sent_refused.events + stats()->not_sent_error.events, 1);
}

/* Of a stream that the reader holds up in the middle of a Message of Flows. */
static void test_an_event_never_breaks_into_a_message(void **state)
{
	(void)state;
	f.cfg.transport = TRANSPORT_TCP;
	come();
	open_it();
	for (int i = 0; i < 50 && !f.e->partial_octets; i++)
		second(5000, false);
	assert_true(f.e->partial_octets > 0);
	second(5000, false);
	for (uint64_t i = 1; i <= 5; i++) {
		tell(i);
		second(0, false);
	}
	for (int i = 0; i < 2000 && stats()->queued.records; i++) {
		second(0, true);
		poll(NULL, 0, 1);
	}
	read_along();
	assert_int_equal(f.w->events, 5);
	assert_int_equal(f.w->event_id, 5);
	assert_int_equal(f.w->data.records, f.n_records);
	assert_true(f.w->records_before_event < f.n_records);
}

static void test_what_one_exporter_had_not_sent_the_other_takes_over(void **state)
{
	struct exporter *other;
	struct exporter_config cfg = f.cfg;

	(void)state;
	f.cfg.transport = TRANSPORT_TCP; /* nobody listens */
	open_it();
	tell(1);
	tell(2);
	run_once();
	*cfg.spool_path = '\0';
	assert_int_equal(exporter_open(&other, &cfg, 7, 32473, true), 0);
	exporter_hand_over(f.e, other);
	check_balance(f.e);
	check_balance(other);
	assert_int_equal(stats()->moved.events, 2);
	assert_int_equal(exporter_stats(other)->queued.events, 2);
	assert_int_equal(other->pace.total, 0); /* they leave at once, beside the pace */
	exporter_close(other);
}

static void test_templates_of_events_are_listed_and_refreshed_with_the_others(void **state)
{
	(void)state;
	f.cfg.template_refresh_s = 5;
	open_with_collector();
	assert_int_equal(exporter_templates(f.e), 4 + 7);
	assert_int_equal(exporter_template_id(f.e, 4), 312);
	assert_int_equal(exporter_template_id(f.e, 7), 315);
	assert_int_equal(exporter_template_id(f.e, 8), 317);
	assert_int_equal(exporter_template_id(f.e, 10), 319);
	uint64_t known = f.w->options_messages;

	assert_int_equal(known % 7, 0);
	assert_true(known >= 7);
	seconds(12, 0);
	assert_true(f.w->options_messages >= known + 14);
	assert_int_equal(f.w->options_messages % 7, 0);
}

int main(void)
{
#define TEST(name)	cmocka_unit_test_setup_teardown(name, setup, away_teardown)
#define TEST_BARE(name) cmocka_unit_test_setup_teardown(name, setup_without_spool, away_teardown)
	const struct CMUnitTest tests[] = {
		TEST_BARE(test_an_event_leaves_at_once_and_before_flow_records_that_wait),
		TEST_BARE(test_events_are_counted_apart_from_flow_records),
		TEST_BARE(test_sequence_numbers_count_events_in_their_own_domain),
		TEST_BARE(test_flow_records_are_the_same_octets_with_and_without_events),
		TEST_BARE(test_an_exporter_without_events_takes_none),
		TEST(test_events_wait_in_the_spool_for_their_collector),
		TEST(test_events_in_the_spool_outlive_the_probe),
		TEST(test_a_spooled_file_counts_each_domain_on_its_own),
		TEST(test_an_event_that_was_refused_is_sent_again),
		TEST(test_a_report_takes_back_the_event_it_names_and_what_is_behind),
		TEST_BARE(test_without_a_spool_events_that_are_refused_are_counted_as_lost),
		TEST_BARE(test_at_the_end_an_event_that_cannot_leave_is_counted),
		TEST_BARE(test_an_event_never_breaks_into_a_message),
		TEST_BARE(test_what_one_exporter_had_not_sent_the_other_takes_over),
		TEST_BARE(test_templates_of_events_are_listed_and_refreshed_with_the_others),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
