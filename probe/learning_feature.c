/* SPDX-License-Identifier: BSD-2-Clause */
/* Scales of features. See learning_feature.h. */
#include "probe/learning_feature.h"

#include <math.h>

const struct learning_kind learning_kinds[LEARNING_FEATURES] = {
#define LEARNING_FEATURE(NAME, word, text, scale, step, floor, least, is_both)                     \
	{#word, text, LEARNING_##scale, step, floor, least, is_both},
#include "probe/learning_feature.def"
#undef LEARNING_FEATURE
};

float learning_scaled(enum learning_feature feature, float value)
{
	switch (learning_kinds[feature].scale) {
	case LEARNING_COUNT:
		return log1pf(value);
	case LEARNING_SIZE:
		return value > 1 ? logf(value) : 0;
	default:
		return value;
	}
}

float learning_value(enum learning_feature feature, float scaled)
{
	switch (learning_kinds[feature].scale) {
	case LEARNING_COUNT:
		return scaled > 0 ? expm1f(scaled) : 0;
	case LEARNING_SIZE:
		return expf(scaled);
	default:
		return scaled;
	}
}

/* Of the producer/consumer ratio, which is -1 at least; all others are never below 0. */
static float lowest(enum learning_feature feature)
{
	return feature == LEARNING_PCR ? -1 : 0;
}

uint8_t learning_level(enum learning_feature feature, float scaled)
{
	float level = (scaled - lowest(feature)) / learning_kinds[feature].step;

	if (!(level > 0))
		return 0;
	return level < UINT8_MAX ? (uint8_t)lroundf(level) : UINT8_MAX;
}

float learning_of_level(enum learning_feature feature, float level)
{
	return level * learning_kinds[feature].step + lowest(feature);
}
