/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Metering Process under attack: each run writes one of few Flows into the
 * packet and meters it. Two turns in a row are of the same Flow, so two CPUs
 * meet on it all the time, and when it is new they make twins.
 */
#define XFP_STALLS
#include "bpf/flow.bpf.c"

#include <linux/ip.h>
#include <linux/tcp.h>

#include "tests/lib/race_abi.h"

/* Microseconds between the steps that must not be torn apart, once in 32 packets. */
const volatile __u32 xfp_stall_rounds[2] = {6000, 2000};
const volatile __u32 xfp_stall_mask = 31;
/* Timeouts of the test are shorter than a tick. */
const volatile bool xfp_is_precise = true;

/* CPU * RACE_FLOWS + Flow. Written here by its CPU, read by the judge at the end. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, RACE_CPUS *RACE_FLOWS);
	__type(key, __u32);
	__type(value, struct race_truth);
} race_truth SEC(".maps");

__u64 race_turn;

static __always_inline __u32 next_flow(void)
{
	__u64 turn = __sync_fetch_and_add(&race_turn, 1) / 2 + 1;

	turn *= 0x9e3779b97f4a7c15ULL;
	return (turn >> 32) % RACE_FLOWS;
}

static __always_inline __u64 overflowed(void)
{
	struct xfp_ledger_row *row = ledger_row();

	return row ? row->overflow[IPPROTO_TCP].packets : 0;
}

static __always_inline void truth_add(struct race_truth *truth, __u32 flags, __u16 ttl)
{
	truth->tcp_flags |= flags;
	if (!truth->ttl_min || ttl < truth->ttl_min)
		truth->ttl_min = ttl;
	if (ttl > truth->ttl_max)
		truth->ttl_max = ttl;
}

SEC("tc")
int race(struct __sk_buff *skb)
{
	struct iphdr *ip = (void *)(long)skb->data + ETH_HLEN;
	struct tcphdr *tcp = (void *)(ip + 1);
	__u32 random = bpf_get_prandom_u32(), flow = next_flow();
	__u32 at = bpf_get_smp_processor_id() * RACE_FLOWS + flow;
	__u32 flags = RACE_FLAG(flow, random & 1);
	struct race_truth *truth;
	__u64 before, written;
	__u8 ttl = random >> 8 | 1;

	if ((void *)(tcp + 1) > (void *)(long)skb->data_end)
		return TC_ACT_SHOT;
	ip->saddr = bpf_htonl(RACE_SOURCE + flow);
	ip->tot_len = bpf_htons(RACE_OCTETS(flow));
	ip->ttl = ttl;
	*((__be16 *)tcp + 6) = bpf_htons(0x5000 | flags);
	written = (__u64)at << 32 | ttl << 16 | flags; /* one word: the stack is short */
	barrier_var(written);
	before = overflowed();
	meter_tc(skb, DIRECTION_INGRESS);
	at = written >> 32;
	truth = bpf_map_lookup_elem(&race_truth, &at);
	if (!truth)
		return TC_ACT_SHOT;
	truth->packets++;
	if (overflowed() != before)
		truth->packets_overflowed++;
	else
		truth_add(truth, written & 0xffff, written >> 16 & 0xff);
	return TC_ACT_UNSPEC;
}
