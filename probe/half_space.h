/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Half-Space Trees: how usual a point in many dimensions is, by how many of the last
 * points were near. The trees are drawn once and cut space at random; masses are what
 * is learned. Pure, bounded.
 * Source: S. Tan, K. Ting, T. Liu, "Fast anomaly detection for streaming data", 2011.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/learning_feature.h"

#define HALF_SPACE_TREES  25
#define HALF_SPACE_DEPTH  8
#define HALF_SPACE_INNER  ((1 << HALF_SPACE_DEPTH) - 1)
#define HALF_SPACE_NODES  ((2 << HALF_SPACE_DEPTH) - 1)
#define HALF_SPACE_WINDOW 250 /* points */
#define HALF_SPACE_BINS	  64

/* Nodes as in a heap: those below i are 2 i + 1 and 2 i + 2. */
struct half_space_trees {
	struct {
		float cut;
		uint8_t dimension;
	} node[HALF_SPACE_TREES][HALF_SPACE_INNER];
};

/* Zeroed is empty. */
struct half_space {
	uint32_t n; /* points of the window that goes on */
	bool is_known; /* a window is complete */
	uint16_t before[HALF_SPACE_TREES][HALF_SPACE_NODES]; /* masses of the last one */
	uint16_t now[HALF_SPACE_TREES][HALF_SPACE_NODES];
	uint32_t n_scores;
	uint16_t scores[HALF_SPACE_BINS]; /* how often each was got */
};

/* Draw trees; the same seed gives the same. */
void half_space_draw(struct half_space_trees *trees, uint64_t seed);

/*
 * How odd a point is: towards 0 where many were, 1 where none was. is_known is to be
 * true.
 *
 * point  [LEARNING_FEATURES], each 0 .. 1
 */
float half_space_score(const struct half_space_trees *trees, const struct half_space *h,
		       const float *point);

/* True when less than one in a hundred points of the past scored as high. */
bool half_space_is_rare(const struct half_space *h, float score);

/* One more point of the usual, with its score. */
void half_space_learn(const struct half_space_trees *trees, struct half_space *h,
		      const float *point, float score);
