/* SPDX-License-Identifier: BSD-2-Clause */
/* Median and MAD, the tail of a distribution, Half-Space Trees: each against figures of its own. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "probe/half_space.h"
#include "probe/learning_feature.h"
#include "probe/robust.h"
#include "probe/tail.h"

static void assert_near(double got, double want, double within)
{
	if (!(fabs(got - want) <= within)) {
		printf("got %f, not %f\n", got, want);
		fail();
	}
}

/* statistics.median() of Python 3 of each, and of the absolute deviations from it. */
static void test_median_and_mad_are_those_of_the_definition(void **state)
{
	static const struct {
		uint8_t levels[6];
		uint32_t n;
		float median, mad;
	} cases[] = {
		{{3}, 1, 3, 0},
		{{1, 2}, 2, 1.5f, 0.5f},
		{{5, 1, 9, 7, 3}, 5, 5, 2}, /* deviations 0 4 4 2 2 */
		{{10, 10, 10, 200, 12, 11}, 6, 10.5f, 0.5f}, /* 0.5 0.5 0.5 189.5 1.5 0.5 */
		{{0, 0, 0, 0}, 4, 0, 0},
		{{1, 2, 3, 4, 100, 250}, 6, 3.5f, 2}, /* 2.5 1.5 0.5 0.5 96.5 246.5 */
		{{255, 255, 0}, 3, 255, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct robust r = robust_of(cases[i].levels, cases[i].n);

		assert_near(r.median, cases[i].median, 0);
		assert_near(r.mad, cases[i].mad, 0);
	}
}

static void test_almost_half_of_the_past_may_be_anything(void **state)
{
	uint8_t levels[ROBUST_MAX];
	struct robust r;

	(void)state;
	for (int i = 0; i < ROBUST_MAX; i++)
		levels[i] = i < 63 ? 255 : (uint8_t)(100 + i % 3);
	r = robust_of(levels, ROBUST_MAX);
	/* 63 of 255 and 65 of 100 .. 102: those in the middle, the 64th and 65th, are 102 */
	assert_near(r.median, 102, 0);
	assert_in_range((int)r.mad, 1, 2);
}

/* n numbers as they are spread by a generalised Pareto distribution, in a mixed order. */
static void fill(struct tail *t, double shape)
{
	const uint32_t n = 600;

	memset(t, 0, sizeof(*t));
	for (uint32_t j = 0; j < n; j++) {
		double u = 1 - (j * 7919 % n + 0.5) / n; /* 7919 is prime to 600 */

		tail_add(t, (float)(fabs(shape) < 1e-9 ? -log(u) : (pow(u, -shape) - 1) / shape));
	}
}

/*
 * Fitted apart, in Python, with the plain formulas of Hosking and Wallis to the sixty
 * largest of the same numbers.
 */
static void test_the_quantile_is_that_of_a_fit_made_apart(void **state)
{
	static const struct {
		double shape, quantile;
	} cases[] = {{0, 11.68829}, {0.25, 62.76603}, {-0.3, 3.26977}, {0.5, 454.02380}};
	struct tail t;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fill(&t, cases[i].shape);
		assert_near(tail_quantile(&t, 1e-5f), cases[i].quantile, 2e-3 * cases[i].quantile);
	}
}

/* What one in 100,000 exceeds is known of the distribution itself: -ln(1e-5) = 11.51. */
static void test_the_quantile_is_near_the_distributions_own(void **state)
{
	struct tail t;

	(void)state;
	fill(&t, 0);
	assert_near(tail_quantile(&t, 1e-5f), 11.51, 0.05 * 11.51);
	fill(&t, -0.3);
	assert_near(tail_quantile(&t, 1e-5f), (1 - pow(1e-5, 0.3)) / 0.3, 0.05);
	fill(&t, 0.25);
	assert_near(tail_quantile(&t, 1e-5f), (pow(1e-5, -0.25) - 1) / 0.25, 0.1 * 67.13);
}

static void test_a_bounded_distribution_is_taken_for_one_of_shape_minus_a_half(void **state)
{
	struct tail t = {0};

	(void)state;
	for (int i = 0; i < 600; i++)
		tail_add(&t, (float)(i * 7919 % 600) / 10);
	/*
	 * Level 53.9, sixty excesses 0.1 .. 6.0 of mean 3.05: size 3.05 * 1.5 = 4.575, and
	 * 53.9 + 4.575 / 0.5 * (1 - sqrt(1e-5 * 600 / 60)) = 53.9 + 9.15 * 0.99
	 */
	assert_near(tail_quantile(&t, 1e-5f), 62.96, 0.01);
}

static void test_numbers_that_are_all_the_same_have_no_tail(void **state)
{
	struct tail t = {0};

	(void)state;
	for (int i = 0; i < TAIL_LEAST - 1; i++)
		tail_add(&t, 2);
	assert_false(tail_is_known(&t));
	tail_add(&t, 2);
	assert_true(tail_is_known(&t));
	assert_near(tail_quantile(&t, 1e-5f), 2, 0);
}

static void test_the_largest_are_kept_in_order_whatever_order_they_come_in(void **state)
{
	static struct tail up, down;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		tail_add(&up, (float)i);
		tail_add(&down, (float)(2999 - i));
	}
	assert_memory_equal(&up, &down, sizeof(up));
	assert_int_equal(up.n_peaks, TAIL_PEAKS);
	assert_near(up.peak[0], 2999, 0);
	assert_near(up.peak[TAIL_PEAKS - 1], 2999 - (TAIL_PEAKS - 1), 0);
}

static void test_what_was_long_ago_fades(void **state)
{
	static struct tail t;
	float before, after;

	(void)state;
	for (uint32_t i = 0; i < TAIL_MOST; i++)
		tail_add(&t, (float)(i % 1000) / 10);
	before = tail_quantile(&t, 1e-5f);
	for (uint32_t i = 0; i < 9 * TAIL_MOST; i++)
		tail_add(&t, (float)(i % 1000) / 100);
	after = tail_quantile(&t, 1e-5f);
	assert_true(t.n <= TAIL_MOST);
	assert_true(before > 99);
	assert_true(after < 11);
}

/* Evenly within a tenth around 0.5, in each dimension. */
static void draw_point(float *point, uint32_t *x)
{
	for (int d = 0; d < LEARNING_FEATURES; d++) {
		*x = *x * 1664525 + 1013904223;
		point[d] = 0.45f + 0.1f * (float)(*x >> 8) / (float)(1 << 24);
	}
}

static void learn(const struct half_space_trees *trees, struct half_space *h, int n, uint32_t *x)
{
	float point[LEARNING_FEATURES];

	for (int i = 0; i < n; i++) {
		draw_point(point, x);
		half_space_learn(trees, h, point,
				 h->is_known ? half_space_score(trees, h, point) : 0);
	}
}

static void test_a_point_where_nobody_was_is_rare_and_one_among_many_is_not(void **state)
{
	static struct half_space_trees trees;
	static struct half_space h;
	float point[LEARNING_FEATURES], usual, odd;
	uint32_t x = 7;

	(void)state;
	half_space_draw(&trees, 42);
	learn(&trees, &h, HALF_SPACE_WINDOW - 1, &x);
	assert_false(h.is_known);
	learn(&trees, &h, 2000, &x);
	assert_true(h.is_known);
	draw_point(point, &x);
	usual = half_space_score(&trees, &h, point);
	for (int d = 0; d < 6; d++)
		point[d] = 0.9f; /* half of the features are off, the others as ever */
	odd = half_space_score(&trees, &h, point);
	assert_true(usual < 0.15f);
	assert_true(odd > usual);
	assert_false(half_space_is_rare(&h, usual));
	assert_true(half_space_is_rare(&h, odd));
}

/* Each point of a window passes one node of each depth: 250 at the root and below any node. */
static void test_masses_add_up_at_every_depth(void **state)
{
	static struct half_space_trees trees;
	static struct half_space h;
	uint32_t x = 3;

	(void)state;
	half_space_draw(&trees, 1);
	learn(&trees, &h, HALF_SPACE_WINDOW, &x);
	for (int tree = 0; tree < HALF_SPACE_TREES; tree++) {
		assert_int_equal(h.before[tree][0], HALF_SPACE_WINDOW);
		for (int i = 0; i < HALF_SPACE_INNER; i++)
			assert_int_equal(h.before[tree][i],
					 h.before[tree][2 * i + 1] + h.before[tree][2 * i + 2]);
	}
}

static void test_a_feature_comes_back_from_its_level_within_half_a_step(void **state)
{
	static const float values[] = {0, 1, 17, 1500, 1e6f, 3e10f};

	(void)state;
	for (int f = 0; f < LEARNING_FEATURES; f++) {
		const struct learning_kind *kind = &learning_kinds[f];

		for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
			float value = kind->scale == LEARNING_RATIO ? values[i] / 1e11f : values[i];
			float x = learning_scaled((enum learning_feature)f, value);
			float back = learning_of_level((enum learning_feature)f,
						       learning_level((enum learning_feature)f, x));

			if (kind->scale == LEARNING_SIZE && value > 65535)
				continue;
			assert_near(back, x, kind->step / 2 + 1e-4);
		}
	}
	/* ln(1 + 1e6) = 13.8155, of steps of an eighth: 110.5 */
	assert_in_range(
		learning_level(LEARNING_OCTETS_OUT, learning_scaled(LEARNING_OCTETS_OUT, 1e6f)),
		110, 111);
	assert_int_equal(learning_level(LEARNING_PCR, -1), 0);
	assert_int_equal(learning_level(LEARNING_PCR, 1), 200);
	assert_int_equal(learning_level(LEARNING_BURST, NAN), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_median_and_mad_are_those_of_the_definition),
		cmocka_unit_test(test_almost_half_of_the_past_may_be_anything),
		cmocka_unit_test(test_the_quantile_is_that_of_a_fit_made_apart),
		cmocka_unit_test(test_the_quantile_is_near_the_distributions_own),
		cmocka_unit_test(
			test_a_bounded_distribution_is_taken_for_one_of_shape_minus_a_half),
		cmocka_unit_test(test_numbers_that_are_all_the_same_have_no_tail),
		cmocka_unit_test(test_the_largest_are_kept_in_order_whatever_order_they_come_in),
		cmocka_unit_test(test_what_was_long_ago_fades),
		cmocka_unit_test(test_a_point_where_nobody_was_is_rare_and_one_among_many_is_not),
		cmocka_unit_test(test_masses_add_up_at_every_depth),
		cmocka_unit_test(test_a_feature_comes_back_from_its_level_within_half_a_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
