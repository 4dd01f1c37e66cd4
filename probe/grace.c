/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Grace period by storing a map into an ARRAY_OF_MAPS: the kernel calls
 * synchronize_rcu() before such an update returns (kernel/bpf/syscall.c,
 * maybe_wait_bpf_programs). membarrier(GLOBAL) does the same without any
 * capability, except on PREEMPT_RT and on one CPU, where it may do nothing.
 */
#include "probe/grace.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "probe/log.h"

static int membarrier_call(int command)
{
	return (int)syscall(__NR_membarrier, command, 0, 0);
}

bool grace_is_rt_kernel(void)
{
	struct utsname name;

	return uname(&name) || strstr(name.version, "PREEMPT_RT");
}

/* On one online CPU it is no more than a barrier; under nohz_full it refuses. */
static bool membarrier_is_safe(void)
{
	if (grace_is_rt_kernel())
		return false;
	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return false;
	return membarrier_call(MEMBARRIER_CMD_QUERY) & MEMBARRIER_CMD_GLOBAL;
}

static int grace_by_map(struct grace *g)
{
	static const unsigned int zero;
	int swap = g->inner_fd[0];

	if (g->map_fd < 0)
		return -EBADF;
	g->inner_fd[0] = g->inner_fd[1];
	g->inner_fd[1] = swap;
	return bpf_map_update_elem(g->map_fd, &zero, &g->inner_fd[0], BPF_ANY);
}

int grace_wait(struct grace *g)
{
	int err = grace_by_map(g);

	if (!err)
		return 0;
	if (!membarrier_is_safe())
		return err;
	return membarrier_call(MEMBARRIER_CMD_GLOBAL) ? -errno : 0;
}

static void *grace_thread(void *arg)
{
	struct grace *g = arg;

	pthread_mutex_lock(&g->lock);
	while (!g->wants_stop) {
		static const uint64_t one = 1;
		int result;

		if (!g->is_requested) {
			pthread_cond_wait(&g->wake, &g->lock);
			continue;
		}
		pthread_mutex_unlock(&g->lock);
		result = grace_wait(g);
		pthread_mutex_lock(&g->lock);
		g->result = result;
		g->is_requested = false;
		if (write(g->event_fd, &one, sizeof(one)) != sizeof(one))
			log_errno(-errno, "tell the loop that a grace period is over");
	}
	pthread_mutex_unlock(&g->lock);
	return NULL;
}

static void inner_close(struct grace *g)
{
	for (int i = 0; i < 2; i++)
		if (g->inner_fd[i] > 0)
			close(g->inner_fd[i]);
	if (g->event_fd > 0)
		close(g->event_fd);
	memset(g, 0, sizeof(*g));
}

int grace_open(struct grace *g, int map_fd)
{
	int err;

	g->map_fd = map_fd;
	for (int i = 0; i < 2; i++) {
		g->inner_fd[i] = bpf_map_create(BPF_MAP_TYPE_ARRAY, "xfp_grace_in", 4, 4, 1, NULL);
		if (g->inner_fd[i] < 0) {
			err = g->inner_fd[i];
			inner_close(g);
			return log_errno(err, "create the map of the grace period");
		}
	}
	g->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->event_fd < 0) {
		err = -errno;
		inner_close(g);
		return log_errno(err, "create the eventfd of the grace period");
	}
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->wake, NULL);
	g->is_open = true;
	return 0;
}

/* At the first request, so that the thread has the capabilities that are left then. */
static int thread_start(struct grace *g)
{
	int err = -pthread_create(&g->thread, NULL, grace_thread, g);

	if (err)
		return log_errno(err, "start the thread of the grace period");
	g->is_running = true;
	return 0;
}

int grace_request(struct grace *g)
{
	int err = g->is_running ? 0 : thread_start(g);

	if (err)
		return err;
	pthread_mutex_lock(&g->lock);
	g->is_requested = true;
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
	return 0;
}

int grace_result(struct grace *g)
{
	uint64_t count;
	int result;

	if (read(g->event_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return -errno;
	pthread_mutex_lock(&g->lock);
	result = g->result;
	pthread_mutex_unlock(&g->lock);
	return result;
}

static void thread_stop(struct grace *g)
{
	pthread_mutex_lock(&g->lock);
	g->wants_stop = true;
	pthread_cond_signal(&g->wake);
	pthread_mutex_unlock(&g->lock);
	pthread_join(g->thread, NULL);
}

void grace_close(struct grace *g)
{
	if (!g->is_open)
		return;
	if (g->is_running)
		thread_stop(g);
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->wake);
	inner_close(g);
}
