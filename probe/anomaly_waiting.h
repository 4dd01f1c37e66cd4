/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For every source, roughly, how many of its contacts wait for an answer, how many got
 * one lately, and how often ICMP told it of something unreachable. Sources share
 * counters by hash: bounded, whatever their number; a neighbour's counts can only make
 * a judgement come a little early.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define WAITING_SLOTS 65536

struct waiting {
	uint64_t n_pending; /* of all sources */
	uint64_t halved_ns; /* counts that fade were halved last */
	struct {
		uint32_t pending;
		uint32_t answered; /* fades */
		uint32_t unreachable; /* fades */
	} of[WAITING_SLOTS];
};

/* A contact of the source with that hash waits for an answer from now on. */
void waiting_begin(struct waiting *w, uint64_t hash);
/* It waits no more: an answer came, or none in time. Once for each waiting_begin(). */
void waiting_end(struct waiting *w, uint64_t hash, bool is_answered);
/* So many ICMP messages told the source that something could not be reached. */
void waiting_unreachable(struct waiting *w, uint64_t hash, uint64_t packets);
/* How many of them lately. */
uint32_t waiting_unreachables(const struct waiting *w, uint64_t hash);

/* True for a source that waits for forty and more and gets an answer to less than a third. */
bool waiting_is_crowded(const struct waiting *w, uint64_t hash);

/*
 * True for a source that is crowded, or that is told that ten could not be reached: its silence need not be
 * waited for as long.
 */
bool waiting_is_hasty(const struct waiting *w, uint64_t hash);

/* Time is now_ns: what fades is halved every two minutes. */
void waiting_fade(struct waiting *w, uint64_t now_ns);
