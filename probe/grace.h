/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grace period: after it, every program run that began before has ended, so
 * nobody holds a slot that was marked RETIRING. Takes 8-60 ms, so a helper
 * thread waits for it and the loop is told by an eventfd.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct grace {
	int map_fd; /* ARRAY_OF_MAPS of one element; -1: membarrier only          */
	int inner_fd[2]; /* stored there in turn: the kernel waits before it returns */
	int event_fd; /* readable when a requested grace period is over             */
	int result; /* of the last one: 0 or -errno                               */
	bool is_open;
	bool is_running; /* the thread */
	bool wants_stop;
	bool is_requested;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
};

/*
 * Prepare. map_fd (the ARRAY_OF_MAPS) stays the caller's. Needs CAP_BPF; the
 * grace period itself does not on Linux 6.1 and later: drop capabilities, then
 * try grace_wait() once. Returns 0 or -errno.
 */
int grace_open(struct grace *g, int map_fd);

/*
 * True under PREEMPT_RT, where program runs interleave on a CPU and membarrier
 * is no help; and, to be safe, when the kernel does not tell.
 */
bool grace_is_rt_kernel(void);

/* Begin a grace period in the helper thread; event_fd tells its end. 0 or -errno. */
int grace_request(struct grace *g);

/* Take the result of a finished request: 0 or -errno (then ask again). */
int grace_result(struct grace *g);

/* Wait for one grace period here and now. Returns 0 or -errno. Not on the loop. */
int grace_wait(struct grace *g);

/* Stop the thread (waits for a running grace period) and free; idempotent. */
void grace_close(struct grace *g);
