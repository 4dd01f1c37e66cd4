/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Details of TCP: what its header says over the life of a Flow, and the health of
 * the connection as far as one direction's sequence numbers tell (RFC 9293 3.4).
 */
#pragma once

#include "bpf/clock.bpf.h"
#include "bpf/flow_abi.h"
#include "bpf/parse.bpf.h"
#include "bpf/target.bpf.h"

#define TCP_HEADER	  20
#define TCP_COUNTED	  ((1 << XFP_TCP_BITS) - 1) /* control bits */
#define TCP_OPTION_END	  0
#define TCP_OPTION_NOP	  1
#define TCP_OPTION_MSS	  2
#define TCP_OPTION_WSCALE 3
#define TCP_OPTIONS_MAX	  40 /* octets */

/* Of times that are kept in 32 bits: 1024 ns. */
#define HEALTH_UNIT_SHIFT 10
/* A segment that fills a gap this soon was only late, where no round trip is known. */
#define HEALTH_LATE_UNITS (3000000 >> HEALTH_UNIT_SHIFT)

/* Raise a word to `value`. */
static __always_inline void word_grow(__u32 *word, __u32 value)
{
	NO_UNROLL
	for (int i = 0; i < CAS_ROUNDS; i++) {
		__u32 old = READ_ONCE_(*word);

		if (old >= value || __sync_val_compare_and_swap(word, old, value) == old)
			return;
	}
}

/* Raise both halves of a word. */
static __always_inline void halves_grow(__u32 *word, __u32 high, __u32 low)
{
	NO_UNROLL
	for (int i = 0; i < CAS_ROUNDS; i++) {
		__u32 old = READ_ONCE_(*word), h = old >> 16, l = old & 0xffff, new;

		if (LIKELY(high <= h && low <= l))
			return;
		h = high > h ? high : h;
		l = low > l ? low : l;
		new = h << 16 | l;
		if (__sync_val_compare_and_swap(word, old, new) == old)
			return;
	}
}

/* The options of a SYN, behind each other; END where there are none. */
union tcp_options {
	__u32 word[TCP_OPTIONS_MAX / 4 + 1];
	__u8 octet[TCP_OPTIONS_MAX + 4];
};

/* Those of the options that a Flow Record names (RFC 9293 3.2, RFC 7323 2.2). */
GLOBAL_FUNCTION int xfp_tcp_options(struct xfp_detail_tcp *d, const union tcp_options *o)
{
	__u64 at = 0;

	if (!d || !o)
		return 0;
	NO_UNROLL
	for (int i = 0; i < TCP_OPTIONS_MAX; i++) {
		__u64 kind, length;

		barrier_var(at); /* of 64 bits, in one register: Linux 6.1 keeps its bound */
		if (at >= TCP_OPTIONS_MAX)
			return 0;
		kind = o->octet[at];
		length = kind == TCP_OPTION_NOP ? 1 : o->octet[at + 1];
		if (kind == TCP_OPTION_END || !length)
			return 0;
		if (kind == TCP_OPTION_MSS && length == 4)
			d->mss = o->octet[at + 2] << 8 | o->octet[at + 3];
		if (kind == TCP_OPTION_WSCALE && length == 3)
			d->scale = o->octet[at + 2] + 1;
		at += length;
	}
	return 0;
}

static __always_inline void tcp_options(struct xfp_detail_tcp *d, const struct pkt *p)
{
	union tcp_options o = {{0}};

	NO_UNROLL
	for (__u32 at = 0; at < TCP_OPTIONS_MAX; at += 4) {
		const __u8 *h;

		if (TCP_HEADER + at >= p->transport_octets)
			break;
		h = pkt_at(p, p->offset + TCP_HEADER + at, 4);
		barrier_var(h); /* or it is computed anew, from what has no bound */
		if (!h)
			break;
		o.word[at / 4] = HEADER_LOAD(__u32, h);
	}
	xfp_tcp_options(d, &o);
}

/* GSO repeats ACK and URG in each segment, and the others in one of them. */
static __always_inline void tcp_bits_add(struct xfp_detail_tcp *d, const struct pkt *p)
{
	if (LIKELY((p->tcp_flags & TCP_COUNTED) == TCP_ACK)) {
		ATOMIC_ADD(&d->bits[4], p->packets);
		return;
	}
	UNROLL
	for (int i = 0; i < XFP_TCP_BITS; i++)
		if (p->tcp_flags >> i & 1)
			ATOMIC_ADD(&d->bits[i], i == 4 || i == 5 ? p->packets : 1);
}

static __always_inline void detail_tcp(struct xfp_detail_tcp *d, const struct pkt *p, bool is_new)
{
	const __u8 *h = pkt_at(p, p->offset, TCP_HEADER);
	__u32 window;

	tcp_bits_add(d, p);
	if (!h)
		return;
	window = load_be16(h, 14);
	WRITE_ONCE_(d->sequence_last, load_be32(h, 4));
	WRITE_ONCE_(d->acknowledgement_last, load_be32(h, 8));
	if (is_new) {
		d->sequence_first = load_be32(h, 4);
		d->acknowledgement_first = load_be32(h, 8);
		d->window_first = window;
		d->bits_first = p->tcp_flags;
	}
	if (!(p->tcp_flags & TCP_RST)) /* whose window means nothing */
		halves_grow(&d->windows, 0xffff - window, window);
	if (p->tcp_flags & TCP_SYN)
		tcp_options(d, p);
}

/* True when sequence number a is before b (RFC 9293 3.4: modulo 2^32). */
static __always_inline bool is_before(__u32 a, __u32 b)
{
	return (__s32)(a - b) < 0;
}

/* What the health of a connection goes by. */
struct segment {
	__u64 now_ns; /* as of struct pkt */
	__u32 begin; /* sequence number */
	__u32 end;
	__u32 payload;
	__u32 packets;
	__u32 window; /* as in the header */
	__u32 flags;
};

static __always_inline __u64 segment_clock(const struct segment *s)
{
	return clock_precise(s->now_ns);
}

static __always_inline __u32 health_units(__u64 ns)
{
	return ns >> HEALTH_UNIT_SHIFT;
}

/*
 * How long after its gap a segment may come and still be only late: what sends it
 * again takes a round trip to hear of the gap. The side that opened knows that
 * from its SYN to its ACK; from the SYN-ACK on, the other side's thoughts add to it.
 */
static __always_inline __u32 health_late_units(const struct xfp_detail_health *d)
{
	__u64 syn_ns = READ_ONCE_(d->syn_ns), ack_ns = READ_ONCE_(d->ack_ns);
	__u32 units;

	if (!syn_ns || ack_ns < syn_ns)
		return HEALTH_LATE_UNITS;
	units = health_units(ack_ns - syn_ns) - READ_ONCE_(d->syn_again);
	if (READ_ONCE_(d->state) & XFP_HEALTH_ANSWERED && units > HEALTH_LATE_UNITS)
		return HEALTH_LATE_UNITS;
	return units;
}

/* A segment that begins before the highest octet seen: late, or sent once more. */
static __always_inline void health_old(struct xfp_detail_health *d, const struct segment *s)
{
	__u32 next = READ_ONCE_(d->next), gap_begin = READ_ONCE_(d->gap_begin);
	__u32 gap_end = READ_ONCE_(d->gap_end), again = is_before(next, s->end) ? next : s->end;

	if (gap_begin != gap_end && !is_before(s->begin, gap_begin) &&
	    !is_before(gap_end, s->end) &&
	    health_units(segment_clock(s)) - READ_ONCE_(d->gap_units) < health_late_units(d)) {
		ATOMIC_ADD(&d->out_of_order, s->packets);
		if (s->begin == gap_begin)
			WRITE_ONCE_(d->gap_begin, s->end);
		else if (s->end == gap_end)
			WRITE_ONCE_(d->gap_end, s->begin);
		return;
	}
	again -= s->begin + !!(s->flags & TCP_SYN);
	if (again > s->payload) /* FIN is no octet, as SYN is none */
		again = s->payload;
	ATOMIC_ADD(&d->retransmitted, s->packets);
	ATOMIC_ADD(&d->retransmitted_octets, again);
}

/* SYN or SYN-ACK, the first and the latest, and the first ACK after it, to the nanosecond. */
static __always_inline void health_handshake(struct xfp_detail_health *d, const struct segment *s)
{
	__u64 syn_ns = READ_ONCE_(d->syn_ns);

	if (READ_ONCE_(d->ack_ns))
		return;
	if (s->flags & TCP_SYN) {
		if (syn_ns)
			WRITE_ONCE_(d->syn_again, health_units(segment_clock(s) - syn_ns));
		else
			WRITE_ONCE_(d->syn_ns, segment_clock(s));
	} else if (syn_ns && (s->flags & (TCP_ACK | TCP_RST)) == TCP_ACK) {
		WRITE_ONCE_(d->ack_ns, segment_clock(s));
	}
}

/* The sequence numbers begin: with the Flow, or with another connection of its ports. */
static __always_inline void health_start(struct xfp_detail_health *d, const struct segment *s)
{
	__u32 state = XFP_HEALTH_STARTED;

	if ((s->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
		state |= XFP_HEALTH_ANSWERED;
	WRITE_ONCE_(d->initial, s->flags & TCP_SYN ? s->begin : s->begin - 1);
	WRITE_ONCE_(d->next, s->end);
	WRITE_ONCE_(d->gap_begin, s->end);
	WRITE_ONCE_(d->gap_end, s->end);
	WRITE_ONCE_(d->state, state);
}

/*
 * Begins one octet before what is next: a keep-alive (RFC 9293 3.8.4), the probe of
 * a closed window (3.8.6.1), or the data that had to wait for the window.
 */
static __always_inline bool health_is_probe(const struct segment *s, __u32 next)
{
	return s->begin + 1 == next && !(s->flags & TCP_SYN) &&
	       (s->payload > 1 || !(s->flags & TCP_FIN));
}

static __always_inline void health_add(struct xfp_detail_health *d, const struct segment *s)
{
	__u32 next = READ_ONCE_(d->next);

	health_handshake(d, s);
	if (s->flags & TCP_RST)
		return;
	if (!s->window && !(s->flags & (TCP_SYN | TCP_FIN)))
		ATOMIC_ADD(&d->zero_windows, s->packets);
	if (!(READ_ONCE_(d->state) & XFP_HEALTH_STARTED) ||
	    (s->flags & TCP_SYN && s->begin != READ_ONCE_(d->initial))) {
		health_start(d, s);
		return;
	}
	if (is_before(next, s->begin)) {
		WRITE_ONCE_(d->gap_begin, next);
		WRITE_ONCE_(d->gap_end, s->begin);
		WRITE_ONCE_(d->gap_units, health_units(segment_clock(s)));
	} else if (is_before(s->begin, next) && s->begin != s->end && !health_is_probe(s, next)) {
		health_old(d, s);
	}
	if (is_before(next, s->end))
		WRITE_ONCE_(d->next, s->end);
}

/*
 * Nothing to judge: the next octets of a connection whose handshake is over, or was
 * not seen. Nearly all packets are that, so of a segment no more is made for it.
 */
static __always_inline bool health_is_next(const struct xfp_detail_health *d, const __u8 *h,
					   __u32 flags)
{
	return !(flags & (TCP_SYN | TCP_FIN | TCP_RST)) && load_be32(h, 4) == READ_ONCE_(d->next) &&
	       HEADER_LOAD(__u16, h + 14) && READ_ONCE_(d->state) & XFP_HEALTH_STARTED &&
	       !READ_ONCE_(d->syn_ns) == !READ_ONCE_(d->ack_ns);
}

static __always_inline void detail_health(struct xfp_detail_health *d, const struct pkt *p)
{
	const __u8 *h = pkt_at(p, p->offset, TCP_HEADER);
	__u32 payload = p->end_offset - p->offset - p->transport_octets;
	struct segment s = {
		.now_ns = p->now_ns,
		.payload = payload,
		.packets = p->packets,
		.flags = p->tcp_flags,
	};

	if (!h || p->transport_octets > p->end_offset - p->offset)
		return;
	if (LIKELY(health_is_next(d, h, p->tcp_flags))) {
		if (payload)
			WRITE_ONCE_(d->next, load_be32(h, 4) + payload);
		return;
	}
	s.window = load_be16(h, 14);
	s.begin = load_be32(h, 4);
	s.end = s.begin + payload + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
	health_add(d, &s);
}
