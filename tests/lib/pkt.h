/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet builder for tests: headers are appended from the outside in, each one
 * naming itself in the header before it, and pkt_finish() computes lengths and
 * checksums. Every function that appends returns the new header inside
 * pkt_builder.data: set plain fields (TTL, window, flags) there before
 * pkt_finish(), and break computed ones (version, ihl, tot_len) there after it.
 *
 *	struct pkt_builder b;
 *
 *	pkt_init(&b);
 *	pkt_eth(&b);
 *	pkt_vlan(&b, ETH_P_8021Q, 42);
 *	pkt_ipv4(&b, "10.0.0.1", "10.0.0.2")->ttl = 1;
 *	pkt_udp(&b, 5353, 53);
 *	pkt_payload(&b, 100);
 *	pkt_finish(&b);
 */
#pragma once

#include <arpa/inet.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#define PKT_MAX_OCTETS	 65600
#define PKT_MAX_LAYERS	 24
#define PKT_ALIGN_OCTETS 2 /* before an Ethernet header, as the kernel's NET_IP_ALIGN */

enum pkt_layer_type {
	PKT_ETH,
	PKT_VLAN,
	PKT_IPV4,
	PKT_IPV6,
	PKT_EXT, /* an IPv6 extension header of any kind, AH included */
	PKT_TCP,
	PKT_UDP,
	PKT_SCTP,
	PKT_ICMP,
	PKT_ICMPV6,
};

/* One header; its end is the packet's end, as nothing follows a payload. */
struct pkt_layer {
	enum pkt_layer_type type;
	size_t at; /* octets from the packet's start */
};

/*
 * Holds no resources. data points into storage, so that IP headers are aligned
 * with and without Ethernet before them; a copy of the struct is not a packet.
 */
struct pkt_builder {
	uint8_t *data;
	size_t len; /* octets in data */
	size_t n_layers;
	struct pkt_layer layers[PKT_MAX_LAYERS];
	_Alignas(8) uint8_t storage[PKT_ALIGN_OCTETS + PKT_MAX_OCTETS];
};

/* RFC 9260, 3.1. Ports and tag in network order; checksum is CRC32c. */
struct pkt_sctp {
	__be16 source;
	__be16 dest;
	__be32 tag;
	__le32 checksum;
};

/* IEEE 802.1Q tag as it follows the MAC addresses' type field. */
struct pkt_vlan {
	__be16 tci;
	__be16 type;
};

/* Start an empty packet. Without pkt_eth() it is a raw IP packet. */
void pkt_init(struct pkt_builder *b);

/* Append an Ethernet header, 02:00:00:00:00:01 to 02:00:00:00:00:02. */
struct ethhdr *pkt_eth(struct pkt_builder *b);

/* Append a tag: tpid ETH_P_8021Q or ETH_P_8021AD, id 0 to 4095. */
struct pkt_vlan *pkt_vlan(struct pkt_builder *b, uint16_t tpid, uint16_t id);

/*
 * Append an IP header; addresses are text. TTL or hop limit 64, everything else
 * zero. An IP header after an IP header makes a tunnel (protocols 4 and 41).
 */
struct iphdr *pkt_ipv4(struct pkt_builder *b, const char *src, const char *dst);
struct ipv6hdr *pkt_ipv6(struct pkt_builder *b, const char *src, const char *dst);

/*
 * Append n octets (a multiple of 4, at most 40) of no-operation options to the
 * IPv4 header just appended, and raise its ihl. Returns the options.
 */
uint8_t *pkt_ipv4_options(struct pkt_builder *b, size_t n);

/* Make ip a fragment. offset_octets is a multiple of 8; more 1 but in the last. */
void pkt_ipv4_fragment(struct iphdr *ip, uint16_t id, uint16_t offset_octets, int more);

/*
 * Append an IPv6 extension header of 8 * units octets (units >= 1): protocol is
 * IPPROTO_HOPOPTS, _ROUTING (segments left 0), _DSTOPTS or any other of that
 * form. Returns its first octet.
 */
uint8_t *pkt_ext(struct pkt_builder *b, uint8_t protocol, unsigned int units);

/* Append an IPv6 Fragment header. Like pkt_ipv4_fragment(). */
uint8_t *pkt_ext_fragment(struct pkt_builder *b, uint32_t id, uint16_t offset_octets, int more);

/* Append a Hop-by-Hop header with the option of a jumbogram (RFC 2675 2) of so many octets. */
uint8_t *pkt_ext_jumbo(struct pkt_builder *b, uint32_t payload_octets);

/* Append an Authentication Header of 4 * words octets (words >= 3), RFC 4302. */
uint8_t *pkt_ah(struct pkt_builder *b, unsigned int words);

/* TCP flags as they lie in octet 13 of the header. */
enum { PKT_FIN = 1, PKT_SYN = 2, PKT_RST = 4, PKT_PSH = 8, PKT_ACK = 16, PKT_URG = 32 };

/* Append a transport header; ports in host order, window 65535. */
struct tcphdr *pkt_tcp(struct pkt_builder *b, uint16_t sport, uint16_t dport, uint8_t flags);
struct udphdr *pkt_udp(struct pkt_builder *b, uint16_t sport, uint16_t dport);
struct pkt_sctp *pkt_sctp(struct pkt_builder *b, uint16_t sport, uint16_t dport);
struct icmphdr *pkt_icmp(struct pkt_builder *b, uint8_t type, uint8_t code);
struct icmp6hdr *pkt_icmpv6(struct pkt_builder *b, uint8_t type, uint8_t code);

/* Append n octets (a multiple of 4, at most 40) of no-operation TCP options. */
uint8_t *pkt_tcp_options(struct pkt_builder *b, size_t n);

/* Append n octets of a counting pattern. */
uint8_t *pkt_payload(struct pkt_builder *b, size_t n);

/* Append n octets as the payload of IP protocol (a fragment's rest, GRE, ...). */
uint8_t *pkt_protocol(struct pkt_builder *b, uint8_t protocol, size_t n);

/* Fill lengths and checksums, inside out. Once, after everything is appended. */
void pkt_finish(struct pkt_builder *b);

/* After pkt_finish(): add zero octets up to len (Ethernet padding), or cut. */
void pkt_pad(struct pkt_builder *b, size_t len);
void pkt_truncate(struct pkt_builder *b, size_t len);

/* Internet checksum of n octets, network order; start is a sum to go on from. */
uint16_t pkt_checksum(const void *data, size_t n, uint32_t start);
