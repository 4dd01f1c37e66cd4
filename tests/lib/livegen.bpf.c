/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet generator: run on live frames, it writes the next Flow's headers into
 * each and sends it out of an interface. Frames are recycled with what an earlier
 * run wrote, so every octet that can differ is written each time.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "tests/lib/livegen_abi.h"

const volatile __u32 livegen_ifindex;
const volatile __u32 livegen_flows = 1;
const volatile __u32 livegen_first_flow;
const volatile __u32 livegen_udp_percent;
const volatile __u32 livegen_ipv6_percent;
const volatile bool livegen_is_syn;

__u64 livegen_packets;
__u64 livegen_ip_octets;

/* Primes larger than any number of Flows worth generating. */
const volatile __u32 livegen_stride[4] = {
	2654435761u,
	2246822519u,
	3266489917u,
	668265263u,
};

/*
 * Each round is one packet of each Flow, scattered, and in another order than the
 * round before: a table must not profit from Flows that come as they were born.
 */
static __always_inline __u32 flow_of(__u64 packet)
{
	__u64 round = packet / livegen_flows, n = packet % livegen_flows;

	return n * livegen_stride[round & 3] % livegen_flows + livegen_first_flow;
}

static __always_inline __u16 fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return sum + (sum >> 16);
}

static __always_inline void write_ipv4(struct iphdr *ip, __u32 flow, __u8 protocol)
{
	const __u16 *word = (const __u16 *)ip;
	__u32 sum = 0;

	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = bpf_htons(LIVEGEN_FRAME_OCTETS - ETH_HLEN);
	ip->ttl = 64;
	ip->protocol = protocol;
	ip->saddr = bpf_htonl(LIVEGEN_SOURCE4 + flow);
	ip->daddr = bpf_htonl(LIVEGEN_DESTINATION4);
	for (int i = 0; i < 10; i++)
		sum += word[i];
	ip->check = ~fold(sum);
}

static __always_inline void write_ipv6(struct ipv6hdr *ip, __u32 flow, __u8 protocol)
{
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 6;
	ip->payload_len = bpf_htons(LIVEGEN_FRAME_OCTETS - ETH_HLEN - sizeof(*ip));
	ip->nexthdr = protocol;
	ip->hop_limit = 64;
	ip->saddr.s6_addr32[0] = bpf_htonl(LIVEGEN_PREFIX6);
	ip->saddr.s6_addr32[3] = bpf_htonl(flow);
	ip->daddr.s6_addr32[0] = bpf_htonl(LIVEGEN_PREFIX6);
	ip->daddr.s6_addr32[3] = bpf_htonl(LIVEGEN_DESTINATION4);
}

/* As a TCP segment with ACK, or a SYN; UDP's length is where TCP has its sequence number. */
static __always_inline void write_transport(struct tcphdr *tcp, __u32 flow, __u32 octets)
{
	struct udphdr *udp = (struct udphdr *)tcp;

	__builtin_memset(tcp, 0, sizeof(*tcp));
	tcp->source = bpf_htons(flow);
	tcp->dest = bpf_htons(LIVEGEN_DESTINATION_PORT);
	tcp->doff = 5;
	tcp->ack = !livegen_is_syn;
	tcp->syn = livegen_is_syn;
	udp->len = bpf_htons(octets);
}

SEC("xdp")
int livegen(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	void *ip = eth + 1;
	__u32 flow = flow_of(livegen_packets);
	__u8 protocol = flow % 100 < livegen_udp_percent ? IPPROTO_UDP : IPPROTO_TCP;

	if (data + LIVEGEN_FRAME_OCTETS > end)
		return XDP_ABORTED;
	if (flow / 100 % 100 < livegen_ipv6_percent) {
		eth->h_proto = bpf_htons(ETH_P_IPV6);
		write_ipv6(ip, flow, protocol);
		write_transport(ip + 40, flow, LIVEGEN_FRAME_OCTETS - ETH_HLEN - 40);
	} else {
		eth->h_proto = bpf_htons(ETH_P_IP);
		write_ipv4(ip, flow, protocol);
		write_transport(ip + 20, flow, LIVEGEN_FRAME_OCTETS - ETH_HLEN - 20);
	}
	livegen_packets++;
	livegen_ip_octets += LIVEGEN_FRAME_OCTETS - ETH_HLEN;
	return bpf_redirect(livegen_ifindex, 0);
}

/* At the other end of the pair: what makes veth take redirected frames. */
SEC("xdp")
int livegen_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
