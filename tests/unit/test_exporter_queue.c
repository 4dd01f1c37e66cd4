/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue of Messages: order, bound, and memory given back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_queue.h"

static int push(struct queue *q, uint64_t n, size_t octets)
{
	static uint8_t data[12000];
	struct message info = {.volume = {n, 2 * n, 3 * n}, .end_s = (uint32_t)n};

	memset(data, (int)(n & 0xff), sizeof(data));
	return queue_push(q, &info, data, octets);
}

static void check_first(const struct queue *q, uint64_t n, size_t octets)
{
	const struct message *m = queue_first(q);

	assert_non_null(m);
	assert_int_equal(m->volume.records, n);
	assert_int_equal(m->end_s, (uint32_t)n);
	assert_int_equal(m->octets, octets);
	assert_int_equal(m->data[0], n & 0xff);
	assert_int_equal(m->data[octets - 1], n & 0xff);
}

static size_t length_of(uint64_t n)
{
	return 100 + (size_t)(n * 7919 % 11000);
}

static void test_messages_leave_in_the_order_they_came(void **state)
{
	struct queue q = {0};
	uint64_t out = 0;
	size_t octets = 0;

	(void)state;
	for (uint64_t n = 0; n < 3000; n++) {
		assert_int_equal(push(&q, n, length_of(n)), 0);
		octets += length_of(n);
		for (uint64_t i = 0; i < n % 3; i++, out++) { /* falls behind, crosses blocks */
			if (out > n)
				break;
			check_first(&q, out, length_of(out));
			queue_pop(&q);
			octets -= length_of(out);
		}
		assert_int_equal(q.octets, octets);
		assert_int_equal(q.n_messages, n + 1 - out);
	}
	for (; out < 3000; out++) {
		check_first(&q, out, length_of(out));
		queue_pop(&q);
	}
	assert_null(queue_first(&q));
	assert_int_equal(q.octets, 0);
	queue_close(&q);
}

static size_t resident_kib(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*u %lu", &pages), 1);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

static void test_queue_is_bounded_and_gives_its_memory_back(void **state)
{
	struct queue q = {0};
	size_t before_kib = resident_kib();
	uint64_t n = 0;

	(void)state;
	while (queue_has_room(&q, 12000))
		assert_int_equal(push(&q, n++, 12000), 0);
	assert_int_equal(push(&q, n, 12000), -ENOBUFS);
	assert_int_equal(q.n_messages, n);
	assert_in_range(q.octets, QUEUE_MAX_OCTETS - 12000, QUEUE_MAX_OCTETS);
	assert_true(resident_kib() > before_kib + QUEUE_MAX_OCTETS / 1024 * 9 / 10);
	for (uint64_t i = 0; i < n; i++) {
		check_first(&q, i, 12000);
		queue_pop(&q);
	}
	queue_trim(&q);
	assert_true(resident_kib() < before_kib + 8192);
	assert_int_equal(push(&q, 1, 100), 0);
	queue_close(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_leave_in_the_order_they_came),
		cmocka_unit_test(test_queue_is_bounded_and_gives_its_memory_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
