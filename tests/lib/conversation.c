/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Both directions of conversations. See conversation.h.
 */
#include "tests/lib/conversation.h"

#include <arpa/inet.h>
#include <string.h>

#define US 1000ULL
#define MS 1000000ULL

/* What all packets of one side have in common. */
struct side {
	const char *address4, *address6;
	uint8_t mac[6];
	uint8_t priority; /* of its 802.1Q tag */
	uint8_t ttl;
	uint8_t tos;
	uint16_t tcp_port, udp_port;
};

static const struct side sides[2] = {
	{.address4 = "10.1.0.1",
	 .address6 = "2001:db8:1::1",
	 .mac = {2, 0, 0, 0, 1, 1},
	 .priority = 5,
	 .ttl = 64,
	 .tos = 0x20,
	 .tcp_port = 4000,
	 .udp_port = 4000},
	{.address4 = "192.0.2.1",
	 .address6 = "2001:db8:2::1",
	 .mac = {2, 0, 0, 0, 2, 2},
	 .priority = 3,
	 .ttl = 55,
	 .tos = 0xb8,
	 .tcp_port = 443,
	 .udp_port = 53},
};

struct segment {
	bool is_reverse;
	uint8_t flags;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t window;
	uint16_t payload;
	uint16_t mss; /* option; 0: none */
	uint8_t scale; /* option, beside mss */
	uint64_t after_ns; /* the one before */
};

static const struct segment segments[] = {
	{false, PKT_SYN, 1000, 0, 64000, 0, 1460, 7, 0},
	{true, PKT_SYN | PKT_ACK, 5000, 1001, 65000, 0, 1220, 2, 20 * MS},
	{false, PKT_ACK, 1001, 5001, 500, 0, 0, 0, 5 * MS},
	{false, PKT_ACK | PKT_PSH, 1001, 5001, 500, 300, 0, 0, 1 * MS},
	{true, PKT_ACK, 5001, 1301, 16000, 1200, 0, 0, 25 * MS},
	/* 6201 .. 7401 is lost, and sent again a round trip later */
	{true, PKT_ACK, 7401, 1301, 16000, 1200, 0, 0, 1 * MS},
	{false, PKT_ACK, 1301, 6201, 400, 0, 0, 0, 3 * MS},
	{true, PKT_ACK | PKT_PSH, 6201, 1301, 15000, 1200, 0, 0, 30 * MS},
	{false, PKT_ACK, 1301, 8601, 0, 0, 0, 0, 2 * MS},
	{false, PKT_ACK, 1301, 8601, 400, 0, 0, 0, 40 * MS},
	/* 1301 .. 1401 comes late */
	{false, PKT_ACK, 1401, 8601, 400, 100, 0, 0, 5 * MS},
	{false, PKT_ACK | PKT_URG, 1301, 8601, 400, 100, 0, 0, 700 * US},
	{true, PKT_ACK, 8601, 1501, 14000, 0, 0, 0, 20 * MS},
	{false, PKT_FIN | PKT_ACK, 1501, 8601, 400, 0, 0, 0, 50 * MS},
	{true, PKT_FIN | PKT_ACK, 8601, 1502, 14000, 0, 0, 0, 20 * MS},
	{false, PKT_ACK, 1502, 8602, 400, 0, 0, 0, 5 * MS},
};

static void begin(struct pkt_builder *b, bool is_ipv6, bool is_reverse)
{
	const struct side *from = &sides[is_reverse], *to = &sides[!is_reverse];
	struct ethhdr *eth;
	struct ipv6hdr *ipv6;
	struct iphdr *ipv4;

	pkt_init(b);
	eth = pkt_eth(b);
	memcpy(eth->h_source, from->mac, sizeof(from->mac));
	memcpy(eth->h_dest, to->mac, sizeof(to->mac));
	pkt_vlan(b, ETH_P_8021Q, 42)->tci = htons((uint16_t)(from->priority << 13 | 42));
	if (is_ipv6) {
		ipv6 = pkt_ipv6(b, from->address6, to->address6);
		ipv6->hop_limit = from->ttl;
		ipv6->priority = from->tos >> 4;
		ipv6->flow_lbl[0] = (uint8_t)(from->tos << 4);
		ipv6->flow_lbl[2] = from->ttl;
	} else {
		ipv4 = pkt_ipv4(b, from->address4, to->address4);
		ipv4->ttl = from->ttl;
		ipv4->tos = from->tos;
	}
}

static void build_segment(struct pkt_builder *b, bool is_ipv6, const struct segment *s)
{
	const uint8_t options[8] = {2, 4, (uint8_t)(s->mss >> 8), (uint8_t)s->mss, 3, 3, s->scale};
	struct tcphdr *tcp;

	begin(b, is_ipv6, s->is_reverse);
	tcp = pkt_tcp(b, sides[s->is_reverse].tcp_port, sides[!s->is_reverse].tcp_port, s->flags);
	tcp->seq = htonl(s->sequence);
	tcp->ack_seq = htonl(s->acknowledgement);
	tcp->window = htons(s->window);
	if (s->mss)
		memcpy(pkt_tcp_options(b, sizeof(options)), options, sizeof(options));
	pkt_payload(b, s->payload);
	pkt_finish(b);
}

static void build_datagram(struct pkt_builder *b, bool is_ipv6, bool is_reverse, size_t payload)
{
	begin(b, is_ipv6, is_reverse);
	pkt_udp(b, sides[is_reverse].udp_port, sides[!is_reverse].udp_port);
	pkt_payload(b, payload);
	pkt_finish(b);
}

static void build_echo(struct pkt_builder *b, bool is_ipv6, bool is_reverse)
{
	begin(b, is_ipv6, is_reverse);
	if (is_ipv6)
		pkt_icmpv6(b, is_reverse ? 129 : 128, 0);
	else
		pkt_icmp(b, is_reverse ? 0 : 8, 0);
	pkt_payload(b, 56);
	pkt_finish(b);
}

void conversation_each(bool is_ipv6, uint64_t start_ns, frame_fn add, void *arg)
{
	static struct pkt_builder b;
	uint64_t now_ns = start_ns;

	for (size_t i = 0; i < sizeof(segments) / sizeof(*segments); i++) {
		now_ns += segments[i].after_ns;
		build_segment(&b, is_ipv6, &segments[i]);
		add(arg, &b, now_ns);
	}
	for (unsigned int i = 0; i < 6; i++) {
		now_ns += 17 * MS;
		build_datagram(&b, is_ipv6, i % 3, i % 3 ? 100 * i * i : 40 + i);
		add(arg, &b, now_ns);
	}
	for (unsigned int i = 0; i < 4; i++) {
		now_ns += 9 * MS;
		build_echo(&b, is_ipv6, i % 2);
		add(arg, &b, now_ns);
	}
}
