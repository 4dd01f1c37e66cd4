/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_flows IFACE ROUNDS [INTERVAL_MS]: send known Flows as raw frames, one packet
 * of each in every round, their lengths varying. Then tell what a Collector must
 * have been told, one line per Flow: "protocol source destination sport dport vlan
 * packets octets", and as the last line "total frames frame_octets". For ICMP dport
 * is 256 * type + code. ROUNDS 0 goes on until SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/frame_socket.h"
#include "tests/lib/pkt.h"

struct flow {
	const char *src;
	const char *dst;
	uint8_t protocol;
	uint16_t sport;
	uint16_t dport;
	uint16_t vlan; /* outer tag's id, 0 = untagged */
	uint16_t inner_vlan; /* 802.1Q inside 802.1ad        */
};

static const struct flow flows[] = {
	{"10.1.0.1", "10.1.0.2", IPPROTO_TCP, 40001, 80, 0, 0},
	{"10.1.0.2", "10.1.0.1", IPPROTO_TCP, 80, 40001, 0, 0},
	{"10.1.0.1", "10.1.0.2", IPPROTO_UDP, 40001, 53, 0, 0},
	{"10.1.0.1", "10.1.0.2", IPPROTO_SCTP, 40001, 36412, 0, 0},
	{"10.1.0.1", "10.1.0.2", IPPROTO_ICMP, 0, ICMP_ECHO << 8, 0, 0},
	{"10.1.0.1", "10.1.0.2", IPPROTO_ICMP, 0, ICMP_DEST_UNREACH << 8 | 3, 0, 0},
	{"10.1.0.1", "10.1.0.2", IPPROTO_GRE, 0, 0, 0, 0},
	{"fd01::1", "fd01::2", IPPROTO_TCP, 40001, 443, 0, 0},
	{"fd01::1", "fd01::2", IPPROTO_UDP, 40001, 53, 0, 0},
	{"fd01::1", "fd01::2", IPPROTO_SCTP, 40001, 36412, 0, 0},
	{"fd01::1", "fd01::2", IPPROTO_ICMPV6, 0, ICMPV6_ECHO_REQUEST << 8, 0, 0},
	{"fd01::1", "fd01::2", IPPROTO_ESP, 0, 0, 0, 0},
	{"10.1.0.1", "10.1.0.2", IPPROTO_UDP, 40001, 53, 42, 0},
	{"fd01::1", "fd01::2", IPPROTO_TCP, 40001, 443, 42, 0},
	{"10.1.0.1", "10.1.0.2", IPPROTO_UDP, 40001, 53, 100, 7},
	{"fd01::1", "fd01::2", IPPROTO_UDP, 40001, 53, 100, 7},
};

#define N_FLOWS (sizeof(flows) / sizeof(flows[0]))

struct sent {
	uint64_t packets;
	uint64_t octets; /* of IP, without Ethernet padding */
};

static volatile sig_atomic_t is_stopped;

static void on_term(int signo)
{
	(void)signo;
	is_stopped = 1;
}

static void append_link(struct pkt_builder *b, const struct flow *f)
{
	pkt_eth(b);
	if (f->vlan)
		pkt_vlan(b, f->inner_vlan ? ETH_P_8021AD : ETH_P_8021Q, f->vlan);
	if (f->inner_vlan)
		pkt_vlan(b, ETH_P_8021Q, f->inner_vlan);
}

static void append_transport(struct pkt_builder *b, const struct flow *f, size_t payload_octets)
{
	switch (f->protocol) {
	case IPPROTO_TCP:
		pkt_tcp(b, f->sport, f->dport, PKT_ACK | PKT_PSH);
		break;
	case IPPROTO_UDP:
		pkt_udp(b, f->sport, f->dport);
		break;
	case IPPROTO_SCTP:
		pkt_sctp(b, f->sport, f->dport);
		break;
	case IPPROTO_ICMP:
		pkt_icmp(b, (uint8_t)(f->dport >> 8), (uint8_t)f->dport);
		break;
	case IPPROTO_ICMPV6:
		pkt_icmpv6(b, (uint8_t)(f->dport >> 8), (uint8_t)f->dport);
		break;
	default:
		pkt_protocol(b, f->protocol, 8);
		return;
	}
	pkt_payload(b, payload_octets);
}

/* Build one packet; returns its IP octets. */
static size_t build(struct pkt_builder *b, const struct flow *f, size_t payload_octets)
{
	size_t ip_at;

	pkt_init(b);
	append_link(b, f);
	ip_at = b->len;
	if (strchr(f->src, ':'))
		pkt_ipv6(b, f->src, f->dst);
	else
		pkt_ipv4(b, f->src, f->dst);
	append_transport(b, f, payload_octets);
	pkt_finish(b);
	payload_octets = b->len - ip_at;
	if (b->len < ETH_ZLEN)
		pkt_pad(b, ETH_ZLEN);
	return payload_octets;
}

static void send_round(int fd, unsigned long round, struct sent *sent, struct sent *total)
{
	static struct pkt_builder b;

	for (size_t i = 0; i < N_FLOWS; i++) {
		sent[i].octets += build(&b, &flows[i], round * 97 % 1200);
		sent[i].packets++;
		frame_socket_send(fd, b.data, b.len);
		total->packets++;
		total->octets += b.len;
	}
}

int main(int argc, char **argv)
{
	static struct sent sent[N_FLOWS], total;
	unsigned long rounds;
	unsigned int interval_us;
	int fd;

	if (argc < 3) {
		fprintf(stderr, "usage: send_flows IFACE ROUNDS [INTERVAL_MS]\n");
		return 2;
	}
	signal(SIGTERM, on_term);
	rounds = strtoul(argv[2], NULL, 10);
	interval_us = argc > 3 ? (unsigned int)atoi(argv[3]) * 1000 : 0;
	fd = frame_socket_open(argv[1]);
	for (unsigned long r = 0; !is_stopped && (!rounds || r < rounds); r++) {
		send_round(fd, r, sent, &total);
		if (interval_us)
			usleep(interval_us);
	}
	for (size_t i = 0; i < N_FLOWS; i++)
		printf("%u %s %s %u %u %u %lu %lu\n", flows[i].protocol, flows[i].src, flows[i].dst,
		       flows[i].sport, flows[i].dport, flows[i].vlan, sent[i].packets,
		       sent[i].octets);
	printf("total %lu %lu\n", total.packets, total.octets);
	return 0;
}
