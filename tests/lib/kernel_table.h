/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Flow Cache in the kernel without an interface: a BPF object built around
 * bpf/flow.bpf.c, loaded as the daemon loads it, its maps mapped, its programs
 * run by BPF_PROG_TEST_RUN.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/flow_cache.h"

struct bpf_object;

struct kernel_table {
	struct bpf_object *object;
	struct flow_cache cache;
	struct {
		void *at;
		size_t octets;
	} mapping[16];
	unsigned int n_mappings;
};

struct kernel_table_options {
	const void *elf; /* the object, as a skeleton's elf_bytes() gives it */
	size_t elf_octets;
	const struct flow_cache_params *params;
	uint32_t max_flows;
	uint32_t max_flows_ipv6; /* 0: one */
	const char *programs; /* prefix of those to load */
	bool is_lookup; /* as tables too large to be flat always are */
	bool opens_tunnels; /* `tunnels: inner` */
	bool is_unordered; /* as on a CPU that is not xfp_is_ordered */
};

/*
 * Load the object. Maps bench_flows4 and bench_flows6, if it has them, are sized
 * for max_flows and max_flows_ipv6.
 * Returns 0 or -errno; the message was printed.
 */
int kernel_table_open(struct kernel_table *k, const struct kernel_table_options *options);

/* Descriptor of a program or map, or -ENOENT. */
int kernel_table_program(const struct kernel_table *k, const char *name);
int kernel_table_map(const struct kernel_table *k, const char *name);

/* Map an array map whole, until kernel_table_close(); NULL on failure. */
void *kernel_table_mmap(struct kernel_table *k, const char *name);

/*
 * Run a program n_runs times on one frame. Returns the mean duration in ns that
 * the kernel measured, or -errno.
 */
int kernel_table_run(int program, const void *frame, uint32_t frame_octets, uint32_t n_runs);

/* Unmap, unload; idempotent. */
void kernel_table_close(struct kernel_table *k);
