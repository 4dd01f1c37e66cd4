/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the parts of the detector of exfiltration: the tables that Flows are counted
 * in (anomaly_exfiltration_count.c), and the judgement (anomaly_exfiltration.c).
 *
 * Octets of a Flow are counted in units of 64 KiB as they come and the rest at its end.
 * A pair of hosts has a place once it sent a 64th of what matters in an hour, a host of
 * ours once it sent a MiB; before that they share rough counters by hash.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly_clients.h"
#include "probe/anomaly_known.h"
#include "probe/anomaly_private.h"
#include "probe/usual.h"

#define LEAK_SETS      2048
#define LEAK_WAYS      8
#define LEAK_MAX       (LEAK_SETS * LEAK_WAYS)
#define LEAK_HOST_SETS 1024
#define LEAK_HOST_WAYS 8
#define LEAK_ROUGH     65536
#define LEAK_SLICES    12 /* of an hour */
#define LEAK_SLICE_MS  300000
#define LEAK_HOURS     24
#define LEAK_HOUR_MS   3600000

enum leak_way {
	LEAK_OUT,
	LEAK_IN,
	LEAK_WAYS_OF_TRAFFIC,
};

/* A host of ours and one elsewhere. */
struct leak_pair {
	struct host source; /* ours */
	struct host destination;
	uint16_t port; /* of the Flow that sent most */
	uint8_t protocol; /* ... its */
	uint8_t obs_point[LEAK_WAYS_OF_TRAFFIC]; /* the first one that saw that way */
	bool is_used;
	bool is_dirty; /* something was sent since the last look */
	bool is_open; /* is an incident */
	bool is_slow; /* ... by the day's rule */
	bool has_way[LEAK_WAYS_OF_TRAFFIC];
	uint64_t first_ns;
	uint64_t last_ns;
	uint64_t known_ns; /* since when the destination is known */
	uint32_t slice; /* number of the one that goes on, Unix time */
	uint32_t hour;
	uint64_t in_hour[LEAK_WAYS_OF_TRAFFIC][LEAK_SLICES]; /* octets, by number of the slice */
	uint64_t in_day[LEAK_WAYS_OF_TRAFFIC][LEAK_HOURS];
	uint64_t day[2]; /* octets sent this Unix day, and the day before */
	uint64_t usual_hour; /* the most that it sent in one, before the last two */
	uint64_t usual_day;
	uint64_t threshold; /* octets, while open */
	uint64_t peak; /* octets in the window, while open */
	uint64_t largest; /* octets of one Flow */
	uint64_t packets; /* sent, about */
	uint64_t octets;
	uint32_t n_flow_ids;
	uint64_t flow_id[ANOMALY_FLOW_IDS];
};

struct leak_host {
	struct host host;
	bool is_used;
	struct usual sent;
};

struct exfiltration {
	uint64_t began_ns;
	uint32_t began_hour;
	uint32_t rough_hour; /* that the rough counts are of */
	uint32_t rough[LEAK_ROUGH]; /* KiB sent by pairs; saturates */
	uint32_t rough_host[LEAK_ROUGH];
	uint64_t look[PLACES_WORDS(LEAK_MAX)]; /* pairs that are dirty or open */
	uint32_t name[LEAK_MAX]; /* of pairs, from their hash; close together for a fast search */
	struct known known;
	struct clients clients;
	struct leak_host host[LEAK_HOST_SETS * LEAK_HOST_WAYS];
	struct leak_pair pair[LEAK_MAX];
};

/* Count what is new of a Flow. */
void leak_count(struct anomaly *a, struct exfiltration *x, const struct anomaly_flow *flow);

/* The windows of a pair move on to now, Unix time. */
void leak_age(struct leak_pair *p, uint64_t unix_ms);

/* What is known of a host of ours; NULL: it has no place. Its hours move on to now. */
struct leak_host *leak_host_find(const struct anomaly *a, struct exfiltration *x,
				 const struct host *host);
