/* SPDX-License-Identifier: BSD-2-Clause */
/* The features of learning_feature.def as numbers and as a table. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum learning_feature {
#define LEARNING_FEATURE(NAME, ...) LEARNING_##NAME,
#include "probe/learning_feature.def"
#undef LEARNING_FEATURE
	LEARNING_FEATURES,
};

enum learning_scale {
	LEARNING_COUNT,
	LEARNING_SIZE,
	LEARNING_RATIO,
};

struct learning_kind {
	const char *word; /* in JSON */
	const char *text;
	uint8_t scale; /* enum learning_scale */
	float step;
	float floor;
	float least;
	bool is_both;
};

extern const struct learning_kind learning_kinds[LEARNING_FEATURES];

/* From a value to its scale, and back. */
float learning_scaled(enum learning_feature feature, float value);
float learning_value(enum learning_feature feature, float scaled);

/* A scaled value as it is kept, 0 .. 255, and back. */
uint8_t learning_level(enum learning_feature feature, float scaled);
float learning_of_level(enum learning_feature feature, float level);
