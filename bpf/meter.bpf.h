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
#include "bpf/detail.bpf.h"
#include "bpf/fragment.bpf.h"
#include "bpf/layers.bpf.h"
#include "bpf/ledger.bpf.h"
#include "bpf/parse.bpf.h"

/* Add the packet to its Flow, or create it. Returns the packet's account. */
static __always_inline __u32 cache_account(struct table t, const struct observed *o,
					   const __u64 *key, const struct place *place)
{
	__u32 account = cache_hit(t, o, key, place);

	return account ? account : cache_insert(t, o, key, place);
}

/*
 * Functions of their own, so that the verifier takes each once, whatever way
 * the headers took. Return the packet's account.
 */
GLOBAL_FUNCTION int xfp_account4(const struct observed4 *o)
{
	const struct table t = TABLE(FAMILY_IPV4);
	struct place place;

	if (!o)
		return 0;
	place = cache_place(t, cache_hash(t, o->key));
	return cache_account(t, &o->seen, o->key, &place);
}

GLOBAL_FUNCTION int xfp_account6(const struct observed6 *o)
{
	const struct table t = TABLE(FAMILY_IPV6);
	struct place place;

	if (!o)
		return 0;
	place = cache_place(t, cache_hash(t, o->key));
	return cache_account(t, &o->seen, o->key, &place);
}

/* What is left to do when the hit was inlined and missed. */
GLOBAL_FUNCTION int xfp_insert4(const struct observed4 *o, __u64 hash)
{
	const struct table t = TABLE(FAMILY_IPV4);
	struct place place;

	if (!o)
		return 0;
	place = cache_place(t, hash);
	return cache_insert(t, &o->seen, o->key, &place);
}

/*
 * xfp_account4() with the hit inlined, for a flat table. The function gets a
 * copy, so that of `o` only what a hit needs has to exist.
 */
static __always_inline bool account4_inline(const struct observed4 *o)
{
	const struct table t = {.family = FAMILY_IPV4, .is_flat = true};
	__u64 hash = cache_hash(t, o->key);
	struct place place = cache_place(t, hash);
	struct observed4 copy;

	if (LIKELY(cache_hit(t, &o->seen, o->key, &place)))
		return true;
	copy = *o;
	return xfp_insert4(&copy, hash);
}

/* The device has no Ethernet header (tun, GRE, ...): packets begin with IP. */
TUNABLE bool xfp_is_raw_ip;

static __always_inline void meter_seen(struct xfp_ledger_row *row, const struct pkt *p)
{
	ledger_volume(&row->seen, p->packets, p->frame_octets);
}

static __always_inline void meter_accounted(struct xfp_ledger_row *row, const struct observed *o,
					    __u32 frame_octets, __u8 protocol, bool is_in_cache)
{
	ledger_volume(&row->accounted, o->packets, frame_octets);
	ledger_add(&row->accounted_ip_octets, o->octets);
	if (!is_in_cache)
		ledger_volume(&row->overflow[protocol_class(protocol)], o->packets, o->octets);
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

/* From the IP header to what the Flow Cache adds, but for what only other fragments know. */
static __always_inline enum xfp_reason read_ipv4(struct xfp_ledger_row *row, struct pkt *p,
						 struct observed4 *o)
{
	enum xfp_reason verdict;

	p->ip_offset = p->offset;
	verdict = parse_ipv4(p);
	if (verdict != XFP_OK)
		return verdict;
	meter_segments(row, p);
	observe4(o, p);
	return XFP_OK;
}

static __always_inline enum xfp_reason read_ipv6(struct xfp_ledger_row *row, struct pkt *p,
						 struct observed6 *o)
{
	enum xfp_reason verdict;

	p->ip_offset = p->offset;
	verdict = parse_ipv6(p);
	if (verdict != XFP_OK)
		return verdict;
	meter_segments(row, p);
	observe6(o, p);
	return XFP_OK;
}

/*
 * The packet that most packets are, a whole IPv4 datagram without options right
 * behind its Ethernet header, for a flat table: every offset is a constant and the hit
 * is inlined. False when it is another; nothing but `seen` has been counted then.
 */
#ifdef __bpf__
static __always_inline bool may_be_tunnel_plain(const struct pkt *p, __u8 protocol)
{
	const __u8 *h = pkt_header(p, ETH_HLEN + 20 + 4);

	return may_be_tunnel(protocol, h ? HEADER_LOAD(__u32, h + ETH_HLEN + 20) : 0);
}

static __always_inline bool meter_plain(struct xfp_ledger_row *row, struct pkt *p)
{
	struct observed4 o;
	const __u8 *h = pkt_header(p, ETH_HLEN + 20);

	if (!xfp_is_flat || xfp_is_raw_ip || xfp_detail.octets || !h ||
	    load_be16(h, 12) != ETH_P_IP || h[ETH_HLEN] != 0x45)
		return false;
	if (xfp_opens_tunnels && may_be_tunnel_plain(p, h[ETH_HLEN + 9]))
		return false;
	p->offset = ETH_HLEN;
	p->ip_offset = ETH_HLEN;
	if (parse_ipv4_header(p) != XFP_OK || is_fragment(p) || parse_transport(p) != XFP_OK)
		return false;
	meter_segments(row, p);
	observe4(&o, p);
	meter_accounted(row, &o.seen, p->frame_octets, p->next_header, account4_inline(&o));
	return true;
}
#endif

static __always_inline void meter_notice(enum xfp_notice notice)
{
	struct xfp_ledger_row *row = ledger_row();

	if (row)
		ledger_add(&row->notice[notice], 1);
}

/* The end of a packet without a Flow. */
static __always_inline void meter_reason(struct xfp_ledger_row *row, const struct pkt *p,
					 enum xfp_reason reason)
{
	__u64 index = reason;

	barrier_var(index); /* one register, or Linux 6.1 forgets its bound */
	if (index < XFP_N_REASONS)
		ledger_volume(&row->reason[index], p->packets, p->frame_octets);
}
