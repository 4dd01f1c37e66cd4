/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scans of one host by many: each source fails at a few of its ports, too few to be a
 * scanner, all together at many. A flood hits the same port again and again; this
 * does not.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "probe/anomaly_private.h"

#define HOST_SETS     256
#define HOST_WAYS     8
#define HOSTS	      (HOST_SETS * HOST_WAYS)
#define SOURCES_LEAST 10
#define EACH_MOST     3 /* contacts for each port on average: more is a flood */
#define PORTS_EACH    15 /* of one source: it is told of on its own */
#define QUIET_WINDOWS 2
#define EPHEMERAL     32768 /* from here on clients pick their own ports */

struct scanned_host {
	struct host host;
	bool is_used;
	bool is_dirty;
	uint8_t obs_point;
	uint8_t protocol;
	uint64_t turned_ns;
	uint64_t first_ns;
	uint64_t last_ns;
	uint32_t failed[2]; /* contacts in the current generation and the one before */
	struct distinct ports;
	struct distinct_many sources[2]; /* those that tried a port first */
	struct example example[ANOMALY_TARGETS];
};

struct distributed {
	uint32_t dirty[HOSTS];
	uint32_t n_dirty;
	struct scanned_host host[HOSTS];
};

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->scan.enabled;
}

static struct scanned_host *host_find(struct distributed *d, const struct anomaly *a,
				      const struct anomaly_flow *flow)
{
	uint64_t hash = anomaly_hash(a, &flow->destination, 1);
	struct scanned_host *set = &d->host[hash % HOST_SETS * HOST_WAYS], *least = NULL;

	for (int i = 0; i < HOST_WAYS; i++) {
		if (set[i].is_used && host_equals(&set[i].host, &flow->destination))
			return &set[i];
		/* one that is dirty is in the list of those to look at */
		if (!set[i].is_dirty &&
		    (!least || !set[i].is_used ||
		     (least->is_used &&
		      set[i].failed[0] + set[i].failed[1] < least->failed[0] + least->failed[1])))
			least = &set[i];
	}
	if (least)
		*least = (struct scanned_host){
			.host = flow->destination,
			.is_used = true,
			.turned_ns = a->now_ns,
		};
	return least;
}

static void host_age(const struct anomaly *a, struct scanned_host *h)
{
	uint64_t half_ns = a->cfg->scan.window_s * NS_PER_S / 2;
	uint64_t passed_ns = anomaly_since(a->now_ns, h->turned_ns);

	for (uint64_t i = 0; i < 2 && i < passed_ns / half_ns; i++) {
		distinct_turn(&h->ports);
		h->sources[1] = h->sources[0];
		memset(&h->sources[0], 0, sizeof(h->sources[0]));
		h->failed[1] = h->failed[0];
		h->failed[0] = 0;
	}
	if (passed_ns >= half_ns)
		h->turned_ns = a->now_ns - passed_ns % half_ns;
	if (passed_ns < 2 * half_ns)
		return;
	h->first_ns = 0;
	memset(h->example, 0, sizeof(h->example));
}

static void on_contact(struct anomaly *a, void *state, const struct anomaly_flow *flow,
		       const struct contact *contact)
{
	struct distributed *d = state;
	const struct flow_delta *delta = flow->delta;
	struct scanned_host *h;

	if (contact->outcome == CONTACT_ANSWERED || contact->method != CONTACT_TCP ||
	    flow->destination_port >= EPHEMERAL)
		return;
	h = host_find(d, a, flow);
	if (!h)
		return;
	host_age(a, h);
	h->failed[0]++;
	h->obs_point = flow->obs_point;
	h->protocol = flow->protocol;
	/* of a flood to one port, and of one that scans all, no other finds anything new */
	if (distinct_add(&h->ports, anomaly_hash(a, &h->host, flow->destination_port)))
		distinct_many_add(&h->sources[0], anomaly_hash(a, &flow->source, 0));
	if (!h->first_ns || delta->first_ns < h->first_ns)
		h->first_ns = delta->first_ns;
	if (delta->last_ns > h->last_ns)
		h->last_ns = delta->last_ns;
	example_keep_destination(h->example, ANOMALY_TARGETS, flow);
	if (!h->is_dirty)
		d->dirty[d->n_dirty++] = (uint32_t)(h - d->host);
	h->is_dirty = true;
}

static void host_report(struct anomaly *a, struct scanned_host *h)
{
	struct anomaly_event e = {.class = ANOMALY_PORT_SCAN, .subclass = ANOMALY_BY_DISTRIBUTED};
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_distributed, &h->host, 0),
		.is_fresh = true,
		.quiet_ms = QUIET_WINDOWS * a->cfg->scan.window_s * 1000,
		.event = &e,
	};
	struct distinct_many sources = h->sources[0];
	uint32_t failed = h->failed[0] + h->failed[1];
	char whom[HOST_TEXT_MAX + 1];

	distinct_many_merge(&sources, &h->sources[1]);
	e.n_sources = distinct_many_count(&sources);
	e.n_ports = distinct_count(&h->ports);
	if (e.n_sources < SOURCES_LEAST || failed > EACH_MOST * e.n_ports ||
	    e.n_ports > PORTS_EACH * e.n_sources)
		return;
	e.visibility = anomaly_visibility_at(a, h->obs_point);
	e.severity = 4;
	e.value = (float)e.n_ports;
	e.threshold = (float)anomaly_limits(a, &h->host)->scan.distributed;
	e.confidence = anomaly_confidence(e.value, e.threshold, e.visibility);
	e.window_ms = a->cfg->scan.window_s * 1000;
	e.rule = "anomaly.scan.distributed";
	anomaly_tell_group(a, &e, &h->host);
	e.start_ms = anomaly_unix_ms(a, h->first_ns);
	e.end_ms = anomaly_unix_ms(a, h->last_ns);
	e.protocol = h->protocol;
	e.has_destination = true;
	e.destination = h->host;
	e.n_destinations = 1;
	e.failed_contacts = failed;
	examples_tell(&e, h->example, ANOMALY_TARGETS, true);
	*host_put(whom, &h->host) = '\0';
	snprintf(e.reason, sizeof(e.reason),
		 "%u sources failed to reach %u ports of %s, each only a few of them", e.n_sources,
		 e.n_ports, whom);
	incidents_report(&a->incidents, &report);
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct distributed *d = state;

	(void)passed_ns;
	for (uint32_t i = 0; i < d->n_dirty; i++) {
		host_report(a, &d->host[d->dirty[i]]);
		d->host[d->dirty[i]].is_dirty = false;
	}
	d->n_dirty = 0;
}

const struct detector detector_distributed = {
	.state_octets = sizeof(struct distributed),
	.is_enabled = is_enabled,
	.on_contact = on_contact,
	.on_second = on_second,
};
