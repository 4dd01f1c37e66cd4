/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cannot be sent over UDP or to a file is counted under a name and leaves a
 * gap in the Sequence Numbers. Runs in a network of its own where the system
 * allows that, for the tests that change the MTU.
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_private.h"
#include "tests/lib/exporter_fixture.h"

#define MS   1000000ull
#define S    (1000 * MS)
#define T0   (1000 * S)
#define TIME 1767400000u

static bool has_own_network;

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
	has_own_network = !unshare(CLONE_NEWUSER | CLONE_NEWNET);
	if (has_own_network)
		set_loopback(SIOCSIFFLAGS, &ifr);
	return 0;
}

static void record_samples(struct exporter *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct flow_record r = sample_record(i);

		exporter_record(e, &r);
	}
}

/* Flush and run until nothing is queued. */
static uint64_t send_all(struct exporter *e, uint64_t now_ns)
{
	exporter_flush(e, now_ns, S);
	for (int i = 0; i < 100000 && exporter_stats(e)->queued.records; i++) {
		now_ns = exporter_run(e, now_ns, TIME);
		check_balance(e);
	}
	assert_int_equal(exporter_stats(e)->queued.records, 0);
	return now_ns;
}

static void test_refused_messages_are_counted_and_leave_a_gap(void **state)
{
	struct wire w = {0};
	uint16_t port = 0;
	int fd = collector_open(AF_INET, &port);
	struct exporter *e = open_exporter(TRANSPORT_UDP, AF_INET, port, true);
	const struct exporter_stats *s = exporter_stats(e);

	(void)state;
	record_samples(e, 100);
	uint64_t now_ns = send_all(e, T0);

	collector_read(fd, &w);
	assert_int_equal(w.data.records, 100);
	close(fd);
	record_samples(e, 1000);
	now_ns = send_all(e, now_ns);
	/* The Templates before each Message find nobody, which its own call reports. */
	assert_int_equal(s->not_sent_refused.records, 1000);
	assert_int_equal(s->not_sent_refused.records + s->sent.records, 1100);
	assert_int_equal(s->send_errors > 0, 1);
	fd = collector_open(AF_INET, &port);
	record_samples(e, 1000);
	w.templates = 0;
	send_all(e, now_ns);
	collector_read(fd, &w);
	assert_int_equal(w.templates > 0, 1);
	assert_int_equal(w.gaps, 1);
	assert_int_equal(w.data.records + w.gap_records, 2100);
	assert_int_equal(s->sequence, 2100);
	close(fd);
	exporter_close(e);
}

static void test_refusing_collector_does_not_hold_up_the_queue(void **state)
{
	uint16_t port = 0;
	int fd = collector_open(AF_INET, &port);
	struct exporter *e = open_exporter(TRANSPORT_UDP, AF_INET, port, true);
	const struct exporter_stats *s = exporter_stats(e);

	(void)state;
	exporter_run(e, T0, TIME);
	close(fd);
	record_samples(e, 18000);
	exporter_flush(e, T0, S);
	size_t n_messages = e->queue.n_messages;

	exporter_run(e, T0 + S, TIME);
	assert_int_equal(e->queue.n_messages, n_messages - PACE_BURST_MESSAGES);
	assert_true(s->not_sent_refused.records > 0);
	check_balance(e);
	exporter_close(e);
}

static void test_full_queue_is_counted_and_leaves_a_gap(void **state)
{
	struct wire w = {0};
	uint16_t port = 0;
	int fd = collector_open(AF_INET, &port);
	struct exporter *e = open_exporter(TRANSPORT_UDP, AF_INET, port, true);
	const struct exporter_stats *s = exporter_stats(e);

	(void)state;
	exporter_run(e, T0, TIME);
	/* As if all but 10000 octets were taken. */
	e->queue.octets = QUEUE_MAX_OCTETS - 10000;
	record_samples(e, 1000);
	e->queue.octets -= QUEUE_MAX_OCTETS - 10000;
	check_balance(e);
	assert_in_range(s->not_sent_queue.records, 800, 950);
	assert_true(s->not_sent_queue.octets > 0 && s->not_sent_queue.packets > 0);
	record_samples(e, 100);
	send_all(e, T0);
	collector_read(fd, &w);
	assert_int_equal(w.gaps, 1);
	assert_int_equal(w.gap_records, s->not_sent_queue.records);
	assert_int_equal(w.data.records + w.gap_records, 1100);
	close(fd);
	exporter_close(e);
}

static void test_smaller_path_mtu_cuts_queued_messages(void **state)
{
	struct wire w = {0};
	uint16_t port = 0;

	(void)state;
	if (!has_own_network)
		skip();
	set_mtu(1500);
	int fd = collector_open(AF_INET, &port);
	struct exporter *e = open_exporter(TRANSPORT_UDP, AF_INET, port, true);
	const struct exporter_stats *s = exporter_stats(e);

	exporter_run(e, T0, TIME);
	record_samples(e, 1000);
	exporter_flush(e, T0, S);
	set_mtu(600);
	for (uint64_t now_ns = T0; s->queued.records;) {
		now_ns = exporter_run(e, now_ns, TIME);
		check_balance(e);
		collector_read(fd, &w);
	}
	assert_int_equal(w.data.records, 1000);
	assert_memory_equal(&w.data, &s->sent, sizeof(w.data));
	assert_int_equal(w.gaps, 0);
	assert_true(w.largest <= 600 - 28);
	set_mtu(65536);
	close(fd);
	exporter_close(e);
}

static void test_record_larger_than_the_path_is_too_big(void **state)
{
	uint16_t port = 0;

	(void)state;
	if (!has_own_network)
		skip();
	set_mtu(1500);
	int fd = collector_open(AF_INET, &port);
	struct exporter *e = open_exporter(TRANSPORT_UDP, AF_INET, port, true);
	const struct exporter_stats *s = exporter_stats(e);

	exporter_run(e, T0, TIME);
	set_mtu(68);
	record_samples(e, 100);
	send_all(e, T0);
	assert_int_equal(s->not_sent_too_big.records, 100);
	assert_int_equal(s->sent.records, 0);
	assert_int_equal(s->sequence, 100);
	set_mtu(65536);
	close(fd);
	exporter_close(e);
}

static void test_no_route_is_counted_as_unroutable(void **state)
{
	struct exporter_config cfg = {.name = "test",
				      .address = "192.0.2.1:9995",
				      .transport = TRANSPORT_UDP,
				      .template_refresh_s = 60};
	struct exporter *e;

	(void)state;
	if (!has_own_network)
		skip();
	assert_int_equal(exporter_open(&e, &cfg, 1, 32473, true), 0);
	record_samples(e, 100);
	exporter_flush(e, T0, S);
	/* Tried again every 10 s: what is queued may still find its way. */
	assert_int_equal(exporter_run(e, T0, TIME), T0 + 10 * S);
	assert_int_equal(exporter_stats(e)->queued.records, 100);
	exporter_drain(e, T0 + S, TIME, 0);
	assert_int_equal(exporter_stats(e)->not_sent_unroutable.records, 100);
	check_balance(e);
	exporter_close(e);
}

static void test_unresolved_name_is_retried_and_counted(void **state)
{
	struct exporter_config cfg = {.name = "test",
				      .address = "collector.invalid:9995",
				      .transport = TRANSPORT_UDP,
				      .template_refresh_s = 60};
	struct exporter *e;

	(void)state;
	assert_int_equal(exporter_open(&e, &cfg, 1, 32473, true), 0);
	exporter_run(e, T0, TIME);
	record_samples(e, 100);
	exporter_flush(e, T0, S);
	for (int i = 0; i < 2000 && e->session.state == SESSION_RESOLVING; i++) {
		poll(NULL, 0, 10); /* the thread that looks it up has no descriptor */
		exporter_run(e, T0, TIME);
	}
	assert_int_equal(e->session.state, SESSION_WAITING);
	assert_int_equal(exporter_run(e, T0 + S, TIME), T0 + 10 * S);
	assert_int_equal(exporter_stats(e)->queued.records, 100);
	e->queue.octets += QUEUE_MAX_OCTETS;
	record_samples(e, 50);
	exporter_flush(e, T0, S);
	e->queue.octets -= QUEUE_MAX_OCTETS;
	assert_int_equal(exporter_stats(e)->not_sent_unresolved.records, 50);
	exporter_drain(e, T0 + S, TIME, 0);
	assert_int_equal(exporter_stats(e)->not_sent_unresolved.records, 150);
	check_balance(e);
	exporter_close(e);
}

static struct exporter *open_file(const char *path)
{
	struct exporter_config cfg = {
		.name = "test", .transport = TRANSPORT_FILE, .template_refresh_s = 60};
	struct exporter *e;

	snprintf(cfg.address, sizeof(cfg.address), "%s", path);
	assert_int_equal(exporter_open(&e, &cfg, 7, 32473, false), 0);
	return e;
}

/* Read all of a file of Messages and remove it. */
static void read_file(const char *path, struct wire *w)
{
	static uint8_t content[1 << 20];
	FILE *in = fopen(path, "r");

	assert_non_null(in);
	size_t octets = fread(content, 1, sizeof(content), in);

	fclose(in);
	unlink(path);
	assert_int_equal(wire_read_stream(w, content, octets), octets);
}

static void test_file_holds_templates_once_and_every_record(void **state)
{
	char path[] = "/tmp/xflow-test-exporter-XXXXXX";
	struct wire w = {0};

	(void)state;
	close(mkstemp(path));
	struct exporter *e = open_file(path);

	exporter_run(e, T0, TIME);
	record_samples(e, 3000);
	exporter_flush(e, T0, S);
	exporter_run(e, T0 + 600 * S, TIME);
	exporter_close(e);
	read_file(path, &w);
	assert_int_equal(w.template_messages, 1);
	assert_int_equal(w.data.records, 3000);
	assert_int_equal(w.gaps, 0);
	assert_in_range(w.largest, SESSION_STREAM_OCTETS - 102, SESSION_STREAM_OCTETS);
}

static void test_full_disk_is_counted(void **state)
{
	struct exporter *e = open_file("/dev/full");

	(void)state;
	record_samples(e, 500);
	exporter_drain(e, T0, TIME, 100);
	assert_int_equal(exporter_stats(e)->not_sent_error.records, 500);
	assert_int_equal(exporter_stats(e)->sent.records, 0);
	assert_true(exporter_stats(e)->send_errors > 0);
	check_balance(e);
	exporter_close(e);
}

/* The disk is full in the middle of a Message: what was written of it is taken back. */
static void test_file_ends_with_a_whole_message_when_the_disk_is_full(void **state)
{
	struct rlimit before;
	struct rlimit limit = {.rlim_cur = 30000};
	char path[] = "/tmp/xflow-test-exporter-XXXXXX";
	struct wire w = {0};

	(void)state;
	close(mkstemp(path));
	struct exporter *e = open_file(path);

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	record_samples(e, 1000);
	exporter_drain(e, T0, TIME, 100);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	check_balance(e);
	read_file(path, &w);
	assert_in_range(w.data.records, 250, 400);
	assert_memory_equal(&w.data, &exporter_stats(e)->sent, sizeof(w.data));
	assert_int_equal(exporter_stats(e)->not_sent_error.records, 1000 - w.data.records);
	exporter_close(e);
}

static void test_file_that_cannot_be_created_is_an_error(void **state)
{
	struct exporter_config cfg = {
		.name = "test", .address = "/nonexistent/file.ipfix", .transport = TRANSPORT_FILE};
	struct exporter *e = NULL;

	(void)state;
	assert_int_equal(exporter_open(&e, &cfg, 7, 32473, false), -ENOENT);
	assert_null(e);
}

static void test_address_without_port_is_an_error(void **state)
{
	struct exporter_config cfg = {
		.name = "test", .address = "127.0.0.1", .transport = TRANSPORT_UDP};
	struct exporter *e = NULL;

	(void)state;
	assert_int_equal(exporter_open(&e, &cfg, 7, 32473, false), -EINVAL);
	assert_null(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_messages_are_counted_and_leave_a_gap),
		cmocka_unit_test(test_refusing_collector_does_not_hold_up_the_queue),
		cmocka_unit_test(test_full_queue_is_counted_and_leaves_a_gap),
		cmocka_unit_test(test_smaller_path_mtu_cuts_queued_messages),
		cmocka_unit_test(test_record_larger_than_the_path_is_too_big),
		cmocka_unit_test(test_no_route_is_counted_as_unroutable),
		cmocka_unit_test(test_unresolved_name_is_retried_and_counted),
		cmocka_unit_test(test_file_holds_templates_once_and_every_record),
		cmocka_unit_test(test_full_disk_is_counted),
		cmocka_unit_test(test_file_ends_with_a_whole_message_when_the_disk_is_full),
		cmocka_unit_test(test_file_that_cannot_be_created_is_an_error),
		cmocka_unit_test(test_address_without_port_is_an_error),
	};

	return cmocka_run_group_tests(tests, enter_own_network, NULL);
}
