/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * At tc egress: give every packet VLAN tag 77 of priority 3, beside the frame, as
 * a VLAN device or a driver with offload does.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("tc")
int push_tag(struct __sk_buff *skb)
{
	bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), 3 << 13 | 77);
	return TC_ACT_OK;
}

char _license[] SEC("license") = "GPL";
