/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of our encoder against those of libfixbuf, octet for octet. libfixbuf
 * is told of struct flow_record by an internal Template and transcodes by itself.
 */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "probe/exporter_encode.h"
#include "probe/exporter_templates.h"
#include "probe/template.h"

#define DOMAIN_ID    0x01020304
#define MESSAGE_ROOM 9000
#define N_ROUNDS     200
#define INTERNAL_ID  999

/* libfixbuf set up to write Data Records of one kind. */
struct oracle {
	fbInfoModel_t *model;
	fbExporter_t *exporter;
	fBuf_t *fbuf;
	uint8_t message[MESSAGE_ROOM];
};

/* The element of this kind that starts at `offset` of struct flow_record, or NULL. */
static const struct ie *element_at(enum template_kind kind, uint32_t groups, size_t offset)
{
	for (int i = 0; i < N_IES; i++) {
		if (ie_is_in(&ie_table[i], kind, groups) && ie_table[i].offset == offset)
			return &ie_table[i];
	}
	return NULL;
}

static void append(fbTemplate_t *t, const char *name, size_t octets)
{
	char copy[64];
	fbInfoElementSpec_t spec = {copy, (uint16_t)octets, 0};
	GError *err = NULL;

	assert_true(strlen(name) < sizeof(copy));
	strcpy(copy, name);
	assert_true(fbTemplateAppendSpec(t, &spec, 0, &err));
}

/* One direction: struct flow_record octet for octet, paddingOctets between its elements. */
static void append_direction(fbTemplate_t *t, enum template_kind kind, uint32_t groups,
			     bool is_reverse)
{
	size_t padding = 0;
	size_t offset = 0;

	while (offset < sizeof(struct flow_record)) {
		const struct ie *ie = element_at(kind, groups, offset);
		char reverse[IE_NAME_MAX + 1];

		if (ie && is_reverse && !ie_is_reversed_in(ie, kind, groups))
			ie = NULL;
		if (ie && padding)
			append(t, "paddingOctets", padding);
		if (ie)
			ie_reverse_name(ie, reverse);
		if (ie)
			append(t, is_reverse ? reverse : ie->name, ie->size);
		padding = ie ? 0 : padding + 1;
		offset += ie ? ie->size : 1;
	}
	if (padding)
		append(t, "paddingOctets", padding);
}

/* A record, or two: forward, reverse. */
static fbTemplate_t *alloc_internal(fbInfoModel_t *model, enum template_kind kind, uint32_t groups)
{
	fbTemplate_t *t = fbTemplateAlloc(model);

	append_direction(t, kind, groups, false);
	if (groups & GROUP_BIFLOW)
		append_direction(t, kind, groups, true);
	return t;
}

static void oracle_open(struct oracle *o, enum template_kind kind, uint32_t groups)
{
	GError *err = NULL;

	o->model = fbInfoModelAlloc();
	ie_register_own(o->model, 32473);
	fbSession_t *session = fbSessionAlloc(o->model);
	fbTemplate_t *internal = alloc_internal(o->model, kind, groups);
	fbTemplate_t *external = templates_alloc(o->model, kind, groups, &err);

	assert_non_null(external);
	fbSessionSetDomain(session, DOMAIN_ID);
	assert_true(fbSessionAddTemplate(session, TRUE, INTERNAL_ID, internal, &err));
	assert_true(
		fbSessionAddTemplate(session, FALSE, template_id(kind, groups), external, &err));
	o->exporter = fbExporterAllocBuffer(o->message, sizeof(o->message));
	o->fbuf = fBufAllocForExport(session, o->exporter);
	assert_true(fBufSetInternalTemplate(o->fbuf, INTERNAL_ID, &err));
	assert_true(fBufSetExportTemplate(o->fbuf, template_id(kind, groups), &err));
}

static size_t oracle_encode(struct oracle *o, struct flow_record (*records)[2], size_t n,
			    size_t directions)
{
	GError *err = NULL;

	for (size_t i = 0; i < n; i++)
		assert_true(fBufAppend(o->fbuf, (uint8_t *)records[i],
				       directions * sizeof(**records), &err));
	assert_true(fBufEmit(o->fbuf, &err));
	return fbExporterGetMsgLen(o->exporter);
}

static void oracle_close(struct oracle *o)
{
	fBufFree(o->fbuf);
	fbInfoModelFree(o->model);
}

/* xorshift; the same records in every run. */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Every octet random, also those no Template of this kind has; now and then all ones or zero. */
static void fill(struct flow_record *r, uint64_t *seed)
{
	uint8_t octets[sizeof(*r)];
	uint64_t extreme = next_random(seed) % 16;

	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = extreme == 0 ? 0 : extreme == 1 ? 0xff : (uint8_t)next_random(seed);
	memcpy(r, octets, sizeof(*r));
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t be;

	memcpy(&be, p, sizeof(be));
	return be32toh(be);
}

/* Rounds of 1 to 12 records, so that the longest fit into a Message. */
static void compare_groups(enum template_kind kind, uint32_t groups, size_t n_rounds)
{
	static struct oracle o;
	static uint8_t ours[MESSAGE_ROOM];
	struct flow_record records[12][2]; /* forward, reverse */
	bool is_biflow = groups & GROUP_BIFLOW;
	uint64_t seed = 88172645463325252u + kind + 4 * (uint64_t)groups;

	oracle_open(&o, kind, groups);
	encode_headers(ours, DOMAIN_ID, template_id(kind, groups));
	for (size_t round = 0; round < n_rounds; round++) {
		size_t n = 1 + round % 12;
		uint8_t *end = ours + MESSAGE_DATA_OFFSET;

		for (size_t i = 0; i < n; i++) {
			fill(&records[i][0], &seed);
			fill(&records[i][1], &seed);
			end = is_biflow ? encode_biflow(end, &records[i][0], &records[i][1], kind,
							groups)
					: encode_record(end, &records[i][0], kind, groups);
		}
		size_t octets = oracle_encode(&o, records, n, is_biflow ? 2 : 1);

		/* libfixbuf stamps by the clock of the system. */
		encode_lengths(ours, (size_t)(end - ours) - MESSAGE_DATA_OFFSET);
		encode_stamp(ours, get32(o.message + 4), get32(o.message + 8));
		assert_int_equal(end - ours, octets);
		assert_memory_equal(ours, o.message, octets);
	}
	oracle_close(&o);
}

/* base alone, each group beside it, all of them, and sets picked at random. */
static void compare_with_oracle(enum template_kind kind, uint32_t biflow)
{
	uint64_t seed = 2463534242u;

	compare_groups(kind, GROUP_BASE | biflow, N_ROUNDS);
	for (int group = 1; group < N_GROUPS; group++)
		compare_groups(kind, GROUP_BASE | 1u << group | biflow, 16);
	compare_groups(kind, GROUP_ALL | biflow, N_ROUNDS);
	for (int i = 0; i < 20; i++)
		compare_groups(kind, ((uint32_t)next_random(&seed) & GROUP_ALL) | biflow, 4);
}

static void test_ipv4_records_are_as_libfixbuf_encodes_them(void **state)
{
	(void)state;
	compare_with_oracle(TEMPLATE_V4, 0);
}

static void test_ipv6_records_are_as_libfixbuf_encodes_them(void **state)
{
	(void)state;
	compare_with_oracle(TEMPLATE_V6, 0);
}

static void test_icmp_records_are_as_libfixbuf_encodes_them(void **state)
{
	(void)state;
	compare_with_oracle(TEMPLATE_ICMP4, 0);
}

static void test_icmpv6_records_are_as_libfixbuf_encodes_them(void **state)
{
	(void)state;
	compare_with_oracle(TEMPLATE_ICMP6, 0);
}

static void test_biflows_are_as_libfixbuf_encodes_them(void **state)
{
	(void)state;
	compare_with_oracle(TEMPLATE_V4, GROUP_BIFLOW);
	compare_with_oracle(TEMPLATE_V6, GROUP_BIFLOW);
}

static void test_record_is_as_long_as_its_template(void **state)
{
	static const struct flow_record r;
	uint8_t record[1024];

	(void)state;
	for (uint32_t i = 0; i < N_TEMPLATES * (GROUP_ALL + 1u); i++) {
		enum template_kind kind = (enum template_kind)(i % N_TEMPLATES);
		uint32_t groups = i / N_TEMPLATES;

		assert_ptr_equal(encode_record(record, &r, kind, groups),
				 record + template_record_octets(kind, groups));
	}
}

static uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

/* RFC 7011 6.1.10: seconds since 1900, which is 2208988800 s before 1970, and 2^-32 s. */
static void test_precise_times_are_exact_to_the_nanosecond(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint32_t ns = i < 2 ? (i ? 999999999 : 0) : next_random(&seed) % 1000000000;
		struct flow_record r = {.start_ms = 1700000000000 + ns / 1000000,
					.start_ms_rest = ns % 1000000,
					.end_ms = 1700000001000};
		uint8_t record[256];

		encode_record(record, &r, TEMPLATE_V4, GROUP_BASE | GROUP_PRECISE);
		assert_int_equal(get32(record), 1700000000u + 2208988800u);
		assert_int_equal((uint64_t)get32(record + 4) * 1000000000 >> 32, ns);
		assert_int_equal(get64(record + 8), (UINT64_C(1700000001) + 2208988800u) << 32);
	}
}

/* But for the times and the width of the flags, with what lies in front of the elements. */
static void test_precise_records_are_otherwise_as_plain_ones(void **state)
{
	uint8_t plain[2048], precise[2048];
	struct flow_record r[2];
	uint64_t seed = 7;

	(void)state;
	for (uint32_t i = 0; i < 2 * (GROUP_ALL + 1u); i++) {
		enum template_kind kind = i % 2 ? TEMPLATE_V6 : TEMPLATE_V4;
		uint32_t groups = i / 2 | GROUP_BASE | GROUP_BIFLOW;
		uint32_t to = groups | GROUP_PRECISE;

		fill(&r[0], &seed);
		fill(&r[1], &seed);
		encode_biflow(plain, &r[0], &r[1], kind, groups);
		assert_ptr_equal(encode_biflow(precise, &r[0], &r[1], kind, to),
				 precise + template_record_octets(kind, to));
		for (int ie = 0; ie < N_IES; ie++) {
			const uint8_t *a = plain + template_field_offset(kind, groups, ie);
			const uint8_t *b = precise + template_field_offset(kind, to, ie);

			if (!ie_is_in(&ie_table[ie], kind, groups) ||
			    ie_table[ie].kind == IE_KIND_T)
				continue;
			if (ie == IE_tcpControlBits)
				assert_int_equal(b[0] << 8 | b[1], r[0].tcp_flags);
			else
				assert_memory_equal(a, b, ie_table[ie].octets);
		}
		assert_memory_equal(
			precise + template_reverse_offset(kind, to, IE_octetDeltaCount),
			plain + template_reverse_offset(kind, groups, IE_octetDeltaCount), 8);
	}
}

static void test_stamp_is_big_endian_and_touches_nothing_else(void **state)
{
	static const uint8_t expected[MESSAGE_HEADER_OCTETS] = {
		7, 7, 7, 7, 0xff, 0xff, 0xff, 0xff, 0x80, 0, 0, 1, 7, 7, 7, 7};
	uint8_t message[MESSAGE_HEADER_OCTETS];

	(void)state;
	memset(message, 7, sizeof(message));
	encode_stamp(message, UINT32_MAX, 0x80000001);
	assert_memory_equal(message, expected, sizeof(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_records_are_as_libfixbuf_encodes_them),
		cmocka_unit_test(test_ipv6_records_are_as_libfixbuf_encodes_them),
		cmocka_unit_test(test_icmp_records_are_as_libfixbuf_encodes_them),
		cmocka_unit_test(test_icmpv6_records_are_as_libfixbuf_encodes_them),
		cmocka_unit_test(test_biflows_are_as_libfixbuf_encodes_them),
		cmocka_unit_test(test_record_is_as_long_as_its_template),
		cmocka_unit_test(test_precise_times_are_exact_to_the_nanosecond),
		cmocka_unit_test(test_precise_records_are_otherwise_as_plain_ones),
		cmocka_unit_test(test_stamp_is_big_endian_and_touches_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
