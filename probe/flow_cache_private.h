/* SPDX-License-Identifier: BSD-2-Clause */
/* Between flow_cache.c (memory and look-up) and flow_cache_grow.c. */
#pragma once

#include "probe/flow_cache.h"

/* Allocate a family's arrays; key_octets and slot_octets are set. Returns 0 or -ENOMEM. */
int flow_table_open(struct flow_table *t, uint32_t n_buckets, bool is_native);

/* Free them and zero *t, also after a failure to open; idempotent. */
void flow_table_close(struct flow_table *t, bool is_native);
