/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loss ledger: a snapshot that balances, and each single number put off by
 * one in it, which must be noticed.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "probe/ledger.h"

/* 100 packets seen: 90 accounted (60 exported, 25 in the cache, 5 overflow), 10 for reasons. */
static struct ledger balanced_ledger(void)
{
	struct ledger l = {
		.seen_before = {100, 10000},
		.seen_after = {100, 10000},
		.accounts = {.accounted = {90, 9100},
			     .accounted_ip_octets = 7840,
			     .reason = {[XFP_not_ip] = {7, 600}, [XFP_too_deep] = {3, 300}},
			     .overflow = {[IPPROTO_UDP] = {4, 400}, [IPPROTO_GRE] = {1, 40}}},
		.exported = {6, 60, 5000},
		.in_cache = {3, 25, 2400},
		.n_exporters = 1,
	};
	struct exporter_stats *stats = &l.exporters[0].stats;

	strcpy(l.exporters[0].name, "local");
	l.exporters[0].has_all_records = true;
	stats->accepted = l.exported;
	stats->sent = (struct exporter_volume){.records = 3, .packets = 30, .octets = 2500};
	stats->queued = (struct exporter_volume){.records = 1, .packets = 10, .octets = 1000};
	stats->not_sent_queue =
		(struct exporter_volume){.records = 1, .packets = 15, .octets = 1200};
	stats->not_sent_error = (struct exporter_volume){.records = 1, .packets = 5, .octets = 300};
	return l;
}

static void test_snapshot_that_adds_up_is_balanced(void **state)
{
	struct ledger l = balanced_ledger(), nothing = {0};

	(void)state;
	assert_true(ledger_is_balanced(&l));
	assert_true(ledger_is_balanced(&nothing));
}

static void test_each_number_off_by_one_is_noticed(void **state)
{
	struct ledger l = balanced_ledger();
	struct exporter_stats *stats = &l.exporters[0].stats;
	__u64 *const numbers[] = {
		&l.seen_before.packets,
		&l.seen_before.octets,
		&l.seen_after.octets,
		&l.accounts.accounted.packets,
		&l.accounts.accounted.octets,
		&l.accounts.accounted_ip_octets,
		&l.accounts.reason[XFP_truncated].packets,
		&l.accounts.reason[XFP_truncated].octets,
		&l.accounts.overflow[IPPROTO_TCP].packets,
		&l.accounts.overflow[IPPROTO_TCP].octets,
	};
	uint64_t *const volumes[] = {
		&l.exported.records,
		&l.exported.packets,
		&l.exported.octets,
		&l.in_cache.packets,
		&l.in_cache.octets,
		&stats->accepted.records,
		&stats->sent.packets,
		&stats->queued.octets,
		&stats->recovered.records,
		&stats->spooled.packets,
		&stats->moved.octets,
		&stats->not_sent_spool_full.octets,
		&stats->not_sent_spool_error.packets,
		&stats->not_sent_queue.records,
		&stats->not_sent_refused.records,
		&stats->not_sent_unroutable.packets,
		&stats->not_sent_unresolved.octets,
		&stats->not_sent_too_big.records,
		&stats->not_sent_error.records,
		&stats->not_sent_unsupported.packets,
		&stats->accepted.events,
		&stats->sent.events,
		&stats->not_sent_error.events,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		++*numbers[i];
		assert_false(ledger_is_balanced(&l));
		--*numbers[i];
	}
	for (size_t i = 0; i < sizeof(volumes) / sizeof(*volumes); i++) {
		++*volumes[i];
		assert_false(ledger_is_balanced(&l));
		--*volumes[i];
	}
	assert_true(ledger_is_balanced(&l));
}

static void test_under_load_accounts_lie_between_both_readings_of_seen(void **state)
{
	struct ledger l = balanced_ledger();

	(void)state;
	l.seen_before.packets = 90;
	l.seen_after = (struct xfp_volume){110, 11000};
	assert_true(ledger_is_balanced(&l));
	l.seen_before.packets = 101;
	assert_false(ledger_is_balanced(&l));
	l.seen_before.packets = 90;
	l.seen_after.packets = 99;
	assert_false(ledger_is_balanced(&l));
}

static void test_later_exporter_need_not_have_every_record(void **state)
{
	struct ledger l = balanced_ledger();

	(void)state;
	l.exporters[0].stats.accepted.records--;
	l.exporters[0].stats.sent.records--;
	assert_false(ledger_is_balanced(&l));
	l.exporters[0].has_all_records = false;
	assert_true(ledger_is_balanced(&l));
}

static json_int_t number_at(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

static void test_exporters_of_a_share_have_every_record_between_them(void **state)
{
	struct ledger l = balanced_ledger();
	struct exporter_stats *first = &l.exporters[0].stats, *second = &l.exporters[1].stats;

	(void)state;
	l.n_exporters = 2;
	l.exporters[0].share = l.exporters[1].share = 1;
	l.exporters[1].has_all_records = true;
	assert_true(ledger_is_balanced(&l));
	/* handed over, so accepted by both */
	first->moved = first->queued;
	first->queued = (struct exporter_volume){0};
	assert_false(ledger_is_balanced(&l));
	second->accepted = second->sent = first->moved;
	assert_true(ledger_is_balanced(&l));
	l.exporters[1].share = 0;
	assert_false(ledger_is_balanced(&l));
}

/* 4 records went to one that is gone now, 2 to one that came then. */
static void test_since_a_reload_what_was_before_is_set_aside(void **state)
{
	struct ledger l = balanced_ledger();
	struct ledger_exporter *stays = &l.exporters[0], *comes = &l.exporters[1];
	struct ledger_exporter *gone = &l.exporters[2];

	(void)state;
	l.n_exporters = 3;
	l.exported_before = (struct exporter_volume){4, 40, 4000, 0};
	stays->accepted_before = l.exported_before;
	comes->has_all_records = gone->is_removed = true;
	comes->stats.accepted = comes->stats.sent = (struct exporter_volume){2, 20, 1000, 0};
	gone->stats.accepted = gone->stats.sent = l.exported_before;
	assert_true(ledger_is_balanced(&l));
	comes->stats.accepted.octets = comes->stats.sent.octets = 999;
	assert_false(ledger_is_balanced(&l));
	comes->stats.accepted.octets = comes->stats.sent.octets = 1000;
	stays->accepted_before.packets++;
	assert_false(ledger_is_balanced(&l));
	stays->accepted_before.packets--;
	gone->stats.sent.records--;
	assert_false(ledger_is_balanced(&l));
	gone->stats.sent.records++;
	l.was_unbalanced = true;
	assert_false(ledger_is_balanced(&l));
}

static void test_those_that_share_may_have_handed_over_before_a_reload(void **state)
{
	struct ledger l = balanced_ledger();
	struct ledger_exporter *first = &l.exporters[0], *second = &l.exporters[1];

	(void)state;
	l.n_exporters = 2;
	first->share = second->share = 1;
	second->has_all_records = true;
	first->stats.moved = first->stats.queued;
	first->stats.queued = (struct exporter_volume){0};
	second->stats.accepted = second->stats.sent = first->stats.moved;
	first->accepted_before = first->stats.accepted;
	first->moved_before = first->stats.moved;
	second->accepted_before = second->stats.accepted;
	l.exported_before = l.exported;
	assert_true(ledger_is_balanced(&l));
	first->moved_before.records = 0;
	assert_false(ledger_is_balanced(&l));
}

static void test_records_of_an_earlier_run_are_no_exported_ones(void **state)
{
	struct ledger l = balanced_ledger();
	struct exporter_stats *stats = &l.exporters[0].stats;

	(void)state;
	stats->recovered = (struct exporter_volume){.records = 5, .packets = 50, .octets = 500};
	assert_false(ledger_is_balanced(&l));
	stats->spooled = (struct exporter_volume){.records = 4, .packets = 30, .octets = 300};
	stats->not_sent_spool_full =
		(struct exporter_volume){.records = 1, .packets = 20, .octets = 200};
	assert_true(ledger_is_balanced(&l));
	json_t *object = ledger_to_json(&l);

	assert_int_equal(number_at(object, "recovered_records"), 5);
	assert_int_equal(number_at(object, "spooled_records"), 4);
	assert_int_equal(number_at(object, "not_sent_records"), 3);
	json_decref(object);
}

static void test_rows_of_all_cpus_are_added_up(void **state)
{
	struct xfp_ledger_row rows[3] = {0}, sum, expected;
	unsigned char *octets = (unsigned char *)rows;

	(void)state;
	for (size_t i = 0; i < sizeof(rows); i += 8)
		octets[i] = (unsigned char)(1 + i / sizeof(*rows));
	memset(&sum, 0xff, sizeof(sum));
	ledger_sum_rows(&sum, rows, 3);
	memset(&expected, 0, sizeof(expected));
	for (size_t i = 0; i < sizeof(expected); i += 8)
		((unsigned char *)&expected)[i] = 1 + 2 + 3;
	assert_memory_equal(&sum, &expected, sizeof(sum));
}

static void test_events_are_an_account_of_each_exporter_alone(void **state)
{
	struct ledger l = balanced_ledger();
	struct exporter_stats *stats = &l.exporters[0].stats;
	json_t *object, *exporter;

	(void)state;
	stats->accepted.events = 5;
	stats->sent.events = 3;
	stats->spooled.events = 1;
	stats->not_sent_refused.events = 1;
	assert_true(ledger_is_balanced(&l));
	object = ledger_to_json(&l);
	assert_int_equal(number_at(object, "sent_events"), 3);
	assert_int_equal(number_at(object, "not_sent_events"), 1);
	exporter = json_array_get(json_object_get(object, "exporters"), 0);
	assert_int_equal(number_at(exporter, "accepted_events"), 5);
	assert_int_equal(number_at(exporter, "spooled_events"), 1);
	assert_int_equal(number_at(exporter, "not_sent_refused_events"), 1);
	json_decref(object);
}

static void test_json_has_every_number_under_its_name(void **state)
{
	struct ledger l = balanced_ledger();
	json_t *object = ledger_to_json(&l);
	const json_t *exporter = json_array_get(json_object_get(object, "exporters"), 0);

	(void)state;
	assert_int_equal(number_at(object, "seen_packets"), 100);
	assert_int_equal(number_at(object, "seen_octets"), 10000);
	assert_int_equal(number_at(object, "accounted_packets"), 90);
	assert_int_equal(number_at(object, "accounted_octets"), 9100);
	assert_int_equal(number_at(object, "accounted_ip_octets"), 7840);
	assert_int_equal(number_at(object, "overflow_packets"), 5);
	assert_int_equal(number_at(object, "overflow_octets"), 440);
	assert_int_equal(number_at(json_object_get(object, "overflow_class_packets"), "udp"), 4);
	assert_int_equal(number_at(json_object_get(object, "overflow_class_packets"), "other"), 1);
	assert_int_equal(number_at(json_object_get(object, "overflow_class_octets"), "other"), 40);
	assert_int_equal(number_at(object, "in_cache_packets"), 25);
	assert_int_equal(number_at(object, "in_cache_octets"), 2400);
	assert_int_equal(number_at(object, "exported_packets"), 60);
	assert_int_equal(number_at(object, "exported_flows"), 6);
	assert_int_equal(number_at(object, "exported_octets"), 5000);
	assert_int_equal(number_at(object, "sent_records"), 3);
	assert_int_equal(number_at(object, "queued_records"), 1);
	assert_int_equal(number_at(object, "spooled_records"), 0);
	assert_int_equal(number_at(object, "not_sent_records"), 2);
	assert_int_equal(number_at(object, "not_sent_packets"), 20);
	assert_int_equal(number_at(json_object_get(object, "reasons"), "not_ip"), 7);
	assert_int_equal(number_at(json_object_get(object, "reason_octets"), "too_deep"), 300);
	assert_string_equal(json_string_value(json_object_get(exporter, "name")), "local");
	assert_int_equal(number_at(exporter, "not_sent_queue_packets"), 15);
	assert_true(json_is_true(json_object_get(object, "balanced")));
	json_decref(object);
}

static void test_duplicates_that_were_accounted_change_sides(void **state)
{
	struct ledger l = balanced_ledger();
	const struct xfp_volume duplicates = {3, 200};

	(void)state;
	l.exported.packets -= 3;
	l.exported.octets -= 200;
	l.n_exporters = 0;
	assert_false(ledger_is_balanced(&l));
	ledger_move_duplicates(&l, &duplicates);
	assert_true(ledger_is_balanced(&l));
	assert_int_equal(l.accounts.accounted.packets, 87);
	assert_int_equal(l.accounts.accounted_ip_octets, 7640);
	assert_int_equal(l.accounts.reason[XFP_duplicate].packets, 3);
}

static void test_protocols_are_named_or_numbered(void **state)
{
	struct ledger l = balanced_ledger();
	const json_t *packets, *octets;
	json_t *object;

	(void)state;
	l.protocols[IPPROTO_TCP] = (struct xfp_volume){80, 7000};
	l.protocols[200] = (struct xfp_volume){10, 840};
	object = ledger_to_json(&l);
	packets = json_object_get(object, "protocol_packets");
	octets = json_object_get(object, "protocol_octets");
	assert_int_equal(json_object_size(packets), 2);
	assert_int_equal(number_at(packets, "tcp"), 80);
	assert_int_equal(number_at(packets, "200"), 10);
	assert_int_equal(number_at(octets, "tcp"), 7000);
	json_decref(object);
}

static void test_json_line_starts_with_its_type(void **state)
{
	struct ledger l = balanced_ledger();
	json_t *object;
	char *text;

	(void)state;
	l.seen_after.octets++;
	object = ledger_to_json(&l);
	text = json_dumps(object, JSON_COMPACT);
	assert_int_equal(strncmp(text, "{\"type\":\"ledger\",", 17), 0);
	assert_non_null(strstr(text, "\"balanced\":false"));
	free(text);
	json_decref(object);
}

static void test_every_reason_of_the_contract_has_its_name(void **state)
{
	static const char *const names[] = {"not_ip",		"truncated",
					    "bad_version",	"bad_header_length",
					    "bad_total_length", "too_deep"};
	struct ledger l = {0};
	json_t *object = ledger_to_json(&l);

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		number_at(json_object_get(object, "reasons"), names[i]);
	assert_int_equal(json_object_size(json_object_get(object, "reasons")), XFP_N_REASONS);
	for (unsigned int i = 0; i < XFP_N_REASONS; i++)
		assert_true(strlen(ledger_reason_meaning(i)) > 0 && *ledger_reason_name(i));
	json_decref(object);
}

static void test_notices_are_apart_from_the_balance(void **state)
{
	static const char *const names[] = {"tiny_fragment", "overlapping_fragment",
					    "oversized_fragment", "uneven_fragment", "unknown_tag"};
	struct ledger l = balanced_ledger();
	json_t *object, *notices;

	(void)state;
	for (unsigned int i = 0; i < XFP_N_NOTICES; i++)
		l.accounts.notice[i] = 1000 + i;
	object = ledger_to_json(&l);
	notices = json_object_get(object, "notices");
	assert_int_equal(json_object_size(notices), XFP_N_NOTICES);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_in_range(number_at(notices, names[i]), 1000, 1000 + XFP_N_NOTICES - 1);
	for (unsigned int i = 0; i < XFP_N_NOTICES; i++) {
		assert_int_equal(number_at(notices, ledger_notice_name(i)), 1000 + i);
		assert_true(strlen(ledger_notice_meaning(i)) > 0);
	}
	assert_true(json_is_true(json_object_get(object, "balanced")));
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_snapshot_that_adds_up_is_balanced),
		cmocka_unit_test(test_each_number_off_by_one_is_noticed),
		cmocka_unit_test(test_events_are_an_account_of_each_exporter_alone),
		cmocka_unit_test(test_under_load_accounts_lie_between_both_readings_of_seen),
		cmocka_unit_test(test_later_exporter_need_not_have_every_record),
		cmocka_unit_test(test_exporters_of_a_share_have_every_record_between_them),
		cmocka_unit_test(test_since_a_reload_what_was_before_is_set_aside),
		cmocka_unit_test(test_those_that_share_may_have_handed_over_before_a_reload),
		cmocka_unit_test(test_records_of_an_earlier_run_are_no_exported_ones),
		cmocka_unit_test(test_rows_of_all_cpus_are_added_up),
		cmocka_unit_test(test_json_has_every_number_under_its_name),
		cmocka_unit_test(test_duplicates_that_were_accounted_change_sides),
		cmocka_unit_test(test_protocols_are_named_or_numbered),
		cmocka_unit_test(test_json_line_starts_with_its_type),
		cmocka_unit_test(test_every_reason_of_the_contract_has_its_name),
		cmocka_unit_test(test_notices_are_apart_from_the_balance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
