/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loss ledger: seen = accounted + sum of named reasons. A row belongs to
 * one CPU; the hooks run with bottom halves off, so plain additions are exact
 * except under PREEMPT_RT.
 */
#pragma once

#include "bpf/flow_abi.h"
#include "bpf/maps.bpf.h"
#include "bpf/target.bpf.h"

static __always_inline void ledger_add(__u64 *counter, __u64 value)
{
	if (xfp_is_rt)
		ATOMIC_ADD(counter, value);
	else
		WRITE_ONCE_(*counter, *counter + value);
}

static __always_inline void ledger_volume(struct xfp_volume *volume, __u64 packets, __u64 octets)
{
	if (xfp_is_rt) {
		ATOMIC_ADD(&volume->packets, packets);
		ATOMIC_ADD(&volume->octets, octets);
	} else {
		WRITE_ONCE_(volume->packets, volume->packets + packets);
		WRITE_ONCE_(volume->octets, volume->octets + octets);
	}
}

static __always_inline enum xfp_protocol_class protocol_class(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return XFP_CLASS_TCP;
	case IPPROTO_UDP:
		return XFP_CLASS_UDP;
	case IPPROTO_ICMP:
		return XFP_CLASS_ICMP;
	case IPPROTO_ICMPV6:
		return XFP_CLASS_ICMPV6;
	case IPPROTO_SCTP:
		return XFP_CLASS_SCTP;
	default:
		return XFP_CLASS_OTHER;
	}
}
