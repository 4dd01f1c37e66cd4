/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The arrays of the Flow Cache in the kernel, each as a single value. The kernel
 * turns a look-up in an array into ten instructions, of which the index waits for
 * a store to the stack; of a map with one entry a program may hold the address,
 * and an index is an addition. That address is what libbpf does not hand out for
 * a map of any size, so the reference to the map is rewritten at load.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/flow_cache.h"

struct bpf_object;

/* Once before the first such object is opened. Returns 0 or -errno. */
int bpf_arrays_register(void);

/*
 * True when every table is small enough to be flat, as in xfp_is_flat: below
 * 512 MB, the most that the verifier lets a program index (6 M IPv4 or 3 M IPv6
 * Flows). The ledger, the table of fragments, the switches and what is counted
 * beside Flows always are.
 */
bool bpf_arrays_are_flat(const struct flow_cache *cache);

/* Size the maps of an object built around bpf/flow.bpf.c, between open and load. */
void bpf_arrays_size(struct bpf_object *object, const struct flow_cache *cache, uint32_t n_cpus,
		     bool is_flat);

/* bpf_object__load(), with the references to flat arrays rewritten. */
int bpf_arrays_load(struct bpf_object *object, bool is_flat);
