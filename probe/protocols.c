/* SPDX-License-Identifier: BSD-2-Clause */
/* Switches and totals of IP protocols. See protocols.h. */
#include "probe/protocols.h"

#include <errno.h>
#include <string.h>

static bool is_off(const struct flow_cache *cache, int number)
{
	return cache->params.has_switches &&
	       __atomic_load_n(&cache->switches->is_off[number], __ATOMIC_RELAXED);
}

void protocols_switch_all(struct flow_cache *cache, const struct protocol_set *set)
{
	for (int i = 0; i < XFP_N_PROTOCOLS; i++)
		protocols_switch(cache, (uint8_t)i, protocol_set_has(set, (uint8_t)i));
}

int protocols_switch(struct flow_cache *cache, uint8_t number, bool is_on)
{
	if (!cache->params.has_switches)
		return -EPERM;
	__atomic_store_n(&cache->switches->is_off[number], !is_on, __ATOMIC_RELAXED);
	return 0;
}

static void add(struct xfp_volume *to, const struct xfp_volume *v)
{
	to->packets += v->packets;
	to->octets += v->octets;
}

void protocols_total(const struct flow_cache_content *content, const struct sweep_stats *stats,
		     const struct xfp_ledger_row *accounts,
		     struct xfp_volume totals[static XFP_N_PROTOCOLS])
{
	memcpy(totals, content->protocol, sizeof(content->protocol));
	for (int i = 0; i < XFP_N_PROTOCOLS; i++) {
		add(&totals[i], &stats->by_protocol[i]);
		add(&totals[i], &accounts->overflow[i]);
	}
}

static json_t *describe(const struct flow_cache *cache, const struct xfp_volume *total,
			const struct xfp_ledger_row *accounts, int number)
{
	const struct xfp_volume *overflow = &accounts->overflow[number];
	const struct xfp_volume *off = &accounts->off[number];
	const char *word = is_off(cache, number) ? "off" : "on";

	return json_pack("{s:s, s:i, s:s*, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "type", "protocol",
			 "protocolIdentifier", number, "name", protocol_name((uint8_t)number),
			 "switch", cache->params.has_switches ? word : "fixed", "packets",
			 (json_int_t)total->packets, "octets", (json_int_t)total->octets,
			 "overflow_packets", (json_int_t)overflow->packets, "overflow_octets",
			 (json_int_t)overflow->octets, "off_packets", (json_int_t)off->packets,
			 "off_octets", (json_int_t)off->octets);
}

int protocols_list(const struct flow_cache *cache,
		   const struct xfp_volume totals[static XFP_N_PROTOCOLS],
		   const struct xfp_ledger_row *accounts, int number, json_t *list)
{
	int n_off = 0, err = 0;

	for (int i = 0; i < XFP_N_PROTOCOLS; i++)
		n_off += is_off(cache, i);
	for (int i = 0; i < XFP_N_PROTOCOLS; i++) {
		bool are_most_off = n_off > XFP_N_PROTOCOLS / 2;
		bool is_telling = totals[i].packets || accounts->off[i].packets ||
				  is_off(cache, i) != are_most_off;

		if (number == PROTOCOLS_ALL ? is_telling : i == number)
			err |= json_array_append_new(list,
						     describe(cache, &totals[i], accounts, i));
	}
	return err ? -ENOMEM : 0;
}
