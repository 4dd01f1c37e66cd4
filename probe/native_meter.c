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
	memcpy(xfp_hash_spread, params->hash_spread, sizeof(xfp_hash_spread));
	xfp_buckets4 = params->n_buckets[FLOW_IPV4];
	xfp_buckets6 = params->n_buckets[FLOW_IPV6];
}

struct native_place native_meter_place(enum flow_family family, const void *key, uint32_t n_buckets)
{
	__u64 words[KEY_WORDS6];
	int n_words = family == FLOW_IPV4 ? KEY_WORDS4 : KEY_WORDS6;
	struct place p;

	memcpy(words, key, (size_t)n_words * sizeof(words[0]));
	p = key_place(words, n_words, n_buckets);

	return (struct native_place){.first = p.first, .second = p.second, .tag = p.tag};
}

static void maps_select(struct flow_cache *cache)
{
	for (int f = 0; f < FLOW_FAMILIES; f++) {
		struct flow_table *t = &cache->table[f];

		native_maps.tags[f] = t->tags;
		native_maps.slots[f] = t->slots;
		native_maps.hints[f] = (__u64 *)t->hints;
		native_maps.marks[f] = (__u64 *)t->news;
	}
	native_maps.row = cache->rows;
}

void native_meter_packet(struct flow_cache *cache, const struct native_packet *packet)
{
	struct pkt p = {
		.data = packet->data,
		.data_end = (const __u8 *)packet->data + packet->captured_octets,
		.frame_octets = packet->wire_octets,
		.ethertype = packet->ethertype,
		.offset = packet->offset,
		.packets = 1,
		.now_ns = packet->time_ns,
	};

	enum xfp_reason verdict;

	maps_select(cache);
	meter_seen(native_maps.row, &p);
	verdict = packet->is_ethernet ? parse_ethernet(&p) : parse_tags(&p);
	if (verdict == XFP_OK)
		verdict = meter_network(native_maps.row, &p);
	meter_reason(native_maps.row, &p, verdict);
}
