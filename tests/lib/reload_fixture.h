/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sinks whose configuration changes, and Collectors that tell streams apart, in
 * scripted time. Included once in a test.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/sinks_reload.h"
#include "tests/lib/exporter_fixture.h"

#define MS	1000000ull
#define S	(1000 * MS)
#define T0	(1000 * S)
#define TIME	1767400000u
#define N	3
#define STREAMS 64

/* One Collector: streams of Messages by the port they are from, in the order they came. */
struct collector {
	int fd; /* -1 = closed */
	uint16_t port;
	uint16_t from[STREAMS];
	size_t n_streams;
	struct wire *w[STREAMS];
	bool is_mixed; /* an earlier stream went on behind a later one */
};

static struct {
	struct collector c[N];
	struct config cfg, next;
	struct sinks sinks;
	struct reload_plan plan;
	struct sinks_fresh fresh;
	uint64_t now_ns;
	struct exporter_volume exported;
	char folder[64];
} f;

static inline void read_along(void)
{
	static uint8_t datagram[WIRE_MAX_OCTETS];

	for (int i = 0; i < N; i++) {
		struct collector *c = &f.c[i];
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t octets;

		while (c->fd >= 0 &&
		       (octets = recvfrom(c->fd, datagram, sizeof(datagram), MSG_DONTWAIT,
					  (struct sockaddr *)&from, &size)) > 0) {
			size_t k = 0;

			while (k < c->n_streams && c->from[k] != from.sin_port)
				k++;
			if (k == c->n_streams) {
				assert_true(k < STREAMS);
				c->from[c->n_streams++] = from.sin_port;
				c->w[k] = calloc(1, sizeof(struct wire));
			}
			c->is_mixed |= k + 1 < c->n_streams;
			wire_read(c->w[k], datagram, (size_t)octets);
		}
	}
}

static inline struct exporter_config *add_exporter(struct config *cfg, const char *name,
						   int collector)
{
	struct exporter_config *e = &cfg->exporters[cfg->n_exporters++];

	*e = (struct exporter_config){.template_refresh_s = 60,
				      .reconnect_s = 60,
				      .spool_max_mib = 1,
				      .spool_max_records_per_s = 1000000,
				      .options = EXPORTER_OPTIONS_AUTO,
				      .group = "main"};
	snprintf(e->name, sizeof(e->name), "%s", name);
	snprintf(e->address, sizeof(e->address), "127.0.0.1:%u", f.c[collector].port);
	return e;
}

static inline int setup(void **state)
{
	(void)state;
	memset(&f, 0, sizeof(f));
	f.now_ns = T0;
	strcpy(f.folder, "/tmp/test_sinks_reload.XXXXXX");
	assert_non_null(mkdtemp(f.folder));
	f.cfg.observation_domain_id = 7;
	f.cfg.enterprise_number = 32473;
	f.cfg.output = OUTPUT_NONE;
	for (int i = 0; i < N; i++)
		f.c[i].fd = collector_open(AF_INET, &f.c[i].port);
	return 0;
}

static inline int teardown(void **state)
{
	char command[128];

	(void)state;
	sinks_close(&f.sinks);
	for (int i = 0; i < N; i++) {
		if (f.c[i].fd >= 0)
			close(f.c[i].fd);
		for (size_t k = 0; k < f.c[i].n_streams; k++)
			free(f.c[i].w[k]);
	}
	snprintf(command, sizeof(command), "rm -r %s", f.folder);
	return system(command);
}

static inline void assert_balanced(void)
{
	static struct ledger l;

	memset(&l, 0, sizeof(l));
	l.exported = f.exported;
	sinks_ledger(&f.sinks, &l);
	assert_true(ledger_exporters_are_balanced(&l));
}

static inline void open_sinks(void)
{
	assert_int_equal(sinks_open(&f.sinks, &f.cfg, true), 0);
	f.next = f.cfg;
}

static inline void record_samples(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct flow_record r = sample_record(i);

		f.exported.records++;
		f.exported.packets += r.packets;
		f.exported.octets += r.octets;
		sinks_record(&f.sinks, &r);
	}
	assert_balanced();
}

/* A sweep ends and so many seconds pass as in the loop, Collectors reading along. */
static inline void pass_seconds(uint32_t seconds)
{
	for (uint32_t s = 0; s < seconds; s++) {
		uint64_t end_ns = f.now_ns + S;

		sinks_flush(&f.sinks, f.now_ns, S);
		while (f.now_ns < end_ns) {
			uint64_t next_ns = sinks_run(&f.sinks, f.now_ns, TIME);

			read_along();
			assert_balanced();
			assert_true(next_ns > f.now_ns);
			f.now_ns = next_ns < end_ns ? next_ns : end_ns;
		}
	}
}

static inline int prepare(void)
{
	assert_int_equal(reload_plan(&f.plan, &f.cfg, &f.next, UINT32_MAX, NULL, NULL), 0);
	return sinks_reload_prepare(&f.sinks, &f.next, &f.plan, &f.fresh);
}

/* From f.cfg to f.next. */
static inline void reload(void)
{
	const struct sinks_moment at = {
		.exported = f.exported,
		.now_ns = f.now_ns,
		.time_s = TIME,
		.interval_ns = S,
	};

	assert_int_equal(prepare(), 0);
	f.cfg = f.next;
	sinks_reload_commit(&f.sinks, &f.cfg, &f.plan, &f.fresh, &at);
	assert_balanced();
}

/* The one of that name in the ledger; with `is_removed`, that a reload took out. */
static inline const struct exporter_stats *stats_of(const char *name, bool is_removed)
{
	static struct ledger l;

	memset(&l, 0, sizeof(l));
	sinks_ledger(&f.sinks, &l);
	for (size_t i = 0; i < l.n_exporters; i++)
		if (!strcmp(l.exporters[i].name, name) && l.exporters[i].is_removed == is_removed)
			return &l.exporters[i].stats;
	fail_msg("no exporter %s", name);
	return NULL;
}

/* Stream number k of a Collector has n records, all from Sequence Number 0 on. */
static inline void assert_stream(int collector, size_t k, uint64_t n)
{
	const struct collector *c = &f.c[collector];

	assert_true(k < c->n_streams);
	assert_int_equal(c->w[k]->data.records, n);
	assert_int_equal(c->w[k]->gaps, 0);
}

#define RELOAD_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
