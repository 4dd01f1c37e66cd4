/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the details of a slot to the groups of a Flow Record. See sweep_private.h.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "probe/detail_layout.h"
#include "probe/sweep_private.h"

#define TIMING_UNIT_NS 1024

/* What one slot's record of details holds at one moment, and held when last exported. */
struct details {
	const struct xfp_detail_layout *layout;
	const unsigned char *now;
	const unsigned char *before;
};

static const void *detail_of(const struct details *d, enum xfp_detail detail, bool is_before)
{
	if (d->layout->at[detail] == XFP_DETAIL_OFF)
		return NULL;
	return (is_before ? d->before : d->now) + d->layout->at[detail];
}

#define DETAIL_NOW(d, NAME)    detail_of((d), XFP_DETAIL_##NAME, false)
#define DETAIL_BEFORE(d, NAME) detail_of((d), XFP_DETAIL_##NAME, true)

uint32_t sweep_details_of_groups(uint32_t groups)
{
	static const struct {
		uint32_t group;
		enum xfp_detail detail;
	} needs[] = {
		{GROUP_L2, XFP_DETAIL_L2},
		{GROUP_IP, XFP_DETAIL_SIZE},
		{GROUP_SIZE, XFP_DETAIL_SIZE},
		{GROUP_TIMING, XFP_DETAIL_TIMING},
		{GROUP_FRAGMENT, XFP_DETAIL_FRAGMENT},
		{GROUP_TUNNEL, XFP_DETAIL_TUNNEL},
		{GROUP_TCP, XFP_DETAIL_TCP},
		{GROUP_TCP_HEALTH, XFP_DETAIL_HEALTH},
	};
	uint32_t set = 0;

	for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++)
		if (groups & needs[i].group)
			set |= 1u << needs[i].detail;
	return set;
}

static void record_l2(struct record_l2 *r, const struct details *d)
{
	const struct xfp_detail_l2 *now = DETAIL_NOW(d, L2), *before = DETAIL_BEFORE(d, L2);

	if (!now)
		return;
	r->frame_octets = now->octets - before->octets;
	memcpy(r->source_mac, now->source, sizeof(r->source_mac));
	memcpy(r->destination_mac, now->destination, sizeof(r->destination_mac));
	r->ethertype = now->ethertype;
	r->priority = (uint8_t)(now->tag >> 13);
	r->customer_priority = (uint8_t)(now->inner_tag >> 13);
}

static void record_size(struct flow_record *r, const struct details *d)
{
	const struct xfp_detail_size *now = DETAIL_NOW(d, SIZE), *before = DETAIL_BEFORE(d, SIZE);
	uint32_t *const counts[XFP_SIZE_CLASSES] = {&r->size.to_128,  &r->size.to_256,
						    &r->size.to_512,  &r->size.to_1024,
						    &r->size.to_1514, &r->size.above_1514};

	if (!now)
		return;
	r->ip.octet_squares = now->squares - before->squares;
	for (int i = 0; i < XFP_SIZE_CLASSES; i++)
		*counts[i] = now->packets[i] - before->packets[i];
}

static uint32_t units_us(uint64_t units)
{
	uint64_t us = units * TIMING_UNIT_NS / 1000;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* flow: everything since the start, for the mean of its intervals. */
static void record_timing(struct record_timing *r, const struct details *d,
			  const struct expiry_flow *flow)
{
	const struct xfp_detail_timing *now = DETAIL_NOW(d, TIMING);
	uint64_t mean_us;

	if (!now || flow->packets < 2 || !now->shortest)
		return;
	r->interarrival_min_us = units_us(~now->shortest);
	r->interarrival_max_us = units_us(now->longest);
	mean_us = (now->last_ns - flow->first_ns) / 1000 / (flow->packets - 1);
	r->interarrival_mean_us = mean_us > UINT32_MAX ? UINT32_MAX : (uint32_t)mean_us;
}

static void record_fragment(struct record_fragment *r, const struct details *d)
{
	const struct xfp_detail_fragment *now = DETAIL_NOW(d, FRAGMENT);
	const struct xfp_detail_fragment *before = DETAIL_BEFORE(d, FRAGMENT);

	if (!now)
		return;
	r->packets = now->packets - before->packets;
	r->identification = now->identification;
	r->offset = now->offset;
	r->flags = now->flags;
}

static void record_tunnel(struct record_tunnel *r, const struct details *d)
{
	const struct xfp_detail_tunnel *now = DETAIL_NOW(d, TUNNEL);

	if (!now)
		return;
	r->type = now->type;
	r->segment_id = now->id;
	r->mpls_top[0] = (uint8_t)(now->mpls >> 16);
	r->mpls_top[1] = (uint8_t)(now->mpls >> 8);
	r->mpls_top[2] = (uint8_t)now->mpls;
	if (now->is_ipv6) {
		memcpy(r->outer_source6, now->source, sizeof(r->outer_source6));
		memcpy(r->outer_destination6, now->destination, sizeof(r->outer_destination6));
	} else {
		r->outer_source4 = ntohl(now->source[0]);
		r->outer_destination4 = ntohl(now->destination[0]);
	}
}

static void record_tcp(struct record_tcp *r, const struct details *d)
{
	const struct xfp_detail_tcp *now = DETAIL_NOW(d, TCP);

	if (!now)
		return;
	r->n_fin = now->bits[0];
	r->n_syn = now->bits[1];
	r->n_rst = now->bits[2];
	r->n_psh = now->bits[3];
	r->n_ack = now->bits[4];
	r->n_urg = now->bits[5];
	r->sequence = now->sequence_first;
	r->acknowledgement = now->acknowledgement_first;
	r->last_sequence = now->sequence_last;
	r->last_acknowledgement = now->acknowledgement_last;
	r->window = now->window_first;
	r->window_scale = now->scale ? now->scale - 1 : 0;
	r->initial_flags = now->bits_first;
	r->mss = now->mss;
	if (now->windows) {
		r->window_min = (uint16_t) ~(now->windows >> 16);
		r->window_max = (uint16_t)now->windows;
	}
}

static uint64_t interval_ns(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns > from_ns ? to_ns - from_ns : 0;
}

/* Of two times for the same, the one that was not waited for; 0 = none. */
static uint32_t shorter_us(uint64_t a_ns, uint64_t b_ns)
{
	uint64_t ns = !a_ns || (b_ns && b_ns < a_ns) ? b_ns : a_ns;

	return units_us(ns / TIMING_UNIT_NS);
}

static uint64_t syn_latest_ns(const struct xfp_detail_health *d)
{
	return d->syn_ns + (uint64_t)d->syn_again * TIMING_UNIT_NS;
}

/*
 * The two halves of the handshake, seen from between the ends: whose SYN came first
 * opened. What a lost segment made wait is not counted: from the latest SYN before
 * the first SYN-ACK, and from the latest SYN-ACK before the ACK.
 */
static void record_handshake(struct record_tcp_health *r, const struct xfp_detail_health *own,
			     const struct xfp_detail_health *other)
{
	const struct xfp_detail_health *client = own, *server = other;

	if (!own->syn_ns || !other->syn_ns)
		return;
	if (other->syn_ns < own->syn_ns) {
		client = other;
		server = own;
	}
	if (server->syn_ns >= syn_latest_ns(client))
		r->handshake_server_us =
			shorter_us(interval_ns(syn_latest_ns(client), server->syn_ns), 0);
	else
		r->handshake_server_us =
			shorter_us(interval_ns(client->syn_ns, server->syn_ns),
				   interval_ns(syn_latest_ns(client), syn_latest_ns(server)));
	r->handshake_client_us = shorter_us(interval_ns(syn_latest_ns(server), client->ack_ns),
					    interval_ns(server->syn_ns, client->ack_ns));
}

static void record_health(struct record_tcp_health *r, const struct details *d,
			  const struct details *reverse)
{
	const struct xfp_detail_health *now = DETAIL_NOW(d, HEALTH);
	const struct xfp_detail_health *before = DETAIL_BEFORE(d, HEALTH);

	if (!now)
		return;
	r->retransmitted_packets = now->retransmitted - before->retransmitted;
	r->retransmitted_octets = now->retransmitted_octets - before->retransmitted_octets;
	r->out_of_order_packets = now->out_of_order - before->out_of_order;
	r->zero_window_packets = now->zero_windows - before->zero_windows;
	if (reverse)
		record_handshake(r, now, DETAIL_NOW(reverse, HEALTH));
}

/* What is told since the start of a Flow is told since nothing. */
static const unsigned char nothing[DETAIL_OCTETS_MAX] __attribute__((aligned(8)));

void sweep_details_record(const struct sweep *s, enum flow_family family, uint32_t slot,
			  uint32_t reverse, const struct expiry_flow *flow, bool is_export,
			  struct flow_record *r)
{
	const struct flow_table *t = &s->cache->table[family];
	const struct xfp_detail_layout *layout = &s->cache->params.detail;
	/* once, so that what is exported and what is marked are the same */
	unsigned char now[DETAIL_OCTETS_MAX] __attribute__((aligned(8)));
	unsigned char *mark = t->detail_marks + (size_t)slot * t->detail_octets;
	struct details d = {layout, now, is_export ? mark : nothing}, other = {layout, NULL, NULL};

	if (!t->detail_octets)
		return;
	memcpy(now, flow_details_at(t, slot), t->detail_octets);
	if (reverse != FLOW_NONE)
		other.now = flow_details_at(t, reverse);
	record_l2(&r->l2, &d);
	record_size(r, &d);
	record_timing(&r->timing, &d, flow);
	record_fragment(&r->fragment, &d);
	record_tunnel(&r->tunnel, &d);
	record_tcp(&r->tcp, &d);
	record_health(&r->tcp_health, &d, other.now ? &other : NULL);
	if (is_export)
		memcpy(mark, now, t->detail_octets);
}

void sweep_details_free(struct sweep *s, enum flow_family family, uint32_t slot)
{
	struct flow_table *t = &s->cache->table[family];

	if (!t->detail_octets)
		return;
	memset(flow_details_at(t, slot), 0, t->detail_octets);
	memset(t->detail_marks + (size_t)slot * t->detail_octets, 0, t->detail_octets);
}
