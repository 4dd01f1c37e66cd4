/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The model file's octets. See anomaly_model.h. One walk over all that is learned both
 * writes and reads, so that they cannot differ.
 */
#include "probe/anomaly_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "probe/anomaly_learning.h"

#define HEAD_OCTETS 20 /* magic, version, length, checksum */

static const uint8_t magic[8] = {'x', 'f', 'l', 'o', 'w', 'M', 'D', 'L'};

/* Where the walk is; `end` is that of what is read, or of the room. */
struct walk {
	uint8_t *at;
	const uint8_t *end;
	bool is_writing;
	bool is_bad; /* more than there is, or no number that can be */
};

static void walk_octets(struct walk *w, void *octets, size_t n)
{
	if (w->is_bad || (size_t)(w->end - w->at) < n) {
		w->is_bad = true;
		return;
	}
	if (w->is_writing)
		memcpy(w->at, octets, n);
	else
		memcpy(octets, w->at, n);
	w->at += n;
}

static void walk_number(struct walk *w, void *number, size_t n, uint64_t value)
{
	uint8_t octets[8];

	for (size_t i = 0; i < n; i++)
		octets[i] = (uint8_t)(value >> 8 * (n - 1 - i));
	walk_octets(w, octets, n);
	value = 0;
	for (size_t i = 0; i < n; i++)
		value = value << 8 | octets[i];
	if (w->is_writing || w->is_bad)
		return;
	if (n == 8)
		*(uint64_t *)number = value;
	else if (n == 4)
		*(uint32_t *)number = (uint32_t)value;
	else if (n == 2)
		*(uint16_t *)number = (uint16_t)value;
	else
		*(uint8_t *)number = (uint8_t)value;
}

#define WALK(w, number) walk_number(w, &(number), sizeof(number), number)

static void walk_real(struct walk *w, float *real)
{
	uint32_t bits;

	memcpy(&bits, real, sizeof(bits));
	WALK(w, bits);
	memcpy(real, &bits, sizeof(bits));
	if (!isfinite(*real))
		w->is_bad = true;
}

static void walk_reals(struct walk *w, float *reals, size_t n)
{
	for (size_t i = 0; i < n && !w->is_bad; i++)
		walk_real(w, &reals[i]);
}

static void bound(struct walk *w, uint64_t number, uint64_t most)
{
	if (number > most)
		w->is_bad = true;
}

static void walk_tail(struct walk *w, struct tail *t)
{
	WALK(w, t->n);
	WALK(w, t->n_peaks);
	WALK(w, t->n_faded);
	bound(w, t->n, TAIL_MOST);
	bound(w, t->n_peaks, TAIL_PEAKS);
	/* the tenth of those seen are to be there */
	if (tail_is_known(t))
		bound(w, TAIL_LEAST / 10 + 1, t->n_peaks);
	if (!w->is_bad)
		walk_reals(w, t->peak, t->n_peaks);
	for (uint32_t i = 1; i < t->n_peaks && !w->is_bad; i++)
		if (t->peak[i] > t->peak[i - 1])
			w->is_bad = true;
}

static void walk_masses(struct walk *w, uint16_t masses[][HALF_SPACE_NODES])
{
	for (int tree = 0; tree < HALF_SPACE_TREES; tree++)
		for (int i = 0; i < HALF_SPACE_NODES; i++) {
			WALK(w, masses[tree][i]);
			bound(w, masses[tree][i], HALF_SPACE_WINDOW);
		}
}

static void walk_bool(struct walk *w, bool *b)
{
	uint8_t octet = *b;

	WALK(w, octet);
	bound(w, octet, 1);
	*b = octet == 1;
}

static void walk_space(struct walk *w, struct half_space *h)
{
	uint32_t sum = 0;

	walk_bool(w, &h->is_known);
	WALK(w, h->n);
	bound(w, h->n, HALF_SPACE_WINDOW - 1);
	WALK(w, h->n_scores);
	for (int i = 0; i < HALF_SPACE_BINS; i++) {
		WALK(w, h->scores[i]);
		sum += h->scores[i];
	}
	if (sum != h->n_scores)
		w->is_bad = true;
	if (!h->is_known && !h->n)
		return; /* nothing else */
	walk_masses(w, h->before);
	walk_masses(w, h->now);
}

static void walk_slot(struct walk *w, struct learning_slot *slot)
{
	WALK(w, slot->days);
	if (!slot->days)
		return;
	walk_reals(w, slot->centre, LEARNING_FEATURES);
	walk_reals(w, slot->spread, LEARNING_FEATURES);
}

/* What goes on in this minute is not part of it: a streak begins anew. */
static void walk_past(struct walk *w, struct learning_past *p)
{
	WALK(w, p->n_windows);
	WALK(w, p->latest_min);
	WALK(w, p->in_slot);
	WALK(w, p->n);
	WALK(w, p->at);
	WALK(w, p->n_odd);
	bound(w, p->n, ROBUST_MAX);
	bound(w, p->at, p->n < ROBUST_MAX ? p->n : ROBUST_MAX - 1);
	bound(w, p->n, p->n_windows);
	if (w->is_bad)
		return;
	for (int i = 0; i < LEARNING_FEATURES; i++)
		walk_octets(w, p->level[i], p->n);
	for (int i = 0; i < LEARNING_SLOTS && !w->is_bad; i++)
		walk_slot(w, &p->slot[i]);
}

static void walk_classes(struct walk *w, struct learned *learned)
{
	WALK(w, learned->seed);
	WALK(w, learned->window_min);
	WALK(w, learned->trained);
	for (int class = 0; class <= LEARNING_CLASSES; class ++) {
		for (int i = 0; i < LEARNING_FEATURES; i++)
			walk_tail(w, &learned->of[class].tail[i]);
		walk_space(w, &learned->of[class].space);
	}
}

size_t anomaly_model_max(void)
{
	return HEAD_OCTETS + sizeof(struct learned);
}

static void put32(uint8_t *p, uint64_t value)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> 8 * (3 - i));
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Of all behind the head, and of the length in it. */
static uint32_t checksum(const uint8_t *octets, size_t n)
{
	uLong sum = crc32(0, octets + 12, 4);

	return (uint32_t)crc32(sum, octets + HEAD_OCTETS, (uInt)(n - HEAD_OCTETS));
}

size_t anomaly_model_save(const struct anomaly *a, uint8_t *octets)
{
	struct learning *l = a->state[DETECTOR_learning];
	struct walk w = {octets + HEAD_OCTETS, octets + anomaly_model_max(), true, false};
	uint32_t n_hosts = 0;
	size_t n;

	if (!l)
		return 0;
	for (int i = 0; i < LEARNING_HOSTS; i++)
		n_hosts += l->name[i] && l->learned.past[i].n_windows;
	walk_classes(&w, &l->learned);
	WALK(&w, n_hosts);
	for (int i = 0; i < LEARNING_HOSTS; i++) {
		if (!l->name[i] || !l->learned.past[i].n_windows)
			continue;
		walk_octets(&w, &l->learned.host[i], sizeof(l->learned.host[i]));
		walk_past(&w, &l->learned.past[i]);
	}
	n = (size_t)(w.at - octets);
	memcpy(octets, magic, sizeof(magic));
	put32(octets + 8, ANOMALY_MODEL_VERSION);
	put32(octets + 12, n - HEAD_OCTETS);
	put32(octets + 16, checksum(octets, n));
	return n;
}

static const char *head_fault(const uint8_t *octets, size_t n)
{
	if (n > anomaly_model_max())
		return "it is larger than any model";
	if (n < sizeof(magic) || memcmp(octets, magic, sizeof(magic)) != 0)
		return "it is no model of this probe";
	if (n < HEAD_OCTETS)
		return "it is cut off";
	if (get32(octets + 8) != ANOMALY_MODEL_VERSION)
		return "it is of another version of the probe";
	if (get32(octets + 12) > n - HEAD_OCTETS)
		return "it is cut off";
	if (get32(octets + 12) < n - HEAD_OCTETS)
		return "there is more in it than a model";
	if (get32(octets + 16) != checksum(octets, n))
		return "it is damaged: its checksum is wrong";
	return NULL;
}

/* Hosts go to the places that this run's secret gives them; who finds none is forgotten. */
static void hosts_load(const struct anomaly *a, struct walk *w, struct learning *l)
{
	static struct learning_past past;
	uint32_t n_hosts = 0;

	WALK(w, n_hosts);
	bound(w, n_hosts, LEARNING_HOSTS);
	for (uint32_t i = 0; i < n_hosts && !w->is_bad; i++) {
		struct host host = {{0}};
		int at;

		memset(&past, 0, sizeof(past));
		walk_octets(w, &host, sizeof(host));
		walk_past(w, &past);
		if (w->is_bad)
			return;
		at = learning_place(a, l, &host);
		if (at >= 0)
			l->learned.past[at] = past;
	}
	if (w->at != w->end)
		w->is_bad = true;
}

int anomaly_model_load(struct anomaly *a, const uint8_t *octets, size_t n, const char **why)
{
	/* reading, the walk writes nothing through it */
	struct walk w = {(uint8_t *)(uintptr_t)octets + HEAD_OCTETS, octets + n, false, false};
	struct learning *l;

	*why = "nothing is learned by configuration";
	if (!a->state[DETECTOR_learning])
		return -EINVAL;
	*why = head_fault(octets, n);
	if (*why)
		return -EINVAL;
	*why = "there is no memory for it";
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	walk_classes(&w, &l->learned);
	hosts_load(a, &w, l);
	/* who has seen nothing has drawn nothing */
	if (w.is_bad || (!l->learned.seed && l->learned.trained)) {
		free(l);
		*why = "what is in it cannot be";
		return -EINVAL;
	}
	if (l->learned.seed)
		learning_draw(l, l->learned.seed);
	l->slot = learning_slot_of((uint64_t)l->learned.window_min * 60000);
	free(a->state[DETECTOR_learning]);
	a->state[DETECTOR_learning] = l;
	*why = NULL;
	return 0;
}
