/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's one event loop: descriptors, timers and signals, all through one
 * epoll descriptor and on one thread. The clock is read once per turn and
 * handed to whoever is called in it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <signal.h>

struct loop;

/*
 * Called when a watched descriptor is ready.
 *
 * now_ns  CLOCK_MONOTONIC at the start of this turn
 * events  EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP
 */
typedef void (*loop_fd_fn)(void *arg, uint64_t now_ns, uint32_t events);
typedef void (*loop_timer_fn)(void *arg, uint64_t now_ns);
typedef void (*loop_signal_fn)(void *arg, int signo);

/*
 * A descriptor in the loop. The caller owns it, keeps it where it is while it
 * is watched, and sets fn and arg before; it may remove and free it in its own
 * callback. A zeroed one is not watched.
 */
struct loop_watch {
	loop_fd_fn fn;
	void *arg;
	int fd; /* the caller's; not closed by the loop */
	bool is_watched;
};

/* A timer in the loop; owned, and fn and arg set, as above. */
struct loop_timer {
	loop_timer_fn fn;
	void *arg;
	struct loop_watch watch;
};

struct loop {
	int epoll_fd;
	uint64_t now_ns; /* CLOCK_MONOTONIC at the start of this turn */
	bool is_open;
	bool is_stopped;
	loop_signal_fn on_signal;
	void *signal_arg;
	struct loop_watch signals;
	sigset_t previous_mask;
};

/*
 * Open the loop and take over SIGTERM, SIGINT and SIGHUP: blocked in this
 * thread, and so in every one it starts later, and handed to on_signal.
 * SIGPIPE is ignored: a reader that went away is an error of write().
 *
 * Returns 0 or -errno, printed.
 */
int loop_open(struct loop *loop, loop_signal_fn on_signal, void *arg);

/* Call what is ready until loop_stop(). Returns 0, or -errno of epoll_wait(). */
int loop_run(struct loop *loop);

/* Let loop_run() return after the callback that is running. */
void loop_stop(struct loop *loop);

/* Close the loop and restore the signal mask. Watches and timers are closed before, by their owners. */
void loop_close(struct loop *loop);

/*
 * Watch fd for events (level-triggered). A watch that is already in the loop
 * takes the new events. Its descriptor may have been closed meanwhile, as by an
 * exporter that connects anew: then the watch moves to the new one, even under
 * the same number, and -1 says that there is none for now.
 *
 * Returns 0 or -errno of epoll_ctl().
 */
int loop_watch_fd(struct loop *loop, struct loop_watch *w, int fd, uint32_t events);

/* Stop watching, before the descriptor is closed; it is never called again. */
void loop_unwatch(struct loop *loop, struct loop_watch *w);

/* Create the timer, disarmed. Returns 0 or -errno. */
int loop_timer_open(struct loop *loop, struct loop_timer *t);

/*
 * Arm or re-arm the timer. Periods that passed unserved are one call.
 *
 * at_ns      CLOCK_MONOTONIC of the first call, the past is now, UINT64_MAX disarms
 * period_ns  between later calls, 0 = once
 */
void loop_timer_set(struct loop_timer *t, uint64_t at_ns, uint64_t period_ns);

void loop_timer_close(struct loop *loop, struct loop_timer *t);
