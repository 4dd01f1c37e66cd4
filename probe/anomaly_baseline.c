/* SPDX-License-Identifier: BSD-2-Clause */
/* Rates of a week. See anomaly_baseline.h. */
#include "probe/anomaly_baseline.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#define STEPS	    6 /* of a level to twice the rate: to 6 %, 4e12 a second at most */
#define UNKNOWN	    UINT8_MAX
#define USUAL_PCT   95
#define SETTLED	    72 /* bins above zero that nobody takes a place from: half a day */
#define BIN_SECONDS ((float)BASELINE_BIN_S)

static uint8_t level_of(float rate)
{
	float level = STEPS * log2f(1 + rate);

	return level < UNKNOWN - 1 ? (uint8_t)lroundf(level) : UNKNOWN - 1;
}

static float rate_of(uint8_t level)
{
	return exp2f((float)level / STEPS) - 1;
}

static uint32_t bin_of(uint64_t now_ns)
{
	return (uint32_t)(now_ns / BASELINE_BIN_NS) + 1;
}

/* Completed bins that something could be known of. */
static uint32_t known_bins(const struct baselines *t, uint32_t bin)
{
	uint32_t n = t->first_bin && bin > t->first_bin ? bin - t->first_bin : 0;

	return n < BASELINE_BINS ? n : BASELINE_BINS;
}

/* Count the past anew: what is known of it, and what 95 of 100 were not above. */
static void look_back(struct baseline *b, uint32_t n)
{
	uint16_t of[UNKNOWN + 1] = {0};
	uint32_t rank, seen = 0, level = 0;

	for (uint32_t back = 1; back <= n; back++)
		of[b->past[(b->bin - back) % BASELINE_BINS]]++;
	b->n_known = (uint16_t)(n - of[UNKNOWN]);
	b->n_active = (uint16_t)(b->n_known - of[0]);
	b->usual = 0;
	if (!b->n_known)
		return;
	rank = b->n_known > 1 ? b->n_known * USUAL_PCT / 100U : 1;
	for (; level < UNKNOWN - 1; level++) {
		seen += of[level];
		if (seen >= rank)
			break;
	}
	b->usual = (uint8_t)level;
}

/* Time that runs backwards is in the bin that goes on. */
static void turn(const struct baselines *t, struct baseline *b, uint32_t bin)
{
	if (bin <= b->bin)
		return;
	b->past[b->bin % BASELINE_BINS] = b->is_odd ? UNKNOWN : level_of(b->sum / BIN_SECONDS);
	if (bin - b->bin > BASELINE_BINS)
		memset(b->past, 0, sizeof(b->past));
	else
		for (uint32_t i = b->bin + 1; i < bin; i++)
			b->past[i % BASELINE_BINS] = 0;
	b->bin = bin;
	b->sum = 0;
	b->is_odd = false;
	look_back(b, known_bins(t, bin));
}

static struct baseline *find(struct baselines *t, uint64_t name)
{
	uint32_t set = name % BASELINE_SETS * BASELINE_WAYS;

	for (uint32_t i = set; i < set + BASELINE_WAYS; i++)
		if (t->name[i] == name)
			return &t->of[i];
	return NULL;
}

static struct baseline *make(struct baselines *t, uint64_t name, uint32_t bin)
{
	uint32_t set = name % BASELINE_SETS * BASELINE_WAYS, least = set;

	for (uint32_t i = set; i < set + BASELINE_WAYS && t->name[least]; i++) {
		turn(t, &t->of[i], bin);
		if (!t->name[i] || t->of[i].n_active < t->of[least].n_active)
			least = i;
	}
	if (t->name[least] && t->of[least].n_active >= SETTLED)
		return NULL;
	t->name[least] = name;
	t->of[least] = (struct baseline){.bin = bin, .n_known = (uint16_t)known_bins(t, bin)};
	return &t->of[least];
}

void baselines_begin(struct baselines *t, uint64_t now_ns)
{
	if (!t->first_bin) /* of the one that goes on only a part could be known */
		t->first_bin = bin_of(now_ns + BASELINE_BIN_NS - 1);
}

bool baselines_are_learning(const struct baselines *t, uint64_t now_ns, uint32_t learn_s)
{
	return known_bins(t, bin_of(now_ns)) * BIN_SECONDS < (float)learn_s;
}

struct baseline_usual baselines_usual(struct baselines *t, uint64_t name, uint64_t now_ns,
				      uint32_t learn_s)
{
	struct baseline *b = find(t, name);
	struct baseline_usual usual = {.is_learning = baselines_are_learning(t, now_ns, learn_s)};

	if (!b)
		return usual;
	turn(t, b, bin_of(now_ns));
	usual.rate = rate_of(b->usual);
	usual.is_learning = (float)b->n_known * BIN_SECONDS < (float)learn_s;
	return usual;
}

void baselines_note(struct baselines *t, uint64_t name, uint64_t now_ns, float amount, bool is_odd,
		    bool is_worth)
{
	uint32_t bin = bin_of(now_ns);
	struct baseline *b = find(t, name);

	if (!b && is_worth)
		b = make(t, name, bin);
	if (!b)
		return;
	turn(t, b, bin);
	b->sum += amount;
	b->is_odd |= is_odd;
}
