/* SPDX-License-Identifier: BSD-2-Clause */
/* bench.bpf.c with the Flow Cache in BPF_MAP_TYPE_HASH. */
#define XFP_CACHE_HEADER "tests/bench/cache_hash.bpf.h"
#include "tests/bench/bench.bpf.c"
