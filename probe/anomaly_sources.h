/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of sources whose first contacts fail, apart by means of contact. A
 * source gets a place with its second different target that fails: the one packet of
 * a forged source never does. Places are in sets of eight; the one with the fewest
 * failures, then the one idle longest, makes room.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "probe/anomaly_private.h"

#define SOURCES_SETS	2048
#define SOURCES_WAYS	8
#define SOURCES_FIRST	65536
#define SOURCE_RECENT	32 /* targets known one by one: thresholds up to here are exact */
#define SOURCE_SPANS	6 /* of four hours, for what is slow */
#define SOURCE_SPAN_NS	(4 * 3600 * NS_PER_S)
#define SOURCE_EXAMPLES ANOMALY_TARGETS

/* More than so many different targets the bitmaps do not tell well. */
#define SOURCE_WINDOW_MOST 2000 /* of a window, by 512 bits: to 8 % */
#define SOURCE_DAY_MOST	   1000 /* of a day, by 256 bits: to 11 %   */

/* One target that failed. */
struct source_target {
	uint32_t hash; /* of address and port */
	uint32_t host; /* hash of the address */
	uint32_t time_s; /* of the packet, low 32 bits */
	uint16_t port;
};

struct scan_source {
	struct host host; /* the /64 of IPv6 */
	struct host address; /* the latest in full */
	uint8_t method; /* enum contact_method */
	bool is_used;
	bool is_dirty; /* failed since the last look */
	bool has_new_host; /* ... at a host it had not failed at before */
	uint8_t n_held; /* looks in a row that it might have been part of a flood */
	int8_t walk; /* failures less successes at new hosts, as TRW walks */
	uint8_t obs_point;
	uint8_t n_recent;
	uint64_t first_ns; /* of the first failure in the window */
	uint64_t last_ns; /* packet time of the latest failure */
	uint64_t turned_ns; /* generations began */
	uint64_t span_ns; /* the current span of four hours began */
	struct source_target recent[SOURCE_RECENT];
	struct distinct targets; /* failed, of both generations: the window */
	struct distinct hosts;
	struct distinct ports;
	struct distinct answered; /* targets that answered */
	uint64_t span[SOURCE_SPANS][4]; /* targets that failed, [0] current */
	uint64_t span_answered[SOURCE_SPANS][4];
	uint32_t n_refused; /* in the window, roughly */
	uint32_t n_silent;
	uint32_t n_established;
	uint32_t n_os; /* SYN with the options of an operating system */
	uint32_t n_raw;
	struct example example[SOURCE_EXAMPLES];
};

/* The first failure of a source, until the second. */
struct first_failure {
	uint32_t source; /* hash with the method; 0: none */
	struct source_target target;
	struct example example;
};

struct sources {
	uint64_t window_ns;
	struct scan_source source[SOURCES_SETS * SOURCES_WAYS];
	struct first_failure first[SOURCES_FIRST];
	uint32_t dirty[SOURCES_SETS * SOURCES_WAYS];
	uint32_t n_dirty;
};

/* What a contact tells of its source. Failures may give it a place, answers do not. */
void sources_contact(const struct anomaly *a, struct sources *s, const struct anomaly_flow *flow,
		     const struct contact *contact);

/*
 * Counts of one source over a window, that of the table or a day; exact while there are
 * at most SOURCE_RECENT failures.
 */
struct source_counts {
	uint32_t failed; /* different targets in the window */
	uint32_t hosts;
	uint32_t ports;
	uint32_t answered; /* different targets */
	uint32_t failed_day;
	uint32_t answered_day;
	uint64_t first_ns; /* packet time of the window's first failure */
};
void source_count(const struct scan_source *source, uint32_t window_s,
		  struct source_counts *counts);

/* The windows of a source move on to now_ns. */
void source_age(const struct sources *s, struct scan_source *source, uint64_t now_ns);
