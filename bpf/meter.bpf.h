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
#include "bpf/broken.bpf.h"
#include "bpf/detail.bpf.h"
#include "bpf/fragment.bpf.h"
#include "bpf/layers.bpf.h"
#include "bpf/ledger.bpf.h"
#include "bpf/parse.bpf.h"
#include "bpf/unseen.bpf.h"

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

/*
 * What is left to do when the hit was inlined and missed. What has no place is counted
 * by the caller: on Linux 6.1 the stack leaves no room for that in here.
 */
GLOBAL_FUNCTION int xfp_insert4(const struct observed4 *o, __u64 hash)
{
	const struct table t = TABLE(FAMILY_IPV4);
	struct place place;

	if (!o)
		return 0;
	place = cache_place(t, hash);
	return cache_insert(t, &o->seen, o->key, &place);
}

GLOBAL_FUNCTION int xfp_insert6(const struct observed6 *o, __u64 hash)
{
	const struct table t = TABLE(FAMILY_IPV6);
	struct place place;

	if (!o)
		return 0;
	place = cache_place(t, hash);
	return cache_insert(t, &o->seen, o->key, &place);
}

/* The device has no Ethernet header (tun, GRE, ...): packets begin with IP. */
TUNABLE bool xfp_is_raw_ip;

/*
 * What keeps packets from being plain ones, each of two for a single look: none is,
 * for xfp_is_raw_ip or xfp_deduplicates; their protocol is asked, for
 * xfp_opens_tunnels or xfp_has_switches.
 */
TUNABLE bool xfp_has_no_plain;
TUNABLE bool xfp_asks_protocol;

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
		ledger_volume(ledger_protocol(row->overflow, protocol), o->packets, o->octets);
}

/* Octets of headers that segments repeat: 64 KiB in segments of one octet have fewer. */
#define SEGMENTS_HEADERS_MAX (1u << 24)

/*
 * A guest may hand over a super-packet without the number of its segments
 * (SKB_GSO_DODGY): known when the headers are. Rare, so it may divide. Of what it says
 * nothing is sure: the data offset may point behind the packet.
 */
static __always_inline void meter_segments(struct xfp_ledger_row *row, struct pkt *p)
{
	__u32 left = p->end_offset - p->offset;
	__u32 headers = p->offset - p->ip_offset - p->absent_octets + p->transport_octets;
	__u32 more, most;

	if (!p->gso_octets || p->has_segments || left <= p->transport_octets + p->gso_octets)
		return;
	more = (left - p->transport_octets - 1) / p->gso_octets;
	most = SEGMENTS_HEADERS_MAX / headers;
	if (more > most)
		more = most;
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

static __always_inline bool protocol_is_off(__u8 protocol)
{
	__u64 index = protocol;

	if (!xfp_has_switches)
		return false;
	barrier_var(index); /* as in ledger_protocol() */
	return READ_ONCE_(switches()->is_off[index & (XFP_N_PROTOCOLS - 1)]);
}

/*
 * A packet that was read to its end and gets no Flow. Unlike with meter_reason(), its
 * segments are known.
 */
static __always_inline void meter_left_out(struct xfp_ledger_row *row, const struct observed *o,
					   __u32 frame_octets, __u8 protocol,
					   enum xfp_reason reason)
{
	ledger_volume(&row->reason[reason], o->packets, frame_octets);
	if (reason == XFP_protocol_off)
		ledger_volume(ledger_protocol(row->off, protocol), o->packets, o->octets);
}

static __always_inline void meter_notice(enum xfp_notice notice)
{
	struct xfp_ledger_row *row = ledger_row();

	if (row)
		ledger_add(&row->notice[notice], 1);
}

/* The end of a packet that could not be read. */
static __always_inline void meter_reason(struct xfp_ledger_row *row, const struct pkt *p,
					 enum xfp_reason reason)
{
	__u64 index = reason;

	barrier_var(index); /* one register, or Linux 6.1 forgets its bound */
	if (index < XFP_N_REASONS)
		ledger_volume(&row->reason[index], p->packets, p->frame_octets);
}
