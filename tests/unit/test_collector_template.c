/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test Collector's walk over raw Messages: what it learns from Template Sets,
 * and every complaint it can make about them and the data they describe.
 */
#include <errno.h>

#include "tests/lib/message_fixture.h"

static void test_data_before_its_template_is_counted_but_no_false_gap(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	add_records(&b, 3);
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.data_before_template, 1);
	assert_int_equal(counts.records, 0);
	send_records(3, 1);
	assert_int_equal(counts.sequence_errors, 0);
}

static void test_variable_length_field_that_overruns_its_set_is_malformed(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	begin_set(&b, 2);
	put(&b, TEMPLATE_ID, 2);
	put(&b, 1, 2);
	put(&b, 82u << 16 | 65535, 4);
	end_set(&b);
	begin_set(&b, TEMPLATE_ID);
	put(&b, 3, 1);
	put(&b, 0x616263, 3);
	put(&b, 255, 1);
	put(&b, 1, 2);
	put(&b, 0x64, 1);
	end_set(&b);
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.records, 2);
	b.octets[b.len - 2] = 2;
	assert_int_equal(send_message(&b), -EBADMSG);
	assert_int_equal(counts.records, 2);
	assert_int_equal(counts.malformed, 1);
}

static void test_template_cut_off_or_without_octets_is_malformed(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	add_template(&b);
	b.octets[16 + 7] = 5;
	assert_int_equal(send_message(&b), -EBADMSG);
	begin_message(&b, 0);
	begin_set(&b, 2);
	put(&b, TEMPLATE_ID, 2);
	put(&b, 1, 2);
	put(&b, 210u << 16, 4);
	end_set(&b);
	assert_int_equal(send_message(&b), -EBADMSG);
	assert_int_equal(counts.malformed, 2);
	assert_int_equal(counts.templates, 0);
}

static void test_template_set_with_one_bad_record_teaches_nothing(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	add_template(&b);
	put(&b, TEMPLATE_ID + 1, 2);
	put(&b, 0, 2);
	end_set(&b);
	assert_int_equal(send_message(&b), -EBADMSG);
	assert_int_equal(counts.malformed, 1);
	assert_int_equal(counts.templates, 0);
	assert_int_equal(counts.template_withdrawals, 0);
	begin_message(&b, 0);
	add_records(&b, 1);
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.data_before_template, 1);
}

static void add_options_template(struct builder *b, uint16_t n_scope)
{
	begin_set(b, 3);
	put(b, TEMPLATE_ID + 1, 2);
	put(b, 2, 2);
	put(b, n_scope, 2);
	put(b, 149u << 16 | 4, 4);
	put(b, 42u << 16 | 8, 4);
	end_set(b);
}

static void test_options_records_are_counted_apart_but_in_the_sequence(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	add_options_template(&b, 1);
	begin_set(&b, TEMPLATE_ID + 1);
	put(&b, DOMAIN, 4);
	put(&b, 99, 8);
	end_set(&b);
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.options_records, 1);
	assert_int_equal(counts.records, 0);
	send_records(1, 1);
	assert_int_equal(counts.sequence_errors, 0);
}

static void test_options_template_without_scope_is_malformed(void **state)
{
	struct builder b;

	(void)state;
	begin_message(&b, 0);
	add_options_template(&b, 0);
	assert_int_equal(send_message(&b), -EBADMSG);
	begin_message(&b, 0);
	add_options_template(&b, 3);
	assert_int_equal(send_message(&b), -EBADMSG);
	assert_int_equal(counts.malformed, 2);
}

static void send_withdrawal(uint16_t id)
{
	struct builder b;

	begin_message(&b, 1);
	begin_set(&b, 2);
	put(&b, id, 2);
	put(&b, 0, 2);
	end_set(&b);
	assert_int_equal(send_message(&b), 0);
}

static void test_withdrawal_over_udp_is_a_fault(void **state)
{
	(void)state;
	send_records(0, 1);
	send_withdrawal(TEMPLATE_ID);
	assert_int_equal(counts.template_withdrawals, 1);
	assert_int_equal(counts.udp_withdrawals, 1);
	assert_true(counts_has_fault(&counts));
}

static void test_withdrawal_over_tcp_forgets_the_template(void **state)
{
	struct builder b;

	(void)state;
	send_records(0, 1);
	send_withdrawal(2);
	assert_false(counts_has_fault(&counts));
	begin_message(&b, 1);
	add_records(&b, 1);
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.data_before_template, 1);
}

static void test_live_template_id_with_another_layout_is_counted(void **state)
{
	struct builder b;

	(void)state;
	send_records(0, 1);
	begin_message(&b, 1);
	add_template(&b);
	b.octets[16 + 8 + 7] = 4;
	assert_int_equal(send_message(&b), 0);
	assert_int_equal(counts.template_redefinitions, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		UDP(test_data_before_its_template_is_counted_but_no_false_gap),
		UDP(test_variable_length_field_that_overruns_its_set_is_malformed),
		UDP(test_template_cut_off_or_without_octets_is_malformed),
		UDP(test_template_set_with_one_bad_record_teaches_nothing),
		UDP(test_options_records_are_counted_apart_but_in_the_sequence),
		UDP(test_options_template_without_scope_is_malformed),
		UDP(test_withdrawal_over_udp_is_a_fault),
		TCP(test_withdrawal_over_tcp_forgets_the_template),
		UDP(test_live_template_id_with_another_layout_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
