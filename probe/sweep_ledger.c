/* SPDX-License-Identifier: BSD-2-Clause */
#include "probe/sweep_ledger.h"

#include "probe/protocols.h"

void sweep_ledger(const struct sweep *s, struct ledger *ledger)
{
	struct flow_cache_content content;

	ledger_sum_rows(&ledger->accounts, s->cache->rows, s->cache->n_rows);
	flow_cache_content(s->cache, &content);
	ledger->exported.records = s->stats.exported_records;
	ledger->exported.packets = s->stats.exported_packets;
	ledger->exported.octets = s->stats.exported_octets;
	ledger->in_cache.records = content.flows;
	ledger->in_cache.packets = content.packets;
	ledger->in_cache.octets = content.octets;
	ledger->stranded = s->stats.stranded;
	protocols_total(&content, &s->stats, &ledger->accounts, ledger->protocols);
	ledger_move_duplicates(ledger, &s->stats.duplicates);
}
