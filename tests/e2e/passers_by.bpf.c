/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Somebody else's programs on an interface: they count packets and let them pass.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} passed SEC(".maps");

static __always_inline void count(void)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&passed, &zero);

	if (n)
		__sync_fetch_and_add(n, 1);
}

SEC("xdp")
int passer_xdp(struct xdp_md *ctx)
{
	(void)ctx;
	count();
	return XDP_PASS;
}

SEC("tc")
int passer_tc(struct __sk_buff *skb)
{
	(void)skb;
	count();
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual BSD/GPL";
