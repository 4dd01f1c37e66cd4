/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One epoll descriptor, timerfd for timers, signalfd for signals. Each turn
 * takes one event: what a callback removes or frees can then never be called
 * from a stale list, and epoll itself goes round the ready ones.
 */
#include "probe/loop.h"

#include <assert.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "probe/clock.h"
#include "probe/log.h"

static struct timespec timespec_of_ns(uint64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S),
				 .tv_nsec = (long)(ns % NS_PER_S)};
}

static void take_signal(void *arg, uint64_t now_ns, uint32_t events)
{
	struct loop *loop = arg;
	struct signalfd_siginfo info;

	(void)now_ns;
	(void)events;
	if (read(loop->signals.fd, &info, sizeof(info)) == sizeof(info))
		loop->on_signal(loop->signal_arg, (int)info.ssi_signo);
}

static int open_signals(struct loop *loop)
{
	sigset_t set;
	int fd, err;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	loop->signals = (struct loop_watch){.fn = take_signal, .arg = loop};
	err = loop_watch_fd(loop, &loop->signals, fd, EPOLLIN);
	if (err) {
		close(fd);
		return err;
	}
	pthread_sigmask(SIG_BLOCK, &set, &loop->previous_mask);
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int loop_open(struct loop *loop, loop_signal_fn on_signal, void *arg)
{
	int err, fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return log_errno(-errno, "create the event loop");
	*loop = (struct loop){.epoll_fd = fd, .on_signal = on_signal, .signal_arg = arg};
	loop->now_ns = clock_monotonic_ns();
	err = open_signals(loop);
	if (err) {
		close(fd);
		return log_errno(err, "take signals into the event loop");
	}
	loop->is_open = true;
	return 0;
}

int loop_run(struct loop *loop)
{
	loop->is_stopped = false;
	while (!loop->is_stopped) {
		struct epoll_event event;
		int n = epoll_wait(loop->epoll_fd, &event, 1, -1);

		if (n < 0 && errno != EINTR)
			return log_errno(-errno, "wait for events");
		if (n < 1)
			continue;
		struct loop_watch *w = event.data.ptr;

		loop->now_ns = clock_monotonic_ns();
		w->fn(w->arg, loop->now_ns, event.events);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

void loop_close(struct loop *loop)
{
	if (!loop->is_open)
		return;
	close(loop->signals.fd);
	close(loop->epoll_fd);
	pthread_sigmask(SIG_SETMASK, &loop->previous_mask, NULL);
	*loop = (struct loop){0};
}

int loop_watch_fd(struct loop *loop, struct loop_watch *w, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = w};
	bool is_known = w->is_watched && w->fd == fd;

	assert(w->fn);
	w->is_watched = false; /* what is closed has left the epoll set by itself */
	if (fd < 0)
		return 0;
	if ((!is_known || epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) < 0) &&
	    epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	w->fd = fd;
	w->is_watched = true;
	return 0;
}

void loop_unwatch(struct loop *loop, struct loop_watch *w)
{
	if (!w->is_watched)
		return;
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->is_watched = false;
}

static void take_timer(void *arg, uint64_t now_ns, uint32_t events)
{
	struct loop_timer *t = arg;
	uint64_t n_expirations;

	(void)events;
	if (read(t->watch.fd, &n_expirations, sizeof(n_expirations)) == sizeof(n_expirations))
		t->fn(t->arg, now_ns);
}

int loop_timer_open(struct loop *loop, struct loop_timer *t)
{
	int err, fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	t->watch = (struct loop_watch){.fn = take_timer, .arg = t};
	err = loop_watch_fd(loop, &t->watch, fd, EPOLLIN);
	if (err)
		close(fd);
	return err;
}

void loop_timer_set(struct loop_timer *t, uint64_t at_ns, uint64_t period_ns)
{
	struct itimerspec spec = {0}; /* all 0 disarms, so "at once" is 1 ns after boot */

	if (at_ns != UINT64_MAX) {
		spec.it_value = timespec_of_ns(at_ns ? at_ns : 1);
		spec.it_interval = timespec_of_ns(period_ns);
	}
	timerfd_settime(t->watch.fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void loop_timer_close(struct loop *loop, struct loop_timer *t)
{
	if (!t->watch.is_watched)
		return;
	loop_unwatch(loop, &t->watch);
	close(t->watch.fd);
}
