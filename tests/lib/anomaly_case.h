/* SPDX-License-Identifier: BSD-2-Clause */
/* An anomaly_fixture of its own for each test. Included once in a test. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tests/lib/anomaly_fixture.h"

static struct anomaly_fixture f;

static inline int setup(void **state)
{
	(void)state;
	anomaly_fixture_init(&f);
	anomaly_fixture_open(&f);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	anomaly_fixture_close(&f);
	return 0;
}
