/* SPDX-License-Identifier: BSD-2-Clause */
/* Who waits for how many answers. See anomaly_waiting.h. */
#include "probe/anomaly_waiting.h"

#define HASTY_PENDING	  40
#define HASTY_UNREACHABLE 10
#define FADE_NS		  120000000000ULL

void waiting_begin(struct waiting *w, uint64_t hash)
{
	w->n_pending++;
	w->of[hash % WAITING_SLOTS].pending++;
}

void waiting_end(struct waiting *w, uint64_t hash, bool is_answered)
{
	w->n_pending--;
	w->of[hash % WAITING_SLOTS].pending--;
	w->of[hash % WAITING_SLOTS].answered += is_answered;
}

void waiting_unreachable(struct waiting *w, uint64_t hash, uint64_t packets)
{
	uint32_t *n = &w->of[hash % WAITING_SLOTS].unreachable;

	*n = packets > UINT32_MAX - *n ? UINT32_MAX : *n + (uint32_t)packets;
}

uint32_t waiting_unreachables(const struct waiting *w, uint64_t hash)
{
	return w->of[hash % WAITING_SLOTS].unreachable;
}

bool waiting_is_crowded(const struct waiting *w, uint64_t hash)
{
	uint32_t pending = w->of[hash % WAITING_SLOTS].pending;
	uint32_t answered = w->of[hash % WAITING_SLOTS].answered;

	return pending >= HASTY_PENDING && pending / 2 > answered;
}

bool waiting_is_hasty(const struct waiting *w, uint64_t hash)
{
	return waiting_is_crowded(w, hash) ||
	       w->of[hash % WAITING_SLOTS].unreachable >= HASTY_UNREACHABLE;
}

void waiting_fade(struct waiting *w, uint64_t now_ns)
{
	if (now_ns - w->halved_ns < FADE_NS)
		return;
	w->halved_ns = now_ns;
	for (uint32_t i = 0; i < WAITING_SLOTS; i++) {
		w->of[i].answered /= 2;
		w->of[i].unreachable /= 2;
	}
}
