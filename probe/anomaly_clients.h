/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many hosts use a service, roughly, in the last day or two: what many use is
 * none that one host alone was made to talk to. Bounded; services of one client make
 * room first.
 */
#pragma once

#include <stdint.h>

#define CLIENTS_SETS 8192
#define CLIENTS_WAYS 4

struct clients {
	struct clients_service {
		uint32_t name; /* from the service's hash; 0: free */
		uint32_t day;
		uint64_t bits[2]; /* clients by hash: of that day, and of the one before */
	} service[CLIENTS_SETS * CLIENTS_WAYS];
};

/* A client talks to a service, both by hash. Returns how many do, 1 and more. */
uint32_t clients_add(struct clients *c, uint64_t service, uint64_t client, uint64_t now_ns);

/* How many do; 0: not known. To 10 % below thirty, 300 at most. */
uint32_t clients_count(struct clients *c, uint64_t service, uint64_t now_ns);
