/* SPDX-License-Identifier: BSD-2-Clause */
/* The Message with the Templates: it says what records are encoded as. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/exporter_templates.h"
#include "probe/template.h"
#include "tests/lib/capture_stderr.h"

static unsigned int get16(const uint8_t *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Compares one Template Record; returns its end. */
static const uint8_t *check_template(const uint8_t *p, enum template_kind kind)
{
	const uint8_t *n_fields = p + 2;
	unsigned int n = 0;

	assert_int_equal(get16(p), 256 + kind);
	p += 4;
	for (int i = 0; i < N_IES; i++) {
		if (!(ie_table[i].templates & (1 << kind)))
			continue;
		assert_int_equal(get16(p), ie_table[i].id);
		assert_int_equal(get16(p + 2), ie_table[i].octets);
		p += 4;
		n++;
	}
	assert_int_equal(get16(n_fields), n);
	return p;
}

static void test_message_has_each_template_once_in_order(void **state)
{
	static const uint8_t domain_id[] = {0x01, 0x02, 0x03, 0x04};
	uint8_t message[512];
	int octets = templates_encode(message, sizeof(message), 0x01020304);
	const uint8_t *p = message + 20;

	(void)state;
	assert_true(octets > 20);
	assert_int_equal(get16(message), 10);
	assert_int_equal(get16(message + 2), octets);
	assert_memory_equal(message + 12, domain_id, sizeof(domain_id));
	assert_int_equal(get16(message + 16), 2); /* one Template Set to the end */
	assert_int_equal(get16(message + 18), octets - 16);
	for (int kind = 0; kind < N_TEMPLATES; kind++)
		p = check_template(p, (enum template_kind)kind);
	assert_ptr_equal(p, message + octets);
}

static void test_too_little_room_is_an_error(void **state)
{
	uint8_t *message = malloc(64);

	(void)state;
	capture_begin();
	int octets = templates_encode(message, 64, 7);
	char *text = capture_end();

	assert_int_equal(octets, -EPROTO);
	assert_non_null(strstr(text, "write the Templates"));
	free(text);
	free(message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message_has_each_template_once_in_order),
		cmocka_unit_test(test_too_little_room_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
