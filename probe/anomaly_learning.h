/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the parts of the learning detector: counts of a minute (anomaly_learning_count.c),
 * what is usual of each host (anomaly_learning_past.c), the judgement
 * (anomaly_learning.c) and the model that outlives a run (anomaly_model.c).
 *
 * Hosts of ours are followed, 2048 at most.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly_private.h"
#include "probe/half_space.h"
#include "probe/learning_feature.h"
#include "probe/robust.h"
#include "probe/tail.h"

#define LEARNING_SETS	    256
#define LEARNING_WAYS	    8
#define LEARNING_HOSTS	    (LEARNING_SETS * LEARNING_WAYS)
#define LEARNING_NEAR_SHIFT 52 /* 4096 of them */
#define LEARNING_SLOTS	    48 /* hours of a day, of working days and of weekends */
#define LEARNING_CLASSES    8 /* of hosts: by how much they have to do, and which way */
#define LEARNING_WINDOW_S   60
#define LEARNING_LEAST	    60 /* windows of a host before it is judged */
#define LEARNING_WORDS	    4 /* of a bitmap of peers, and of services: 1400 at most */

enum learning_way {
	LEARNING_OUT,
	LEARNING_IN,
	LEARNING_BOTH_WAYS,
};

/* A host in the minute that goes on. What each sweep touches is in one cache line. */
struct learning_count {
	struct host host;
	uint64_t octets[LEARNING_BOTH_WAYS];
	uint64_t packets[LEARNING_BOTH_WAYS];
	uint32_t flows; /* new ones */
	uint32_t in_second; /* packets since the last second */
	uint16_t point[LEARNING_BOTH_WAYS]; /* that saw that way first, + 1; 0: none */
	bool is_suspect; /* examples are kept */

	uint64_t peers[LEARNING_WORDS];
	uint64_t services[LEARNING_WORDS];
	uint32_t dns;
	uint32_t contacts;
	uint32_t failed;
	float seconds_sum; /* packets of seconds, and their squares */
	float seconds_squares;
	uint32_t first_min; /* of what is suspect, Unix time in minutes */
	uint64_t last_ns;
	struct example example[ANOMALY_TARGETS];
};

/* An hour of the week, by feature. */
struct learning_slot {
	uint32_t days; /* learned from */
	float centre[LEARNING_FEATURES]; /* scaled */
	float spread[LEARNING_FEATURES];
};

/* What is usual of a host. */
struct learning_past {
	uint32_t n_windows; /* learned, stays at its greatest */
	uint32_t latest_min; /* Unix time of the latest, in minutes */
	uint32_t in_slot; /* windows learned since the slot began */
	uint8_t n; /* in level[], ROBUST_MAX at most */
	uint8_t at; /* where the next one goes: the oldest, once full */
	uint8_t n_odd; /* odd windows since one of them was learned */
	uint8_t streak; /* odd windows in a row */
	bool is_struck; /* it began with what came in */
	uint8_t level[LEARNING_FEATURES][ROBUST_MAX];
	struct learning_slot slot[LEARNING_SLOTS];
};

/* What hosts of a kind have in common. */
struct learning_class {
	struct tail tail[LEARNING_FEATURES]; /* of z-scores */
	struct half_space space;
};

/* All that is learned: what the model file holds. */
struct learned {
	uint64_t seed; /* of the trees */
	uint32_t window_min; /* the minute that goes on, or was the last, Unix time */
	uint32_t trained; /* windows with traffic, of all hosts together */
	struct host host[LEARNING_HOSTS];
	struct learning_past past[LEARNING_HOSTS];
	struct learning_class of[LEARNING_CLASSES + 1]; /* the last: of all hosts, tails only */
};

struct learning {
	uint32_t slot; /* hour of the week of the minute that goes on, or was the last */
	bool has_traffic; /* in the minute; false: none goes on */
	uint64_t active[PLACES_WORDS(LEARNING_HOSTS)]; /* in this window */
	uint64_t touched[PLACES_WORDS(LEARNING_HOSTS)]; /* in this second */
	uint32_t name[LEARNING_HOSTS]; /* from the hash; 0: free */
	uint16_t near[1 << (64 - LEARNING_NEAR_SHIFT)]; /* places by a quick hash, the latest */
	struct learning_count count[LEARNING_HOSTS];
	float threshold[LEARNING_CLASSES + 1][LEARNING_FEATURES]; /* of this window; 0: not known */
	uint64_t involved[PLACES_WORDS(LEARNING_HOSTS)]; /* in what other detectors found */
	struct half_space_trees trees;
	struct learned learned;
};

/* A window of a host, as it is judged. */
struct learning_verdict {
	float x[LEARNING_FEATURES]; /* scaled */
	float centre[LEARNING_FEATURES];
	float spread[LEARNING_FEATURES];
	float z[LEARNING_FEATURES];
	float threshold[LEARNING_FEATURES]; /* z-score; 0: not known */
	float point[LEARNING_FEATURES]; /* of space */
	float score;
	uint32_t n_odd; /* features beyond their threshold */
	uint8_t top[LEARNING_FEATURES]; /* of these, from the oddest on */
	uint8_t class;
	bool is_judged; /* enough is known to judge */
	bool is_odd;
	bool is_doubtful; /* no lesson: something is odd, or was just now */
};

/* Count what is new of the Flow, and a contact. */
void learning_count_flow(struct anomaly *a, struct learning *l, const struct anomaly_flow *flow);
void learning_count_contact(struct anomaly *a, struct learning *l, const struct anomaly_flow *flow,
			    const struct contact *contact);

/* The first packet of a minute. */
void learning_window_begin(const struct anomaly *a, struct learning *l);

/* Draw the trees of space. */
void learning_draw(struct learning *l, uint64_t seed);

/* A second is over. */
void learning_count_second(struct learning *l);

/* What was counted as features, scaled. */
void learning_count_features(const struct learning_count *c, float *x);

/* Forget what was counted; the host stays. */
void learning_count_clear(struct learning_count *c);

/* The place of a host; -1: it has none. */
int learning_find(const struct anomaly *a, const struct learning *l, const struct host *host);

/* The same, if need be that of a host of which little is known, or nothing for a day. */
int learning_place(const struct anomaly *a, struct learning *l, const struct host *host);

/* Thresholds of all classes, by their tails so far; `deviation` at least. */
void learning_thresholds(struct learning *l, float deviation);

/* Judge a window of a host: fill in all of *v from v->x. */
void learning_judge(const struct learning *l, const struct learning_past *p,
		    struct learning_verdict *v);

/* Take a window over into what is usual, of doubtful ones the tenth, and never whole. */
void learning_take(struct learning *l, struct learning_past *p, const struct learning_verdict *v);

/* The hour of the week is over: what the host did in it is kept for the next. */
void learning_slot_end(struct learning_past *p, uint32_t slot);

/* Which hour of the week: of working days 0 .. 23, of weekends 24 .. 47. UTC. */
uint32_t learning_slot_of(uint64_t unix_ms);

/* True once enough windows were seen, of all hosts, to judge any. */
bool learning_is_trained(const struct learning *l, uint32_t training_s);

/* How far it is, for the operator. */
void learning_stats(const struct anomaly *a, struct anomaly_learning_stats *stats);
