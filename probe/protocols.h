/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IP protocols as the Flow Cache meters them: which are switched off, and what was
 * counted of each. Totals cost packets nothing: the daemon adds up what its records
 * told and what the cache holds; only packets without a Flow are counted by protocol.
 */
#pragma once

#include <jansson.h>

#include "probe/flow_cache.h"
#include "probe/protocol.h"
#include "probe/sweep.h"

/* Meter the protocols of the set and no others, from the next packet on. */
void protocols_switch_all(struct flow_cache *cache, const struct protocol_set *set);

/*
 * Meter a protocol from the next packet on, or no longer; its Flows in the cache end
 * as others do. Returns 0, or -EPERM where the program has no switches.
 */
int protocols_switch(struct flow_cache *cache, uint8_t number, bool is_on);

/*
 * What was accounted of each protocol: exported, in the cache, overflow. IP octets.
 * Without packets in between, the sum is accounted.packets and accounted_ip_octets.
 *
 * content   of flow_cache_content()
 * accounts  sum of the ledger's rows
 * totals    replaced
 */
void protocols_total(const struct flow_cache_content *content, const struct sweep_stats *stats,
		     const struct xfp_ledger_row *accounts,
		     struct xfp_volume totals[static XFP_N_PROTOCOLS]);

#define PROTOCOLS_ALL (-1)

/*
 * Append an object {"type":"protocol", ...} for protocol `number`; with PROTOCOLS_ALL
 * for each that had packets, or is switched other than most. Returns 0 or -ENOMEM.
 */
int protocols_list(const struct flow_cache *cache,
		   const struct xfp_volume totals[static XFP_N_PROTOCOLS],
		   const struct xfp_ledger_row *accounts, int number, json_t *list);
