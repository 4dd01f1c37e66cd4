/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Counting what no Flow tells anomaly detection: packets without a place in the Flow
 * Cache, and packets that break their protocol. Bounded whatever comes: an entry goes
 * to who gets much, and what finds none is counted in the ledger. On the way of such
 * packets only, and not at all while detection is off.
 */
#pragma once

#include "bpf/headers.bpf.h"
#include "bpf/key.bpf.h"
#include "bpf/ledger.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/parse.bpf.h"
#include "bpf/target.bpf.h"

#define UNSEEN_GUARD_MAX (1u << 24)

/* What a packet says to an entry. */
enum unseen_role {
	UNSEEN_COUNT, /* it is one of its packets; makes an entry        */
	UNSEEN_ANSWER, /* its host sent it                               */
	UNSEEN_ACK, /* a client goes on with a connection to it          */
};

/* A packet on its way to an entry: zeroed but for what is known. */
struct unseen {
	__u64 host[2]; /* as in an entry */
	__u64 now_ns;
	__u64 other_hash;
	__u64 flow_hash;
	__u32 octets;
	__u32 packets;
	__u16 what;
	__u8 view; /* enum xfp_unseen_view */
	__u8 role; /* enum unseen_role     */
	__u8 kind; /* enum xfp_unseen_kind */
	__u8 protocol;
	__u8 obs_point;
	__u8 pad;
};

_Static_assert(sizeof(struct unseen) <= 56, "the stack is short");

/* An address, as in an entry. */
struct unseen_host {
	__u64 word[2];
};

static __always_inline __u64 unseen_hash(const __u64 *host, __u64 word)
{
	return xfp_unseen_hash(xfp_unseen_seed, host, word);
}

/* The place of the packet's entry in its bucket; XFP_UNSEEN_WAYS: there is none. */
static __always_inline __u64 unseen_find(const struct xfp_unseen_bucket *b, const struct unseen *u,
					 __u32 tag)
{
	__u64 found = XFP_UNSEEN_WAYS;

	NO_UNROLL
	for (__u64 i = 0; i < XFP_UNSEEN_WAYS; i++) {
		const struct xfp_unseen_entry *e;
		__u64 at = i;

		barrier_var(at); /* one register, or Linux 6.1 forgets its bound */
		if (at >= XFP_UNSEEN_WAYS)
			break;
		e = &b->entry[at];
		if (READ_ONCE_(b->tag[at]) == tag && e->host[0] == u->host[0] &&
		    e->host[1] == u->host[1] && e->what == u->what)
			found = at;
	}
	return found;
}

/* The place of the lowest guard, behind that guard: guard * ways + place. */
static __always_inline __u64 unseen_weakest(const struct xfp_unseen_bucket *b)
{
	__u64 least = ~0ULL >> 1;

	UNROLL
	for (int i = 0; i < XFP_UNSEEN_WAYS; i++) {
		__u64 less = (__u64)READ_ONCE_(b->guard[i]) * XFP_UNSEEN_WAYS + i - least;

		barrier_var(less); /* without a branch for the verifier to follow */
		least += less & (__u64)((__s64)less >> 63);
	}
	return least;
}

static __always_inline void unseen_uncounted(__u64 packets)
{
	struct xfp_ledger_row *row = ledger_row();

	if (row)
		ledger_add(&row->notice[XFP_uncounted], packets);
}

/* Make the entry the packet's; what it had counted and nobody read is lost. */
static __always_inline void unseen_begin(struct xfp_unseen_entry *e, const struct unseen *u)
{
	__u64 *distinct = (__u64 *)e->distinct;

	unseen_uncounted(__sync_lock_test_and_set(&e->packets, 0));
	e->octets = 0;
	e->answers = 0;
	e->first_ns = 0;
	e->last_ns = 0;
	UNROLL
	for (int i = 0; i < XFP_UNSEEN_KINDS; i++)
		e->kind[i] = 0;
	NO_UNROLL
	for (__u64 i = 0; i < sizeof(e->distinct) / sizeof(*distinct); i++)
		distinct[i] = 0;
	e->host[0] = u->host[0];
	e->host[1] = u->host[1];
	e->what = u->what;
}

/* The place of an entry for the packet, XFP_UNSEEN_WAYS: there is none yet. */
static __always_inline __u64 unseen_claim(struct xfp_unseen_bucket *b, const struct unseen *u,
					  __u32 tag)
{
	__u64 weakest = unseen_weakest(b), guard = weakest / XFP_UNSEEN_WAYS;
	__u64 place = weakest & (XFP_UNSEEN_WAYS - 1);
	__u32 old;

	barrier_var(place);
	if (place >= XFP_UNSEEN_WAYS)
		return XFP_UNSEEN_WAYS;
	if (guard) {
		WRITE_ONCE_(b->guard[place], (__u32)guard - 1);
		return XFP_UNSEEN_WAYS;
	}
	old = READ_ONCE_(b->tag[place]);
	if (old == XFP_UNSEEN_BUSY ||
	    __sync_val_compare_and_swap(&b->tag[place], old, XFP_UNSEEN_BUSY) != old)
		return XFP_UNSEEN_WAYS;
	unseen_begin(&b->entry[place], u);
	__sync_lock_test_and_set(&b->tag[place], tag); /* a full barrier: it is filled */
	return place;
}

/* As distinct_many_add() does. Two CPUs at once may lose one, which the next one makes good. */
static __always_inline void unseen_distinct(__u8 *registers, __u64 hash)
{
	__u64 rest = hash / XFP_UNSEEN_REGISTERS | 1ULL << 56,
	      at = hash & (XFP_UNSEEN_REGISTERS - 1);
	__u8 *rank = registers + at;
	__u64 r = (rest & -rest) - 1; /* as many bits as there are zeros at its end */

	r -= r >> 1 & 0x5555555555555555ULL;
	r = (r & 0x3333333333333333ULL) + (r >> 2 & 0x3333333333333333ULL);
	r = ((r + (r >> 4)) & 0x0f0f0f0f0f0f0f0fULL) * 0x0101010101010101ULL >> 56;
	r++;
	if (r > READ_ONCE_(*rank))
		WRITE_ONCE_(*rank, (__u8)r);
}

static __always_inline void unseen_count(struct xfp_unseen_bucket *b, __u64 place,
					 struct xfp_unseen_entry *e, const struct unseen *u)
{
	__u32 guard = READ_ONCE_(b->guard[place]);
	__u64 kind = u->kind;

	if (guard < UNSEEN_GUARD_MAX)
		WRITE_ONCE_(b->guard[place], guard + 1);
	ATOMIC_ADD(&e->octets, u->octets);
	barrier_var(kind);
	ATOMIC_ADD(&e->kind[kind & (XFP_UNSEEN_KINDS - 1)], u->packets);
	if (!READ_ONCE_(e->first_ns))
		WRITE_ONCE_(e->first_ns, u->now_ns);
	WRITE_ONCE_(e->last_ns, u->now_ns);
	WRITE_ONCE_(e->protocol, u->protocol);
	WRITE_ONCE_(e->obs_point, u->obs_point);
	unseen_distinct(e->distinct[XFP_UNSEEN_OTHERS], u->other_hash);
	if (u->flow_hash)
		unseen_distinct(e->distinct[XFP_UNSEEN_FLOWS], u->flow_hash);
	ATOMIC_ADD(&e->packets, u->packets); /* last: the daemon takes what has some */
}
_Static_assert(!(XFP_UNSEEN_KINDS & (XFP_UNSEEN_KINDS - 1)), "a mask keeps the kind in bounds");

/*
 * Tell the packet's entry of it. A function of its own, taken once for all views.
 * other  the address at the other side to remember, or NULL
 */
GLOBAL_FUNCTION int xfp_unseen_add(const struct unseen *u, const struct unseen_host *other)
{
	struct xfp_unseen_bucket *b;
	struct xfp_unseen_entry *e;
	__u64 hash, place;
	__u32 tag;

	/* Linux 6.1 verifies what is not called, too, and without detection the map is tiny */
	if (!xfp_counts_unseen || !u || u->view >= XFP_UNSEEN_VIEWS)
		return 0;
	hash = unseen_hash(u->host, 1ULL << 41 | u->what);
	tag = (__u32)(hash >> 32) | XFP_UNSEEN_USED;
	place = (hash & (XFP_UNSEEN_BUCKETS - 1)) + (__u64)u->view * XFP_UNSEEN_BUCKETS;
	barrier_var(place);
	b = place < XFP_UNSEEN_ALL ? unseen_bucket_at(place) : NULL;
	if (!b)
		return 0;
	place = unseen_find(b, u, tag);
	if (place >= XFP_UNSEEN_WAYS && u->role == UNSEEN_COUNT) {
		place = unseen_claim(b, u, tag);
		if (place >= XFP_UNSEEN_WAYS)
			unseen_uncounted(u->packets);
	}
	barrier_var(place);
	if (place >= XFP_UNSEEN_WAYS)
		return 0;
	e = &b->entry[place];
	if (other) {
		WRITE_ONCE_(e->other[0], other->word[0]);
		WRITE_ONCE_(e->other[1], other->word[1]);
	}
	if (u->role == UNSEEN_COUNT) {
		unseen_count(b, place, e, u);
		return 0;
	}
	if (u->role == UNSEEN_ANSWER)
		ATOMIC_ADD(&e->answers, u->packets);
	else
		unseen_distinct(e->distinct[XFP_UNSEEN_ACKS], u->flow_hash);
	return 0;
}

/* ---- whom a packet is of ------------------------------------------------------ */

/* An IPv4 address as octets of IPv6: ::ffff:a.b.c.d (RFC 4291 2.5.5.2). */
static __always_inline struct unseen_host unseen_host4(__be32 address)
{
	union {
		__u32 half[2];
		__u64 word;
	} u = {.half = {bpf_htonl(0xffff), address}};

	return (struct unseen_host){{0, u.word}};
}

/* The two hosts of a packet. */
struct unseen_sides {
	struct unseen_host source;
	struct unseen_host destination;
};

/* addresses  source and destination, as they stand in an IP header or a Flow Key */
static __always_inline struct unseen_sides unseen_sides4(__u64 addresses)
{
	union {
		__u64 word;
		__be32 half[2];
	} u = {.word = addresses};

	return (struct unseen_sides){unseen_host4(u.half[0]), unseen_host4(u.half[1])};
}

static __always_inline struct unseen_sides unseen_sides6(const __u64 *addresses)
{
	return (struct unseen_sides){{{addresses[0], addresses[1]}},
				     {{addresses[2], addresses[3]}}};
}

/* ---- packets without a place --------------------------------------------------- */

static __always_inline enum xfp_unseen_kind unseen_kind(const union key_tail *tail, __u16 flags,
							bool is_ipv6)
{
	if (tail->protocol == (is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))
		return XFP_UNSEEN_ICMP;
	if (tail->protocol != IPPROTO_TCP && tail->protocol != IPPROTO_UDP)
		return XFP_UNSEEN_OTHER;
	if (!tail->ports)
		return XFP_UNSEEN_FRAGMENT;
	if (tail->protocol == IPPROTO_UDP)
		return XFP_UNSEEN_UDP;
	if (flags & TCP_RST)
		return XFP_UNSEEN_RST;
	if (flags & TCP_SYN)
		return flags & TCP_ACK ? XFP_UNSEEN_SYN_ACK : XFP_UNSEEN_SYN;
	return XFP_UNSEEN_ACK;
}

static __always_inline void unseen_set_host(struct unseen *u, const struct unseen_host *h)
{
	u->host[0] = h->word[0];
	u->host[1] = h->word[1];
}

static __always_inline struct unseen unseen_of(const struct observed *o, __u64 tail_word)
{
	union key_tail tail = {.word = tail_word};

	return (struct unseen){
		.now_ns = o->now_ns,
		.octets = (__u32)o->octets,
		.packets = o->packets,
		.protocol = tail.protocol,
		.obs_point = tail.obs_point,
	};
}

/* Tell whom a packet without a place is to ... */
static __always_inline void unseen_to(struct unseen *u, const struct observed *o,
				      const struct unseen_sides *s, __u64 tail_word, bool is_ipv6)
{
	union key_tail tail = {.word = tail_word};
	union {
		__u32 image;
		__be16 port[2];
	} ports = {.image = tail.ports};
	__u16 to = bpf_ntohs(ports.port[1]);

	unseen_set_host(u, &s->destination);
	u->view = XFP_UNSEEN_TARGET;
	u->kind = unseen_kind(&tail, o->tcp_flags, is_ipv6);
	u->other_hash = unseen_hash(s->source.word, 0);
	u->flow_hash = unseen_hash(s->source.word,
				   xfp_unseen_flow(tail.protocol, bpf_ntohs(ports.port[0]), to));
	xfp_unseen_add(u, NULL);
	if (u->kind != XFP_UNSEEN_SYN && u->kind != XFP_UNSEEN_ACK)
		return;
	u->view = XFP_UNSEEN_SERVICE;
	u->what = to;
	if (u->kind == XFP_UNSEEN_ACK)
		u->role = UNSEEN_ACK;
	else if (o->tcp_flags & TCP_FIN)
		return; /* opens nothing */
	xfp_unseen_add(u, NULL);
}

/* ... and whom it is from: it may be an answer. */
static __always_inline void unseen_from(struct unseen *u, const struct unseen_sides *s)
{
	if (u->kind == XFP_UNSEEN_RST || u->kind == XFP_UNSEEN_ICMP)
		return;
	unseen_set_host(u, &s->source);
	u->view = XFP_UNSEEN_TARGET;
	u->what = 0;
	u->role = UNSEEN_ANSWER;
	xfp_unseen_add(u, NULL);
}

/* Functions of their own: a packet with a place never gets here. */
GLOBAL_FUNCTION int xfp_unseen4(const struct observed4 *o)
{
	struct unseen_sides s;
	struct unseen u;

	if (!o)
		return 0;
	u = unseen_of(&o->seen, o->key[1]);
	s = unseen_sides4(o->key[0]);
	unseen_to(&u, &o->seen, &s, o->key[1], false);
	s = unseen_sides4(READ_ONCE_(o->key[0])); /* not kept: the stack is short */
	unseen_from(&u, &s);
	return 0;
}

GLOBAL_FUNCTION int xfp_unseen6(const struct observed6 *o)
{
	struct unseen_sides s;
	struct unseen u;

	if (!o)
		return 0;
	u = unseen_of(&o->seen, o->key[4]);
	s = unseen_sides6(o->key);
	unseen_to(&u, &o->seen, &s, o->key[4], true);
	s = unseen_sides6(o->key);
	unseen_from(&u, &s);
	return 0;
}
