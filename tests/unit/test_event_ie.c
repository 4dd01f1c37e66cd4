/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The elements of events: as published, of lengths within bounds, and called as in the
 * JSON line.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "probe/event_ie.h"
#include "probe/exporter_encode.h"
#include "probe/exporter_options_encode.h"
#include "probe/exporter_put.h"
#include "probe/exporter_templates.h"
#include "tests/lib/event_fixture.h"
#include "tests/lib/published_model.h"

#define PEN	      32473
#define DOMAIN_ID     7
#define TEMPLATES_MAX 8192

static void test_elements_are_as_published(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_event_ies; i++) {
		const struct event_ie *ie = &event_ie_table[i];
		const fbInfoElement_t *known = fbInfoModelGetElementByName(model, ie->name);

		if (!known)
			fail_msg("%s is not published", ie->name);
		assert_int_equal(known->num, ie->id);
		assert_int_equal(known->ent, ie->owner == IE_OWNER_OWN ? PEN : 0);
		assert_int_equal(known->type, ie->type.data_type);
		assert_int_equal(known->len, ie->octets);
		if (ie->owner == IE_OWNER_IANA)
			continue;
		assert_int_equal(FB_IE_SEMANTIC(known->flags), ie->type.semantics);
		assert_int_equal(FB_IE_UNITS(known->flags), ie->type.units);
	}
}

static void test_numbers_of_own_elements_are_nobody_elses(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_event_ies; i++) {
		const struct event_ie *ie = &event_ie_table[i];

		if (ie->owner == IE_OWNER_OWN)
			assert_in_range(ie->id, 1101, 0x3fff);
		for (int k = 0; k < N_IES; k++)
			if (ie->owner == IE_OWNER_OWN)
				assert_int_not_equal(ie->id, ie_table[k].id);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(ie->id, event_ie_table[k].id);
	}
}

static char xml[1 << 17];

/* conf/xflow-ie.xml without blanks: lines are broken anywhere. */
static void read_xml(void)
{
	FILE *in = fopen("conf/xflow-ie.xml", "r");

	assert_non_null(in);
	size_t octets = fread(xml, 1, sizeof(xml) - 1, in), n = 0;

	fclose(in);
	for (size_t i = 0; i < octets; i++)
		if (xml[i] != '\n' && xml[i] != ' ')
			xml[n++] = xml[i];
	xml[n] = '\0';
}

/* "N word" is in the description of the element. */
static void assert_published(const char *element, unsigned int number, const char *word)
{
	char name[64], text[64];
	const char *from, *found;

	snprintf(name, sizeof(name), "<name>%s</name>", element);
	snprintf(text, sizeof(text), "%u%s", number, word);
	from = strstr(xml, name);
	assert_non_null(from);
	found = strstr(from, text);
	if (!found || found > strstr(from, "</record>"))
		fail_msg("%s: %u %s is not published", element, number, word);
}

static void test_numbers_are_published_with_their_words(void **state)
{
	(void)state;
	read_xml();
	for (uint8_t i = 1; i < ANOMALY_CLASSES; i++)
		assert_published("anomalyType", i, anomaly_class_name(i));
	for (uint8_t i = 1; i < ANOMALY_SUBCLASSES; i++)
		assert_published("anomalySubtype", i, anomaly_subclass_name(i));
#define VIOLATION(NAME, id, severity, always, clause, text)                                        \
	assert_published("violationId", id, anomaly_subclass_name(ANOMALY_BY_##NAME));
#include "probe/anomaly_violation.def"
#undef VIOLATION
}

static void test_a_host_of_another_family_than_the_guilty_one_is_left_out(void **state)
{
	struct anomaly_event e = full_event(7);

	(void)state;
	e.destination = host_of_ipv4(1);
	assert_int_equal(event_kind(&e), EVENT_HAS_SOURCE | EVENT_IS_IPV6);
}

static void test_the_longest_event_fits_whatever_the_room(void **state)
{
	static uint8_t record[EVENT_OCTETS];
	struct anomaly_event e = full_event(7);

	(void)state;
	size_t full = (size_t)(event_encode(record, EVENT_OCTETS, &e, 7) - record);

	assert_in_range(full, EVENT_MIN_ROOM, EVENT_OCTETS);
	for (size_t room = EVENT_MIN_ROOM; room < full; room++)
		assert_in_range(event_encode(record, room, &e, 7) - record, EVENT_MIN_ROOM - 50,
				room);
}

static void test_a_reason_is_cut_between_characters_and_says_so(void **state)
{
	static uint8_t record[EVENT_OCTETS];
	struct anomaly_event e = full_event(7);

	(void)state;
	for (size_t i = 0; i + 2 < sizeof(e.reason); i += 2)
		strcpy(e.reason + i, "ö");
	for (size_t room = EVENT_MIN_ROOM; room < EVENT_MIN_ROOM + 4; room++) {
		uint8_t *end = event_encode(record, room, &e, 7);
		const uint8_t *dots = memmem(record, (size_t)(end - record), "...", 3);

		assert_non_null(dots);
		assert_memory_equal(dots - 2, "ö", 2);
	}
}

static void test_templates_pass_wherever_512_octets_do(void **state)
{
	static uint8_t messages[TEMPLATES_MAX];
	int octets = event_encode_templates(messages, sizeof(messages), PEN), n = 0;
	size_t longest = 0;

	(void)state;
	for (int at = 0; at < octets; n++) {
		size_t length = encode_message_octets(messages + at);

		assert_true(length <= 512 - 20 - 8); /* a link of IPv6 carries 1280 (RFC 8200 5) */
		longest = length > longest ? length : longest;
		assert_true(event_has_template((uint32_t)get(messages + at + 20, 2)));
		at += (int)length;
	}
	assert_int_equal(n, 7);
	assert_int_equal(longest, MESSAGE_DATA_OFFSET + event_template_octets());
	assert_true(event_encode_templates(messages, 1000, PEN) < 0);
}

static bool is_element(const char *name)
{
	for (size_t i = 0; i < n_event_ies; i++)
		if (!strcmp(event_ie_table[i].name, name))
			return true;
	return false;
}

static void check_names(const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (json_is_object(value))
			check_names(value);
		else if (strcmp(name, "type") != 0 && strcmp(name, "observationTime") != 0 &&
			 !is_element(name))
			fail_msg("%s is no element", name);
	}
}

/* The line of an event of which nothing is left out as 0. */
static json_t *full_json(void)
{
	struct anomaly_event e;
	char line[ANOMALY_JSON_MAX];
	json_error_t error;

	memset(&e, 1, sizeof(e));
	e.rule = "anomaly.rule";
	strcpy(e.group, "group");
	e.reason[0] = '\0';
	e.n_targets = e.n_flow_ids = e.n_features = 1;
	e.feature[0].name = "peers";
	e.is_dry_run = false; /* goes to no exporter */
	json_t *json = json_loadb(line, (size_t)(anomaly_put_json(line, &e) - line),
				  JSON_DECODE_INT_AS_REAL, &error);

	assert_non_null(json);
	return json;
}

static void test_members_in_json_are_called_as_the_elements(void **state)
{
	json_t *json = full_json();

	(void)state;
	check_names(json);
	json_decref(json);
}

static bool is_number_of_a_word(const char *name)
{
	return !strcmp(name, "anomalyState") || !strcmp(name, "anomalyType") ||
	       !strcmp(name, "anomalySubtype") || !strcmp(name, "anomalyVisibility");
}

static void test_every_element_of_ours_is_in_json(void **state)
{
	json_t *json = full_json();

	(void)state;
	for (size_t i = 0; i < n_event_ies; i++) {
		const char *name = event_ie_table[i].name;

		if (event_ie_table[i].owner == IE_OWNER_OWN && !is_number_of_a_word(name) &&
		    !json_object_get(json, name) &&
		    !json_object_get(json_object_get(json, "evidence"), name))
			fail_msg("%s is not in JSON", name);
	}
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elements_are_as_published),
		cmocka_unit_test(test_numbers_of_own_elements_are_nobody_elses),
		cmocka_unit_test(test_numbers_are_published_with_their_words),
		cmocka_unit_test(test_a_host_of_another_family_than_the_guilty_one_is_left_out),
		cmocka_unit_test(test_the_longest_event_fits_whatever_the_room),
		cmocka_unit_test(test_a_reason_is_cut_between_characters_and_says_so),
		cmocka_unit_test(test_templates_pass_wherever_512_octets_do),
		cmocka_unit_test(test_members_in_json_are_called_as_the_elements),
		cmocka_unit_test(test_every_element_of_ours_is_in_json),
	};

	return cmocka_run_group_tests_name("elements of events", tests, setup_model, free_model);
}
