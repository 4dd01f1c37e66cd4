/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet builder's computed fields. Layers are finished from the inside
 * out, since an outer checksum covers the inner ones. An IPv6 pseudo-header
 * takes the destination of the IPv6 header, right as long as routing headers
 * have no segments left.
 */
#include "tests/lib/pkt.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

static uint32_t sum_octets(const uint8_t *data, size_t n, uint32_t sum)
{
	for (size_t i = 0; i + 1 < n; i += 2)
		sum += (uint32_t)data[i] << 8 | data[i + 1];
	if (n % 2)
		sum += (uint32_t)data[n - 1] << 8;
	return sum;
}

uint16_t pkt_checksum(const void *data, size_t n, uint32_t start)
{
	uint32_t sum = sum_octets(data, n, start);

	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Bitwise, reflected polynomial of RFC 9260, appendix A. */
static uint32_t crc32c(const uint8_t *data, size_t n)
{
	uint32_t crc = ~0U;

	for (size_t i = 0; i < n; i++) {
		crc ^= data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* Sum of the pseudo-header for a transport header of layer i, n octets long. */
static uint32_t sum_pseudo_header(const struct pkt_builder *b, size_t i, uint8_t protocol, size_t n)
{
	const uint8_t *ip;

	while (i-- > 0) {
		ip = b->data + b->layers[i].at;
		if (b->layers[i].type == PKT_IPV4)
			return sum_octets(ip + offsetof(struct iphdr, saddr), 8, protocol + n);
		if (b->layers[i].type == PKT_IPV6)
			return sum_octets(ip + offsetof(struct ipv6hdr, saddr), 32, protocol + n);
	}
	assert(!"a transport header needs an IP header before it");
	return 0;
}

static void finish_udp(struct udphdr *udp, size_t n, uint32_t pseudo)
{
	/* The pseudo-header's length and the header's own are the same number. */
	udp->len = htons(n);
	udp->check = pkt_checksum(udp, n, pseudo);
	if (udp->check == 0)
		udp->check = 0xffff; /* RFC 768: zero would mean none */
}

static void finish_layer(struct pkt_builder *b, size_t i)
{
	void *at = b->data + b->layers[i].at;
	size_t n = b->len - b->layers[i].at;
	struct iphdr *ip = at;

	switch (b->layers[i].type) {
	case PKT_IPV4:
		ip->tot_len = htons(n);
		ip->check = pkt_checksum(ip, ip->ihl * 4UL, 0);
		break;
	case PKT_IPV6:
		((struct ipv6hdr *)at)->payload_len = htons(n - sizeof(struct ipv6hdr));
		break;
	case PKT_TCP:
		((struct tcphdr *)at)->check =
			pkt_checksum(at, n, sum_pseudo_header(b, i, IPPROTO_TCP, n));
		break;
	case PKT_UDP:
		finish_udp(at, n, sum_pseudo_header(b, i, IPPROTO_UDP, n));
		break;
	case PKT_SCTP:
		((struct pkt_sctp *)at)->checksum = htole32(crc32c(at, n));
		break;
	case PKT_ICMP:
		((struct icmphdr *)at)->checksum = pkt_checksum(at, n, 0);
		break;
	case PKT_ICMPV6:
		((struct icmp6hdr *)at)->icmp6_cksum =
			pkt_checksum(at, n, sum_pseudo_header(b, i, IPPROTO_ICMPV6, n));
		break;
	case PKT_ETH:
	case PKT_VLAN:
	case PKT_EXT:
		break;
	}
}

void pkt_finish(struct pkt_builder *b)
{
	for (size_t i = b->n_layers; i-- > 0;)
		finish_layer(b, i);
}
