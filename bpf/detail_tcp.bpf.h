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
#define TCP_OPTION_END	  0
#define TCP_OPTION_NOP	  1
#define TCP_OPTION_MSS	  2
#define TCP_OPTION_WSCALE 3
#define TCP_MAX_OPTIONS	  10 /* of a SYN; usual stacks send five or six */

/* A segment that fills a gap this soon after it was seen was only late (as tshark has it). */
#define HEALTH_LATE_NS 3000000

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

		h = high > h ? high : h;
		l = low > l ? low : l;
		new = h << 16 | l;
		if (new == old || __sync_val_compare_and_swap(word, old, new) == old)
			return;
	}
}

/* The options of a SYN that a Flow Record names (RFC 9293 3.2, RFC 7323 2.2). */
static __always_inline void tcp_options(struct xfp_detail_tcp *d, const struct pkt *p)
{
	__u32 at = TCP_HEADER, end = p->transport_octets;

	NO_UNROLL
	for (int i = 0; i < TCP_MAX_OPTIONS; i++) {
		const __u8 *h, *mss;
		__u32 length;

		if (at + 3 > end) /* too short for one that we name */
			return;
		h = pkt_at(p, p->offset + at, 3);
		if (!h || h[0] == TCP_OPTION_END)
			return;
		length = h[0] == TCP_OPTION_NOP ? 1 : h[1];
		if (!length)
			return;
		if (h[0] == TCP_OPTION_MSS && length == 4) {
			mss = pkt_at(p, p->offset + at, 4);
			barrier_var(mss); /* or it is computed anew, from what has no bound */
			if (mss)
				d->mss = load_be16(mss, 2);
		}
		if (h[0] == TCP_OPTION_WSCALE && length == 3)
			d->scale = h[2] + 1;
		at += length;
	}
}

/* GSO repeats ACK and URG in each segment, and the others in one of them. */
static __always_inline void tcp_bits_add(struct xfp_detail_tcp *d, const struct pkt *p)
{
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

/* A segment that begins before the highest octet seen: late, or sent once more. */
static __always_inline void health_old(struct xfp_detail_health *d, const struct pkt *p,
				       const struct observed *o, __u32 begin, __u32 end)
{
	__u32 next = READ_ONCE_(d->next), gap_begin = READ_ONCE_(d->gap_begin);
	__u32 gap_end = READ_ONCE_(d->gap_end), again = is_before(next, end) ? next : end;

	if (gap_begin != gap_end && !is_before(begin, gap_begin) && !is_before(gap_end, end) &&
	    clock_precise(o) - READ_ONCE_(d->gap_ns) < HEALTH_LATE_NS) {
		ATOMIC_ADD(&d->out_of_order, p->packets);
		if (begin == gap_begin)
			WRITE_ONCE_(d->gap_begin, end);
		else if (end == gap_end)
			WRITE_ONCE_(d->gap_end, begin);
		return;
	}
	ATOMIC_ADD(&d->retransmitted, p->packets);
	ATOMIC_ADD(&d->retransmitted_octets, again - begin);
}

/* SYN or SYN-ACK, and the first segment after it, to the nanosecond. */
static __always_inline void health_handshake(struct xfp_detail_health *d, const struct pkt *p,
					     const struct observed *o)
{
	if (p->tcp_flags & TCP_SYN) {
		if (!READ_ONCE_(d->syn_ns))
			WRITE_ONCE_(d->syn_ns, clock_precise(o));
	} else if (READ_ONCE_(d->syn_ns) && !READ_ONCE_(d->ack_ns)) {
		WRITE_ONCE_(d->ack_ns, clock_precise(o));
	}
}

static __always_inline void detail_health(struct xfp_detail_health *d, const struct pkt *p,
					  const struct observed *o)
{
	const __u8 *h = pkt_at(p, p->offset, TCP_HEADER);
	__u32 payload = p->end_offset - p->offset - p->transport_octets;
	__u32 begin, end, next = READ_ONCE_(d->next);

	if (!h || p->transport_octets > p->end_offset - p->offset)
		return;
	health_handshake(d, p, o);
	if (p->tcp_flags & TCP_RST)
		return;
	if (!load_be16(h, 14) && !(p->tcp_flags & (TCP_SYN | TCP_FIN)))
		ATOMIC_ADD(&d->zero_windows, p->packets);
	begin = load_be32(h, 4);
	end = begin + payload + !!(p->tcp_flags & TCP_SYN) + !!(p->tcp_flags & TCP_FIN);
	if (!(READ_ONCE_(d->state) & XFP_HEALTH_STARTED)) {
		WRITE_ONCE_(d->next, end);
		WRITE_ONCE_(d->state, XFP_HEALTH_STARTED);
		return;
	}
	if (begin == end)
		return;
	if (begin + 1 == next && payload <= 1 && !(p->tcp_flags & (TCP_SYN | TCP_FIN)))
		return; /* keep-alive (RFC 9293 3.8.4) */
	if (is_before(next, begin)) {
		WRITE_ONCE_(d->gap_begin, next);
		WRITE_ONCE_(d->gap_end, begin);
		WRITE_ONCE_(d->gap_ns, clock_precise(o));
	} else if (is_before(begin, next)) {
		health_old(d, p, o, begin, end);
	}
	if (is_before(next, end))
		WRITE_ONCE_(d->next, end);
}
