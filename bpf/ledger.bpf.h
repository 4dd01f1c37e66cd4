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

/* The volume of a protocol in an account kept by protocol. */
static __always_inline struct xfp_volume *ledger_protocol(struct xfp_volume *account, __u8 protocol)
{
	__u64 index = protocol;

	barrier_var(index); /* one register, or Linux 6.1 forgets its bound */
	return &account[index & (XFP_N_PROTOCOLS - 1)];
}
