/* SPDX-License-Identifier: BSD-2-Clause */
/* Median and MAD by counting. See robust.h. */
#include "probe/robust.h"

#include <string.h>

#define LEVELS 256

/* Twice the median of what is counted in `of`. */
static uint32_t middle_twice(const uint8_t *of, uint32_t n)
{
	uint32_t seen = 0, i = 0, lower;

	while (seen + of[i] < (n + 1) / 2)
		seen += of[i++];
	lower = i;
	while (seen + of[i] < n / 2 + 1)
		seen += of[i++];
	return lower + i;
}

struct robust robust_of(const uint8_t *levels, uint32_t n)
{
	uint8_t of[2 * LEVELS];
	uint32_t twice, mad_twice;

	memset(of, 0, LEVELS);
	for (uint32_t i = 0; i < n; i++)
		of[levels[i]]++;
	twice = middle_twice(of, n);
	memset(of, 0, sizeof(of));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t at = 2u * levels[i];

		of[at > twice ? at - twice : twice - at]++;
	}
	mad_twice = middle_twice(of, n);
	return (struct robust){.median = (float)twice / 2, .mad = (float)mad_twice / 4};
}
