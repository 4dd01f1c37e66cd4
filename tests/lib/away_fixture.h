/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An exporter with a spool and a Collector that comes and goes, in scripted time.
 * Included once in a test.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

struct fixture {
	char folder[64];
	struct exporter_config cfg;
	struct exporter *e;
	uint16_t port;
	int fd; /* the Collector's: UDP, or the connection; -1 = none */
	int listener; /* TCP */
	struct wire *w;
	uint8_t *data; /* TCP, not read as Messages yet */
	size_t octets;
	uint64_t now_ns;
	uint32_t n_records; /* given to the exporter */
	int32_t step_s; /* that the system clock was stepped by */
};

static struct fixture f;

#define DATA_MAX (16u << 20)

static inline int away_setup(void **state)
{
	(void)state;
	f = (struct fixture){.now_ns = T0,
			     .folder = "/tmp/xflow-test-spooling-XXXXXX",
			     .fd = -1,
			     .listener = -1};
	assert_non_null(mkdtemp(f.folder));
	f.w = calloc(1, sizeof(*f.w));
	f.data = malloc(DATA_MAX);
	int fd = collector_open(AF_INET, &f.port);

	close(fd);
	f.cfg = (struct exporter_config){.name = "a/b",
					 .transport = TRANSPORT_UDP,
					 .template_refresh_s = 60,
					 .reconnect_s = 5,
					 .spool_max_mib = 16,
					 .spool_max_records_per_s = 1000};
	snprintf(f.cfg.address, sizeof(f.cfg.address), "127.0.0.1:%u", f.port);
	snprintf(f.cfg.spool_path, sizeof(f.cfg.spool_path), "%s", f.folder);
	return 0;
}

static inline void come(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(f.port)};
	int small = 4096, one = 1;

	if (f.cfg.transport == TRANSPORT_UDP) {
		f.fd = collector_open(AF_INET, &f.port);
		return;
	}
	f.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(f.listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	setsockopt(f.listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(f.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(f.listener, 4), 0);
}

static inline void go(void)
{
	if (f.fd >= 0)
		close(f.fd);
	if (f.listener >= 0)
		close(f.listener);
	f.fd = f.listener = -1;
}

static inline int away_teardown(void **state)
{
	char command[128];

	(void)state;
	exporter_close(f.e);
	go();
	free(f.w);
	free(f.data);
	snprintf(command, sizeof(command), "rm -r %s", f.folder);
	return system(command);
}

static inline void open_it(void)
{
	assert_int_equal(exporter_open(&f.e, &f.cfg, 7, 32473, true), 0);
}

static inline const struct exporter_stats *stats(void)
{
	return exporter_stats(f.e);
}

static inline void read_stream(void)
{
	ssize_t n;

	if (f.fd < 0)
		f.fd = accept4(f.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (f.fd >= 0 &&
	       (n = recv(f.fd, f.data + f.octets, DATA_MAX - f.octets, MSG_DONTWAIT)) > 0) {
		f.octets += (size_t)n;
		size_t whole = wire_read_stream(f.w, f.data, f.octets);

		memmove(f.data, f.data + whole, f.octets - whole);
		f.octets -= whole;
	}
}

static inline void read_along(void)
{
	if (f.cfg.transport == TRANSPORT_UDP && f.fd >= 0)
		collector_read(f.fd, f.w);
	else if (f.listener >= 0)
		read_stream();
}

/* Give n records and let a second pass. */
static inline void second(uint32_t n, bool is_reading)
{
	uint64_t end_ns = f.now_ns + S;

	for (uint32_t i = 0; i < n; i++) {
		struct flow_record r = sample_record(f.n_records++);

		exporter_record(f.e, &r);
	}
	exporter_flush(f.e, f.now_ns, S);
	while (f.now_ns < end_ns) {
		uint64_t next_ns = exporter_run(
			f.e, f.now_ns, TIME + (uint32_t)((f.now_ns - T0) / S) + (uint32_t)f.step_s);

		if (is_reading)
			read_along();
		check_balance(f.e);
		assert_true(next_ns > f.now_ns);
		f.now_ns = next_ns < end_ns ? next_ns : end_ns;
	}
}

static inline void seconds(uint32_t n_seconds, uint32_t n_records)
{
	for (uint32_t i = 0; i < n_seconds; i++)
		second(n_records, true);
}

/* Until nothing waits; the kernel's own time passes too. */
static inline void until_sent(void)
{
	for (int i = 0; i < 400 && stats()->queued.records + stats()->spooled.records; i++) {
		second(0, true);
		poll(NULL, 0, f.cfg.transport == TRANSPORT_TCP ? 2 : 0);
	}
	read_along();
	assert_int_equal(stats()->queued.records, 0);
	assert_int_equal(stats()->spooled.records, 0);
}

/* The numbers never go back; gaps are what was refused and sent again, a little each time. */
static inline void assert_no_false_numbers(void)
{
	assert_int_equal(f.w->data.records + f.w->gap_records, f.w->next_sequence);
	assert_int_equal(f.w->next_sequence, stats()->sequence);
	assert_in_range(f.w->gap_records, 0, f.cfg.transport == TRANSPORT_UDP ? 200 : 0);
}

static inline void assert_all_arrived(void)
{
	assert_int_equal(f.w->data.records, f.n_records);
	assert_int_equal(stats()->sent.records, f.n_records);
	assert_no_false_numbers();
}
