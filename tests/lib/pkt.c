/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet builder: appending headers. The computed fields are in
 * pkt_finish.c. Misuse (a header where none fits) is a test's mistake and
 * ends it by assert().
 */
#include "tests/lib/pkt.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

void pkt_init(struct pkt_builder *b)
{
	memset(b, 0, sizeof(*b));
	b->data = b->storage;
}

static void *append(struct pkt_builder *b, size_t n)
{
	void *at = b->data + b->len;

	assert(n <= PKT_MAX_OCTETS - b->len);
	memset(at, 0, n);
	b->len += n;
	return at;
}

static void *append_layer(struct pkt_builder *b, enum pkt_layer_type type, size_t n)
{
	assert(b->n_layers < PKT_MAX_LAYERS);
	b->layers[b->n_layers++] = (struct pkt_layer){.type = type, .at = b->len};
	return append(b, n);
}

static uint8_t *last_header(struct pkt_builder *b)
{
	assert(b->n_layers > 0);
	return b->data + b->layers[b->n_layers - 1].at;
}

/* Write what follows into the last header's type or protocol field. */
static void announce(struct pkt_builder *b, uint16_t ethertype, uint8_t protocol)
{
	uint8_t *last;

	if (b->n_layers == 0)
		return; /* raw IP: nothing names the version */
	last = last_header(b);
	switch (b->layers[b->n_layers - 1].type) {
	case PKT_ETH:
		((struct ethhdr *)last)->h_proto = htons(ethertype);
		break;
	case PKT_VLAN:
		((struct pkt_vlan *)last)->type = htons(ethertype);
		break;
	case PKT_IPV4:
		((struct iphdr *)last)->protocol = protocol;
		break;
	case PKT_IPV6:
		((struct ipv6hdr *)last)->nexthdr = protocol;
		break;
	case PKT_EXT:
		last[0] = protocol;
		break;
	default:
		assert(!"no header fits behind a transport header");
	}
}

struct ethhdr *pkt_eth(struct pkt_builder *b)
{
	struct ethhdr *eth;

	assert(b->len == 0);
	b->data = b->storage + PKT_ALIGN_OCTETS;
	eth = append_layer(b, PKT_ETH, sizeof(*eth));
	memcpy(eth->h_source, (uint8_t[]){2, 0, 0, 0, 0, 1}, ETH_ALEN);
	memcpy(eth->h_dest, (uint8_t[]){2, 0, 0, 0, 0, 2}, ETH_ALEN);
	return eth;
}

struct pkt_vlan *pkt_vlan(struct pkt_builder *b, uint16_t tpid, uint16_t id)
{
	struct pkt_vlan *tag;

	announce(b, tpid, 0);
	tag = append_layer(b, PKT_VLAN, sizeof(*tag));
	tag->tci = htons(id);
	return tag;
}

struct iphdr *pkt_ipv4(struct pkt_builder *b, const char *src, const char *dst)
{
	struct iphdr *ip;
	int parsed;

	announce(b, ETH_P_IP, IPPROTO_IPIP);
	ip = append_layer(b, PKT_IPV4, sizeof(*ip));
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->ttl = 64;
	parsed = inet_pton(AF_INET, src, &ip->saddr) + inet_pton(AF_INET, dst, &ip->daddr);
	assert(parsed == 2);
	return ip;
}

uint8_t *pkt_ipv4_options(struct pkt_builder *b, size_t n)
{
	struct iphdr *ip = (struct iphdr *)last_header(b);

	assert(b->layers[b->n_layers - 1].type == PKT_IPV4 && n % 4 == 0 && n <= 40);
	ip->ihl += n / 4;
	return memset(append(b, n), 1, n);
}

void pkt_ipv4_fragment(struct iphdr *ip, uint16_t id, uint16_t offset_octets, int more)
{
	assert(offset_octets % 8 == 0);
	ip->id = htons(id);
	ip->frag_off = htons(offset_octets / 8 | (more ? 0x2000 : 0));
}

struct ipv6hdr *pkt_ipv6(struct pkt_builder *b, const char *src, const char *dst)
{
	struct ipv6hdr *ip;
	int parsed;

	announce(b, ETH_P_IPV6, IPPROTO_IPV6);
	ip = append_layer(b, PKT_IPV6, sizeof(*ip));
	ip->version = 6;
	ip->nexthdr = IPPROTO_NONE;
	ip->hop_limit = 64;
	parsed = inet_pton(AF_INET6, src, &ip->saddr) + inet_pton(AF_INET6, dst, &ip->daddr);
	assert(parsed == 2);
	return ip;
}

static uint8_t *append_ext(struct pkt_builder *b, uint8_t protocol, size_t n)
{
	uint8_t *ext;

	announce(b, 0, protocol);
	ext = append_layer(b, PKT_EXT, n);
	ext[0] = IPPROTO_NONE;
	return ext;
}

uint8_t *pkt_ext(struct pkt_builder *b, uint8_t protocol, unsigned int units)
{
	uint8_t *ext = append_ext(b, protocol, 8UL * units);

	assert(units >= 1 && units <= 256);
	ext[1] = units - 1;
	if (protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_DSTOPTS)
		memcpy(ext + 2, (uint8_t[]){1, 4, 0, 0, 0, 0}, 6); /* PadN of 4 */
	return ext;
}

uint8_t *pkt_ext_jumbo(struct pkt_builder *b, uint32_t payload_octets)
{
	uint8_t *ext = pkt_ext(b, IPPROTO_HOPOPTS, 1);

	ext[2] = 0xc2;
	ext[3] = 4;
	payload_octets = htonl(payload_octets);
	memcpy(ext + 4, &payload_octets, sizeof(payload_octets));
	return ext;
}

uint8_t *pkt_ext_fragment(struct pkt_builder *b, uint32_t id, uint16_t offset_octets, int more)
{
	uint8_t *ext = append_ext(b, IPPROTO_FRAGMENT, 8);
	uint16_t offset_be = htons(offset_octets | (more ? 1 : 0));
	uint32_t id_be = htonl(id);

	assert(offset_octets % 8 == 0);
	memcpy(ext + 2, &offset_be, sizeof(offset_be));
	memcpy(ext + 4, &id_be, sizeof(id_be));
	return ext;
}

uint8_t *pkt_ah(struct pkt_builder *b, unsigned int words)
{
	uint8_t *ah = append_ext(b, IPPROTO_AH, 4UL * words);

	assert(words >= 3 && words <= 257);
	ah[1] = words - 2;
	return ah;
}

struct tcphdr *pkt_tcp(struct pkt_builder *b, uint16_t sport, uint16_t dport, uint8_t flags)
{
	struct tcphdr *tcp;

	announce(b, 0, IPPROTO_TCP);
	tcp = append_layer(b, PKT_TCP, sizeof(*tcp));
	tcp->source = htons(sport);
	tcp->dest = htons(dport);
	tcp->doff = sizeof(*tcp) / 4;
	tcp->window = htons(65535);
	((uint8_t *)tcp)[13] = flags;
	return tcp;
}

uint8_t *pkt_tcp_options(struct pkt_builder *b, size_t n)
{
	struct tcphdr *tcp = (struct tcphdr *)last_header(b);

	assert(b->layers[b->n_layers - 1].type == PKT_TCP && n % 4 == 0 && n <= 40);
	tcp->doff += n / 4;
	return memset(append(b, n), 1, n);
}

struct udphdr *pkt_udp(struct pkt_builder *b, uint16_t sport, uint16_t dport)
{
	struct udphdr *udp;

	announce(b, 0, IPPROTO_UDP);
	udp = append_layer(b, PKT_UDP, sizeof(*udp));
	udp->source = htons(sport);
	udp->dest = htons(dport);
	return udp;
}

struct pkt_sctp *pkt_sctp(struct pkt_builder *b, uint16_t sport, uint16_t dport)
{
	struct pkt_sctp *sctp;

	announce(b, 0, IPPROTO_SCTP);
	sctp = append_layer(b, PKT_SCTP, sizeof(*sctp));
	sctp->source = htons(sport);
	sctp->dest = htons(dport);
	return sctp;
}

struct icmphdr *pkt_icmp(struct pkt_builder *b, uint8_t type, uint8_t code)
{
	struct icmphdr *icmp;

	announce(b, 0, IPPROTO_ICMP);
	icmp = append_layer(b, PKT_ICMP, sizeof(*icmp));
	icmp->type = type;
	icmp->code = code;
	return icmp;
}

struct icmp6hdr *pkt_icmpv6(struct pkt_builder *b, uint8_t type, uint8_t code)
{
	struct icmp6hdr *icmp;

	announce(b, 0, IPPROTO_ICMPV6);
	icmp = append_layer(b, PKT_ICMPV6, sizeof(*icmp));
	icmp->icmp6_type = type;
	icmp->icmp6_code = code;
	return icmp;
}

uint8_t *pkt_payload(struct pkt_builder *b, size_t n)
{
	uint8_t *payload = append(b, n);

	for (size_t i = 0; i < n; i++)
		payload[i] = (uint8_t)i;
	return payload;
}

uint8_t *pkt_protocol(struct pkt_builder *b, uint8_t protocol, size_t n)
{
	announce(b, 0, protocol);
	return pkt_payload(b, n);
}

void pkt_pad(struct pkt_builder *b, size_t len)
{
	if (b->len < len)
		append(b, len - b->len);
}

void pkt_truncate(struct pkt_builder *b, size_t len)
{
	if (b->len > len)
		b->len = len;
}
