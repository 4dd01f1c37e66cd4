/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test Collector's walk over raw Messages: their headers, Sets and Sequence
 * Numbers, so that every complaint it can make is seen to be made.
 */
#include <errno.h>

#include "collector-test/session.h"
#include "tests/lib/message_fixture.h"

static void test_good_messages_are_counted_and_summed_without_fault(void **state)
{
	(void)state;
	send_records(100, 2);
	send_records(102, 3);
	assert_int_equal(counts.messages, 2);
	assert_int_equal(counts.octets, 2 * (16 + 24 + 4) + 5 * 26);
	assert_int_equal(counts.max_message_octets, 16 + 24 + 4 + 3 * 26);
	assert_int_equal(counts.templates, 2);
	assert_int_equal(counts.records, 5);
	assert_int_equal(counts.octets_sum, 5 * 1500);
	assert_int_equal(counts.packets_sum, 5 * 3);
	assert_false(counts_has_fault(&counts));
}

static void test_missing_records_are_counted_as_gap(void **state)
{
	(void)state;
	send_records(0, 2);
	send_records(7, 1);
	send_records(8, 1);
	assert_int_equal(counts.sequence_gaps, 5);
	assert_int_equal(counts.sequence_errors, 1);
	assert_true(counts_has_fault(&counts));
}

static void test_sequence_wraps_at_2_to_the_32_without_gap(void **state)
{
	(void)state;
	send_records(UINT32_MAX - 1, 4);
	send_records(2, 1);
	assert_int_equal(counts.sequence_errors, 0);
	send_records(4, 1);
	assert_int_equal(counts.sequence_gaps, 1);
}

static void test_gap_across_the_wrap_is_counted(void **state)
{
	(void)state;
	send_records(UINT32_MAX - 1, 1);
	send_records(3, 1);
	assert_int_equal(counts.sequence_gaps, 4);
}

static void test_late_message_closes_its_gap(void **state)
{
	(void)state;
	send_records(0, 2);
	send_records(4, 2);
	assert_int_equal(counts.sequence_gaps, 2);
	send_records(2, 2);
	send_records(6, 1);
	assert_int_equal(counts.sequence_gaps, 0);
	assert_int_equal(counts.sequence_errors, 2);
}

static void test_tcp_session_must_start_at_sequence_0(void **state)
{
	(void)state;
	send_records(3, 1);
	assert_int_equal(counts.sequence_gaps, 3);
}

static void test_domains_have_their_own_sequence(void **state)
{
	struct builder b;

	(void)state;
	send_records(10, 2);
	begin_message(&b, 500);
	b.octets[15] = DOMAIN + 1;
	add_template(&b);
	add_records(&b, 1);
	assert_int_equal(send_message(&b), 0);
	send_records(12, 1);
	assert_int_equal(counts.sequence_errors, 0);
}

static void test_empty_sets_are_counted_and_the_rest_is_read(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	add_template(&b);
	begin_set(&b, TEMPLATE_ID);
	end_set(&b);
	begin_set(&b, 2);
	end_set(&b);
	add_records(&b, 1);
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.empty_sets, 2);
	assert_int_equal(counts.records, 1);
	assert_int_equal(counts.malformed, 0);
}

static void test_wrong_version_or_length_of_message_is_malformed(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	b.octets[1] = 9;
	assert_int_equal(send_message(&b), -EBADMSG);
	begin_message(&b, 0);
	patch_length(&b, 2, 17);
	assert_int_equal(walk_message(&walk, b.octets, 16, (struct set_sink){0}), -EBADMSG);
	assert_int_equal(walk_message(&walk, b.octets, 15, (struct set_sink){0}), -EBADMSG);
	assert_int_equal(counts.malformed, 3);
}

static void test_set_that_overruns_or_is_shorter_than_its_header_is_malformed(void **state)
{
	static const uint16_t lengths[] = {0, 3, 31, 65535};

	(void)state;
	send_records(0, 1);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct builder b;

		begin_message(&b, 1);
		add_records(&b, 1);
		patch_length(&b, b.set_at + 2, lengths[i]);
		assert_int_equal(send_message(&b), -EBADMSG);
		assert_int_equal(counts.malformed, i + 1);
	}
	assert_int_equal(counts.records, 1);
}

static void test_reserved_set_id_is_malformed(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	begin_set(&b, 255);
	put(&b, 1, 4);
	end_set(&b);
	assert_int_equal(send_message(&b), -EBADMSG);
	assert_int_equal(counts.malformed, 1);
}

static void test_padding_must_be_zero(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	add_template(&b);
	add_records(&b, 1);
	put(&b, 0, 3);
	end_set(&b);
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.records, 1);
	b.octets[b.len - 1] = 1;
	assert_int_equal(send_message(&b), -EBADMSG);
	assert_int_equal(counts.records, 1);
	assert_int_equal(counts.malformed, 1);
}

static void test_times_out_of_order_are_counted(void **state)
{
	const uint64_t now_ms = EXPORT_TIME_S * 1000ull;
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	add_template(&b);
	begin_set(&b, TEMPLATE_ID);
	put_record(&b, now_ms, now_ms);
	put_record(&b, now_ms, now_ms + 999);
	put_record(&b, now_ms, now_ms - 1);
	put_record(&b, now_ms, now_ms + 1000);
	end_set(&b);
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.records, 4);
	assert_int_equal(counts.time_errors, 2);
}

static void test_stream_is_framed_by_length_and_a_cut_end_is_malformed(void **state)
{
	const struct output output = {.counts = &counts};
	struct session session;
	struct builder b;
	size_t used = 0;

	(void)state;
	begin_message(&b, 0);
	add_template(&b);
	add_records(&b, 2);
	patch_length(&b, 2, b.len);
	assert_int_equal(session_open(&session, TRANSPORT_TCP, &output), 0);
	for (size_t len = 0; len < b.len; len++)
		assert_int_equal(session_take_stream(&session, b.octets, len, &used), 0);
	assert_int_equal(counts.messages, 0);
	assert_int_equal(session_take_stream(&session, b.octets, b.len, &used), 0);
	assert_int_equal(used, b.len);
	assert_int_equal(counts.records, 2);
	session_end_stream(&session, 0);
	assert_int_equal(counts.malformed, 0);
	session_end_stream(&session, 1);
	b.octets[3] = 15;
	b.octets[2] = 0;
	assert_int_equal(session_take_stream(&session, b.octets, b.len, &used), -EBADMSG);
	assert_int_equal(counts.malformed, 2);
	session_close(&session);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP(test_good_messages_are_counted_and_summed_without_fault),
		UDP(test_missing_records_are_counted_as_gap),
		UDP(test_sequence_wraps_at_2_to_the_32_without_gap),
		UDP(test_gap_across_the_wrap_is_counted),
		UDP(test_late_message_closes_its_gap),
		TCP(test_tcp_session_must_start_at_sequence_0),
		UDP(test_domains_have_their_own_sequence),
		UDP(test_empty_sets_are_counted_and_the_rest_is_read),
		UDP(test_wrong_version_or_length_of_message_is_malformed),
		UDP(test_set_that_overruns_or_is_shorter_than_its_header_is_malformed),
		UDP(test_reserved_set_id_is_malformed),
		UDP(test_padding_must_be_zero),
		UDP(test_times_out_of_order_are_counted),
		UDP(test_stream_is_framed_by_length_and_a_cut_end_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
