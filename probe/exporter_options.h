/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When an exporter tells its Collector about the probe: in rounds, after its
 * Templates and as often as they are refreshed, over TCP and to a file the counts
 * and names as often; the counts a last time at the end. Data waits for the first
 * round, as enterprise elements are to be described before they are used (RFC 5610).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/exporter_options_encode.h"

struct exporter;

/* What every exporter tells of the probe; kept up to date by the owner of the Flow Cache. */
struct options_facts {
	struct options_loss ignored;
	/* interfaces_read(), or NULL: records are not of interfaces */
	int (*read_interfaces)(struct interface_name *names, size_t max);
};

/* Of one exporter; zeroed when its configuration wants none of it. */
struct exporter_options {
	struct options_batch *batch; /* the round under way, NULL = never any */
	size_t at; /* its Message to send next */
	uint32_t parts; /* of the next round, OR of enum options_part */
	uint64_t due_ns; /* of the next round */
	uint32_t sequence; /* next Sequence Number in OPTIONS_DOMAIN */
	uint32_t flow_sequence; /* that of the Flows when the round began */
	uint64_t flow_records; /* Data Records of Flows sent */
	struct options_loss not_sent;
	const struct options_facts *facts; /* may be NULL */
};

/* Prepare by e->cfg. Returns 0 or -ENOMEM. */
int exporter_options_open(struct exporter *e);
void exporter_options_close(struct exporter *e);

/* A session has begun: nothing is under way, numbers start from 0. */
void exporter_options_begin(struct exporter *e);

/* The Templates have been sent; e->template_copies says how often. */
void exporter_options_schedule(struct exporter *e);

/* Take note of losses so far, for their time. */
void exporter_options_look(struct exporter *e);

/* True while a round has begun and not ended: a stream may have part of a Message. */
bool exporter_options_under_way(const struct exporter *e);

/*
 * Send what is due; never while a Message of the queue is under way.
 * Returns false: wait, nothing else may be sent.
 */
bool exporter_options_run(struct exporter *e);

/* A file is followed by another one: the counts end it. */
void exporter_options_end_session(struct exporter *e);

/* End of the run: the counts are due once more. */
void exporter_options_finish(struct exporter *e);
