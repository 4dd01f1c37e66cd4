/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that break their protocol, for anomaly detection: by whom they strike, and
 * by who sent them. See unseen.bpf.h.
 */
#pragma once

#include "bpf/parse_link.bpf.h"
#include "bpf/unseen.bpf.h"

/* Count one; `what` is a reason, or XFP_N_REASONS + a notice. No source: it is not known. */
static __always_inline void broken_add(struct unseen *u, const struct unseen_sides *s,
				       bool has_source, bool is_ipv6)
{
	struct unseen_host site = {{s->source.word[0], is_ipv6 ? 0 : s->source.word[1]}};

	unseen_set_host(u, &s->destination);
	u->view = XFP_UNSEEN_VIOLATED;
	u->other_hash = unseen_hash(s->source.word, 0);
	xfp_unseen_add(u, &s->source);
	if (!has_source)
		return;
	unseen_set_host(u, &site);
	u->view = XFP_UNSEEN_VIOLATOR;
	u->other_hash = unseen_hash(s->destination.word, 0);
	xfp_unseen_add(u, &s->destination);
}

/* ---- fragments, which have a Flow -------------------------------------------- */

static __always_inline void broken_fragment(const struct observed *o, const struct unseen_sides *s,
					    __u64 tail_word, __u32 notice, bool is_ipv6)
{
	struct unseen u = unseen_of(o, tail_word);

	u.what = (__u16)(XFP_N_REASONS + notice);
	u.kind = XFP_UNSEEN_OTHER;
	broken_add(&u, s, true, is_ipv6);
}

/* notice  of enum xfp_notice */
GLOBAL_FUNCTION int xfp_broken_fragment4(const struct observed4 *o, __u32 notice)
{
	struct unseen_sides s;

	if (!o)
		return 0;
	s = unseen_sides4(o->key[0]);
	broken_fragment(&o->seen, &s, o->key[1], notice, false);
	return 0;
}

GLOBAL_FUNCTION int xfp_broken_fragment6(const struct observed6 *o, __u32 notice)
{
	struct unseen_sides s;

	if (!o)
		return 0;
	s = unseen_sides6(o->key);
	broken_fragment(&o->seen, &s, o->key[4], notice, true);
	return 0;
}

/* ---- packets that could not be read -------------------------------------------- */

/* May be the fault of who sent the packet; is_broken() knows. */
static __always_inline bool is_blamed(enum xfp_reason reason)
{
	return reason >= XFP_truncated && reason <= XFP_too_deep;
}

/* What the IP header tells of one whose rest could not be read. */
struct broken {
	struct unseen_sides sides;
	__u32 end; /* of its datagram, in the frame */
	__u8 protocol;
	bool has_sides;
	bool has_no_length; /* as of a segment that a device was to cut */
	bool is_ipv6;
};

static __always_inline void broken_read4(struct broken *b, const struct pkt *p)
{
	const __u8 *h = pkt_header(p, 20);

	if (!h || h[0] >> 4 != 4)
		return;
	b->sides = unseen_sides4(HEADER_LOAD(__u64, h + 12));
	b->end = p->offset + load_be16(h, 2);
	b->protocol = h[9];
	b->has_no_length = !load_be16(h, 2);
	b->has_sides = true;
}

static __always_inline void broken_read6(struct broken *b, const struct pkt *p)
{
	const __u8 *h = pkt_header(p, 40);

	if (!h || h[0] >> 4 != 6)
		return;
	UNROLL
	for (int i = 0; i < 2; i++) {
		b->sides.source.word[i] = HEADER_LOAD(__u64, h + 8 + 8 * i);
		b->sides.destination.word[i] = HEADER_LOAD(__u64, h + 24 + 8 * i);
	}
	b->end = p->offset + 40 + load_be16(h, 4);
	b->protocol = h[6];
	b->is_ipv6 = true;
	b->has_sides = true;
}

/*
 * Whether the packet itself is to blame: not the link, nor a frame of which only the
 * begin is here, nor a device that was to write its length.
 */
static __always_inline bool is_broken(const struct broken *b, const struct pkt *p,
				      enum xfp_reason reason)
{
	__u32 here = p->data_end - p->data;

	switch (reason) {
	case XFP_truncated:
		if (p->is_scratch)
			here = p->frame_octets < PARSE_SCRATCH ? p->frame_octets : PARSE_SCRATCH;
		return is_ip(p->ethertype) && b->end <= here;
	case XFP_bad_version:
	case XFP_bad_header_length:
		return true;
	case XFP_bad_total_length:
		return !b->has_no_length;
	case XFP_too_deep:
		return b->is_ipv6;
	default:
		return false;
	}
}

/* Count a packet that could not be read; *p is at its IP header, or where there is none. */
static __always_inline void broken_count(const struct pkt *p, enum xfp_reason reason)
{
	struct broken b = {.end = p->frame_octets};
	struct unseen u = {
		.now_ns = p->now_ns,
		.octets = p->frame_octets,
		.packets = p->packets,
		.what = (__u16)reason,
		.kind = XFP_UNSEEN_OTHER,
		.obs_point = p->obs_point,
	};

	if (p->ethertype == ETH_P_IP)
		broken_read4(&b, p);
	else if (p->ethertype == ETH_P_IPV6)
		broken_read6(&b, p);
	if (!is_broken(&b, p, reason))
		return;
	u.protocol = b.protocol;
	broken_add(&u, &b.sides, b.has_sides, b.is_ipv6);
}
