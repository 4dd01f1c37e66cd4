/* SPDX-License-Identifier: BSD-2-Clause */
/* The summary line and the verdict, both generated from the one list of counts. */
#include "collector-test/counts.h"

#include "collector-test/jsonl.h"

bool counts_has_fault(const struct counts *counts)
{
#define COUNTS_TEST(name, is_fault) || (is_fault && counts->name > 0)
	return false COUNTS(COUNTS_TEST);
#undef COUNTS_TEST
}

void counts_write(const struct counts *counts, struct jsonl *out)
{
	jsonl_begin(out);
	jsonl_string(out, "type", "summary");
#define COUNTS_WRITE(name, is_fault) jsonl_uint(out, #name, counts->name);
	COUNTS(COUNTS_WRITE)
#undef COUNTS_WRITE
	jsonl_end(out);
}
