/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Native build of the Metering Process. See native_meter.h.
 */
#include "probe/native_meter.h"

#include <string.h>

#include "bpf/meter.bpf.h"

void native_meter_configure(const struct flow_cache_params *params)
{
	memcpy(xfp_hash_words, params->hash_words, sizeof(xfp_hash_words));
	xfp_hash_spread = params->hash_spread;
	xfp_buckets4 = params->n_buckets[FLOW_IPV4];
	xfp_buckets6 = params->n_buckets[FLOW_IPV6];
	xfp_detail = params->detail;
	xfp_has_switches = params->has_switches;
	xfp_deduplicates = params->joins_points;
	xfp_counts_unseen = params->is_watched;
	xfp_unseen_seed = params->unseen_seed;
}

void native_meter_open_tunnels(bool opens_tunnels)
{
	xfp_opens_tunnels = opens_tunnels;
}

struct native_place native_meter_place(enum flow_family family, const void *key, uint32_t n_buckets)
{
	__u64 words[KEY_WORDS6];
	int n_words = family == FLOW_IPV4 ? KEY_WORDS4 : KEY_WORDS6;
	struct place p;

	memcpy(words, key, (size_t)n_words * sizeof(words[0]));
	p = hash_place(key_hash(words, n_words, xfp_deduplicates), n_buckets);

	return (struct native_place){
		.first = (uint32_t)p.first, .second = (uint32_t)p.second, .tag = p.tag};
}

static void maps_select(struct flow_cache *cache)
{
	for (int f = 0; f < FLOW_FAMILIES; f++) {
		struct flow_table *t = &cache->table[f];

		native_maps.tags[f] = t->tags;
		native_maps.slots[f] = t->slots;
		native_maps.hints[f] = (__u64 *)t->hints;
		native_maps.marks[f] = (__u64 *)t->news;
		native_maps.details[f] = t->details;
	}
	native_maps.row = cache->rows;
	native_maps.fragments = cache->fragments;
	native_maps.unseen = cache->unseen;
	native_maps.switches = cache->switches;
}

/* A packet between its headers and its Flow. */
struct waiting {
	union {
		struct observed seen; /* what both begin with */
		struct observed4 v4;
		struct observed6 v6;
	};
	struct place place;
	struct table table;
	__u32 frame_octets;
	__u8 protocol;
};

static struct {
	struct waiting packet[NATIVE_BATCH];
	__u32 n;
} batch;

static const __u64 *waiting_key(const struct waiting *w)
{
	return w->table.family == FAMILY_IPV4 ? w->v4.key : w->v6.key;
}

static void waiting_place(struct waiting *w)
{
	w->place = cache_place(w->table, cache_hash(w->table, waiting_key(w)));
	__builtin_prefetch(bucket_at(w->table, w->place.first));
	__builtin_prefetch(bucket_at(w->table, w->place.second));
}

/* Fetch the slot of the packet's Flow, by its tag only. Inlined, or GCC finds it without effect. */
static __always_inline void waiting_prefetch(const struct waiting *w)
{
	__u64 bucket = w->place.first;
	const char *slot;
	__u64 match = bucket_match(bucket_at(w->table, bucket), w->place.tag);

	if (!match) {
		bucket = w->place.second;
		match = bucket_match(bucket_at(w->table, bucket), w->place.tag);
	}
	if (!match)
		return;
	slot = slot_at(w->table, bucket, match_first(match));
	__builtin_prefetch(slot, 1);
	if (w->table.family == FAMILY_IPV6)
		__builtin_prefetch(slot + 64, 1);
}

static __u32 waiting_account(const struct waiting *w)
{
	if (w->table.family == FAMILY_IPV4)
		return cache_account(TABLE(FAMILY_IPV4), &w->seen, w->v4.key, &w->place);
	return cache_account(TABLE(FAMILY_IPV6), &w->seen, w->v6.key, &w->place);
}

/* Where a Flow finds no place, the table grows: what waits then has other places. */
static __u32 batch_account(struct flow_cache *cache, __u32 at)
{
	__u32 account;

	while (!(account = waiting_account(&batch.packet[at]))) {
		if (!flow_cache_grow(cache, (enum flow_family)batch.packet[at].table.family))
			return ACCOUNT_OVERFLOW;
		maps_select(cache);
		for (__u32 i = at; i < batch.n; i++)
			waiting_place(&batch.packet[i]);
	}
	return account;
}

static void waiting_unseen(const struct waiting *w)
{
	if (!xfp_counts_unseen)
		return;
	if (w->table.family == FAMILY_IPV4)
		xfp_unseen4(&w->v4);
	else
		xfp_unseen6(&w->v6);
}

/* Count it by its account. Returns false where there are no details to add. */
static bool waiting_finish(const struct waiting *w, __u32 account)
{
	if (account == ACCOUNT_DUPLICATE) {
		meter_left_out(native_maps.row, &w->seen, w->frame_octets, w->protocol,
			       XFP_duplicate);
		return false;
	}
	meter_accounted(native_maps.row, &w->seen, w->frame_octets, w->protocol, account);
	if (account == ACCOUNT_OVERFLOW)
		waiting_unseen(w);
	return account != ACCOUNT_OVERFLOW;
}

void native_meter_flush(struct flow_cache *cache)
{
	maps_select(cache);
	for (__u32 i = 0; i < batch.n; i++)
		waiting_prefetch(&batch.packet[i]);
	for (__u32 i = 0; i < batch.n; i++) {
		__u32 account = batch_account(cache, i);

		waiting_finish(&batch.packet[i], account);
	}
	batch.n = 0;
}

/* Details need the packet itself, so none waits. */
static void packet_finish(struct flow_cache *cache, struct pkt *p, const struct headers *h)
{
	const struct waiting *w = &batch.packet[0];
	__u32 account = batch_account(cache, 0);

	if (waiting_finish(w, account))
		details_add(w->table, p, h, account);
	batch.n = 0;
}

static enum xfp_reason read4(struct waiting *w, struct pkt *p, struct headers *h)
{
	enum xfp_reason verdict = read_ipv4(native_maps.row, p, &w->v4);

	w->table = TABLE(FAMILY_IPV4);
	if (verdict != XFP_OK)
		return verdict;
	headers_complete(h, p, &w->seen, 0);
	if (is_fragment(p)) {
		__u32 followed = xfp_fragment4(&w->v4, h);

		h->next_header = (__u8)followed;
		if (FRAGMENT_NOTICE(followed))
			xfp_broken_fragment4(&w->v4, FRAGMENT_NOTICE(followed) - 1);
	}
	return XFP_OK;
}

static enum xfp_reason read6(struct waiting *w, struct pkt *p, struct headers *h)
{
	enum xfp_reason verdict = read_ipv6(native_maps.row, p, &w->v6);

	w->table = TABLE(FAMILY_IPV6);
	if (verdict != XFP_OK)
		return verdict;
	headers_complete(h, p, &w->seen, 40);
	if (is_fragment(p)) {
		__u32 followed = xfp_fragment6(&w->v6, h);

		h->next_header = (__u8)followed;
		if (FRAGMENT_NOTICE(followed))
			xfp_broken_fragment6(&w->v6, FRAGMENT_NOTICE(followed) - 1);
	}
	return XFP_OK;
}

/* From whatever is in front of IP, or around it, to the IP header of the Flow. */
static enum xfp_reason layers_follow(const struct pkt *p, struct headers *h)
{
	struct layers l;

	layers_begin(&l, h);
	for (int i = 0; i < LAYERS_MAX_STEPS; i++) {
		struct pkt step = {
			.data = p->data,
			.data_end = p->data_end,
		};

		if (!layers_step(&l, &step))
			break;
	}
	return layers_end(&l, h, false);
}

/* The packet's way to where it waits; *h is complete then. */
static enum xfp_reason waiting_read(struct waiting *w, struct pkt *p, struct headers *h,
				    bool is_ethernet)
{
	enum xfp_reason verdict = is_ethernet ? parse_ethernet(p) : parse_tags(p);

	headers_save(h, p);
	if (verdict == XFP_OK && (xfp_opens_tunnels || !is_ip(p->ethertype))) {
		verdict = layers_follow(p, h);
		headers_restore(p, h);
	}
	if (verdict != XFP_OK)
		return verdict;
	if (p->ethertype == ETH_P_IP)
		return read4(w, p, h);
	return p->ethertype == ETH_P_IPV6 ? read6(w, p, h) : XFP_not_ip;
}

void native_meter_add(struct flow_cache *cache, const struct native_packet *packet)
{
	struct waiting *w = &batch.packet[batch.n];
	struct pkt p = {
		.data = packet->data,
		.data_end = (const __u8 *)packet->data + packet->captured_octets,
		.frame_octets = packet->wire_octets,
		.ethertype = packet->ethertype,
		.offset = packet->offset,
		.packets = 1,
		.now_ns = packet->time_ns,
		.obs_point = packet->obs_point,
	};
	enum xfp_reason verdict;
	struct headers h;

	maps_select(cache);
	meter_seen(native_maps.row, &p);
	verdict = waiting_read(w, &p, &h, packet->is_ethernet);
	if (verdict != XFP_OK) {
		meter_reason(native_maps.row, &p, verdict);
		if (xfp_counts_unseen && is_blamed(verdict)) {
			headers_restore(&p, &h);
			broken_count(&p, verdict);
		}
		return;
	}
	w->frame_octets = p.frame_octets;
	w->protocol = h.next_header;
	if (protocol_is_off(w->protocol)) {
		meter_left_out(native_maps.row, &w->seen, w->frame_octets, w->protocol,
			       XFP_protocol_off);
		return;
	}
	waiting_place(w);
	batch.n++;
	if (xfp_detail.octets)
		packet_finish(cache, &p, &h);
	else if (batch.n == NATIVE_BATCH)
		native_meter_flush(cache);
}

void native_meter_packet(struct flow_cache *cache, const struct native_packet *packet)
{
	native_meter_add(cache, packet);
	native_meter_flush(cache);
}
