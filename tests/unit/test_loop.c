/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop with real descriptors. Nothing waits on the wall clock: timers
 * are armed for the past or the next millisecond, and callbacks end the run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "probe/loop.h"

struct seen {
	struct loop loop;
	struct loop_watch *peer; /* unwatched by the callback of the other */
	struct loop_timer timer;
	int n_calls;
	int n_wanted;
	int signo;
	uint64_t now_ns;
};

static void count_call(struct seen *s, uint64_t now_ns)
{
	assert_true(now_ns >= s->now_ns);
	assert_int_equal(now_ns, s->loop.now_ns);
	s->now_ns = now_ns;
	if (++s->n_calls == s->n_wanted)
		loop_stop(&s->loop);
}

static void take_signal(void *arg, int signo)
{
	struct seen *s = arg;

	s->signo = signo;
	loop_stop(&s->loop);
}

static void take_descriptor(void *arg, uint64_t now_ns, uint32_t events)
{
	struct seen *s = arg;

	assert_true(events & (EPOLLIN | EPOLLOUT));
	if (s->peer)
		loop_unwatch(&s->loop, s->peer);
	count_call(s, now_ns);
}

static void take_timer(void *arg, uint64_t now_ns)
{
	count_call(arg, now_ns);
}

static void test_each_signal_is_handed_on(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct seen s = {0};

		assert_int_equal(loop_open(&s.loop, take_signal, &s), 0);
		raise(signals[i]);
		assert_int_equal(loop_run(&s.loop), 0);
		assert_int_equal(s.signo, signals[i]);
		loop_close(&s.loop);
		loop_close(&s.loop);
	}
}

static void test_signal_mask_is_restored_by_close(void **state)
{
	struct seen s = {0};
	sigset_t mask;

	(void)state;
	assert_int_equal(loop_open(&s.loop, take_signal, &s), 0);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_true(sigismember(&mask, SIGTERM));
	loop_close(&s.loop);
	pthread_sigmask(SIG_BLOCK, NULL, &mask);
	assert_false(sigismember(&mask, SIGTERM));
}

static void test_ready_descriptor_is_called_until_it_is_unwatched(void **state)
{
	struct seen s = {.n_wanted = 3};
	struct loop_watch w = {.fn = take_descriptor, .arg = &s};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(loop_open(&s.loop, take_signal, &s), 0);
	assert_int_equal(loop_watch_fd(&s.loop, &w, ends[0], EPOLLIN), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 3);
	loop_unwatch(&s.loop, &w);
	loop_unwatch(&s.loop, &w);
	raise(SIGTERM);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 3);
	loop_close(&s.loop);
	close(ends[0]);
	close(ends[1]);
}

static void test_watch_removed_by_another_callback_is_not_called(void **state)
{
	struct seen a = {.n_wanted = 1}, b = {.n_wanted = 1};
	struct loop_watch wa = {.fn = take_descriptor, .arg = &a};
	struct loop_watch wb = {.fn = take_descriptor, .arg = &b};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(loop_open(&a.loop, take_signal, &a), 0);
	a.peer = &wb;
	assert_int_equal(loop_watch_fd(&a.loop, &wa, ends[0], EPOLLIN), 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	/* both ready from here on; the reading end became so first and is served first */
	assert_int_equal(loop_watch_fd(&a.loop, &wb, ends[1], EPOLLOUT), 0);
	assert_int_equal(loop_run(&a.loop), 0);
	assert_int_equal(a.n_calls, 1);
	assert_int_equal(b.n_calls, 0);
	assert_false(wb.is_watched);
	loop_unwatch(&a.loop, &wa);
	loop_close(&a.loop);
	close(ends[0]);
	close(ends[1]);
}

static void test_events_of_a_watch_can_be_changed(void **state)
{
	struct seen s = {.n_wanted = 1};
	struct loop_watch w = {.fn = take_descriptor, .arg = &s};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(loop_open(&s.loop, take_signal, &s), 0);
	assert_int_equal(loop_watch_fd(&s.loop, &w, ends[1], EPOLLOUT), 0);
	assert_int_equal(loop_watch_fd(&s.loop, &w, ends[1], 0), 0);
	raise(SIGTERM);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 0);
	assert_int_equal(loop_watch_fd(&s.loop, &w, ends[1], EPOLLOUT), 0);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 1);
	loop_unwatch(&s.loop, &w);
	loop_close(&s.loop);
	close(ends[0]);
	close(ends[1]);
}

static void test_watch_follows_a_descriptor_that_was_replaced(void **state)
{
	struct seen s = {.n_wanted = 1};
	struct loop_watch w = {.fn = take_descriptor, .arg = &s};
	int ends[2], same;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(loop_open(&s.loop, take_signal, &s), 0);
	assert_int_equal(loop_watch_fd(&s.loop, &w, ends[0], EPOLLIN), 0);
	/* another descriptor under the same number, ready for writing */
	close(ends[0]);
	same = dup2(ends[1], ends[0]);
	close(ends[1]);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(dup2(ends[1], same), same);
	assert_int_equal(loop_watch_fd(&s.loop, &w, same, EPOLLOUT), 0);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 1);
	/* closed: nothing to watch, and the next one has another number */
	close(same);
	assert_int_equal(loop_watch_fd(&s.loop, &w, -1, 0), 0);
	assert_false(w.is_watched);
	assert_int_equal(loop_watch_fd(&s.loop, &w, ends[1], EPOLLOUT), 0);
	s.n_wanted = 2;
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 2);
	loop_unwatch(&s.loop, &w);
	loop_close(&s.loop);
	close(ends[0]);
	close(ends[1]);
}

static void open_timer(struct seen *s)
{
	s->timer = (struct loop_timer){.fn = take_timer, .arg = s};
	assert_int_equal(loop_open(&s->loop, take_signal, s), 0);
	assert_int_equal(loop_timer_open(&s->loop, &s->timer), 0);
}

static void close_timer(struct seen *s)
{
	loop_timer_close(&s->loop, &s->timer);
	loop_timer_close(&s->loop, &s->timer);
	loop_close(&s->loop);
}

static void test_timer_in_the_past_is_called_at_once(void **state)
{
	struct seen s = {.n_wanted = 1};

	(void)state;
	open_timer(&s);
	loop_timer_set(&s.timer, 0, 0);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 1);
	close_timer(&s);
}

static void test_timer_is_never_early(void **state)
{
	struct seen s = {.n_wanted = 1};
	uint64_t at_ns;

	(void)state;
	open_timer(&s);
	at_ns = s.loop.now_ns + 3000000;
	loop_timer_set(&s.timer, at_ns, 0);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_true(s.now_ns >= at_ns);
	close_timer(&s);
}

static void test_periodic_timer_goes_on(void **state)
{
	struct seen s = {.n_wanted = 3};

	(void)state;
	open_timer(&s);
	loop_timer_set(&s.timer, s.loop.now_ns, 1000000);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 3);
	close_timer(&s);
}

static void test_disarmed_timer_is_not_called(void **state)
{
	struct seen s = {.n_wanted = 1};

	(void)state;
	open_timer(&s);
	loop_timer_set(&s.timer, 0, 1000000);
	loop_timer_set(&s.timer, UINT64_MAX, 1000000);
	raise(SIGTERM);
	assert_int_equal(loop_run(&s.loop), 0);
	assert_int_equal(s.n_calls, 0);
	close_timer(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_signal_is_handed_on),
		cmocka_unit_test(test_signal_mask_is_restored_by_close),
		cmocka_unit_test(test_ready_descriptor_is_called_until_it_is_unwatched),
		cmocka_unit_test(test_watch_removed_by_another_callback_is_not_called),
		cmocka_unit_test(test_events_of_a_watch_can_be_changed),
		cmocka_unit_test(test_watch_follows_a_descriptor_that_was_replaced),
		cmocka_unit_test(test_timer_in_the_past_is_called_at_once),
		cmocka_unit_test(test_timer_is_never_early),
		cmocka_unit_test(test_periodic_timer_goes_on),
		cmocka_unit_test(test_disarmed_timer_is_not_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
