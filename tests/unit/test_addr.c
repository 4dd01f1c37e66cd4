/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as text, compared with inet_ntop(). */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "probe/addr.h"

/* xorshift; the same addresses in every run. */
static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static void test_ipv4_text_is_that_of_inet_ntop(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		uint32_t address = i == 0 ? 0 : i == 1 ? UINT32_MAX : next_random(&seed);
		uint32_t be = htonl(address);
		char ours[ADDR_TEXT4_MAX + 1];
		char theirs[INET_ADDRSTRLEN];

		*addr_put4(ours, address) = '\0';
		assert_string_equal(ours, inet_ntop(AF_INET, &be, theirs, sizeof(theirs)));
	}
}

static void check6(const uint8_t address[static 16])
{
	char ours[ADDR_TEXT6_MAX + 1];
	char theirs[INET6_ADDRSTRLEN];

	*addr_put6(ours, address) = '\0';
	assert_string_equal(ours, inet_ntop(AF_INET6, address, theirs, sizeof(theirs)));
}

/*
 * Every pattern of zero groups, with short and long groups between; but not
 * ::a.b.c.d and ::ffff:a.b.c.d, which inet_ntop() prints in mixed notation.
 */
static void test_ipv6_text_is_that_of_inet_ntop(void **state)
{
	uint32_t seed = 2;

	(void)state;
	for (unsigned int zeros = 0; zeros < 256; zeros++) {
		uint8_t address[16];

		for (int i = 0; i < 16; i++)
			address[i] = (uint8_t)(next_random(&seed) >> (zeros & 7));
		for (int i = 0; i < 8; i++) {
			if (zeros >> i & 1)
				address[2 * i] = address[2 * i + 1] = 0;
			else if (!address[2 * i])
				address[2 * i + 1] |= 1;
		}
		if ((zeros & 0x3f) != 0x3f && (zeros & 0x1f) != 0x1f)
			check6(address);
	}
	check6((const uint8_t[16]){0});
	check6((const uint8_t[16]){[15] = 1});
	check6((const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [15] = 1});
	check6((const uint8_t[16]){0xfe, 0x80, [8] = 0x02, [15] = 0x0f});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_text_is_that_of_inet_ntop),
		cmocka_unit_test(test_ipv6_text_is_that_of_inet_ntop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
