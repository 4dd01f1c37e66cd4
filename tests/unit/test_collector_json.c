/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The test Collector's JSON lines, compared whole: one Message composed here
 * octet by octet, decoded by libfixbuf, with enterprise elements read from XML.
 */
#include "collector-test/collect.h"
#include "collector-test/jsonl.h"
#include "collector-test/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEAD(type, id)                                                                             \
	"{\"type\":\"" type "\",\"templateId\":" id                                                \
	",\"observationDomainId\":9,\"exportTime\":\"2023-11-14T22:13:20Z\",\"sequence\":5,"

static const char elements_xml[] =
	"<?xml version=\"1.0\"?>\n"
	"<registry xmlns=\"http://www.iana.org/assignments\"\n"
	"          xmlns:cert=\"http://www.cert.org/ipfix\" id=\"ipfix\">\n"
	"<registry id=\"ipfix-information-elements\"><record>\n"
	"<cert:enterpriseId>32473</cert:enterpriseId><elementId>1001</elementId>\n"
	"<name>xfpAnomalyScore</name><dataType>unsigned16</dataType>\n"
	"<dataTypeSemantics>quantity</dataTypeSemantics>\n"
	"</record></registry></registry>\n";

struct field_value {
	uint32_t enterprise;
	uint16_t id;
	uint16_t len; /* in the Template; 65535 adds a length octet to the record */
	const char *octets;
	uint8_t n_octets;
};

static fbInfoModel_t *model;
static struct counts counts;
static uint8_t message[1024];
static size_t message_len;

static void put(uint64_t value, size_t octets)
{
	for (size_t i = octets; i > 0; i--)
		message[message_len++] = (uint8_t)(value >> (8 * (i - 1)));
}

static void end_at(size_t at)
{
	size_t len = message_len - at;

	message[at + 2] = (uint8_t)(len >> 8);
	message[at + 3] = (uint8_t)len;
}

static void put_fields(const struct field_value *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		put(fields[i].id | (fields[i].enterprise ? 0x8000u : 0u), 2);
		put(fields[i].len, 2);
		if (fields[i].enterprise)
			put(fields[i].enterprise, 4);
	}
}

static void put_values(const struct field_value *fields, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (fields[i].len == 65535)
			put(fields[i].n_octets, 1);
		memcpy(message + message_len, fields[i].octets, fields[i].n_octets);
		message_len += fields[i].n_octets;
	}
}

/* A Message with one Template (n_scope > 0: an Options Template) and one record of it. */
static void make_message(const struct field_value *fields, size_t n, uint16_t n_scope)
{
	size_t at;

	message_len = 0;
	put(10, 2);
	put(0, 2);
	put(1700000000, 4);
	put(5, 4);
	put(9, 4);
	at = message_len;
	put(n_scope ? 3 : 2, 2);
	put(0, 2);
	put(300, 2);
	put(n, 2);
	if (n_scope)
		put(n_scope, 2);
	put_fields(fields, n);
	end_at(at);
	at = message_len;
	put(300, 2);
	put(0, 2);
	put_values(fields, n);
	end_at(at);
	end_at(0);
}

/* Returns what is printed, to be freed. */
static char *take_lines(void)
{
	char *text = NULL;
	size_t len = 0;
	struct jsonl jsonl = {.file = open_memstream(&text, &len)};
	const struct output output = {.model = model, .jsonl = &jsonl, .counts = &counts};
	struct session session;

	memset(&counts, 0, sizeof(counts));
	assert_int_equal(session_open(&session, TRANSPORT_UDP, &output), 0);
	assert_int_equal(session_take_message(&session, message, message_len), 0);
	session_close(&session);
	fclose(jsonl.file);
	return text;
}

static void assert_prints(const struct field_value *fields, size_t n, uint16_t n_scope,
			  const char *expected)
{
	char *text;

	make_message(fields, n, n_scope);
	text = take_lines();
	assert_string_equal(text, expected);
	assert_int_equal(counts.decode_errors, 0);
	free(text);
}

#define ASSERT_PRINTS(fields, n_scope, expected)                                                   \
	assert_prints(fields, sizeof(fields) / sizeof((fields)[0]), n_scope, expected)

static int read_model(void **state)
{
	char path[] = "/tmp/xflow-elements-XXXXXX";
	const char *const files[] = {path};
	int fd = mkstemp(path);
	int err = -1;

	(void)state;
	if (fd < 0)
		return -1;
	if (write(fd, elements_xml, strlen(elements_xml)) == (ssize_t)strlen(elements_xml))
		err = collect_open_model(files, 1, &model);
	close(fd);
	unlink(path);
	return err;
}

static int free_model(void **state)
{
	(void)state;
	fbInfoModelFree(model);
	return 0;
}

static void test_every_kind_of_value_is_printed_as_promised(void **state)
{
	static const struct field_value fields[] = {
		{0, 8, 4, "\xc0\x00\x02\x01", 4},
		{0, 27, 16, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16},
		{0, 56, 6, "\x02\x00\x5e\x00\x00\xff", 6},
		{0, 152, 8, "\x00\x00\x01\x8b\xcf\xe5\x68\x7b", 8},
		{0, 154, 8, "\xe8\xfe\x6f\x80\x80\x00\x00\x00", 8},
		{0, 322, 4, "\x65\x53\xf1\x00", 4},
		{0, 148, 8, "\xff\xff\xff\xff\xff\xff\xff\xff", 8},
		{0, 2, 3, "\x01\x00\x02", 3},
		{0, 276, 1, "\x02", 1},
		{0, 311, 8, "\x3f\xe0\0\0\0\0\0\0", 8},
		{0, 82, 65535, "a\"\\\n\xc3\xa9", 6},
		{0, 94, 8, "padded\0\0", 8},
		{0, 313, 65535, "\x00\xfe", 2},
		{32473, 1001, 2, "\x12\x34", 2},
		{32473, 1002, 3, "\x0a\x0b\x0c", 3},
		{29305, 1, 4, "\x00\x00\x00\x07", 4},
		{0, 322, 4, "\x65\x53\xf1\x01", 4},
	};

	(void)state;
	ASSERT_PRINTS(
		fields, 0,
		HEAD("flow", "300") "\"sourceIPv4Address\":\"192.0.2.1\","
				    "\"sourceIPv6Address\":\"2001:db8::1\","
				    "\"sourceMacAddress\":\"02:00:5e:00:00:ff\","
				    "\"flowStartMilliseconds\":\"2023-11-14T22:13:20.123Z\","
				    "\"flowStartMicroseconds\":\"2023-11-14T22:13:20.500000Z\","
				    "\"observationTimeSeconds\":\"2023-11-14T22:13:20Z\","
				    "\"flowId\":18446744073709551615,\"packetDeltaCount\":65538,"
				    "\"dataRecordsReliability\":false,\"samplingProbability\":0.5,"
				    "\"interfaceName\":\"a\\u0022\\u005c\\u000a\xc3\xa9\","
				    "\"applicationDescription\":\"padded\","
				    "\"ipHeaderPacketSection\":\"00fe\","
				    "\"xfpAnomalyScore\":4660,\"32473:1002\":\"0a0b0c\","
				    "\"reverseOctetDeltaCount\":7,"
				    "\"observationTimeSeconds#2\":\"2023-11-14T22:13:21Z\"}\n");
	assert_int_equal(counts.bad_values, 0);
	assert_int_equal(counts.records, 1);
	assert_int_equal(counts.packets_sum, 65538);
}

static void test_options_record_says_so_and_keeps_both_domain_ids(void **state)
{
	static const struct field_value fields[] = {
		{0, 149, 4, "\0\0\0\x04", 4},
		{0, 42, 8, "\0\0\0\0\0\0\x01\0", 8},
	};

	(void)state;
	ASSERT_PRINTS(fields, 1,
		      HEAD("options", "300") "\"observationDomainId#2\":4,"
					     "\"exportedFlowRecordTotalCount\":256}\n");
	assert_int_equal(counts.options_records, 1);
}

static void test_value_that_breaks_its_type_is_printed_as_hex_and_counted(void **state)
{
	static const struct field_value fields[] = {
		{0, 82, 65535, "a\xff", 2},
		{0, 276, 1, "\x00", 1},
		{0, 8, 3, "\x01\x02\x03", 3},
		{0, 82, 65535, "", 0},
	};

	(void)state;
	ASSERT_PRINTS(
		fields, 0,
		HEAD("flow",
		     "300") "\"interfaceName\":\"61ff\","
			    "\"dataRecordsReliability\":\"00\",\"sourceIPv4Address\":\"010203\","
			    "\"interfaceName#2\":\"\"}\n");
	assert_int_equal(counts.bad_values, 3);
}

static void test_lists_of_values_are_printed_as_arrays(void **state)
{
	static const struct field_value fields[] = {
		{0, 291, 65535, "\xff\x00\x04\x00\x01\x06\x11", 7},
		{0, 291, 65535, "\x03\x00\x08\x00\x04", 5},
		{0, 291, 65535, "\x03\x00\x52\xff\xff\x02lo\x00", 9},
		{0, 291, 65535, "\x03\x83\xe9\x00\x02\x00\x00\x00\x09\x12\x34", 11},
	};

	(void)state;
	ASSERT_PRINTS(
		fields, 0,
		HEAD("flow", "300") "\"basicList\":[6,17],\"basicList#2\":[],"
				    "\"basicList#3\":[\"lo\",\"\"],\"basicList#4\":[\"1234\"]}\n");
	assert_int_equal(counts.bad_values, 0);
}

/* Too short a head; a value that is cut off; of a length that leaves a rest; of none. */
static void test_a_malformed_list_is_printed_as_hex_and_counted(void **state)
{
	static const struct field_value fields[] = {
		{0, 291, 65535, "\xff\xff\xff", 3},
		{0, 291, 65535, "\x03\x00\x52\xff\xff\xff\x00", 7},
		{0, 291, 65535, "\x03\x00\x08\x00\x04\x01", 6},
		{0, 291, 65535, "\x03\x00\x08\x00\x00\x01", 6},
		{0, 291, 65535, "\x03\x83\xe9\x00\x02\x00", 6},
	};

	(void)state;
	ASSERT_PRINTS(
		fields, 0,
		HEAD("flow", "300") "\"basicList\":\"ffffff\",\"basicList#2\":\"030052ffffff00\","
				    "\"basicList#3\":\"030008000401\","
				    "\"basicList#4\":\"030008000001\","
				    "\"basicList#5\":\"0383e9000200\"}\n");
	assert_int_equal(counts.bad_values, 5);
}

static void test_lists_of_records_are_printed_as_null_and_not_decoded(void **state)
{
	static const struct field_value fields[] = {
		{0, 292, 65535, "", 0},
		{0, 293, 65535, "\x03\x01\x2c\xff\xff", 5},
		{0, 4, 1, "\x11", 1},
	};

	(void)state;
	ASSERT_PRINTS(
		fields, 0,
		HEAD("flow", "300") "\"subTemplateList\":null,"
				    "\"subTemplateMultiList\":null,\"protocolIdentifier\":17}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_value_is_printed_as_promised),
		cmocka_unit_test(test_options_record_says_so_and_keeps_both_domain_ids),
		cmocka_unit_test(test_value_that_breaks_its_type_is_printed_as_hex_and_counted),
		cmocka_unit_test(test_lists_of_values_are_printed_as_arrays),
		cmocka_unit_test(test_a_malformed_list_is_printed_as_hex_and_counted),
		cmocka_unit_test(test_lists_of_records_are_printed_as_null_and_not_decoded),
	};

	return cmocka_run_group_tests(tests, read_model, free_model);
}
