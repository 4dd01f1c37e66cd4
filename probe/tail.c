/* SPDX-License-Identifier: BSD-2-Clause */
/* The generalised Pareto distribution of peaks. See tail.h. */
#include "probe/tail.h"

#include <math.h>
#include <string.h>

#define SHARE	  10 /* of few numbers, one in so many is a peak */
#define SHAPE_MIN (-0.5f)
#define SHAPE_MAX 0.9f

/* Every other peak goes, of odd and of even rank in turn. */
static void fade(struct tail *t)
{
	uint32_t n = 0;

	for (uint32_t i = t->n_faded++ & 1; i < t->n_peaks; i += 2)
		t->peak[n++] = t->peak[i];
	t->n_peaks = n;
	t->n /= 2;
}

void tail_add(struct tail *t, float x)
{
	uint32_t at;

	if (t->n >= TAIL_MOST)
		fade(t);
	t->n++;
	if (t->n_peaks == TAIL_PEAKS) {
		if (!(x > t->peak[TAIL_PEAKS - 1]))
			return;
		t->n_peaks--;
	}
	at = t->n_peaks++;
	for (; at > 0 && x > t->peak[at - 1]; at--)
		t->peak[at] = t->peak[at - 1];
	t->peak[at] = x;
}

bool tail_is_known(const struct tail *t)
{
	return t->n >= TAIL_LEAST;
}

float tail_quantile(const struct tail *t, float q)
{
	uint32_t k = t->n / SHARE < t->n_peaks - 1 ? t->n / SHARE : t->n_peaks - 1;
	float level = t->peak[k], a0 = 0, a1 = 0, shape, size, rarer;

	for (uint32_t i = 0; i < k; i++) {
		float excess = t->peak[i] - level;

		a0 += excess / (float)k;
		/* of k in ascending order this is number k - i: so many are larger */
		a1 += excess * (float)i / (float)(k - 1) / (float)k;
	}
	if (!(a0 - 2 * a1 > 1e-6f * a0))
		return t->peak[0]; /* all the same */
	shape = 2 - a0 / (a0 - 2 * a1);
	shape = fminf(fmaxf(shape, SHAPE_MIN), SHAPE_MAX);
	size = a0 * (1 - shape); /* the mean of the distribution is a0 */
	rarer = q * (float)t->n / (float)k;
	if (fabsf(shape) < 1e-3f)
		return level - size * logf(rarer);
	return level + size / shape * (powf(rarer, -shape) - 1);
}
