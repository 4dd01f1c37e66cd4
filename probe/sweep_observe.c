/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Telling the sweep's observer. See sweep_observer.h.
 */
#include "probe/sweep_observer.h"

#include <arpa/inet.h>
#include <string.h>

#include "probe/sweep_private.h"

/* As the detectors count seconds: of a handshake both packets are nearly always in one. */
#define UNSEEN_EACH_NS (900 * NS_PER_MS)

#define IPV6_HEADER_OCTETS 40

/* ICMP messages that are answered, and by what: RFC 792, RFC 950, RFC 4443 4.1. */
#define ICMP_ECHO	     8
#define ICMP_TIMESTAMP	     13
#define ICMP_ADDRESS_MASK    17
#define ICMPV6_ECHO_REQUEST  128
#define ICMP_TYPE_CODE(type) ((uint16_t)((type) << 8))

static uint16_t length_of(uint32_t octets, uint8_t family)
{
	if (family == FLOW_IPV6)
		octets += IPV6_HEADER_OCTETS;
	return octets < UINT16_MAX ? (uint16_t)octets : UINT16_MAX;
}

/* What happened since the last call, and that it is told now. False: nothing. */
static bool delta_take(const struct sweep *s, uint8_t family, uint32_t slot, struct flow_delta *d)
{
	const struct flow_table *t = &s->cache->table[family];
	const struct xfp_counts *c = flow_counts_at(t, slot);
	struct flow_watch *watch = &t->watch[slot];
	const struct xfp_volume volume = flow_volume(c);
	uint32_t lengths, ttl_flags;

	d->packets = (uint32_t)volume.packets - watch->packets;
	if (!d->packets && watch->state & SWEEP_KNOWN && !(watch->state & SWEEP_WATCH) &&
	    !d->is_ended)
		return false;
	lengths = __atomic_load_n(&c->lengths, __ATOMIC_RELAXED);
	ttl_flags = __atomic_load_n(&c->ttl_flags, __ATOMIC_RELAXED);
	d->sweep = s;
	d->now_ns = s->now_ns;
	d->slot = slot;
	d->family = family;
	d->key = flow_key_at(t, slot);
	d->octets = volume.octets - watch->octets;
	d->total_packets = volume.packets;
	d->total_octets = volume.octets;
	d->first_ns = __atomic_load_n(&c->first_ns, __ATOMIC_RELAXED);
	d->last_ns = __atomic_load_n(&c->last_ns, __ATOMIC_RELAXED);
	d->tcp_flags = ttl_flags & 0xffff;
	d->first_flags = c->first_flags;
	d->length_min = length_of(lengths & 0xffff, family);
	d->length_max = length_of(lengths >> 16, family);
	d->is_new = !(watch->state & SWEEP_KNOWN);
	d->state = &watch->state;
	watch->packets = (uint32_t)volume.packets;
	watch->octets = volume.octets;
	watch->state = (watch->state | SWEEP_KNOWN) & ~SWEEP_WATCH;
	return true;
}

/* A second slot of one Flow is told of with the first, which takes over its counts. */
static bool is_shadow(const struct sweep *s, uint8_t family, uint32_t slot)
{
	const struct flow_table *t = &s->cache->table[family];

	return !s->cache->is_native && !(t->watch[slot].state & SWEEP_KNOWN) &&
	       flow_cache_find(s->cache, family, flow_key_at(t, slot), true, FLOW_NONE) != slot;
}

static void bucket_observe(const struct sweep *s, uint8_t family, uint32_t bucket)
{
	const struct flow_table *t = &s->cache->table[family];
	struct xfp_bucket tags = flow_tags_load(t, bucket);
	uint32_t places = ~flow_places(&tags, 0, FLOW_TAG_BITS) & FLOW_PLACES_ALL;

	for (; places; places &= places - 1) {
		uint32_t slot = bucket * XFP_BUCKET_SLOTS + (uint32_t)__builtin_ctz(places);
		struct flow_delta delta;

		__builtin_prefetch(t->slots + (size_t)(slot + SLOTS_AHEAD) * t->slot_octets);
		__builtin_prefetch(t->slots + (size_t)(slot + SLOTS_AHEAD + 1) * t->slot_octets -
				   1);
		delta.is_ended = false;
		delta.end_reason = 0;
		if (!is_shadow(s, family, slot) && delta_take(s, family, slot, &delta))
			s->observer->on_flow(s->observer->arg, &delta);
	}
}

void sweep_observe_unseen(const struct sweep *s)
{
	if (s->observer && s->observer->on_unseen && s->cache->unseen)
		unseen_take(s->cache->unseen, s->now_ns, s->observer->on_unseen, s->observer->arg);
}

void sweep_observe(struct sweep *s)
{
	if (!s->observer)
		return;
	for (int family = 0; family < FLOW_FAMILIES; family++) {
		const struct flow_table *t = &s->cache->table[family];

		for (uint32_t chunk = 0; chunk < t->n_chunks; chunk++) {
			/* what was empty and has no news is empty */
			if (!t->chunk_live[chunk] &&
			    !__atomic_load_n(&t->news[chunk], __ATOMIC_RELAXED))
				continue;
			for (uint32_t i = 0; i < XFP_CHUNK_BUCKETS; i++)
				bucket_observe(s, (uint8_t)family, chunk * XFP_CHUNK_BUCKETS + i);
		}
	}
	if (!s->unseen_ns || s->now_ns >= s->unseen_ns + UNSEEN_EACH_NS) {
		s->unseen_ns = s->now_ns;
		sweep_observe_unseen(s);
	}
	s->observer->on_sweep(s->observer->arg, s->now_ns);
}

void sweep_observe_end(struct sweep *s, enum flow_family family, uint32_t slot, uint8_t end_reason)
{
	struct flow_delta delta = {.is_ended = true, .end_reason = end_reason};

	if (s->observer && delta_take(s, family, slot, &delta))
		s->observer->on_flow(s->observer->arg, &delta);
}

/* Type and code of the reply to an ICMP query; false: not one, or none is known. */
static bool icmp_reply(uint8_t family, uint16_t query, uint16_t *reply)
{
	if (family == FLOW_IPV6) {
		*reply = ICMP_TYPE_CODE(ICMPV6_ECHO_REQUEST + 1);
		return query == ICMP_TYPE_CODE(ICMPV6_ECHO_REQUEST);
	}
	if (query == ICMP_TYPE_CODE(ICMP_ECHO)) {
		*reply = 0;
		return true;
	}
	*reply = query + ICMP_TYPE_CODE(1);
	return query == ICMP_TYPE_CODE(ICMP_TIMESTAMP) ||
	       query == ICMP_TYPE_CODE(ICMP_ADDRESS_MASK);
}

static uint32_t reverse_slot(const struct flow_delta *d)
{
	const struct flow_cache *cache = d->sweep->cache;
	const struct flow_table *t = &cache->table[d->family];
	uint8_t protocol = flow_protocol_at(t, d->slot);
	struct xfp_key6 key6;
	struct xfp_key4 key4;
	uint16_t reply;

	if (protocol != (d->family == FLOW_IPV6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return sweep_reverse_any(d->sweep, d->family, d->slot);
	if (d->family == FLOW_IPV6) {
		const struct xfp_key6 *k = d->key;

		if (!icmp_reply(d->family, ntohs(k->destination_port), &reply))
			return FLOW_NONE;
		flow_key_reverse(FLOW_IPV6, k, &key6,
				 obs_other_direction(d->sweep->obs, k->obs_point));
		key6.source_port = 0;
		key6.destination_port = htons(reply);
		return flow_cache_find(cache, FLOW_IPV6, &key6, true, d->slot);
	}
	const struct xfp_key4 *k = d->key;

	if (!icmp_reply(d->family, ntohs(k->destination_port), &reply))
		return FLOW_NONE;
	flow_key_reverse(FLOW_IPV4, k, &key4, obs_other_direction(d->sweep->obs, k->obs_point));
	key4.source_port = 0;
	key4.destination_port = htons(reply);
	return flow_cache_find(cache, FLOW_IPV4, &key4, true, d->slot);
}

bool flow_delta_reverse(const struct flow_delta *delta, struct flow_reverse *reverse)
{
	const struct flow_table *t = &delta->sweep->cache->table[delta->family];
	uint32_t slot = reverse_slot(delta);
	const struct xfp_counts *c;
	struct xfp_volume volume;

	if (slot == FLOW_NONE)
		return false;
	c = flow_counts_at(t, slot);
	volume = flow_volume(c);
	reverse->packets = volume.packets;
	reverse->octets = volume.octets;
	reverse->first_ns = __atomic_load_n(&c->first_ns, __ATOMIC_RELAXED);
	reverse->tcp_flags = __atomic_load_n(&c->ttl_flags, __ATOMIC_RELAXED) & 0xffff;
	reverse->first_flags = c->first_flags;
	return true;
}

uint64_t flow_delta_id(const struct flow_delta *delta)
{
	return sweep_flow_id(&delta->sweep->cache->table[delta->family], delta->slot,
			     delta->first_ns);
}
