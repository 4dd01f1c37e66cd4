/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the parts of the detector of exfiltration: the tables that Flows are counted
 * in (anomaly_exfiltration_count.c), the windows of one pair of hosts in them
 * (anomaly_exfiltration_pair.c), and the judgement (anomaly_exfiltration.c).
 *
 * Octets of a Flow are counted in units of 64 KiB as they come and the rest at its end.
 * A pair of hosts has a place once it sent a 64th of what matters in an hour, a host of
 * ours once it sent a MiB; before that they share rough counters by hash. Where packets
 * pass several Observation Points, one of them counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly_clients.h"
#include "probe/anomaly_known.h"
#include "probe/anomaly_points.h"
#include "probe/anomaly_private.h"
#include "probe/usual.h"

#define LEAK_SETS      2048
#define LEAK_WAYS      8
#define LEAK_MAX       (LEAK_SETS * LEAK_WAYS)
#define LEAK_HOST_SETS 1024
#define LEAK_HOST_WAYS 8
#define LEAK_ROUGH     65536
#define LEAK_SLICES    12 /* of an hour */
#define LEAK_SLICE_NS  (300 * NS_PER_S)
#define LEAK_HOURS     24
#define LEAK_UNIT      65536ULL /* octets */
#define LEAK_HOUR_NS   (3600 * NS_PER_S)

enum leak_way {
	LEAK_OUT,
	LEAK_IN,
	LEAK_WAYS_OF_TRAFFIC,
};

/* One of the Flows that sent most. */
struct leak_flow {
	uint64_t id; /* flowId */
	uint64_t octets; /* 0: none */
	uint64_t last_ns;
	uint16_t port; /* destination's */
	uint8_t protocol;
};

/* A host of ours and one elsewhere. */
struct leak_pair {
	struct host source; /* ours */
	struct host destination;
	uint8_t obs_point; /* that counts what is sent */
	bool is_used;
	bool is_dirty; /* something was sent since the last look */
	bool is_open; /* is an incident */
	bool is_slow; /* ... by the day's rule */
	bool is_answered; /* the other direction of one of its Flows was seen */
	uint64_t last_ns;
	uint64_t known_ns; /* since when the destination is known */
	uint32_t slice; /* number of the one that goes on, packet time */
	uint32_t hour;
	uint64_t in_hour[LEAK_WAYS_OF_TRAFFIC][LEAK_SLICES]; /* octets, by number of the slice */
	uint64_t in_day[LEAK_WAYS_OF_TRAFFIC][LEAK_HOURS];
	int32_t slice_ms[LEAK_SLICES]; /* first packet sent of each, from its begin on */
	int32_t hour_ms[LEAK_HOURS];
	uint64_t day[2]; /* octets sent this day, and the day before */
	uint64_t usual_hour; /* the most that it sent in one, before the last two */
	uint64_t usual_day;
	uint64_t threshold; /* octets, while open */
	uint64_t peak; /* octets in the window, while open */
	uint64_t packets; /* sent, about */
	uint64_t octets;
	struct leak_flow flow[ANOMALY_FLOW_IDS]; /* of the last hour, in no order */
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
	struct points points;
	struct known known;
	struct clients clients;
	struct leak_host host[LEAK_HOST_SETS * LEAK_HOST_WAYS];
	struct leak_pair pair[LEAK_MAX];
};

/* Count what is new of a Flow. */
void leak_count(struct anomaly *a, struct exfiltration *x, const struct anomaly_flow *flow);

/* Numbers of the slice and of the hour that a packet time is in. */
static inline uint32_t leak_slice(uint64_t ns)
{
	return (uint32_t)(ns / LEAK_SLICE_NS);
}

static inline uint32_t leak_hour(uint64_t ns)
{
	return (uint32_t)(ns / LEAK_HOUR_NS);
}

/* The windows of a pair move on to now. */
void leak_age(struct leak_pair *p, uint64_t now_ns);

/* Add octets that are new of a Flow; leak_age() was called. */
void leak_add(struct leak_pair *p, enum leak_way way, uint64_t octets,
	      const struct anomaly_flow *flow);

/* When the first packet was sent of what the window of the hour, or of the day, has. */
uint64_t leak_began_ns(const struct leak_pair *p, bool of_day);

/* What is known of a host of ours; NULL: it has no place. Its hours move on to now. */
struct leak_host *leak_host_find(const struct anomaly *a, struct exfiltration *x,
				 const struct host *host);
