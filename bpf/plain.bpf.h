/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packets that most packets are, whole IP datagrams without options or extension
 * headers right behind an Ethernet header or one VLAN tag, for a flat table: every
 * offset is a constant and the hit is inlined. Others go the way of hook.bpf.h.
 */
#pragma once

#include "bpf/meter.bpf.h"

/* What becomes of a packet, besides its account where details are to be added. */
enum {
	METER_OTHER = -1, /* it is not plain */
	METER_DONE = 0,
};

/*
 * xfp_account4() and xfp_account6() with the hit inlined. What makes a Flow gets a copy,
 * so that of `o` only what a hit needs has to exist.
 */
static __always_inline __u32 account4_inline(const struct observed4 *o)
{
	const struct table t = {.family = FAMILY_IPV4, .is_flat = true};
	__u64 hash = cache_hash(t, o->key);
	struct place place = cache_place(t, hash);
	__u32 account = cache_hit(t, &o->seen, o->key, &place);

	if (UNLIKELY(!account)) {
		struct observed4 missed = *o;

		account = xfp_insert4(&missed, hash);
		if (xfp_counts_unseen && account == ACCOUNT_OVERFLOW)
			xfp_unseen4(&missed);
	}
	return account;
}

static __always_inline __u32 account6_inline(const struct observed6 *o)
{
	const struct table t = {.family = FAMILY_IPV6, .is_flat = true};
	__u64 hash = cache_hash(t, o->key);
	struct place place = cache_place(t, hash);
	__u32 account = cache_hit(t, &o->seen, o->key, &place);

	if (UNLIKELY(!account)) {
		struct observed6 missed = *o;

		account = xfp_insert6(&missed, hash);
		if (xfp_counts_unseen && account == ACCOUNT_OVERFLOW)
			xfp_unseen6(&missed);
	}
	return account;
}

/* Something else is done with packets of this protocol, or may be; its header is at `at`. */
static __always_inline bool is_protocol_special(const struct pkt *p, __u8 protocol, __u32 at)
{
	const __u8 *h = pkt_at(p, at, 4);

	if (protocol_is_off(protocol))
		return true;
	return xfp_opens_tunnels && may_be_tunnel(protocol, h ? HEADER_LOAD(__u32, h) : 0);
}

/* What a copy of meter_plain4() does besides; known to the compiler. */
enum detailed {
	DETAILED_NOT,
	DETAILED, /* but for TCP: none has to bear its weight */
	DETAILED_TCP,
};

/* Details of a plain packet, which is all there still: nothing has to be carried to them. */
static __always_inline void details_plain(struct pkt *p, const struct observed *o, __u32 account,
					  enum detailed detailed)
{
	const struct packet_facts f = {o->length_min, o->length_max, NULL};
	__u8 *record = details_of(TABLE(FAMILY_IPV4), account);

	if (!record)
		return;
	p->ethertype = ETH_P_IP;
	p->has_ethernet = true;
	details_add_any(record, p, &f, account_is_new(account));
	if (detailed == DETAILED_TCP)
		details_add_tcp(record, p, account_is_new(account));
}

/*
 * An IPv4 datagram whose header is at `at`, behind its EtherType. False when it is
 * another packet, of which nothing but `seen` has been counted.
 */
static __always_inline bool read_plain4(struct pkt *p, __u32 at)
{
	const __u8 *head = pkt_at(p, 0, at + 20);

	if (!head || load_be16(head, at - 2) != ETH_P_IP || head[at] != 0x45)
		return false;
	if (xfp_asks_protocol && is_protocol_special(p, head[at + 9], at + 20))
		return false;
	p->offset = at;
	p->ip_offset = at;
	return parse_ipv4_fields(p, head + at, 20) == XFP_OK && !is_fragment(p) &&
	       parse_transport(p) == XFP_OK;
}

/* To its Flow. Returns METER_DONE. */
static __always_inline int meter_plain4(struct xfp_ledger_row *row, struct pkt *p,
					enum detailed detailed)
{
	struct observed4 o;
	__u32 account;

	observe4(&o, p);
	account = account4_inline(&o);
	meter_accounted(row, &o.seen, p->frame_octets, p->next_header, account);
	if (detailed != DETAILED_NOT && account != ACCOUNT_OVERFLOW)
		details_plain(p, &o.seen, account, detailed);
	return METER_DONE;
}

/* The same of IPv6. What a jumbogram is says an extension header. */
static __always_inline bool read_plain6(struct pkt *p, __u32 at)
{
	const __u8 *head = pkt_at(p, 0, at + 40);

	if (!head || load_be16(head, at - 2) != ETH_P_IPV6 || head[at] >> 4 != 6 ||
	    is_extension(head[at + 6]))
		return false;
	if (xfp_asks_protocol && is_protocol_special(p, head[at + 6], at + 40))
		return false;
	p->offset = at;
	p->ip_offset = at;
	return parse_ipv6_fields(p, head + at, load_be16(head, at + 4)) == XFP_OK &&
	       parse_transport(p) == XFP_OK;
}

/* Without details. */
static __always_inline int meter_plain6(struct xfp_ledger_row *row, struct pkt *p)
{
	struct observed6 o;
	__u32 account;

	observe6(&o, p);
	account = account6_inline(&o);
	meter_accounted(row, &o.seen, p->frame_octets, p->next_header, account);
	return METER_DONE;
}

/* The tag of a frame that has one, and none beside it; else NULL. */
static __always_inline const __u8 *tag_only(const struct pkt *p)
{
	const __u8 *head = pkt_at(p, 0, ETH_HLEN + 4);

	return head && !p->n_tags && load_be16(head, 12) == ETH_P_8021Q ? head + ETH_HLEN : NULL;
}

/* What is nearly as common as an IPv4 datagram: one of IPv6, and both behind a VLAN tag. */
static __always_inline int meter_common(struct xfp_ledger_row *row, struct pkt *p)
{
	const __u8 *tag = tag_only(p);

	if (!xfp_is_flat) /* Linux 6.1 verifies what nobody calls */
		return METER_OTHER;
	if (!tag)
		return read_plain6(p, ETH_HLEN) ? meter_plain6(row, p) : METER_OTHER;
	pkt_tag(p, load_be16(tag, 0));
	if (read_plain4(p, ETH_HLEN + 4))
		return meter_plain4(row, p, DETAILED_NOT);
	return read_plain6(p, ETH_HLEN + 4) ? meter_plain6(row, p) : METER_OTHER;
}
