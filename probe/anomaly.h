/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Anomaly detection: what the sweep reads goes through a table of detectors
 * (anomaly_detector.def), what they find becomes incidents, and those become events.
 * Time is packet time, whatever clock that is: a capture gives the events that the
 * same traffic gives live. Nothing in here reads a clock or does I/O, and nothing is
 * allocated after anomaly_open() and anomaly_reload().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly_config.h"
#include "probe/anomaly_event.h"
#include "probe/clock.h"
#include "probe/sweep_observer.h"

struct anomaly;

/* What the detectors have to do with. */
struct anomaly_setup {
	const struct anomaly_config *cfg; /* copied */
	const struct wall_clock *clock;
	anomaly_sink_fn sink;
	void *sink_arg;
	const struct network_list *attached; /* of the interfaces, ours too; NULL: none */
	uint64_t seed; /* secret of the hashes: flow_cache_params.unseen_seed */
};

/*
 * Start detection; what setup points to stays the caller's.
 * Returns 0 or -ENOMEM, printed.
 */
int anomaly_open(struct anomaly **a, const struct anomaly_setup *setup);

/*
 * Go on with another configuration: thresholds count from now on, a detector that is
 * switched on starts with nothing known, one that is switched off forgets all. An
 * incident whose host is on the allow-list now ends at once; one that was only noted
 * (dry_run) and goes on is told of as if it began, when that is switched off.
 *
 * now_ns  of the packets' clock; what happens is of this moment
 *
 * Returns 0, or -ENOMEM, printed: nothing has changed.
 */
int anomaly_reload(struct anomaly *a, const struct anomaly_config *cfg, uint64_t now_ns);

/* The networks of the interfaces, ours too, are these from now on; copied. */
void anomaly_attach(struct anomaly *a, const struct network_list *attached);

/* What struct sweep takes; part of *a. */
const struct sweep_observer *anomaly_observer(const struct anomaly *a);

/*
 * When the detectors want a sweep though no packet may come: something waits for
 * time to pass. UINT64_MAX: nothing does.
 */
uint64_t anomaly_next_due_ns(const struct anomaly *a);

/* The run is over, the cache is flushed: what is known is told, and every incident ended. */
void anomaly_finish(struct anomaly *a, uint64_t now_ns);

/* Call fn with the latest event of each incident, open or ended lately. */
void anomaly_each(const struct anomaly *a, anomaly_sink_fn fn, void *arg);

/* How far the learning detector is. */
struct anomaly_learning_stats {
	bool is_enabled;
	bool is_learning; /* too little is known yet to tell anything */
	uint32_t trained_pct; /* of anomaly.learning.training_s */
	uint32_t hosts; /* followed */
	uint32_t known_hosts; /* of these, for long enough to be judged */
};

/* Counts for the operator. */
struct anomaly_stats {
	uint64_t events; /* told */
	uint64_t allowed; /* reports that the allow-list kept back */
	uint64_t memory_octets; /* at most, of all detectors' tables */
	bool is_learning; /* what is usual is not known long enough yet */
	struct anomaly_learning_stats learning;
};
void anomaly_stats(const struct anomaly *a, struct anomaly_stats *stats);

/* Free all; NULL is fine. */
void anomaly_close(struct anomaly *a);
