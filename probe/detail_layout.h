/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the details in use lie in the record of a slot, for the program in the
 * kernel, its native twin and the daemon alike.
 */
#pragma once

#include <stdint.h>

#include "bpf/detail_abi.h"

/* The most octets of a record: every detail in a line of its own. */
#define DETAIL_OCTETS_MAX (64 * XFP_N_DETAILS)

/*
 * Lay out the details of a set (bits 1 << XFP_DETAIL_*): none crosses a cache line
 * that it need not cross, so each costs a packet one line at most. Records are 8,
 * 16, 32 or a multiple of 64 octets long.
 */
struct xfp_detail_layout detail_layout(uint32_t set);

/* The set a layout was made for. */
uint32_t detail_layout_set(const struct xfp_detail_layout *layout);
