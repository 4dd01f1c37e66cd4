/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scans of a block of addresses by many, for one port: each source fails at a few of
 * them, too few to be a scanner, all together at many, and hardly two at the same. A
 * server farm that is down has its clients fail at each address again and again; peers
 * that have gone are elsewhere, and asked for by one; forged sources come once each.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "probe/anomaly_private.h"

#define BLOCK_SETS    128
#define BLOCK_WAYS    8
#define BLOCKS	      (BLOCK_SETS * BLOCK_WAYS)
#define SOURCES_LEAST 10
#define EACH_MOST     3 /* contacts for each address on average: more is no search */
#define SOURCE_LEAST  2 /* ... of each source: one packet may be of anybody */
#define SOURCE_MOST   15 /* addresses for each source: with more it is told of on its own */
#define QUIET_WINDOWS 2
#define EPHEMERAL     32768 /* from here on clients pick their own ports */
#define PARTS	      256 /* of an IPv4 block, by its third octet */
#define MAJORITY_PCT  90 /* of the addresses are in the block that is named */
#define LENGTH4	      16
#define LENGTH6	      64
#define IPV4_AT	      12 /* octets of an IPv4 address in struct host */

struct scanned_block {
	struct host network; /* a /16 of IPv4, a /64 of IPv6 */
	uint16_t port;
	uint8_t method; /* enum contact_method */
	uint8_t protocol;
	uint8_t obs_point;
	bool is_used;
	bool is_dirty;
	uint64_t turned_ns;
	uint64_t first_ns;
	uint64_t last_ns;
	uint32_t failed[2]; /* contacts in the current generation and the one before */
	uint16_t part[2][PARTS]; /* addresses by their third octet; IPv4 */
	struct distinct hosts;
	struct distinct_many sources[2];
	struct example example[ANOMALY_TARGETS];
};

struct block_scans {
	uint32_t dirty[BLOCKS];
	uint32_t n_dirty;
	struct scanned_block block[BLOCKS];
};

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->scan.enabled;
}

static struct host network_of(const struct host *h)
{
	struct host network = host_site(h);

	if (host_is_ipv4(h))
		network.octets[IPV4_AT + 2] = network.octets[IPV4_AT + 3] = 0;
	return network;
}

static uint32_t all_failed(const struct scanned_block *b)
{
	return b->failed[0] + b->failed[1];
}

static struct scanned_block *block_find(struct block_scans *s, const struct anomaly *a,
					const struct anomaly_flow *flow,
					const struct contact *contact)
{
	struct host network = network_of(&flow->destination);
	uint64_t hash =
		anomaly_hash(a, &network, (uint64_t)contact->method << 16 | flow->destination_port);
	struct scanned_block *set = &s->block[hash % BLOCK_SETS * BLOCK_WAYS], *least = NULL;

	for (int i = 0; i < BLOCK_WAYS; i++) {
		if (set[i].is_used && set[i].port == flow->destination_port &&
		    set[i].method == contact->method && host_equals(&set[i].network, &network))
			return &set[i];
		/* one that is dirty is in the list of those to look at */
		if (!set[i].is_dirty &&
		    (!least || !set[i].is_used ||
		     (least->is_used && all_failed(&set[i]) < all_failed(least))))
			least = &set[i];
	}
	if (least)
		*least = (struct scanned_block){
			.network = network,
			.port = flow->destination_port,
			.method = contact->method,
			.protocol = flow->protocol,
			.is_used = true,
			.turned_ns = a->now_ns,
		};
	return least;
}

static void block_turn(struct scanned_block *b)
{
	distinct_turn(&b->hosts);
	b->sources[1] = b->sources[0];
	memset(&b->sources[0], 0, sizeof(b->sources[0]));
	memcpy(b->part[1], b->part[0], sizeof(b->part[0]));
	memset(b->part[0], 0, sizeof(b->part[0]));
	b->failed[1] = b->failed[0];
	b->failed[0] = 0;
}

static void block_age(const struct anomaly *a, struct scanned_block *b)
{
	uint64_t half_ns = a->cfg->scan.window_s * NS_PER_S / 2;
	uint64_t passed_ns = anomaly_since(a->now_ns, b->turned_ns);

	for (uint64_t i = 0; i < 2 && i < passed_ns / half_ns; i++)
		block_turn(b);
	if (passed_ns >= half_ns)
		b->turned_ns = a->now_ns - passed_ns % half_ns;
	if (passed_ns < 2 * half_ns)
		return;
	b->first_ns = 0;
	memset(b->example, 0, sizeof(b->example));
}

/* What fails from inside to elsewhere are peers that have gone. */
static bool is_wanted(const struct anomaly *a, const struct anomaly_flow *flow,
		      const struct contact *contact)
{
	return contact->outcome != CONTACT_ANSWERED && contact->method != CONTACT_PROTOCOL &&
	       flow->destination_port < EPHEMERAL && anomaly_direction(a, flow) != FLOW_LEAVING;
}

static void on_contact(struct anomaly *a, void *state, const struct anomaly_flow *flow,
		       const struct contact *contact)
{
	struct block_scans *s = state;
	const struct flow_delta *delta = flow->delta;
	struct scanned_block *b;

	if (!is_wanted(a, flow, contact))
		return;
	b = block_find(s, a, flow, contact);
	if (!b)
		return;
	block_age(a, b);
	b->failed[0]++;
	b->obs_point = flow->obs_point;
	if (distinct_add_current(&b->hosts, anomaly_hash(a, &flow->destination, 0)))
		b->part[0][flow->destination.octets[IPV4_AT + 2]]++;
	distinct_many_add(&b->sources[0], anomaly_hash(a, &flow->source, 0));
	if (!b->first_ns || delta->first_ns < b->first_ns)
		b->first_ns = delta->first_ns;
	if (delta->last_ns > b->last_ns)
		b->last_ns = delta->last_ns;
	example_keep_destination(b->example, ANOMALY_TARGETS, flow);
	if (!b->is_dirty)
		s->dirty[s->n_dirty++] = (uint32_t)(b - s->block);
	b->is_dirty = true;
}

/* The longest prefix that most of the addresses are in. */
static void prefix_find(const struct scanned_block *b, struct host *prefix, uint8_t *length)
{
	uint32_t sum[PARTS], all = 0;

	*prefix = b->network;
	*length = LENGTH6;
	if (!host_is_ipv4(&b->network))
		return;
	for (uint32_t i = 0; i < PARTS; i++)
		all += sum[i] = (uint32_t)b->part[0][i] + b->part[1][i];
	*length = LENGTH4 + 8;
	for (uint32_t n = PARTS; n >= 1; n /= 2, (*length)--) {
		for (uint32_t i = 0; i < n; i++)
			if (sum[i] * 100 >= all * MAJORITY_PCT) {
				prefix->octets[IPV4_AT + 2] = (uint8_t)(i * (PARTS / n));
				return;
			}
		for (uint32_t i = 0; i < n / 2; i++)
			sum[i] = sum[2 * i] + sum[2 * i + 1];
	}
}

static bool is_search(const struct anomaly_event *e)
{
	return e->n_sources >= SOURCES_LEAST &&
	       e->failed_contacts <= EACH_MOST * e->n_destinations &&
	       e->failed_contacts >= SOURCE_LEAST * e->n_sources &&
	       e->n_destinations <= SOURCE_MOST * e->n_sources;
}

static void reason_write(struct anomaly_event *e)
{
	char whom[HOST_TEXT_MAX + 1], port[16] = "";

	*host_put(whom, &e->destination) = '\0';
	if (e->has_destination_port)
		snprintf(port, sizeof(port), " port %u", e->destination_port);
	snprintf(e->reason, sizeof(e->reason),
		 "%u sources failed to reach %u addresses of %s/%u, by %s%s, each only a few of "
		 "them",
		 e->n_sources, e->n_destinations, whom, e->destination_length,
		 e->protocol == IPPROTO_TCP   ? "TCP"
		 : e->protocol == IPPROTO_UDP ? "UDP"
					      : "ICMP",
		 port);
}

static void block_report(struct anomaly *a, const struct scanned_block *b)
{
	struct anomaly_event e = {
		.class = ANOMALY_ADDRESS_SCAN,
		.subclass = ANOMALY_BY_DISTRIBUTED,
		.rule = "anomaly.scan.distributed_hosts",
		.severity = 4,
		.window_ms = a->cfg->scan.window_s * 1000,
		.protocol = b->protocol,
		.has_destination = true,
		.has_destination_port = b->method <= CONTACT_UDP,
		.destination_port = b->port,
		.failed_contacts = all_failed(b),
		.n_destinations = distinct_count(&b->hosts),
	};
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_block, &b->network,
				   (uint64_t)b->method << 16 | b->port),
		.is_fresh = true,
		.quiet_ms = QUIET_WINDOWS * a->cfg->scan.window_s * 1000,
		.event = &e,
	};
	struct distinct_many sources = b->sources[0];

	distinct_many_merge(&sources, &b->sources[1]);
	e.n_sources = distinct_many_count(&sources);
	if (!is_search(&e))
		return;
	prefix_find(b, &e.destination, &e.destination_length);
	e.visibility = anomaly_visibility_at(a, b->obs_point);
	e.value = (float)e.n_destinations;
	/* one that was tried: the first address of the block may be of another group */
	e.threshold = (float)anomaly_limits(a, &b->example[0].host)->scan.distributed_hosts;
	e.confidence = anomaly_confidence(e.value, e.threshold, e.visibility);
	anomaly_tell_group(a, &e, &b->example[0].host);
	e.start_ms = anomaly_unix_ms(a, b->first_ns);
	e.end_ms = anomaly_unix_ms(a, b->last_ns);
	examples_tell(&e, b->example, ANOMALY_TARGETS, e.has_destination_port);
	reason_write(&e);
	incidents_report(&a->incidents, &report);
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct block_scans *s = state;

	(void)passed_ns;
	for (uint32_t i = 0; i < s->n_dirty; i++) {
		block_report(a, &s->block[s->dirty[i]]);
		s->block[s->dirty[i]].is_dirty = false;
	}
	s->n_dirty = 0;
}

const struct detector detector_block = {
	.state_octets = sizeof(struct block_scans),
	.is_enabled = is_enabled,
	.on_contact = on_contact,
	.on_second = on_second,
};
