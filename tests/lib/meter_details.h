/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmocka checks on the details of a Flow.
 */
#pragma once

#include <stdint.h>

#include "bpf/detail_abi.h"
#include "probe/flow_cache.h"

/* A detail of a slot; fails the test where it is not kept. */
const void *meter_detail(const struct flow_cache *cache, enum flow_family family, uint32_t slot,
			 enum xfp_detail detail);

/* Two slots' details are the same to the last octet but the times. */
void meter_assert_same_details(const struct flow_cache *a, uint32_t slot_a,
			       const struct flow_cache *b, uint32_t slot_b,
			       enum flow_family family);
