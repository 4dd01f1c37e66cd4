/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Metering Process of one packet, the same behind every hook: count it as
 * seen, parse, complete the Flow Key, account it to a Flow or to a named reason.
 */
#pragma once

/* The bench compiles the same source around another kind of table. */
#ifndef XFP_CACHE_HEADER
#define XFP_CACHE_HEADER "bpf/cache.bpf.h"
#endif
#include XFP_CACHE_HEADER
#include "bpf/ledger.bpf.h"
#include "bpf/parse.bpf.h"

/*
 * Into the Flow Cache. Functions of their own so that the verifier takes them
 * once each, whatever path the headers took. Return 1 when a Flow has the
 * packet, 0 when it overflowed.
 */
GLOBAL_FUNCTION int xfp_account4(const struct observed *o)
{
	return o ? cache_account(FAMILY_IPV4, o) : 0;
}

GLOBAL_FUNCTION int xfp_account6(const struct observed *o)
{
	return o ? cache_account(FAMILY_IPV6, o) : 0;
}

static __always_inline void meter_seen(struct xfp_ledger_row *row, const struct pkt *p)
{
	ledger_volume(&row->seen, p->packets, p->frame_octets);
}

/* Account a packet whose headers gave `verdict`. */
static __always_inline void meter_account(struct xfp_ledger_row *row, const struct pkt *p,
					  enum xfp_reason verdict)
{
	struct observed o;
	int is_in_cache;

	if (verdict < XFP_N_REASONS) {
		ledger_volume(&row->reason[verdict], p->packets, p->frame_octets);
		return;
	}
	observe(&o, p);
	is_in_cache = o.is_ipv6 ? xfp_account6(&o) : xfp_account4(&o);
	ledger_volume(&row->accounted, o.packets, p->frame_octets);
	ledger_add(&row->accounted_ip_octets, o.octets);
	if (!is_in_cache)
		ledger_volume(&row->overflow[protocol_class(p->next_header)], o.packets, o.octets);
}
