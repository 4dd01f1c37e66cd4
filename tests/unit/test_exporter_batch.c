/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many Messages in one system call: when that is done, that a Collector cannot tell, and
 * what becomes of them when the call fails. Runs in a network of its own where the system
 * allows that, for the test that changes the MTU.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_private.h"
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/netflow_fixture.h"

#define MS   1000000ull
#define S    (1000 * MS)
#define T0   (1000 * S)
#define TIME 1767400000u

/* A hundred Messages in 2 ms are a rate to send so. */
#define WINDOW (2 * MS)
#define MANY   1900 /* records: about a hundred Messages of IPv4 */

static struct {
	int fd;
	uint16_t port;
	struct exporter *e;
	struct wire w;
	int n_calls; /* that sent many Messages */
	int n_segments; /* the kernel was to cut them into */
	int error; /* the next such call fails with, once */
	bool has_own_network;
} f;

/* In front of the system's. */
ssize_t sendmsg(int fd, const struct msghdr *msg, int flags)
{
	const struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	assert_non_null(c);
	assert_int_equal(c->cmsg_level, SOL_UDP);
	assert_int_equal(c->cmsg_type, UDP_SEGMENT);
	f.n_calls++;
	f.n_segments += (int)msg->msg_iovlen;
	if (f.error) {
		errno = f.error;
		f.error = 0;
		return -1;
	}
	return syscall(SYS_sendmsg, fd, msg, flags);
}

static void set_loopback(unsigned long request, struct ifreq *ifr)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(ifr->ifr_name, "lo");
	assert_int_equal(ioctl(fd, request, ifr), 0);
	close(fd);
}

static void set_mtu(int mtu)
{
	struct ifreq ifr = {.ifr_mtu = mtu};

	set_loopback(SIOCSIFMTU, &ifr);
}

static int enter_own_network(void **state)
{
	struct ifreq ifr = {.ifr_flags = IFF_UP | IFF_RUNNING};

	(void)state;
	f.has_own_network = !unshare(CLONE_NEWUSER | CLONE_NEWNET);
	if (f.has_own_network)
		set_loopback(SIOCSIFFLAGS, &ifr);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	f.w = (struct wire){0};
	f.port = 0;
	f.n_calls = f.n_segments = f.error = 0;
	f.fd = collector_open(AF_INET, &f.port);
	f.e = open_exporter(TRANSPORT_UDP, AF_INET, f.port, true);
	exporter_run(f.e, T0, TIME); /* the Templates */
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	exporter_close(f.e);
	close(f.fd);
	return 0;
}

static void record(struct exporter *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct flow_record r = netflow_sample(7 * i + 1); /* all TCP or UDP */

		r.is_ipv6 = 0;
		exporter_record(e, &r);
	}
}

/* All that is queued, read along; returns the time. */
static uint64_t send_queue(uint64_t now_ns)
{
	while (exporter_stats(f.e)->queued.records) {
		now_ns = exporter_run(f.e, now_ns, TIME);
		collector_read(f.fd, &f.w);
		check_balance(f.e);
	}
	return now_ns;
}

static void send_many(void)
{
	record(f.e, MANY);
	exporter_flush(f.e, T0, WINDOW);
	send_queue(T0 + MS);
}

static void assert_all_arrived(void)
{
	assert_int_equal(f.w.data.records, MANY);
	assert_memory_equal(&f.w.data, &exporter_stats(f.e)->sent, sizeof(f.w.data));
	assert_int_equal(f.w.gaps, 0);
	assert_int_equal(f.w.next_sequence, exporter_stats(f.e)->sequence);
}

static void test_many_messages_are_one_call_and_as_many_datagrams(void **state)
{
	(void)state;
	send_many();
	assert_all_arrived();
	assert_in_range(f.n_calls, 2, 5);
	assert_in_range(f.n_segments, 80, 110);
	/* each is a Message of its own for the Collector, and counted as one */
	assert_true(f.w.messages >= (uint64_t)f.n_segments);
	assert_int_equal(f.w.messages, exporter_stats(f.e)->messages);
	assert_true(f.w.largest <= 1472);
}

static void test_messages_of_a_slow_pace_leave_one_by_one_even_when_late(void **state)
{
	(void)state;
	record(f.e, MANY);
	exporter_flush(f.e, T0, S);
	send_queue(T0 + S);
	assert_all_arrived();
	assert_int_equal(f.n_calls, 0);
}

static void test_records_under_a_cap_leave_one_by_one(void **state)
{
	(void)state;
	pace_init(&f.e->pace, 1000000);
	send_many();
	assert_all_arrived();
	assert_int_equal(f.n_calls, 0);
}

static void test_end_of_the_run_leaves_one_by_one_at_a_pace(void **state)
{
	struct timespec before, after;

	(void)state;
	record(f.e, 1400); /* what a socket has room for, as nobody reads */
	clock_gettime(CLOCK_MONOTONIC, &before);
	exporter_drain(f.e, T0, TIME, 1000);
	clock_gettime(CLOCK_MONOTONIC, &after);
	collector_read(f.fd, &f.w);
	assert_int_equal(f.w.data.records, 1400);
	assert_int_equal(f.n_calls, 0);
	/* 8 in a millisecond: before the last of 78, nine have passed */
	assert_true((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec >
		    9000000);
}

static void test_path_that_cannot_segment_gets_datagrams_one_by_one(void **state)
{
	static const int errors[] = {EIO, EINVAL, EOPNOTSUPP};

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		if (i)
			setup(state);
		f.error = errors[i];
		send_many();
		assert_all_arrived();
		assert_int_equal(f.n_calls, 1); /* not tried again */
		exporter_run(f.e, T0 + 60 * S, TIME); /* until Templates look at the path */
		record(f.e, MANY);
		exporter_flush(f.e, T0 + 60 * S, WINDOW);
		send_queue(T0 + 60 * S + MS);
		assert_true(f.n_calls > 1);
		assert_int_equal(f.w.data.records, 2 * MANY);
		if (i + 1 < sizeof(errors) / sizeof(*errors))
			teardown(state);
	}
}

static void test_full_socket_buffer_loses_nothing(void **state)
{
	(void)state;
	f.error = EAGAIN;
	send_many();
	assert_all_arrived();
	f.error = ENOBUFS;
	record(f.e, MANY);
	exporter_flush(f.e, T0, WINDOW);
	send_queue(T0 + MS);
	assert_int_equal(f.w.data.records, 2 * MANY);
}

/* The error is that of an earlier datagram; the first takes it, as if it were alone. */
static void test_refusal_met_by_many_costs_the_first(void **state)
{
	const struct exporter_stats *s = exporter_stats(f.e);

	(void)state;
	f.error = ECONNREFUSED;
	send_many();
	assert_in_range(s->not_sent_refused.records, 17, 18);
	assert_int_equal(s->sent.records + s->not_sent_refused.records, MANY);
	assert_int_equal(f.w.data.records, s->sent.records);
	assert_int_equal(f.w.gap_records, s->not_sent_refused.records);
	assert_int_equal(f.n_calls, 1); /* one by one, until it works again */
}

static void test_loss_before_many_is_a_gap_of_its_size(void **state)
{
	(void)state;
	record(f.e, MANY);
	exporter_queue_stages(f.e);
	f.e->lost_numbers = 5;
	record(f.e, MANY);
	exporter_flush(f.e, T0, WINDOW);
	f.e->pace.done = 0;
	send_queue(T0 + MS);
	assert_true(f.n_calls > 3);
	assert_int_equal(f.w.data.records, 2 * MANY);
	assert_int_equal(f.w.gaps, 1);
	assert_int_equal(f.w.gap_records, 5);
	assert_int_equal(exporter_stats(f.e)->sequence, 2 * MANY + 5);
}

static void test_sequence_wraps_within_many(void **state)
{
	(void)state;
	collector_read(f.fd, &f.w);
	f.e->stats.sequence = f.w.next_sequence = UINT32_MAX - 99;
	send_many();
	assert_true(f.n_calls > 1);
	assert_int_equal(f.w.data.records, MANY);
	assert_int_equal(f.w.gaps, 0);
	assert_int_equal(f.w.next_sequence, MANY - 100);
}

static void test_path_that_narrows_cuts_all(void **state)
{
	(void)state;
	if (!f.has_own_network)
		skip();
	teardown(state);
	set_mtu(1500);
	setup(state);
	record(f.e, MANY);
	exporter_flush(f.e, T0, WINDOW);
	set_mtu(600);
	send_queue(T0 + MS);
	assert_true(f.n_calls > 0);
	assert_all_arrived();
	assert_true(f.w.largest <= 600 - 28);
	set_mtu(65536);
}

static void test_netflow9_numbers_each_packet(void **state)
{
	(void)state;
	assert_int_equal(netflow_open(EXPORT_NETFLOW9, 7, GROUP_BASE), 0);
	exporter_run(netflow.e, T0, TIME);
	record(netflow.e, MANY);
	exporter_flush(netflow.e, T0, WINDOW);
	exporter_run(netflow.e, T0 + MS, TIME);
	exporter_run(netflow.e, T0 + 2 * MS, TIME);
	netflow_read_socket(netflow.fd, &netflow.w);
	assert_true(f.n_calls > 1);
	assert_int_equal(netflow.w.data.records, MANY);
	assert_int_equal(netflow.w.gap, 0);
	assert_int_equal(netflow.w.next_sequence, exporter_stats(netflow.e)->sequence);
	netflow_close(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_many_messages_are_one_call_and_as_many_datagrams),
		TEST(test_messages_of_a_slow_pace_leave_one_by_one_even_when_late),
		TEST(test_records_under_a_cap_leave_one_by_one),
		TEST(test_end_of_the_run_leaves_one_by_one_at_a_pace),
		TEST(test_path_that_cannot_segment_gets_datagrams_one_by_one),
		TEST(test_full_socket_buffer_loses_nothing),
		TEST(test_refusal_met_by_many_costs_the_first),
		TEST(test_loss_before_many_is_a_gap_of_its_size),
		TEST(test_sequence_wraps_within_many),
		TEST(test_path_that_narrows_cuts_all),
		TEST(test_netflow9_numbers_each_packet),
	};

	return cmocka_run_group_tests(tests, enter_own_network, NULL);
}
