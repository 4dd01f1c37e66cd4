/* SPDX-License-Identifier: BSD-2-Clause */
/* Beats and their statistics. See beats.h. */
#include "probe/beats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "probe/clock.h"

#define BURST_MS	1000
#define PAUSE_TIMES	5 /* an interval is a pause when so many times the next shorter one */
#define BURST_SHARE	5 /* ... and a fifth of all are pauses, and a fifth none          */
#define MISSED_MAX	3 /* intervals taken for one                                      */
#define MISSED_SHARE	3 /* at most a third of all                                       */
#define MISSED_DEVIATES 5 /* a fifth of the median                                        */
#define OUTERMOST	20 /* a twentieth of each end                                      */
#define SPAN_FULL_NS	(6 * 3600 * NS_PER_S)

static void beat_append(struct beats *b, uint64_t start_ns)
{
	uint64_t at_ms = b->n ? (start_ns - b->base_ns) / NS_PER_MS : 0;

	if (b->n == BEATS_MAX) {
		memmove(b->at_ms, b->at_ms + 1, sizeof(b->at_ms) - sizeof(b->at_ms[0]));
		b->n--;
	}
	if (at_ms > UINT32_MAX) { /* 49 days after the first one */
		uint32_t shift = b->at_ms[0];

		for (uint32_t i = 0; i < b->n; i++)
			b->at_ms[i] -= shift;
		b->base_ns += shift * NS_PER_MS;
		at_ms -= shift;
	}
	if (!b->n || at_ms > UINT32_MAX) {
		b->n = 0;
		b->base_ns = start_ns;
		at_ms = 0;
	}
	b->at_ms[b->n++] = (uint32_t)at_ms;
}

/* An earlier start of the latest beat: it begins there, or is the beat before; then true. */
static bool beat_advance(struct beats *b, uint64_t start_ns)
{
	uint64_t latest_ns = beats_at_ns(b, b->n - 1U);

	if (b->n < 2 || start_ns >= latest_ns || start_ns + BURST_MS * NS_PER_MS < latest_ns ||
	    start_ns <= beats_at_ns(b, b->n - 2U))
		return false;
	b->at_ms[b->n - 1] = (uint32_t)((start_ns - b->base_ns) / NS_PER_MS);
	if (b->at_ms[b->n - 1] - b->at_ms[b->n - 2] > BURST_MS)
		return false;
	b->n--;
	return true;
}

int beats_add(struct beats *b, uint64_t start_ns, uint64_t *last_ns)
{
	int more = !b->n || start_ns > *last_ns + BURST_MS * NS_PER_MS;

	if (more)
		beat_append(b, start_ns);
	else if (beat_advance(b, start_ns))
		more = -1;
	if (start_ns > *last_ns)
		*last_ns = start_ns;
	return more;
}

void beats_add_size(struct beats *b, uint64_t octets)
{
	b->size[b->next_size] = octets < UINT32_MAX ? (uint32_t)octets : UINT32_MAX;
	b->next_size = (b->next_size + 1) % BEATS_SIZES;
	if (b->n_sizes < BEATS_SIZES)
		b->n_sizes++;
}

static int compare(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return (a > b) - (a < b);
}

static uint32_t middle(const uint32_t *sorted, uint32_t n)
{
	return (uint32_t)(((uint64_t)sorted[(n - 1) / 2] + sorted[n / 2]) / 2);
}

/* Sorts the values; returns their median, and sets *mad to that of the deviations from it. */
static uint32_t median(uint32_t *value, uint32_t n, uint32_t *mad)
{
	uint32_t deviation[BEATS_MAX] = {0}, m;

	qsort(value, n, sizeof(*value), compare);
	m = middle(value, n);
	for (uint32_t i = 0; i < n; i++)
		deviation[i] = value[i] > m ? value[i] - m : m - value[i];
	qsort(deviation, n, sizeof(*deviation), compare);
	*mad = middle(deviation, n);
	return m;
}

/* From what length on an interval is a pause between bursts; UINT32_MAX: there are none. */
static uint32_t pause_of(const uint32_t *interval, uint32_t n)
{
	uint32_t sorted[BEATS_MAX], share = n / BURST_SHARE + 1, at = 0;
	uint64_t most = 0;

	memcpy(sorted, interval, n * sizeof(*sorted));
	qsort(sorted, n, sizeof(*sorted), compare);
	for (uint32_t i = share; i + share <= n; i++) {
		uint64_t times = sorted[i] / (sorted[i - 1] ? sorted[i - 1] : 1);

		if (times <= most)
			continue;
		most = times;
		at = i;
	}
	return most >= PAUSE_TIMES ? sorted[at] : UINT32_MAX;
}

/* Intervals between beats; those of bursts between their first ones. */
static uint32_t intervals_of(const struct beats *b, uint32_t *interval)
{
	uint32_t n = 0, first = 0, pause;

	for (uint32_t i = 1; i < b->n; i++)
		interval[i - 1] = b->at_ms[i] - b->at_ms[i - 1];
	pause = pause_of(interval, b->n - 1U);
	if (pause == UINT32_MAX)
		return b->n - 1U;
	for (uint32_t i = 1; i < b->n; i++) {
		if (b->at_ms[i] - b->at_ms[i - 1] < pause)
			continue;
		if (first) /* what is before the first pause may have begun before */
			interval[n++] = b->at_ms[i] - b->at_ms[first];
		first = i;
	}
	return n;
}

/* Intervals that are twice or three times m count as one with beats missing. */
static uint32_t missed_fold(uint32_t *interval, uint32_t n, uint32_t m)
{
	uint32_t missed = 0;

	for (uint32_t i = 0; i < n && missed < n / MISSED_SHARE; i++)
		for (uint32_t k = 2; k <= MISSED_MAX; k++) {
			int64_t off = (int64_t)interval[i] - (int64_t)k * m;

			if (llabs(off) * MISSED_DEVIATES > m)
				continue;
			interval[i] /= k;
			missed++;
			break;
		}
	return missed;
}

static float variation(const uint32_t *sorted, uint32_t n)
{
	uint32_t off = n / OUTERMOST;
	double sum = 0, squares = 0, mean;

	for (uint32_t i = off; i < n - off; i++) {
		sum += sorted[i];
		squares += (double)sorted[i] * sorted[i];
	}
	n -= 2 * off;
	mean = sum / n;
	if (mean <= 0)
		return 0;
	squares = squares / n - mean * mean;
	return (float)(sqrt(squares > 0 ? squares : 0) / mean);
}

bool beats_measure(const struct beats *b, struct beats_pattern *p)
{
	uint32_t interval[BEATS_MAX], size[BEATS_SIZES], n, mad;

	if (b->n < BEATS_LEAST)
		return false;
	n = intervals_of(b, interval);
	if (n + 1 < BEATS_LEAST)
		return false;
	*p = (struct beats_pattern){.n = n + 1, .size_spread = 1};
	p->median_ms = median(interval, n, &p->mad_ms);
	p->missed = missed_fold(interval, n, p->median_ms);
	if (p->missed)
		p->median_ms = median(interval, n, &p->mad_ms);
	p->cv = variation(interval, n);
	if (b->n_sizes < BEATS_LEAST)
		return true;
	memcpy(size, b->size, sizeof(size));
	n = median(size, b->n_sizes, &mad);
	p->size_spread = n ? (float)mad / (float)n : 1;
	return true;
}

static float lacks(float value, float full)
{
	return value < full ? 1 - value / full : 0;
}

float beats_score(const struct beats_pattern *p, uint64_t span_ns)
{
	float spread = p->median_ms ? (float)p->mad_ms / (float)p->median_ms : 1;
	float lasts = span_ns < SPAN_FULL_NS ? (float)span_ns / (float)SPAN_FULL_NS : 1;

	return 0.35f * lacks(spread, 0.5f) + 0.2f * lacks(p->cv, 1) +
	       0.2f * lacks(p->size_spread, 1) + 0.25f * lasts;
}
