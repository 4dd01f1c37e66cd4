/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Send an event of every kind, with everything an event can have, between Flow Records.
 *
 *	send_events udp|file ADDRESS yes|no [SEQUENCE]
 *
 * yes: with events, no: the Flow Records only; their first Sequence Number is SEQUENCE.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "probe/clock.h"
#include "probe/exporter_private.h"
#include "tests/lib/event_fixture.h"
#include "tests/lib/exporter_fixture.h"

#define DOMAIN_ID      1
#define PEN	       32473
#define FLOWS_PER_KIND 100
#define PATIENCE_MS    5000

static uint64_t time_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

static void send_flows(struct exporter *e, unsigned int kind)
{
	for (uint32_t i = 0; i < FLOWS_PER_KIND; i++) {
		struct flow_record r = sample_record(kind * FLOWS_PER_KIND + i);

		r.start_ms = time_ms() - 2000;
		r.end_ms = r.start_ms + 1000;
		exporter_record(e, &r);
	}
}

static void send_event(struct exporter *e, unsigned int kind)
{
	struct anomaly_event event = full_event(kind);

	event.event_id = kind + 1;
	event.start_ms = time_ms() - 2000;
	event.end_ms = event.time_ms = event.start_ms + 1000;
	event.class = ANOMALY_PORT_SCAN; /* which has a technique: no text is empty */
	strcpy(event.reason, "a reason");
	exporter_event(e, &event);
}

int main(int argc, char **argv)
{
	struct exporter_config cfg = {
		.name = "sender", .template_refresh_s = 60, .reconnect_s = 60};
	struct exporter *e;

	if (argc < 4 || argc > 5 || strlen(argv[2]) >= sizeof(cfg.address))
		return 2;
	cfg.transport = strcmp(argv[1], "file") != 0 ? TRANSPORT_UDP : TRANSPORT_FILE;
	cfg.events = !strcmp(argv[3], "yes");
	strcpy(cfg.address, argv[2]);
	if (exporter_open(&e, &cfg, DOMAIN_ID, PEN, false))
		return 1;
	exporter_run(e, clock_monotonic_ns(), (uint32_t)time(NULL));
	if (argc == 5)
		e->stats.sequence = (uint32_t)strtoul(argv[4], NULL, 10);
	for (unsigned int kind = 0; kind < N_EVENT_KINDS; kind++) {
		send_flows(e, kind);
		exporter_flush(e, clock_monotonic_ns(), NS_PER_S);
		if (event_has_kind(kind))
			send_event(e, kind);
		exporter_run(e, clock_monotonic_ns(), (uint32_t)time(NULL));
	}
	exporter_drain(e, clock_monotonic_ns(), (uint32_t)time(NULL), PATIENCE_MS);
	printf("%llu %llu\n", (unsigned long long)exporter_stats(e)->sent.records,
	       (unsigned long long)exporter_stats(e)->sent.events);
	exporter_close(e);
	return 0;
}
