/* SPDX-License-Identifier: BSD-2-Clause */
/* A sweep_fixture of its own for each test, in time since START. Included once in a test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/lib/sweep_fixture.h"

#define START	  (1000 * FIXTURE_S)
#define MAX_FLOWS 4096

static struct sweep_fixture f;

static inline int setup(void **state)
{
	(void)state;
	fixture_open(&f, MAX_FLOWS);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	fixture_close(&f);
	return 0;
}

static inline void meter(uint64_t after_ms, struct fixture_packet p)
{
	fixture_meter(&f, START + after_ms * FIXTURE_MS, &p);
}

static inline void sweep(uint64_t after_ms)
{
	fixture_sweep(&f, START + after_ms * FIXTURE_MS);
}

/* The records since the last call are n, all with this reason. */
static inline void assert_records(uint32_t n, uint8_t reason)
{
	assert_int_equal(f.n_records, n);
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(f.record[i].end_reason, reason);
}

#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
