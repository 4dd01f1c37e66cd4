/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sequence Numbers of an exporter with a spool: what was lost before a Message that then
 * went to disk is still missing, once, for the Collector (RFC 7011 3.1).
 */
#include "tests/lib/away_fixture.h"
#include "tests/lib/event_fixture.h"

static void give_flows(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct flow_record r = sample_record(f.n_records++);

		exporter_record(f.e, &r);
	}
	exporter_flush(f.e, f.now_ns, S);
}

static void give_events(uint32_t n)
{
	const struct anomaly_event event = full_event(0);

	for (uint32_t i = 0; i < n; i++)
		exporter_event(f.e, &event);
}

/*
 * Some find the queue full and nothing in it that could go to disk; some wait behind
 * them; some find it full again, and those that wait go to disk to make room.
 */
static void lose_before_some_that_are_stored(struct queue *q, void (*give)(uint32_t n))
{
	size_t taken = QUEUE_MAX_OCTETS;

	q->octets += taken;
	give(30);
	q->octets -= taken;
	give(30);
	assert_true(q->n_messages > 0);
	taken = QUEUE_MAX_OCTETS - q->octets;
	q->octets += taken;
	give(30);
	q->octets -= taken;
}

static void open_with_events(void)
{
	f.cfg.events = true;
	come();
	open_it();
	seconds(2, 10);
}

static void test_flows_lost_before_some_that_were_stored_are_a_gap(void **state)
{
	(void)state;
	open_with_events();
	lose_before_some_that_are_stored(&f.e->queue, give_flows);
	assert_int_equal(stats()->not_sent_queue.records, 30);
	assert_true(stats()->spooled.records > 0);
	until_sent();
	assert_int_equal(f.w->data.records, 80);
	assert_int_equal(f.w->gap_records, 30);
	assert_int_equal(f.w->next_sequence, stats()->sequence);
	assert_int_equal(stats()->sequence, 110);
}

static void test_events_lost_before_some_that_were_stored_are_a_gap(void **state)
{
	(void)state;
	open_with_events();
	lose_before_some_that_are_stored(&f.e->events, give_events);
	assert_int_equal(stats()->not_sent_queue.events, 30);
	assert_true(stats()->spooled.events > 0);
	until_sent();
	assert_int_equal(f.w->events, 60);
	assert_int_equal(f.w->next_event_sequence, 90);
	assert_int_equal(f.e->options.sequence, 90);
}

/* All that was queued when the connection was lost is on disk when the next one is up. */
static void test_what_was_lost_before_a_session_is_no_gap_in_it(void **state)
{
	(void)state;
	f.cfg.transport = TRANSPORT_TCP;
	come();
	open_it();
	seconds(3, 100);
	assert_true(f.fd >= 0);
	lose_before_some_that_are_stored(&f.e->queue, give_flows);
	go();
	memset(f.w, 0, sizeof(*f.w));
	f.octets = 0;
	seconds(8, 0);
	assert_int_equal(stats()->queued.records, 0);
	assert_true(stats()->spooled.records > 0);
	come();
	until_sent();
	second(10, true);
	until_sent();
	assert_true(f.w->data.records > 10);
	assert_int_equal(f.w->gap_records, 0);
	assert_int_equal(f.w->next_sequence, f.w->data.records);
	assert_int_equal(stats()->sequence, f.w->data.records);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, away_setup, away_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_flows_lost_before_some_that_were_stored_are_a_gap),
		TEST(test_events_lost_before_some_that_were_stored_are_a_gap),
		TEST(test_what_was_lost_before_a_session_is_no_gap_in_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
