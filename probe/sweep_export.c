/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a slot of the Flow Cache to a Flow Record: differences to the marks,
 * times, addresses, and the folding of twins. See sweep_private.h.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "probe/connection.h"
#include "probe/sweep_private.h"

/* One more word into 64 bits, by the mixer "moremur"; a bijection of either argument. */
static uint64_t id_mix(uint64_t id, uint64_t word)
{
	id ^= word;
	id ^= id >> 27;
	id *= 0x3c79ac492ba7b653ULL;
	id ^= id >> 33;
	id *= 0x1c69b3f74ac4ae35ULL;
	return id ^ (id >> 27);
}

/*
 * Unique in the Observation Domain by 63 bits of Flow Key and start, wherever
 * the Flow is stored: two Flows of one key always differ, those of two keys
 * but for one pair in 2^63: the sign bit stays clear for readers of JSON that
 * know signed integers only. The same capture file gives the same ids.
 */
uint64_t sweep_flow_id(const struct flow_table *t, uint32_t slot, uint64_t first_ns)
{
	uint64_t words[sizeof(struct xfp_key6) / sizeof(uint64_t)], id = id_mix(0, first_ns);

	memcpy(words, flow_key_at(t, slot), t->key_octets);
	for (uint32_t i = 0; i < t->key_octets / sizeof(*words); i++)
		id = id_mix(id, words[i]);
	return id & INT64_MAX;
}

static void exported_end_set(struct flow_table *t, uint32_t slot, uint64_t elapsed_ms)
{
	uint32_t end_ms = (uint32_t)elapsed_ms + 1;

	t->end_ms[slot] = end_ms ? end_ms : 1;
}

static void record_key4(struct flow_record *r, const struct xfp_key4 *k)
{
	r->source4 = ntohl(k->source);
	r->destination4 = ntohl(k->destination);
	r->source_port = ntohs(k->source_port);
	r->destination_port = ntohs(k->destination_port);
	r->protocol = k->protocol;
	r->vlan = k->vlan;
}

static void record_key6(struct flow_record *r, const struct xfp_key6 *k)
{
	memcpy(r->source6, k->source, sizeof(r->source6));
	memcpy(r->destination6, k->destination, sizeof(r->destination6));
	r->source_port = ntohs(k->source_port);
	r->destination_port = ntohs(k->destination_port);
	r->protocol = k->protocol;
	r->vlan = k->vlan;
	r->is_ipv6 = 1;
}

static void record_interface(const struct sweep *s, struct flow_record *r, uint8_t obs_point)
{
	uint32_t ifindex = s->obs->entry[obs_point >> 1].ifindex;

	if (obs_is_egress(obs_point)) {
		r->direction = FLOW_EGRESS;
		r->egress = ifindex;
	} else {
		r->direction = FLOW_INGRESS;
		r->ingress = ifindex;
	}
}

/* Everything of a record but its interval, counts and end reason. */
static void record_describe(const struct sweep *s, enum flow_family family, uint32_t slot,
			    struct flow_record *r)
{
	const struct flow_table *t = &s->cache->table[family];
	struct xfp_counts *c = flow_counts_at(t, slot);
	uint32_t lengths = __atomic_load_n(&c->lengths, __ATOMIC_RELAXED);
	uint32_t ttl_flags = __atomic_load_n(&c->ttl_flags, __ATOMIC_RELAXED);
	uint32_t fixed = family == FLOW_IPV6 ? 40 : 0;
	const void *key = flow_key_at(t, slot);

	memset(r, 0, flow_record_octets(s->groups));
	if (family == FLOW_IPV4) {
		record_key4(r, key);
		record_interface(s, r, ((const struct xfp_key4 *)key)->obs_point);
	} else {
		record_key6(r, key);
		record_interface(s, r, ((const struct xfp_key6 *)key)->obs_point);
	}
	if (r->protocol == (r->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP)) {
		r->icmp_type_code = r->destination_port;
		r->destination_port = 0;
	}
	r->length_min = (lengths & 0xffff) + fixed;
	r->length_max = (lengths >> 16) + fixed;
	r->ttl_min = ttl_flags >> 16 & 0xff;
	r->ttl_max = ttl_flags >> 24;
	r->tcp_flags = ttl_flags & 0xffff;
	r->tos = c->tos;
	r->flow_id = sweep_flow_id(t, slot, __atomic_load_n(&c->first_ns, __ATOMIC_RELAXED));
}

/*
 * The groups beyond base; the record is complete but for them. reverse and
 * is_export: see sweep_details_record().
 */
static void record_groups(const struct sweep *s, enum flow_family family, uint32_t slot,
			  uint32_t reverse, const struct expiry_flow *flow, bool is_export,
			  struct flow_record *r)
{
	const struct xfp_counts *c = flow_counts_at(&s->cache->table[family], slot);

	if (!(s->groups & ~(uint32_t)GROUP_BASE))
		return;
	r->l2.vlan = r->vlan;
	r->l2.customer_vlan = c->inner_vlan;
	if (family == FLOW_IPV6)
		r->ip.flow_label = c->flow_label;
	sweep_details_record(s, family, slot, reverse, flow, is_export, r);
	record_derive(r);
}

static uint64_t wall_ms(const struct sweep *s, uint64_t ns)
{
	return wall_clock_ns(s->clock, ns) / NS_PER_MS;
}

/*
 * The times of a record, exact to the ns but where two records of a Flow meet: the
 * marks keep ms, and the next one starts where the last one ends.
 */
static void record_times(const struct sweep *s, const struct expiry_flow *flow, uint8_t end_reason,
			 struct flow_record *r)
{
	uint64_t start_ns =
		wall_clock_ns(s->clock, flow->exported_ns ? flow->exported_ns : flow->first_ns);
	uint64_t end_ns = wall_clock_ns(s->clock, flow->last_ns);

	r->start_ms = start_ns / NS_PER_MS;
	r->start_ms_rest = flow->exported_ns ? 0 : (uint32_t)(start_ns % NS_PER_MS);
	r->end_ms = end_ns / NS_PER_MS;
	r->end_ms_rest = end_reason == FLOW_END_ACTIVE_TIMEOUT ? 0 : (uint32_t)(end_ns % NS_PER_MS);
	if (r->end_ms > r->start_ms ||
	    (r->end_ms == r->start_ms && r->end_ms_rest >= r->start_ms_rest))
		return;
	r->end_ms = r->start_ms;
	r->end_ms_rest = r->start_ms_rest;
}

static uint8_t record_state(const struct sweep *s, const struct flow_table *t,
			    const struct expiry_flow *flow, uint32_t reverse, uint8_t end_reason)
{
	struct expiry_flow other;

	if (!flow->is_tcp)
		return CONNECTION_NONE;
	if (reverse == FLOW_NONE)
		return connection_state(flow, NULL, end_reason, s->now_ns);
	sweep_read(t, reverse, &other);
	return connection_state(flow, &other, end_reason, s->now_ns);
}

bool sweep_take(struct sweep *s, enum flow_family family, uint32_t slot, uint32_t reverse,
		uint8_t end_reason, struct flow_record *r)
{
	struct flow_table *t = &s->cache->table[family];
	struct flow_mark *mark = &t->marks[slot];
	const struct xfp_volume volume = flow_volume(flow_counts_at(t, slot));
	struct expiry_flow flow;

	if (volume.packets == mark->packets)
		return false;
	sweep_read(t, slot, &flow);
	record_describe(s, family, slot, r);
	r->packets = volume.packets - mark->packets;
	r->octets = volume.octets - mark->octets;
	record_times(s, &flow, end_reason, r);
	r->end_reason = end_reason;
	r->connection_state = record_state(s, t, &flow, reverse, end_reason);
	record_groups(s, family, slot, reverse, &flow, true, r);
	mark->packets = volume.packets;
	mark->octets = volume.octets;
	/* in ms of the wall clock, so that the next record starts where this one ends */
	exported_end_set(t, slot, r->end_ms - wall_ms(s, flow.first_ns));
	s->stats.exported_records++;
	s->stats.exported_packets += r->packets;
	s->stats.exported_octets += r->octets;
	s->stats.by_reason[end_reason]++;
	s->stats.by_protocol[r->protocol].packets += r->packets;
	s->stats.by_protocol[r->protocol].octets += r->octets;
	return true;
}

void sweep_describe(const struct sweep *s, enum flow_family family, uint32_t slot,
		    struct flow_record *r)
{
	struct flow_table *t = &s->cache->table[family];
	const struct xfp_volume volume = flow_volume(flow_counts_at(t, slot));
	struct expiry_flow flow;

	sweep_read(t, slot, &flow);
	record_describe(s, family, slot, r);
	r->packets = volume.packets;
	r->octets = volume.octets;
	r->start_ms = wall_ms(s, flow.first_ns);
	r->end_ms = wall_ms(s, flow.last_ns);
	record_groups(s, family, slot, FLOW_NONE, &flow, false, r);
}

void sweep_describe_state(const struct sweep *s, enum flow_family family, uint32_t slot,
			  struct flow_record *r)
{
	const struct flow_table *t = &s->cache->table[family];
	struct expiry_flow flow;

	sweep_read(t, slot, &flow);
	if (flow.is_tcp)
		r->connection_state = record_state(s, t, &flow, sweep_reverse(s, family, slot), 0);
}

static uint32_t lengths_union(uint32_t a, uint32_t b)
{
	uint32_t min = (a & 0xffff) < (b & 0xffff) ? a & 0xffff : b & 0xffff;
	uint32_t max = a >> 16 > b >> 16 ? a >> 16 : b >> 16;

	return max << 16 | min;
}

static uint32_t ttl_flags_union(uint32_t a, uint32_t b)
{
	uint32_t min = (a >> 16 & 0xff) < (b >> 16 & 0xff) ? a >> 16 & 0xff : b >> 16 & 0xff;
	uint32_t max = a >> 24 > b >> 24 ? a >> 24 : b >> 24;

	return max << 24 | min << 16 | ((a | b) & 0xffff);
}

void sweep_word_merge(uint32_t *into, uint32_t from, uint32_t (*merge)(uint32_t, uint32_t))
{
	uint32_t old = __atomic_load_n(into, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(into, &old, merge(old, from), false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

/* The kernel writes last_ns too: ours must not undo a later one. */
static void last_merge(__u64 *into, __u64 from)
{
	__u64 old = __atomic_load_n(into, __ATOMIC_RELAXED);

	while (old < from && !__atomic_compare_exchange_n(into, &old, from, false, __ATOMIC_RELAXED,
							  __ATOMIC_RELAXED))
		;
}

/*
 * With params.joins_points, two CPUs may have begun a Flow at two Observation Points.
 * The one that goes on with it has all its packets; those of the other are duplicates.
 */
static bool is_of_other_point(const struct flow_table *t, uint32_t shadow, uint32_t survivor)
{
	return memcmp(flow_key_at(t, shadow), flow_key_at(t, survivor), t->key_octets) != 0;
}

static void duplicates_count(struct sweep *s, const struct xfp_volume *volume,
			     const struct flow_mark *mark)
{
	s->stats.duplicates.packets += volume->packets - mark->packets;
	s->stats.duplicates.octets += volume->octets - mark->octets;
}

void sweep_fold(struct sweep *s, enum flow_family family, uint32_t shadow, uint32_t survivor)
{
	struct flow_table *t = &s->cache->table[family];
	struct xfp_counts *from = flow_counts_at(t, shadow), *to = flow_counts_at(t, survivor);
	const struct xfp_volume volume = flow_volume(from);

	s->stats.twins_folded++;
	if (is_of_other_point(t, shadow, survivor)) {
		duplicates_count(s, &volume, &t->marks[shadow]);
		return;
	}
	/* modulo 2^64: the survivor's counts minus its mark then hold both rests */
	t->marks[survivor].packets -= volume.packets - t->marks[shadow].packets;
	t->marks[survivor].octets -= volume.octets - t->marks[shadow].octets;
	if (t->is_watched) {
		t->watch[survivor].packets -= (uint32_t)volume.packets - t->watch[shadow].packets;
		t->watch[survivor].octets -= volume.octets - t->watch[shadow].octets;
	}
	sweep_word_merge(&to->lengths, from->lengths, lengths_union);
	sweep_word_merge(&to->ttl_flags, from->ttl_flags, ttl_flags_union);
	last_merge(&to->last_ns, from->last_ns);
	/* once told, the start and the flowId made from it stay */
	if (!t->end_ms[survivor] && from->first_ns < to->first_ns) {
		__atomic_store_n(&to->first_ns, from->first_ns, __ATOMIC_RELAXED);
		to->first_flags = from->first_flags;
	}
	sweep_details_fold(s, family, shadow, survivor);
}

void sweep_free(struct sweep *s, enum flow_family family, uint32_t slot)
{
	struct flow_table *t = &s->cache->table[family];
	uint16_t *live = &t->chunk_live[slot / XFP_CHUNK_SLOTS];

	if (*live) {
		(*live)--;
		t->n_live--;
	}
	memset(&t->marks[slot], 0, sizeof(t->marks[slot]));
	if (t->is_watched)
		memset(&t->watch[slot], 0, sizeof(t->watch[slot]));
	sweep_details_free(s, family, slot);
	t->end_ms[slot] = 0;
	t->due[slot] = DUE_NEW;
	__atomic_store_n(flow_tag_at(t, slot), XFP_TAG_FREE, __ATOMIC_RELEASE);
	s->stats.retired++;
}
