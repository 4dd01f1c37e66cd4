/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_hostile IFACE: frames that no sender should send, or that are not IP, one of
 * each. Prints for each the ledger's reason ("ok" where there is a Flow after all),
 * its octets and itself in hexadecimal.
 */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/frame_socket.h"
#include "tests/lib/pkt.h"

static struct iphdr *start_ipv4(struct pkt_builder *b)
{
	pkt_eth(b);
	return pkt_ipv4(b, "10.1.0.1", "10.1.0.2");
}

static struct ipv6hdr *start_ipv6(struct pkt_builder *b)
{
	pkt_eth(b);
	return pkt_ipv6(b, "fd01::1", "fd01::2");
}

/* A good packet, to be broken after pkt_finish(): its headers. */
static struct iphdr *good_tcp4(struct pkt_builder *b, struct tcphdr **tcp)
{
	struct iphdr *ip = start_ipv4(b);
	struct tcphdr *t = pkt_tcp(b, 40001, 80, PKT_ACK);

	pkt_payload(b, 30);
	pkt_finish(b);
	if (tcp)
		*tcp = t;
	return ip;
}

static struct ipv6hdr *good_udp6(struct pkt_builder *b)
{
	struct ipv6hdr *ip = start_ipv6(b);

	pkt_udp(b, 40001, 53);
	pkt_payload(b, 30);
	pkt_finish(b);
	return ip;
}

static void ethertype(struct pkt_builder *b, uint16_t type, size_t payload_octets)
{
	pkt_eth(b)->h_proto = htons(type);
	pkt_payload(b, payload_octets);
}

static void arp(struct pkt_builder *b)
{
	ethertype(b, ETH_P_ARP, 46);
}
static void experimental(struct pkt_builder *b)
{
	ethertype(b, 0x88b5, 200);
}
static void llc(struct pkt_builder *b)
{
	ethertype(b, 46, 46);
}
/* The label stack ends, and what is under it is neither IP nor a frame. */
static void mpls_of_nothing(struct pkt_builder *b)
{
	ethertype(b, ETH_P_MPLS_UC, 60);
	memset(b->data + ETH_HLEN, 0, 60);
	b->data[ETH_HLEN + 2] = 1;
}

static void endless_labels(struct pkt_builder *b)
{
	ethertype(b, ETH_P_MPLS_UC, 60);
	memset(b->data + ETH_HLEN, 0, 60);
}

/* A session of PPP's own control protocol. */
static void pppoe_of_lcp(struct pkt_builder *b)
{
	static const __u8 header[] = {0x11, 0x00, 0x00, 0x01, 0x00, 0x02, 0xc0, 0x21};

	ethertype(b, ETH_P_PPP_SES, 60);
	memcpy(b->data + ETH_HLEN, header, sizeof(header));
}
static void nothing_in_ipv4(struct pkt_builder *b)
{
	ethertype(b, ETH_P_IP, 1);
}

static void cut_ipv4(struct pkt_builder *b)
{
	good_tcp4(b, NULL);
	pkt_truncate(b, ETH_HLEN + 19);
}

static void cut_ipv6(struct pkt_builder *b)
{
	good_udp6(b);
	pkt_truncate(b, ETH_HLEN + 39);
}

/* The datagram itself ends inside its TCP, UDP, ICMP header. */
static void short_datagram(struct pkt_builder *b, uint8_t protocol, size_t octets)
{
	start_ipv4(b);
	pkt_protocol(b, protocol, octets);
	pkt_finish(b);
}

static void short_tcp(struct pkt_builder *b)
{
	short_datagram(b, IPPROTO_TCP, 19);
}
static void short_udp(struct pkt_builder *b)
{
	short_datagram(b, IPPROTO_UDP, 7);
}
static void short_sctp(struct pkt_builder *b)
{
	short_datagram(b, IPPROTO_SCTP, 11);
}
static void short_icmp(struct pkt_builder *b)
{
	short_datagram(b, IPPROTO_ICMP, 3);
}
static void padded_udp(struct pkt_builder *b)
{
	short_datagram(b, IPPROTO_UDP, 2);
	pkt_pad(b, ETH_ZLEN);
}

static void endless_extension(struct pkt_builder *b)
{
	start_ipv6(b);
	pkt_ext(b, IPPROTO_DSTOPTS, 1)[1] = 255;
	pkt_udp(b, 40001, 53);
	pkt_finish(b);
}

static void version6_in_ipv4(struct pkt_builder *b)
{
	good_tcp4(b, NULL)->version = 6;
}
static void version0_in_ipv4(struct pkt_builder *b)
{
	good_tcp4(b, NULL)->version = 0;
}
static void version4_in_ipv6(struct pkt_builder *b)
{
	good_udp6(b)->version = 4;
}
static void small_ihl(struct pkt_builder *b)
{
	good_tcp4(b, NULL)->ihl = 4;
}
static void small_total(struct pkt_builder *b)
{
	good_tcp4(b, NULL)->tot_len = htons(19);
}
static void zero_total(struct pkt_builder *b)
{
	good_tcp4(b, NULL)->tot_len = 0;
}
static void large_total(struct pkt_builder *b)
{
	good_tcp4(b, NULL)->tot_len = htons(65535);
}
static void large_payload(struct pkt_builder *b)
{
	good_udp6(b)->payload_len = htons(39);
}

static void small_data_offset(struct pkt_builder *b)
{
	struct tcphdr *tcp;

	good_tcp4(b, &tcp);
	tcp->doff = 4;
}

static void four_tags(struct pkt_builder *b)
{
	pkt_eth(b);
	for (uint16_t i = 0; i < 4; i++)
		pkt_vlan(b, i ? ETH_P_8021Q : ETH_P_8021AD, i + 1);
	pkt_ipv4(b, "10.1.0.1", "10.1.0.2");
	pkt_udp(b, 40001, 53);
	pkt_finish(b);
}

static void nine_extensions(struct pkt_builder *b)
{
	start_ipv6(b);
	for (int i = 0; i < 9; i++)
		pkt_ext(b, IPPROTO_DSTOPTS, 1);
	pkt_udp(b, 40001, 53);
	pkt_finish(b);
}

static void later_fragment(struct pkt_builder *b)
{
	pkt_ipv4_fragment(start_ipv4(b), 7, 8, 0);
	pkt_protocol(b, IPPROTO_TCP, 3);
	pkt_finish(b);
}

static void zero_checksum(struct pkt_builder *b)
{
	good_tcp4(b, NULL)->check = 0;
}

/* clang-format off */
static const struct {
	const char *reason;
	void (*build)(struct pkt_builder *b);
} frames[] = {
	{"not_ip", arp}, {"not_ip", experimental}, {"not_ip", llc}, {"not_ip", mpls_of_nothing},
	{"not_ip", pppoe_of_lcp},
	{"truncated", nothing_in_ipv4}, {"truncated", cut_ipv4}, {"truncated", cut_ipv6},
	{"truncated", short_tcp}, {"truncated", short_udp}, {"truncated", short_sctp},
	{"truncated", short_icmp}, {"truncated", padded_udp}, {"truncated", endless_extension},
	{"bad_version", version6_in_ipv4}, {"bad_version", version0_in_ipv4},
	{"bad_version", version4_in_ipv6},
	{"bad_header_length", small_ihl}, {"bad_header_length", small_data_offset},
	{"bad_total_length", small_total}, {"bad_total_length", zero_total},
	{"bad_total_length", large_total}, {"bad_total_length", large_payload},
	{"too_deep", four_tags}, {"too_deep", nine_extensions}, {"too_deep", endless_labels},
	{"ok", later_fragment}, {"ok", zero_checksum},
};
/* clang-format on */

int main(int argc, char **argv)
{
	static struct pkt_builder b;
	int fd;

	if (argc != 2)
		errx(2, "usage: send_hostile IFACE");
	fd = frame_socket_open(argv[1]);
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		pkt_init(&b);
		frames[i].build(&b);
		frame_socket_send(fd, b.data, b.len);
		printf("%s %zu ", frames[i].reason, b.len);
		for (size_t k = 0; k < b.len; k++)
			printf("%02x", b.data[k]);
		putchar('\n');
	}
	return 0;
}
