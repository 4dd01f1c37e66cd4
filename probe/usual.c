/* SPDX-License-Identifier: BSD-2-Clause */
/* Hours of a week. See usual.h. */
#include "probe/usual.h"

#include <math.h>
#include <string.h>

#define UNIT	     1024.0
#define STEPS	     6 /* of an octet to twice the volume: 4.2 million times at most */
#define UNKNOWN	     UINT8_MAX
#define DAY	     24
#define DAYS_TO_KNOW 3
#define HOURS_LEAST  6
#define MAD_LEAST    2 /* steps: chance alone varies as much */
#define MAD_TO_SIGMA 1.4826f

static uint8_t level_of(uint64_t octets)
{
	double level = STEPS * log2(1 + (double)octets / UNIT);

	return level < UNKNOWN - 1 ? (uint8_t)lround(level) : UNKNOWN - 1;
}

static uint64_t octets_of(uint32_t level)
{
	return (uint64_t)((exp2((double)level / STEPS) - 1) * UNIT);
}

void usual_turn(struct usual *u, uint32_t hour)
{
	if (hour <= u->hour)
		return;
	u->past[u->hour % USUAL_HOURS] = u->is_odd ? UNKNOWN : level_of(u->octets);
	if (hour - u->hour > USUAL_HOURS)
		memset(u->past, 0, sizeof(u->past));
	else
		for (uint32_t h = u->hour + 1; h < hour; h++)
			u->past[h % USUAL_HOURS] = 0;
	u->hour = hour;
	u->octets = 0;
	u->is_odd = false;
}

/* How many hours had each level. */
struct levels {
	uint32_t n;
	uint16_t of[UNKNOWN];
};

/* Hours `step` apart; the latest may be part of what is to be judged. */
static void levels_read(const struct usual *u, uint32_t step, bool has_zero, struct levels *levels)
{
	uint32_t known = u->hour - u->since;

	memset(levels, 0, sizeof(*levels));
	for (uint32_t back = step > 1 ? step : 2; back <= known && back <= USUAL_HOURS;
	     back += step) {
		uint8_t level = u->past[(u->hour - back) % USUAL_HOURS];

		if (level == UNKNOWN || (!level && !has_zero))
			continue;
		levels->of[level]++;
		levels->n++;
	}
}

/* The level that `share` of 100 are not above. */
static uint32_t percentile(const struct levels *levels, uint32_t share)
{
	uint32_t rank = (levels->n * share + 99) / 100, seen = 0, level = 0;

	for (; level < UNKNOWN - 1; level++) {
		seen += levels->of[level];
		if (seen >= rank)
			break;
	}
	return level;
}

static uint32_t deviation(const struct levels *levels, uint32_t middle)
{
	struct levels off = {.n = levels->n};

	for (uint32_t i = 0; i < UNKNOWN; i++)
		off.of[i > middle ? i - middle : middle - i] += levels->of[i];
	return percentile(&off, 50);
}

void usual_compare(const struct usual *u, uint64_t octets, struct usual_compared *c)
{
	uint32_t known = u->hour - u->since, middle, mad;
	bool by_hour = known >= DAYS_TO_KNOW * DAY;
	struct levels levels;

	*c = (struct usual_compared){.n_hours = known < USUAL_HOURS ? known : USUAL_HOURS};
	levels_read(u, 1, true, &levels);
	if (levels.n)
		c->most = octets_of(percentile(&levels, 95));
	levels_read(u, by_hour ? DAY : 1, by_hour, &levels);
	c->has_z = levels.n >= (by_hour ? DAYS_TO_KNOW : HOURS_LEAST);
	if (!c->has_z)
		return;
	middle = percentile(&levels, 50);
	mad = deviation(&levels, middle);
	c->middle = octets_of(middle);
	c->z = ((float)level_of(octets) - (float)middle) /
	       (MAD_TO_SIGMA * (float)(mad > MAD_LEAST ? mad : MAD_LEAST));
}
