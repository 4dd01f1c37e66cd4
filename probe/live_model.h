/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the learning detector of a live run has learned, kept over restarts: loaded at
 * the start, saved every anomaly.learning.save_s and at the end. A disk may take its
 * time, so a thread writes; it gets a copy and touches nothing else.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/anomaly.h"
#include "probe/loop.h"

struct live_model {
	struct loop_timer timer;
	const struct learning_config *cfg; /* in force */
	struct anomaly *anomaly; /* NULL: not looked for */
	uint64_t saved_ns; /* begun last, of the monotonic clock */
	uint64_t saves; /* done */
	uint64_t failed;
	pthread_t thread;
	bool is_writing;
	atomic_bool is_written;
	int err; /* of what is written */
	size_t n_octets;
	uint8_t *octets;
	char path[LEARNING_PATH_MAX];
};

/*
 * Load, and save from now on. cfg and anomaly stay the caller's.
 * Returns 0 or -errno, printed.
 */
int live_model_open(struct live_model *m, struct loop *loop, const struct learning_config *cfg,
		    struct anomaly *anomaly, uint64_t now_ns);

/* The detector has been switched on by another configuration: go on from the file. */
void live_model_load(struct live_model *m);

/*
 * Another configuration may end the detector, or give it another file: save beside the
 * loop what it has learned. To be called while the old one is in force.
 */
void live_model_leave(struct live_model *m, uint64_t now_ns);

/* Save a last time; returns when it is on the disk, or cannot be, which is printed. */
void live_model_finish(struct live_model *m);

/* Wait for what is written, and free all; idempotent. */
void live_model_close(struct live_model *m, struct loop *loop);
