/* SPDX-License-Identifier: BSD-2-Clause */
/* What is usual of each host, and how a minute compares with it. See anomaly_learning.h. */
#include <math.h>
#include <string.h>

#include "probe/anomaly_learning.h"

#define SLOT_DAYS     3 /* from which on an hour is compared with itself */
#define SLOT_LEAST    20 /* windows in an hour that make it known */
#define SLOT_SHARE    0.25f /* of the latest day in what is usual of its hour */
#define SLOT_REACH    3 /* times its spread, that one day moves it at most */
#define HOURS	      24
#define DAYS_OF_WEEK  7
#define FIRST_WEEKDAY 4 /* 1970-01-01 was a Thursday, Sunday is 0 */
#define MS_PER_HOUR   3600000
#define TAIL_AFTER    30 /* windows of a host from which its z-scores mean something */
#define PROBABILITY   1e-5f /* that one feature is beyond its threshold in one window */
#define PEAK_TIMES    2 /* the largest z-score seen: no threshold is above */
#define Z_MOST	      50 /* of what is learned from: one outlier is no tail */
#define ODD_SHARE     10 /* one of so many odd windows is learned */
#define ODD_LEAST     2 /* features, or one in a window that is rare as a whole */
#define MUCH_PACKETS  1000 /* below, ratios of packets say nothing */
#define MUCH_OCTETS   1e6f
#define SPACE_HALF    4 /* z-score half way from the middle of space to its edge */
#define CLASS_STEP    4.6f /* ln(100): a class up is a hundred times as much */
#define CLASS_FIRST   9.2f /* ln(10000) octets a minute */
#define CLASS_VOLUMES (LEARNING_CLASSES / 2)

uint32_t learning_slot_of(uint64_t unix_ms)
{
	uint32_t hour = (uint32_t)(unix_ms / MS_PER_HOUR);
	uint32_t weekday = (hour / HOURS + FIRST_WEEKDAY) % DAYS_OF_WEEK;
	bool is_weekend = weekday == 0 || weekday == DAYS_OF_WEEK - 1;

	return hour % HOURS + (is_weekend ? HOURS : 0);
}

bool learning_is_trained(const struct learning *l, uint32_t training_s)
{
	return (uint64_t)l->learned.trained * LEARNING_WINDOW_S >= training_s &&
	       tail_is_known(&l->learned.of[LEARNING_CLASSES].tail[0]);
}

static float larger(float x, float y)
{
	return x > y ? x : y;
}

/* Few different numbers may look like the begin of any tail: it ends somewhere. */
static float threshold_of(const struct tail *t, float deviation)
{
	if (!tail_is_known(t))
		return 0;
	return larger(fminf(tail_quantile(t, PROBABILITY), PEAK_TIMES * t->peak[0]), deviation);
}

void learning_thresholds(struct learning *l, float deviation)
{
	for (int class = 0; class <= LEARNING_CLASSES; class ++)
		for (int i = 0; i < LEARNING_FEATURES; i++) {
			const struct tail *own = &l->learned.of[class].tail[i];
			const struct tail *all = &l->learned.of[LEARNING_CLASSES].tail[i];

			l->threshold[class][i] =
				threshold_of(tail_is_known(own) ? own : all, deviation);
		}
}

/* By how much it usually does, and whether it sends more than it gets. */
static uint8_t class_of(const struct learning_verdict *v)
{
	float out = v->centre[LEARNING_OCTETS_OUT], in = v->centre[LEARNING_OCTETS_IN];
	float steps = (larger(out, in) - CLASS_FIRST) / CLASS_STEP;
	const uint8_t most = CLASS_VOLUMES - 1;
	uint8_t volume = 0;

	if (steps > 0)
		volume = steps < most ? (uint8_t)(1 + steps) : most;
	return (uint8_t)(2 * volume + (out > in));
}

static void compare(const struct learning_past *p, const struct learning_slot *slot, int i,
		    struct learning_verdict *v)
{
	const struct learning_kind *kind = &learning_kinds[i];
	float z;

	if (slot->days >= SLOT_DAYS) {
		v->centre[i] = slot->centre[i];
		v->spread[i] = slot->spread[i];
	} else {
		struct robust r = robust_of(p->level[i], p->n);

		v->centre[i] = learning_of_level((enum learning_feature)i, r.median);
		v->spread[i] = ROBUST_TO_SIGMA * r.mad * kind->step;
	}
	v->spread[i] = larger(v->spread[i], kind->floor);
	z = (v->x[i] - v->centre[i]) / v->spread[i];
	v->z[i] = z;
	v->point[i] = 0.5f + 0.5f * z / (fabsf(z) + SPACE_HALF);
}

/* How far it is off in the direction that matters. */
static float oddness(const struct learning_verdict *v, int i)
{
	return learning_kinds[i].is_both ? fabsf(v->z[i]) : larger(v->z[i], 0);
}

/* Enough for the feature to mean something. */
static bool is_much(const struct learning_verdict *v, int i)
{
	float packets = larger(v->x[LEARNING_PACKETS_OUT], v->x[LEARNING_PACKETS_IN]);
	float octets = larger(v->x[LEARNING_OCTETS_OUT], v->x[LEARNING_OCTETS_IN]);

	if (v->x[i] < learning_scaled((enum learning_feature)i, learning_kinds[i].least))
		return false;
	if (i == LEARNING_LENGTH || i == LEARNING_PCR || i == LEARNING_BURST)
		return packets >= log1pf(MUCH_PACKETS) && octets >= log1pf(MUCH_OCTETS);
	return true;
}

static bool is_odder(const struct learning_verdict *v, int i, int j)
{
	return oddness(v, i) / v->threshold[i] > oddness(v, j) / v->threshold[j];
}

static void find_odd(struct learning_verdict *v)
{
	for (int i = 0; i < LEARNING_FEATURES; i++) {
		uint32_t at;

		if (!v->threshold[i] || oddness(v, i) < v->threshold[i] || !is_much(v, i))
			continue;
		for (at = v->n_odd++; at > 0 && is_odder(v, i, v->top[at - 1]); at--)
			v->top[at] = v->top[at - 1];
		v->top[at] = (uint8_t)i;
	}
}

void learning_judge(const struct learning *l, const struct learning_past *p,
		    struct learning_verdict *v)
{
	const struct learning_class *of;

	v->n_odd = 0;
	v->score = 0;
	v->is_judged = v->is_odd = v->is_doubtful = false;
	v->class = 0;
	if (!p->n)
		return;
	for (int i = 0; i < LEARNING_FEATURES; i++)
		compare(p, &p->slot[l->slot], i, v);
	v->class = class_of(v);
	memcpy(v->threshold, l->threshold[v->class], sizeof(v->threshold));
	of = &l->learned.of[v->class];
	if (of->space.is_known)
		v->score = half_space_score(&l->trees, &of->space, v->point);
	v->is_judged = p->n_windows >= LEARNING_LEAST;
	if (!v->is_judged)
		return;
	find_odd(v);
	v->is_doubtful = v->n_odd > 0;
	v->is_odd = v->n_odd >= ODD_LEAST || (v->n_odd && half_space_is_rare(&of->space, v->score));
}

/* Of an odd window no more than what would just not have been odd. */
static float taken(const struct learning_verdict *v, int i)
{
	float reach = v->threshold[i] * v->spread[i];

	if (!v->is_doubtful || !reach)
		return v->x[i];
	return fminf(fmaxf(v->x[i], v->centre[i] - reach), v->centre[i] + reach);
}

static void level_take(struct learning_past *p, const struct learning_verdict *v)
{
	for (int i = 0; i < LEARNING_FEATURES; i++)
		p->level[i][p->at] =
			learning_level((enum learning_feature)i, p->n ? taken(v, i) : v->x[i]);
	p->at = (uint8_t)((p->at + 1) % ROBUST_MAX);
	p->n += p->n < ROBUST_MAX;
	p->n_windows += p->n_windows < UINT32_MAX;
	p->in_slot++;
}

void learning_take(struct learning *l, struct learning_past *p, const struct learning_verdict *v)
{
	struct learning_class *of = &l->learned.of[v->class];
	struct learning_class *all = &l->learned.of[LEARNING_CLASSES];

	if (v->is_doubtful) {
		if (++p->n_odd < ODD_SHARE)
			return;
		p->n_odd = 0;
	}
	if (!v->is_doubtful && p->n >= TAIL_AFTER) {
		for (int i = 0; i < LEARNING_FEATURES; i++) {
			float z = fminf(oddness(v, i), Z_MOST);

			tail_add(&of->tail[i], z);
			tail_add(&all->tail[i], z);
		}
		half_space_learn(&l->trees, &of->space, v->point, v->score);
	}
	level_take(p, v);
}

/* The latest n levels, in any order. */
static void latest(const struct learning_past *p, int i, uint32_t n, uint8_t *levels)
{
	for (uint32_t back = 1; back <= n; back++)
		levels[back - 1] = p->level[i][(p->at + ROBUST_MAX - back) % ROBUST_MAX];
}

static void slot_learn(struct learning_slot *slot, int i, float centre, float spread)
{
	float reach = SLOT_REACH * larger(slot->spread[i], learning_kinds[i].floor);
	float off = centre - slot->centre[i];

	if (!slot->days) {
		slot->centre[i] = centre;
		slot->spread[i] = spread;
		return;
	}
	off = fminf(fmaxf(off, -reach), reach);
	slot->centre[i] += SLOT_SHARE * off;
	/* how days differ is part of it */
	spread = fminf(larger(spread, fabsf(off)), reach);
	slot->spread[i] += SLOT_SHARE * (spread - slot->spread[i]);
}

void learning_slot_end(struct learning_past *p, uint32_t slot)
{
	uint32_t n = p->in_slot < p->n ? p->in_slot : p->n;
	uint8_t levels[ROBUST_MAX];

	p->in_slot = 0;
	if (n < SLOT_LEAST)
		return;
	for (int i = 0; i < LEARNING_FEATURES; i++) {
		struct robust r;

		latest(p, i, n, levels);
		r = robust_of(levels, n);
		slot_learn(&p->slot[slot], i, learning_of_level((enum learning_feature)i, r.median),
			   ROBUST_TO_SIGMA * r.mad * learning_kinds[i].step);
	}
	p->slot[slot].days += p->slot[slot].days < UINT32_MAX;
}
