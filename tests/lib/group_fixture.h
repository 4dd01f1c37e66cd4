/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three exporters in a group and their Collectors on loopback, in scripted time. Included
 * once in a test.
 */
#pragma once

#include <arpa/inet.h>
#include <poll.h>
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

#include "probe/exporter_private.h"
#include "probe/sinks.h"
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/netflow_fixture.h"

#define MS   1000000ull
#define S    (1000 * MS)
#define T0   (1000 * S)
#define TIME 1767400000u
#define N    3

struct fixture {
	int fd[N]; /* the Collectors' sockets, -1 = closed */
	uint16_t port[N];
	struct wire *w[N];
	int protocol; /* enum export_protocol, of all */
	struct netflow_wire netflow[N]; /* what arrived, if it is that */
	const char *path; /* of a file */
	struct config cfg;
	struct sinks sinks;
	uint64_t now_ns;
	struct exporter_volume exported;
};

static struct fixture f;

static inline void open_group(int mode, const int *transports)
{
	f.cfg.observation_domain_id = 7;
	f.cfg.enterprise_number = 32473;
	f.cfg.output = OUTPUT_NONE;
	f.cfg.groups[0] = (struct group_config){.name = "g", .mode = mode, .stable_s = 10};
	f.cfg.n_groups = 1;
	f.cfg.n_exporters = N;
	for (int i = 0; i < N; i++) {
		struct exporter_config *e = &f.cfg.exporters[i];

		*e = (struct exporter_config){.protocol = f.protocol,
					      .transport = transports[i],
					      .template_refresh_s = 60,
					      .reconnect_s = 5,
					      .group = "g"};
		snprintf(e->name, sizeof(e->name), "%c", 'a' + i);
		snprintf(e->address, sizeof(e->address), "127.0.0.1:%u", f.port[i]);
		if (transports[i] == TRANSPORT_FILE)
			snprintf(e->address, sizeof(e->address), "%s", f.path);
	}
	assert_int_equal(sinks_open(&f.sinks, &f.cfg, true), 0);
}

static inline void open_udp_group(int mode)
{
	open_group(mode, (const int[N]){TRANSPORT_UDP, TRANSPORT_UDP, TRANSPORT_UDP});
}

static inline int setup(void **state)
{
	(void)state;
	f = (struct fixture){.now_ns = T0};
	for (int i = 0; i < N; i++) {
		f.fd[i] = collector_open(AF_INET, &f.port[i]);
		f.w[i] = calloc(1, sizeof(struct wire));
	}
	return 0;
}

static inline void close_collector(int i)
{
	close(f.fd[i]);
	f.fd[i] = -1;
}

static inline int teardown(void **state)
{
	(void)state;
	sinks_close(&f.sinks);
	for (int i = 0; i < N; i++) {
		if (f.fd[i] >= 0)
			close(f.fd[i]);
		free(f.w[i]);
	}
	return 0;
}

static inline const struct exporter_stats *stats_of(int i)
{
	return exporter_stats(f.sinks.exporter[i]);
}

static inline void record_samples(uint32_t from, uint32_t n)
{
	for (uint32_t i = from; i < from + n; i++) {
		struct flow_record r =
			f.protocol == EXPORT_IPFIX ? sample_record(i) : netflow_sample(i);

		f.exported.records++;
		f.exported.packets += r.packets;
		f.exported.octets += r.octets;
		sinks_record(&f.sinks, &r);
	}
}

static inline void assert_balanced(void)
{
	struct ledger l = {.exported = f.exported};

	for (int i = 0; i < N; i++)
		check_balance(f.sinks.exporter[i]);
	sinks_ledger(&f.sinks, &l);
	l.seen_before.packets = l.seen_after.packets = l.accounts.accounted.packets =
		f.exported.packets;
	l.accounts.accounted_ip_octets = f.exported.octets;
	assert_true(ledger_is_balanced(&l));
}

static inline void read_along(void)
{
	for (int i = 0; i < N; i++) {
		if (f.fd[i] < 0 || f.cfg.exporters[i].transport != TRANSPORT_UDP)
			continue;
		if (f.protocol == EXPORT_IPFIX)
			collector_read(f.fd[i], f.w[i]);
		else
			netflow_read_socket(f.fd[i], &f.netflow[i]);
	}
}

/* A sweep has ended: so many seconds pass as in the loop, Collectors reading along. */
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
