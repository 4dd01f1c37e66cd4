/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between anomaly.c (who is told what) and the detectors. A detector has state of a
 * bounded size, allocated once; what it is told of is in the order of the slots, so
 * what it finds must not depend on that.
 */
#pragma once

#include "probe/anomaly.h"
#include "probe/anomaly_baseline.h"
#include "probe/anomaly_contact.h"
#include "probe/anomaly_flow.h"
#include "probe/anomaly_groups.h"
#include "probe/anomaly_incidents.h"
#include "probe/distinct.h"

struct detector {
	size_t state_octets; /* zeroed before anything else is called */

	/* Whether it is configured at all; NULL: always. */
	bool (*is_enabled)(const struct anomaly_config *cfg);

	/* Thresholds have changed. NULL: looked up each time. */
	void (*on_reload)(const struct anomaly *a, void *state);

	/* News of a Flow, unless flow_is_dull() was said of it. NULL: not wanted. */
	void (*on_flow)(struct anomaly *a, void *state, const struct anomaly_flow *flow);

	/* A first contact that failed or was answered. NULL: not wanted. */
	void (*on_contact)(struct anomaly *a, void *state, const struct anomaly_flow *flow,
			   const struct contact *contact);

	/* News of what no Flow tells. NULL: not wanted. */
	void (*on_unseen)(struct anomaly *a, void *state, const struct unseen_news *news);

	/* All Flows of a sweep were told of; `passed_ns` since the last call. */
	void (*on_second)(struct anomaly *a, void *state, uint64_t passed_ns);

	/* Whether it has more to look at a second later, packets or not. NULL: never. */
	bool (*is_waiting)(const void *state);
};

#define DETECTOR(name, key) extern const struct detector detector_##name;
#include "probe/anomaly_detector.def"
#undef DETECTOR

enum detector_index {
#define DETECTOR(name, key) DETECTOR_##name,
#include "probe/anomaly_detector.def"
#undef DETECTOR
	N_DETECTORS,
};

_Static_assert(FLOW_DULL_SHIFT + N_DETECTORS <= FLOW_EPOCH_SHIFT, "a bit for each");

/* Whatever comes of the Flow, this detector does not care: by its key, or for good. */
static inline void flow_is_dull(const struct anomaly_flow *flow, enum detector_index detector)
{
	*flow->delta->state |= 1u << (FLOW_DULL_SHIFT + detector);
}

/* What is known of one Observation Point: whether answers come by. */
struct visibility {
	uint32_t both;
	uint32_t one_way;
};

struct waiting;

struct anomaly {
	struct sweep_observer observer;
	const struct anomaly_config *cfg; /* &config */
	struct anomaly_config config;
	struct anomaly_groups groups; /* what follows from it */
	const struct wall_clock *clock;
	struct network_list attached; /* networks of the interfaces themselves */
	uint64_t seed;
	uint32_t epoch; /* configurations so far, modulo those that FLOW_EPOCH tells apart */
	uint64_t now_ns; /* of the sweep, or the latest packet during it */
	uint64_t ticked_ns; /* on_second() was called last */
	uint64_t active_ns; /* a Flow counted last */
	bool is_final; /* this second is the last */
	struct incidents incidents;
	struct visibility visibility[128]; /* by obs_point >> 1 */
	struct waiting *waiting;
	struct baselines *baselines;
	void *state[N_DETECTORS]; /* NULL: not enabled */
	uint32_t on_flow_wanted; /* bit i: detector i has a state, and on_flow() */
};

/* A hash nobody outside can choose, of a host and one more number. */
static inline uint64_t anomaly_hash(const struct anomaly *a, const struct host *h, uint64_t word)
{
	__u64 halves[2];

	memcpy(halves, h, sizeof(halves));
	return xfp_unseen_hash(a->seed, halves, word);
}

/* A hash of the Flow, the same that the kernel makes of one without a place. */
static inline uint64_t anomaly_flow_hash(const struct anomaly *a, const struct anomaly_flow *flow)
{
	uint16_t to = flow->is_icmp ? flow->icmp_type_code : flow->destination_port;

	return anomaly_hash(a, &flow->source,
			    xfp_unseen_flow(flow->protocol, flow->source_port, to));
}

/* Name of an incident, the same in every run: detector, host and one more number. */
static inline uint64_t anomaly_key(enum detector_index detector, const struct host *h,
				   uint64_t word)
{
	uint64_t halves[2], key;

	memcpy(halves, h, sizeof(halves));
	key = distinct_mix(distinct_mix((uint64_t)detector + 1, halves[0]), halves[1]);
	key = distinct_mix(key, word);
	return key ? key : 1;
}

/* A rate of a host and its threshold: what is configured, or so many times what is usual. */
struct anomaly_rate {
	uint64_t name; /* for baselines_note() */
	float floor; /* as configured */
	float threshold;
	float usual;
	bool is_learning;
};
struct anomaly_rate anomaly_rate(const struct anomaly *a, enum detector_index detector,
				 const struct host *h, uint64_t word, float floor);

/* Seconds of the rate are over, of so much in all. What is an eighth of `floor` is learned. */
void anomaly_rate_note(const struct anomaly *a, const struct anomaly_rate *r, float amount,
		       float seconds, bool is_odd);

/* Time passed; 0 when `then_ns` is a packet's and later than the sweep. */
static inline uint64_t anomaly_since(uint64_t now_ns, uint64_t then_ns)
{
	return now_ns > then_ns ? now_ns - then_ns : 0;
}

/* Unix time in ms of a packet's. */
static inline uint64_t anomaly_unix_ms(const struct anomaly *a, uint64_t ns)
{
	return wall_clock_ns(a->clock, ns) / NS_PER_MS;
}

/* What the host is measured by. */
static inline const struct anomaly_limits *anomaly_limits(const struct anomaly *a,
							  const struct host *h)
{
	return &a->groups.limits[anomaly_groups_find(&a->groups, h)];
}

/* The event's threshold is that of this host's group. Once e->rule is set. */
static inline void anomaly_tell_group(const struct anomaly *a, struct anomaly_event *e,
				      const struct host *h)
{
	anomaly_groups_tell(&a->groups, a->cfg, h, e);
}

static inline bool anomaly_is_local(const struct anomaly *a, const struct host *h)
{
	return networks_have(&a->cfg->local_networks, h) || networks_have(&a->attached, h);
}

/* Which places of a table are in use: a second costs what is in it, not its size. */
#define PLACES_WORDS(n) (((n) + 63) / 64)

static inline void place_use(uint64_t *used, uint32_t i)
{
	used[i / 64] |= 1ULL << i % 64;
}

static inline void place_leave(uint64_t *used, uint32_t i)
{
	used[i / 64] &= ~(1ULL << i % 64);
}

/* The first place in use from `i` on, below n; n: none. */
static inline uint32_t place_next(const uint64_t *used, uint32_t i, uint32_t n)
{
	while (i < n) {
		uint64_t rest = used[i / 64] >> i % 64;

		if (rest)
			return i + (uint32_t)__builtin_ctzll(rest);
		i = (i / 64 + 1) * 64;
	}
	return n;
}

#define FOR_PLACES(i, used, n)                                                                     \
	for (uint32_t i = place_next(used, 0, n); i < (n); i = place_next(used, i + 1, n))

/* enum anomaly_visibility at an Observation Point, by what was seen so far. */
uint8_t anomaly_visibility_at(const struct anomaly *a, uint8_t obs_point);

/* Find out which ends of the Flow are hosts of ours; what anomaly_ends() returns from then on. */
uint32_t anomaly_ends_find(const struct anomaly *a, const struct anomaly_flow *flow);

/* FLOW_OURS_FROM, FLOW_OURS_TO and FLOW_HAS_GROUP, among other bits. */
static inline uint32_t anomaly_ends(const struct anomaly *a, const struct anomaly_flow *flow)
{
	uint32_t state = *flow->delta->state;

	return state & FLOW_ENDS_KNOWN ? state : anomaly_ends_find(a, flow);
}

/* Whether the Flow leaves, comes or stays. What is to a group, or claims to be from one, stays. */
static inline enum anomaly_direction anomaly_direction(const struct anomaly *a,
						       const struct anomaly_flow *flow)
{
	uint32_t ends = anomaly_ends(a, flow);
	bool is_from = ends & FLOW_OURS_FROM, is_to = ends & FLOW_OURS_TO;

	if (is_from == is_to || ends & FLOW_HAS_GROUP)
		return FLOW_STAYING;
	return is_from ? FLOW_LEAVING : FLOW_COMING;
}

/*
 * How sure: 50 at the threshold, 90 far above, less where only one direction is seen.
 */
uint8_t anomaly_confidence(float value, float threshold, uint8_t visibility);

/* ICMP said lately, to this host, that something of its UDP could not be reached. */
uint32_t anomaly_unreachable(const struct anomaly *a, const struct host *source);

/* Name that all incidents of a flooded host know each other by. */
static inline uint64_t anomaly_flood_family(const struct host *h)
{
	return anomaly_key(N_DETECTORS, h, 0);
}

/*
 * Whether the host is flooded by volume, with packets of that subclass: it may be, which
 * is known within two seconds, or it is an incident.
 */
enum anomaly_flood {
	ANOMALY_FLOOD_NONE,
	ANOMALY_FLOOD_MAYBE,
	ANOMALY_FLOOD_TOLD,
};
enum anomaly_flood anomaly_flood_at(const struct anomaly *a, const struct host *host,
				    uint8_t subclass);

/* Keep the first of several, by time: what is kept does not depend on the order they come in. */
struct example {
	uint64_t first_ns; /* 0: none */
	uint64_t flow_id;
	struct host host;
	uint16_t port;
};
void example_keep(struct example *examples, uint32_t n, const struct example *e);

/* The same with one end of a Flow. */
void example_keep_source(struct example *examples, uint32_t n, const struct anomaly_flow *flow);
void example_keep_destination(struct example *examples, uint32_t n,
			      const struct anomaly_flow *flow);

/* Put them into the event's targets and flowIds. has_port: they are of TCP or UDP. */
void examples_tell(struct anomaly_event *e, const struct example *examples, uint32_t n,
		   bool has_port);
