/* SPDX-License-Identifier: BSD-2-Clause */
/* The Flow Cache on a scripted clock. See sweep_fixture.h. */
#include "tests/lib/sweep_fixture.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/detail_layout.h"
#include "probe/native_meter.h"

#define RESPONDER      0xc0000201u /* 192.0.2.1 */
#define RESPONDER_PORT 443
#define INITIATOR      0x0a000000u /* 10.0.0.0/8 | id */
#define RECORDS_STEP   4096

static void keep_record(void *arg, const struct flow_record *r)
{
	struct sweep_fixture *f = arg;

	if (f->n_records % RECORDS_STEP == 0) {
		f->record = realloc(f->record, (f->n_records + RECORDS_STEP) * sizeof(*f->record));
		assert_non_null(f->record);
	}
	struct flow_record *kept = &f->record[f->n_records++];

	/* what nobody asked for is not filled */
	memset(kept, 0, sizeof(*kept));
	memcpy(kept, r, flow_record_octets(f->sweep.groups));
}

static void open_table_as(struct sweep_fixture *f, uint32_t max_flows, uint32_t n_buckets,
			  uint32_t groups, const struct sweep_observer *observer, bool joins_points)
{
	struct flow_cache_params params;

	memset(f, 0, sizeof(*f));
	assert_int_equal(flow_cache_params_init(&params, max_flows, max_flows), 0);
	params.is_watched = observer != NULL;
	params.joins_points = joins_points;
	params.n_buckets[FLOW_IPV4] = n_buckets;
	params.n_buckets[FLOW_IPV6] = n_buckets;
	params.detail = detail_layout(sweep_details_of_groups(groups));
	assert_int_equal(flow_cache_open(&f->cache, &params, max_flows, max_flows, true), 0);
	f->obs.n = 1;
	f->sweep.cache = &f->cache;
	f->sweep.clock = &f->clock;
	f->sweep.obs = &f->obs;
	f->sweep.timeouts.active_ns = 60 * FIXTURE_S;
	f->sweep.timeouts.idle_ns = 15 * FIXTURE_S;
	f->sweep.high_water_pct = 100;
	f->sweep.observer = observer;
	f->sweep.sink = keep_record;
	f->sweep.sink_arg = f;
	f->sweep.groups = groups;
	assert_int_equal(sweep_open(&f->sweep), 0);
}

static void open_table(struct sweep_fixture *f, uint32_t max_flows, uint32_t n_buckets,
		       uint32_t groups, const struct sweep_observer *observer)
{
	open_table_as(f, max_flows, n_buckets, groups, observer, false);
}

void fixture_open_joined(struct sweep_fixture *f, uint32_t max_flows,
			 const struct sweep_observer *observer)
{
	open_table_as(f, max_flows, flow_cache_buckets_start(max_flows), GROUP_BASE, observer,
		      true);
	f->obs.n = 2;
	for (uint32_t i = 0; i < f->obs.n; i++) {
		f->obs.entry[i].ifindex = i + 1;
		f->obs.entry[i].has_egress = true;
	}
}

void fixture_open(struct sweep_fixture *f, uint32_t max_flows)
{
	open_table(f, max_flows, flow_cache_buckets(max_flows), GROUP_BASE, NULL);
}

void fixture_open_groups(struct sweep_fixture *f, uint32_t max_flows, uint32_t groups)
{
	open_table(f, max_flows, flow_cache_buckets(max_flows), groups, NULL);
}

void fixture_open_small(struct sweep_fixture *f, uint32_t max_flows)
{
	open_table(f, max_flows, flow_cache_buckets_start(max_flows), GROUP_BASE, NULL);
}

void fixture_open_observed(struct sweep_fixture *f, uint32_t max_flows,
			   const struct sweep_observer *observer)
{
	open_table(f, max_flows, flow_cache_buckets_start(max_flows), GROUP_BASE, observer);
}

void fixture_close(struct sweep_fixture *f)
{
	sweep_close(&f->sweep);
	flow_cache_close(&f->cache);
	free(f->record);
	memset(f, 0, sizeof(*f));
}

static uint16_t initiator_port(uint32_t id)
{
	return (uint16_t)(1024 + id % 60000);
}

/* Flow Key of the packet, as the Metering Process makes it. */
static void packet_key(const struct fixture_packet *p, struct xfp_key6 *key)
{
	__be32 ends[2] = {htonl(INITIATOR | p->id), htonl(RESPONDER)};
	__be16 ports[2] = {htons(initiator_port(p->id)), htons(RESPONDER_PORT)};
	struct xfp_key4 *key4 = (struct xfp_key4 *)key;
	uint8_t protocol = p->protocol ? p->protocol : IPPROTO_UDP;

	memset(key, 0, sizeof(*key));
	if (p->is_ipv6) {
		key->source[3] = ends[p->is_reverse];
		key->destination[3] = ends[!p->is_reverse];
		key->source_port = ports[p->is_reverse];
		key->destination_port = ports[!p->is_reverse];
		key->protocol = protocol;
		key->obs_point = p->obs_point;
	} else {
		key4->source = ends[p->is_reverse];
		key4->destination = ends[!p->is_reverse];
		key4->source_port = ports[p->is_reverse];
		key4->destination_port = ports[!p->is_reverse];
		key4->protocol = protocol;
		key4->obs_point = p->obs_point;
	}
}

/* Fill the IP header; returns its length. */
static size_t write_ip(const struct fixture_packet *p, const struct xfp_key6 *key, uint16_t octets,
		       uint8_t *to)
{
	const struct xfp_key4 *key4 = (const struct xfp_key4 *)key;
	__be16 length = htons(p->is_ipv6 ? octets - 40 : octets);

	if (p->is_ipv6) {
		to[0] = 0x60;
		memcpy(to + 4, &length, 2);
		to[6] = key->protocol;
		to[7] = p->ttl;
		memcpy(to + 8, key->source, 32);
		return 40;
	}
	to[0] = 0x45;
	memcpy(to + 2, &length, 2);
	to[8] = p->ttl;
	to[9] = key4->protocol;
	memcpy(to + 12, &key4->source, 8);
	return 20;
}

void fixture_meter(struct sweep_fixture *f, uint64_t now_ns, const struct fixture_packet *p)
{
	uint16_t octets = p->octets ? p->octets : 100;
	const struct xfp_ledger_row *row = f->cache.rows;
	uint64_t accounted = row->accounted.packets;
	uint8_t data[60] = {0};
	struct xfp_key6 key;
	size_t at;

	packet_key(p, &key);
	at = write_ip(p, &key, octets, data);
	memcpy(data + at, p->is_ipv6 ? &key.source_port : &((struct xfp_key4 *)&key)->source_port,
	       4);
	data[at + 12] = 0x50;
	data[at + 13] = p->tcp_flags;
	native_meter_packet(&f->cache, &(struct native_packet){
					       .data = data,
					       .captured_octets = sizeof(data),
					       .wire_octets = octets,
					       .time_ns = now_ns,
					       .ethertype = p->is_ipv6 ? ETH_P_IPV6 : ETH_P_IP,
					       .obs_point = p->obs_point,
				       });
	assert_int_equal(row->accounted.packets, accounted + 1);
	for (int c = 0; c < XFP_N_PROTOCOLS; c++)
		assert_int_equal(row->overflow[c].packets, 0);
}

uint32_t fixture_slot(const struct sweep_fixture *f, const struct fixture_packet *p)
{
	struct xfp_key6 key;

	packet_key(p, &key);
	return flow_cache_find(&f->cache, p->is_ipv6 ? FLOW_IPV6 : FLOW_IPV4, &key, false,
			       FLOW_NONE);
}

void fixture_sweep(struct sweep_fixture *f, uint64_t now_ns)
{
	f->n_slices = 0;
	sweep_begin(&f->sweep, now_ns);
	while (sweep_mark(&f->sweep)) {
		sweep_harvest(&f->sweep);
		f->n_slices++;
	}
}

uint32_t fixture_id(const struct flow_record *r)
{
	bool is_reverse = r->source_port == RESPONDER_PORT;
	uint32_t address = is_reverse ? r->destination4 : r->source4;

	if (r->is_ipv6) {
		memcpy(&address, (is_reverse ? r->destination6 : r->source6) + 12, 4);
		address = ntohl(address);
	}
	return address & 0xffffff;
}

void fixture_forget(struct sweep_fixture *f)
{
	free(f->record);
	f->record = NULL;
	f->n_records = 0;
}

uint64_t fixture_flows(const struct sweep_fixture *f)
{
	struct flow_cache_content content;

	flow_cache_content(&f->cache, &content);
	return content.flows;
}

/* A free place of one bucket behind place `after`, or FLOW_NONE. */
static uint32_t free_place(const struct flow_table *t, uint32_t bucket, uint32_t after)
{
	for (uint32_t i = 0; i < XFP_BUCKET_SLOTS; i++) {
		uint32_t slot = bucket * XFP_BUCKET_SLOTS + i;

		if (t->tags[bucket].tag[i] == XFP_TAG_FREE && (after == FLOW_NONE || slot > after))
			return slot;
	}
	return FLOW_NONE;
}

uint32_t fixture_twin(struct sweep_fixture *f, const struct fixture_packet *p,
		      const struct xfp_counts *counts)
{
	enum flow_family family = p->is_ipv6 ? FLOW_IPV6 : FLOW_IPV4;
	const struct flow_table *t = &f->cache.table[family];
	uint32_t survivor = fixture_slot(f, p), shadow;
	struct native_place place;
	struct xfp_key6 key;

	packet_key(p, &key);
	place = native_meter_place(family, &key, t->n_buckets);
	assert_int_equal(survivor / XFP_BUCKET_SLOTS, place.first);
	shadow = free_place(t, place.second, place.second == place.first ? survivor : FLOW_NONE);
	assert_int_not_equal(shadow, FLOW_NONE);
	memcpy(t->slots + (size_t)shadow * t->slot_octets, &key, t->key_octets);
	*flow_counts_at(t, shadow) = *counts;
	*flow_tag_at(t, shadow) = place.tag;
	t->news[shadow / XFP_CHUNK_SLOTS] = 1;
	assert_int_equal(fixture_slot(f, p), survivor);
	return shadow;
}

uint32_t fixture_twin_id(const struct sweep_fixture *f, uint32_t from, bool is_shadow_first)
{
	for (;; from++) {
		struct fixture_packet p = {.id = from};
		struct native_place place;
		struct xfp_key6 key;

		packet_key(&p, &key);
		place = native_meter_place(FLOW_IPV4, &key, f->cache.table[FLOW_IPV4].n_buckets);
		if (is_shadow_first ? place.second < place.first : place.second > place.first)
			return from;
	}
}
