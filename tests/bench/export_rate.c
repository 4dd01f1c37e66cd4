/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Feed an exporter with Flow Records at a rate, as a sweep a tenth of a second
 * would, and print one JSON line of what it did:
 * {"accepted":N,"sent":N,"per_s":N,"cpu_ns":N}.
 *
 *	export_rate HOST:PORT RECORDS RECORDS_PER_S [ipfix|netflow9|netflow5]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe/clock.h"
#include "probe/config_schema.h"
#include "probe/exporter.h"
#include "probe/log.h"
#include "tests/bench/report.h"

#define SLICE_NS 100000000ULL

static void sleep_until(uint64_t ns)
{
	const struct timespec until = {
		.tv_sec = (time_t)(ns / 1000000000ULL),
		.tv_nsec = (long)(ns % 1000000000ULL),
	};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* As the sweep does, nothing is cleared that the exporter does not want. */
static void record_fill(struct flow_record *r, uint32_t n, uint64_t now_ms)
{
	memset(r, 0, flow_record_octets(GROUP_BASE));
	r->start_ms = now_ms - 1000;
	r->end_ms = now_ms - n % 1000;
	r->octets = 1000 + n % 5000;
	r->packets = 1 + n % 9;
	r->flow_id = n;
	r->source4 = 0x0a000000 + n;
	r->destination4 = 0xc6336402;
	r->ingress = 1;
	r->length_min = 40;
	r->length_max = 1500;
	r->source_port = (uint16_t)n;
	r->destination_port = 443;
	r->tcp_flags = 0x1b;
	r->protocol = 6;
	r->ttl_min = 64;
	r->ttl_max = 64;
	r->end_reason = FLOW_END_IDLE_TIMEOUT;
}

/* Send what was recorded until its time is over. */
static void slice_send(struct exporter *e, uint64_t until_ns)
{
	uint64_t now = clock_monotonic_ns();

	exporter_flush(e, now, until_ns > now ? until_ns - now : 1);
	while (now < until_ns) {
		uint64_t next = exporter_run(e, now, (uint32_t)time(NULL));

		sleep_until(next < until_ns ? next : until_ns);
		now = clock_monotonic_ns();
	}
}

int main(int argc, char **argv)
{
	struct exporter_config cfg = {.transport = TRANSPORT_UDP, .template_refresh_s = 600};
	uint64_t start_ns, cpu_ns, n_records, rate, n = 0;
	const struct exporter_stats *stats;
	struct exporter *e;
	const char *protocol = argc == 5 ? argv[4] : "ipfix";
	const char *reason;
	double seconds;

	if (argc < 4 || argc > 5 ||
	    config_key_set(config_key_find("exporters[].protocol"), &cfg, protocol, true,
			   &reason)) {
		log_error("usage: export_rate HOST:PORT RECORDS RECORDS_PER_S "
			  "[ipfix|netflow9|netflow5]");
		return 2;
	}
	snprintf(cfg.address, sizeof(cfg.address), "%s", argv[1]);
	snprintf(cfg.name, sizeof(cfg.name), "udp:%s", argv[1]);
	n_records = strtoull(argv[2], NULL, 10);
	rate = strtoull(argv[3], NULL, 10);
	if (exporter_open(&e, &cfg, 1, 32473, true))
		return 1;
	exporter_run(e, clock_monotonic_ns(), (uint32_t)time(NULL));
	start_ns = clock_monotonic_ns();
	cpu_ns = report_cpu_ns();
	while (n < n_records) {
		uint64_t now_ms = (uint64_t)time(NULL) * 1000;
		uint64_t end = n + rate * SLICE_NS / 1000000000ULL;

		for (; n < end && n < n_records; n++) {
			struct flow_record r;

			record_fill(&r, (uint32_t)n, now_ms);
			exporter_record(e, &r);
		}
		slice_send(e, start_ns + n * 1000000000ULL / rate);
	}
	exporter_drain(e, clock_monotonic_ns(), (uint32_t)time(NULL), 2000);
	cpu_ns = report_cpu_ns() - cpu_ns;
	seconds = (double)(clock_monotonic_ns() - start_ns) / 1e9;
	stats = exporter_stats(e);
	printf("{\"accepted\":%llu,\"sent\":%llu,\"per_s\":%.0f,\"cpu_ns\":%.0f}\n",
	       (unsigned long long)stats->accepted.records, (unsigned long long)stats->sent.records,
	       stats->sent.records / seconds, (double)cpu_ns / n_records);
	exporter_close(e);
	return 0;
}
