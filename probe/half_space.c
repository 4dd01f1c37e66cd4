/* SPDX-License-Identifier: BSD-2-Clause */
/* Half-Space Trees. See half_space.h. */
#include "probe/half_space.h"

#include <math.h>
#include <string.h>

#include "probe/distinct.h"

#define FEW	    (HALF_SPACE_WINDOW / 10) /* a node with fewer is not looked below */
#define SCORES_MOST 10000 /* from where on half is forgotten */
#define RARE_IN	    100

/* 0 .. 1, the next of a sequence. */
static float draw(uint64_t *seed)
{
	*seed += 0x9e3779b97f4a7c15ULL;
	return (float)(distinct_mix(*seed, 0) >> 40) / (float)(1 << 24);
}

/* What is below node i lies between low and high. */
static void draw_below(struct half_space_trees *trees, int tree, int i, float *low, float *high,
		       uint64_t *seed)
{
	int d = (int)(draw(seed) * LEARNING_FEATURES);
	float cut, kept;

	if (i >= HALF_SPACE_INNER)
		return;
	cut = (low[d] + high[d]) / 2;
	trees->node[tree][i].dimension = (uint8_t)d;
	trees->node[tree][i].cut = cut;
	kept = high[d];
	high[d] = cut;
	draw_below(trees, tree, 2 * i + 1, low, high, seed);
	high[d] = kept;
	kept = low[d];
	low[d] = cut;
	draw_below(trees, tree, 2 * i + 2, low, high, seed);
	low[d] = kept;
}

void half_space_draw(struct half_space_trees *trees, uint64_t seed)
{
	for (int tree = 0; tree < HALF_SPACE_TREES; tree++) {
		float low[LEARNING_FEATURES], high[LEARNING_FEATURES];

		for (int d = 0; d < LEARNING_FEATURES; d++) {
			float middle = draw(&seed), reach = middle > 0.5f ? middle : 1 - middle;

			low[d] = middle - 2 * reach;
			high[d] = middle + 2 * reach;
		}
		draw_below(trees, tree, 0, low, high, &seed);
	}
}

static int below(const struct half_space_trees *trees, int tree, int i, const float *point)
{
	return 2 * i + (point[trees->node[tree][i].dimension] < trees->node[tree][i].cut ? 1 : 2);
}

float half_space_score(const struct half_space_trees *trees, const struct half_space *h,
		       const float *point)
{
	float sum = 0;

	for (int tree = 0; tree < HALF_SPACE_TREES; tree++) {
		int i = 0, depth = 0;

		while (depth < HALF_SPACE_DEPTH && h->before[tree][i] > FEW) {
			i = below(trees, tree, i, point);
			depth++;
		}
		sum += (float)h->before[tree][i] * (float)(1 << depth);
	}
	/* the sum of the source, by its logarithm from nothing to the most there can be */
	return 1 -
	       log1pf(sum / (HALF_SPACE_TREES * HALF_SPACE_WINDOW)) / log1pf(1 << HALF_SPACE_DEPTH);
}

static int bin_of(float score)
{
	return score > 0 ? (int)(score * (HALF_SPACE_BINS - 1)) : 0;
}

bool half_space_is_rare(const struct half_space *h, float score)
{
	uint32_t as_high = 0;

	for (int bin = bin_of(score); bin < HALF_SPACE_BINS; bin++)
		as_high += h->scores[bin];
	return h->n_scores >= HALF_SPACE_WINDOW && as_high * RARE_IN < h->n_scores;
}

static void score_count(struct half_space *h, float score)
{
	if (h->n_scores >= SCORES_MOST) {
		h->n_scores = 0;
		for (int i = 0; i < HALF_SPACE_BINS; i++)
			h->n_scores += h->scores[i] /= 2;
	}
	h->n_scores++;
	h->scores[bin_of(score)]++;
}

void half_space_learn(const struct half_space_trees *trees, struct half_space *h,
		      const float *point, float score)
{
	if (h->is_known)
		score_count(h, score);
	for (int tree = 0; tree < HALF_SPACE_TREES; tree++) {
		int i = 0;

		h->now[tree][0]++;
		for (int depth = 0; depth < HALF_SPACE_DEPTH; depth++) {
			i = below(trees, tree, i, point);
			h->now[tree][i]++;
		}
	}
	if (++h->n < HALF_SPACE_WINDOW)
		return;
	memcpy(h->before, h->now, sizeof(h->before));
	memset(h->now, 0, sizeof(h->now));
	h->n = 0;
	h->is_known = true;
}
