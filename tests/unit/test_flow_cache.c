/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tags of a bucket, sixteen at once, against one after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probe/flow_cache.h"

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint64_t random_word(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void assert_places(const struct xfp_bucket *tags, uint8_t value, uint8_t mask)
{
	uint32_t expected = 0;

	for (uint32_t i = 0; i < XFP_BUCKET_SLOTS; i++)
		expected |= (uint32_t)((tags->tag[i] & mask) == value) << i;
	assert_int_equal(flow_places(tags, value, mask), expected);
}

static void test_places_of_each_tag_alone_are_found(void **state)
{
	(void)state;
	for (uint32_t tag = 1; tag < 256; tag++) {
		for (uint32_t i = 0; i < XFP_BUCKET_SLOTS; i++) {
			struct xfp_bucket tags = {};

			tags.tag[i] = (uint8_t)tag;
			assert_int_equal(flow_places(&tags, (uint8_t)tag, 0xff), 1u << i);
			assert_places(&tags, XFP_TAG_FREE, 0xff);
		}
	}
}

/* Few values, so that equal ones and those that differ by a bit or by one are neighbours. */
static void test_places_of_a_tag_among_its_likes_are_found(void **state)
{
	static const uint8_t values[] = {0, 1, 2, 3, 4, 5, 0x7f, 0x80, 0x81, 0xfe, 0xff};

	(void)state;
	for (uint32_t round = 0; round < 100000; round++) {
		uint64_t word = random_word();
		struct xfp_bucket tags;

		for (uint32_t i = 0; i < XFP_BUCKET_SLOTS; i++)
			tags.tag[i] = values[(word >> 4 * i & 15) % sizeof(values)];
		assert_places(&tags, values[round % sizeof(values)], 0xff);
		assert_places(&tags, 0, FLOW_TAG_BITS);
	}
}

static void test_tags_are_read_from_their_bucket(void **state)
{
	struct xfp_bucket tags[2] = {{.eight = {1, 2}}, {.eight = {random_word(), random_word()}}};
	struct flow_table t = {.tags = tags};
	struct xfp_bucket read = flow_tags_load(&t, 1);

	(void)state;
	assert_memory_equal(&read, &tags[1], sizeof(read));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places_of_each_tag_alone_are_found),
		cmocka_unit_test(test_places_of_a_tag_among_its_likes_are_found),
		cmocka_unit_test(test_tags_are_read_from_their_bucket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
