/* SPDX-License-Identifier: BSD-2-Clause */
/* Options Templates and records as octets: right elements, whole Messages, nothing left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "probe/event_ie.h"
#include "probe/exporter_options_encode.h"
#include "tests/lib/wire_octets.h"

#define VARIABLE  65535
#define DOMAIN_ID 7
#define PEN	  32473
#define EVERYTHING                                                                                 \
	(OPTIONS_TEMPLATES | OPTIONS_TYPES | OPTIONS_NAMES | OPTIONS_KEYS | OPTIONS_COUNTS)

static struct options_batch batch;
static struct interface_name names[OPTIONS_MAX_INTERFACES];

static struct options_state state_of(uint32_t groups)
{
	return (struct options_state){
		.domain_id = DOMAIN_ID, .enterprise_number = PEN, .groups = GROUP_BASE | groups};
}

static void test_every_element_is_as_the_registry_says(void **state)
{
	fbInfoModel_t *model = fbInfoModelAlloc();
	const fbInfoElement_t *known;

	(void)state;
#define OPTIONS(NAME, id, n_scopes)
#define OPTION(NAME, element, number, octets)                                                      \
	known = fbInfoModelGetElementByName(model, #element);                                      \
	assert_non_null(known);                                                                    \
	assert_int_equal(known->num, number);                                                      \
	assert_int_equal(known->ent, 0);                                                           \
	assert_int_equal(known->len, octets);
#include "probe/exporter_options.def"
#undef OPTIONS
#undef OPTION
	fbInfoModelFree(model);
}

/* Calls back for every Set of every Message; checks that all lengths add up. */
static void each_set(void (*visit)(const struct options_message *m, uint32_t id,
				   const uint8_t *content, size_t octets))
{
	for (size_t i = 0; i < batch.n_messages; i++) {
		const struct options_message *m = &batch.messages[i];
		const uint8_t *message = batch.data + m->offset;
		size_t at = 16;

		assert_int_equal(get16(message), 10);
		assert_int_equal(get16(message + 2), m->octets);
		assert_true(m->octets <= OPTIONS_MESSAGE_OCTETS);
		assert_int_equal(get16(message + 14), m->is_of_flows ? DOMAIN_ID : 0);
		while (at < m->octets) {
			size_t length = get16(message + at + 2);

			assert_true(length > 4 && at + length <= m->octets);
			visit(m, get16(message + at), message + at + 4, length - 4);
			at += length;
		}
		assert_int_equal(at, m->octets);
	}
}

static uint32_t n_templates, n_templates_of_flows;

static void visit_template(const struct options_message *m, uint32_t id, const uint8_t *content,
			   size_t octets)
{
	assert_int_equal(id, 3);
	assert_int_equal(octets, 6 + 4 * get16(content + 2)); /* the only one in its Set */
	assert_in_range(get16(content + 4), 1, get16(content + 2) - 1);
	n_templates++;
	n_templates_of_flows += m->is_of_flows;
	assert_true((get16(content) == 323) == m->is_of_flows);
}

static void test_each_template_has_a_set_of_its_own(void **state)
{
	struct options_state s = state_of(0);

	(void)state;
	n_templates = n_templates_of_flows = 0;
	options_encode(&batch, &s, OPTIONS_TEMPLATES);
	each_set(visit_template);
	assert_int_equal(n_templates, 6);
	assert_int_equal(n_templates_of_flows, 1);
	for (size_t i = 0; i < batch.n_messages; i++)
		assert_int_equal(batch.messages[i].n_records, 0);
}

static uint32_t n_records[400];

static uint32_t n_in_message;

static void visit_records(const struct options_message *m, uint32_t id, const uint8_t *content,
			  size_t octets)
{
	if (id == 3)
		return;
	assert_true(m->is_of_flows == (id == 323));
	for (size_t at = 0; at < octets; at += options_record_octets(id, content + at)) {
		assert_true(at + options_record_octets(id, content + at) <= octets);
		n_records[id]++;
	}
}

static void count_records(void)
{
	uint32_t n = 0;

	memset(n_records, 0, sizeof(n_records));
	n_in_message = 0;
	each_set(visit_records);
	for (int i = 0; i < 400; i++)
		n += n_records[i];
	for (size_t i = 0; i < batch.n_messages; i++)
		n_in_message += batch.messages[i].n_records;
	assert_int_equal(n, n_in_message); /* the Sequence Number goes by it */
}

static uint32_t own_elements(uint32_t groups)
{
	uint32_t n = 0;

	for (int i = 0; i < N_IES; i++) {
		if (ie_table[i].owner != IE_OWNER_OWN || !(groups >> ie_table[i].group & 1))
			continue;
		n += groups & GROUP_BIFLOW && !(ie_table[i].templates & ONCE) ? 2 : 1;
	}
	return n;
}

/* Elements of events under the Enterprise Number. */
static uint32_t own_event_elements(void)
{
	uint32_t n = 0;

	for (size_t i = 0; i < n_event_ies; i++)
		n += event_ie_table[i].owner == IE_OWNER_OWN;
	return n;
}

static void test_the_most_there_can_be_fits(void **state)
{
	uint32_t groups = GROUP_BASE | GROUP_ALL | GROUP_BIFLOW;
	struct options_state s = state_of(groups);

	(void)state;
	for (uint32_t i = 0; i < OPTIONS_MAX_INTERFACES; i++) {
		names[i].index = i;
		memset(names[i].name, 'n', sizeof(names[i].name) - 1);
		memset(names[i].alias, 'a', sizeof(names[i].alias) - 1);
	}
	s.interfaces = names;
	s.n_interfaces = OPTIONS_MAX_INTERFACES;
	s.has_descriptions = s.has_events = true;
	s.ignored.first_s = s.not_sent.first_s = 1;
	options_encode(&batch, &s, EVERYTHING);
	count_records();
	assert_int_equal(n_records[325], OPTIONS_MAX_INTERFACES);
	assert_int_equal(n_records[340], own_elements(groups) + own_event_elements());
	assert_int_equal(n_records[320] + n_records[321] + n_records[322], 3);
}

static void test_only_elements_that_are_exported_are_described(void **state)
{
	struct options_state s = state_of(0);

	(void)state;
	options_encode(&batch, &s, EVERYTHING);
	count_records();
	assert_int_equal(n_records[340], 0);
	s = state_of(GROUP_TCP);
	options_encode(&batch, &s, EVERYTHING);
	count_records();
	assert_int_equal(n_records[340], own_elements(GROUP_TCP));
	s = state_of(0);
	s.has_events = true;
	options_encode(&batch, &s, EVERYTHING);
	count_records();
	assert_int_equal(n_records[340], own_event_elements());
}

static void test_no_record_tells_of_losses_that_were_none(void **state)
{
	struct options_state s = state_of(0);

	(void)state;
	options_encode(&batch, &s, OPTIONS_COUNTS);
	count_records();
	assert_int_equal(n_in_message, 1);
	assert_int_equal(n_records[320], 1);
}

static void test_flow_keys_are_the_fields_of_the_key(void **state)
{
	uint32_t all = GROUP_BASE | GROUP_ALL | GROUP_BIFLOW;

	(void)state;
	/* addresses, ports, protocol; interfaces, VLAN, direction: 2 - 6 and 11 - 14 */
	assert_int_equal(options_flow_keys(TEMPLATE_V4, GROUP_BASE), 0x787c);
	assert_int_equal(options_flow_keys(TEMPLATE_V6, GROUP_BASE), 0x787c);
	/* type and code in one instead of two ports, no TCP flags */
	assert_int_equal(options_flow_keys(TEMPLATE_ICMP4, GROUP_BASE), 0x1e3c);
	/* other groups come behind, reverse elements before */
	assert_int_equal(options_flow_keys(TEMPLATE_V4, GROUP_BASE | GROUP_TCP), 0x787c);
	int n_reversed = 0;

	for (int i = 0; i < N_IES; i++)
		n_reversed +=
			ie_is_reversed_in(&ie_table[i], TEMPLATE_V4, GROUP_BASE | GROUP_BIFLOW);
	assert_int_equal(options_flow_keys(BIFLOW_LAYOUT, GROUP_BASE | GROUP_BIFLOW),
			 UINT64_C(0x787c) << n_reversed);
	/* not among the first 64 fields: no such record */
	assert_int_equal(options_flow_keys(BIFLOW_LAYOUT, all), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_element_is_as_the_registry_says),
		cmocka_unit_test(test_each_template_has_a_set_of_its_own),
		cmocka_unit_test(test_the_most_there_can_be_fits),
		cmocka_unit_test(test_only_elements_that_are_exported_are_described),
		cmocka_unit_test(test_no_record_tells_of_losses_that_were_none),
		cmocka_unit_test(test_flow_keys_are_the_fields_of_the_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
