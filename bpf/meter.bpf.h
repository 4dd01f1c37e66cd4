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
 * Functions of their own, so that the verifier takes each once, whatever way
 * the headers took: a new IPv4 Flow, and all of IPv6. The update of an IPv4
 * Flow is inlined. Return 1 when a Flow has the packet, 0 when it overflowed.
 */
GLOBAL_FUNCTION int xfp_insert4(const struct observed4 *o, __u32 first, __u32 second, __u32 tag)
{
	struct place place = {.first = first, .second = second, .tag = tag};

	return o ? cache_insert(FAMILY_IPV4, &o->seen, o->key, &place) : 0;
}

GLOBAL_FUNCTION int xfp_account6(const struct observed6 *o)
{
	struct place place;

	if (!o)
		return 0;
	place = cache_place(FAMILY_IPV6, o->key);
	return cache_hit(FAMILY_IPV6, &o->seen, o->key, &place) ||
	       cache_insert(FAMILY_IPV6, &o->seen, o->key, &place);
}

static __always_inline int account4(const struct observed4 *o)
{
	struct place place = cache_place(FAMILY_IPV4, o->key);

	return cache_hit(FAMILY_IPV4, &o->seen, o->key, &place) ||
	       xfp_insert4(o, place.first, place.second, place.tag);
}

static __always_inline void meter_seen(struct xfp_ledger_row *row, const struct pkt *p)
{
	ledger_volume(&row->seen, p->packets, p->frame_octets);
}

static __always_inline void meter_accounted(struct xfp_ledger_row *row, const struct pkt *p,
					    const struct observed *o, bool is_in_cache)
{
	ledger_volume(&row->accounted, o->packets, p->frame_octets);
	ledger_add(&row->accounted_ip_octets, o->octets);
	if (!is_in_cache)
		ledger_volume(&row->overflow[protocol_class(p->next_header)], o->packets,
			      o->octets);
}

/*
 * A guest may hand over a super-packet without the number of its segments
 * (SKB_GSO_DODGY): known when the headers are. Rare, so it may divide.
 */
static __always_inline void meter_segments(struct xfp_ledger_row *row, struct pkt *p)
{
	__u32 payload = p->end_offset - p->offset - p->transport_octets;
	__u32 more;

	if (!p->gso_octets || p->has_segments || payload <= p->gso_octets)
		return;
	more = (payload - 1) / p->gso_octets;
	ledger_add(&row->seen.packets, more);
	p->packets += more;
}

/* From the IP header to what the Flow Cache adds. */
static __always_inline enum xfp_reason read_ipv4(struct xfp_ledger_row *row, struct pkt *p,
						 struct observed4 *o)
{
	enum xfp_reason verdict = parse_ipv4(p);

	if (verdict != XFP_OK)
		return verdict;
	meter_segments(row, p);
	observe4(o, p);
	return XFP_OK;
}

static __always_inline enum xfp_reason read_ipv6(struct xfp_ledger_row *row, struct pkt *p,
						 struct observed6 *o)
{
	enum xfp_reason verdict = parse_ipv6(p);

	if (verdict != XFP_OK)
		return verdict;
	meter_segments(row, p);
	observe6(o, p);
	return XFP_OK;
}

/* Each family has its own way to the end: what one does not know is a constant there. */
static __always_inline enum xfp_reason meter_ipv4(struct xfp_ledger_row *row, struct pkt *p)
{
	struct observed4 o;
	enum xfp_reason verdict = read_ipv4(row, p, &o);

	if (verdict != XFP_OK)
		return verdict;
	meter_accounted(row, p, &o.seen, account4(&o));
	return XFP_OK;
}

static __always_inline enum xfp_reason meter_ipv6(struct xfp_ledger_row *row, struct pkt *p)
{
	struct observed6 o;
	enum xfp_reason verdict = read_ipv6(row, p, &o);

	if (verdict != XFP_OK)
		return verdict;
	meter_accounted(row, p, &o.seen, xfp_account6(&o));
	return XFP_OK;
}

/* From the network header, whose EtherType is p->ethertype, to a Flow, or why not. */
static __always_inline enum xfp_reason meter_network(struct xfp_ledger_row *row, struct pkt *p)
{
	p->ip_offset = p->offset;
	if (p->ethertype == ETH_P_IP)
		return meter_ipv4(row, p);
	if (p->ethertype == ETH_P_IPV6)
		return meter_ipv6(row, p);
	return XFP_not_ip;
}

/* The end of a packet without a Flow. */
static __always_inline void meter_reason(struct xfp_ledger_row *row, const struct pkt *p,
					 enum xfp_reason reason)
{
	if (reason < XFP_N_REASONS)
		ledger_volume(&row->reason[reason], p->packets, p->frame_octets);
}
