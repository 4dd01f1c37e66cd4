/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Since when hosts elsewhere are known, by whoever of ours talked to them. Bounded: the
 * ones that came last make room, then come anew; those not seen for two weeks before.
 */
#pragma once

#include <stdint.h>

#define KNOWN_SETS 32768
#define KNOWN_WAYS 4

struct known {
	struct known_host {
		uint32_t name; /* from the hash; 0: free */
		uint32_t first_min; /* minutes of packet time */
		uint32_t last_min;
	} host[KNOWN_SETS * KNOWN_WAYS];
};

/* The host with that hash is talked to at now_ns. Returns since when, packet time, to the minute. */
uint64_t known_since(struct known *k, uint64_t hash, uint64_t now_ns);
