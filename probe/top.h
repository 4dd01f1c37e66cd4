/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The largest flows, hosts or ports by octets among the Flow Records it is fed.
 * Memory is bounded: what finds no place any more is summed up and printed as such.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "probe/record.h"

#define TOP_MAX	    1000
#define TOP_DEFAULT 10

enum top_kind {
	TOP_FLOWS,
	TOP_HOSTS, /* what an address sent and received */
	TOP_PORTS, /* protocol and destination port     */
};

struct top;

/* Find a kind by its name, [n] octets of `word`. Returns 0 or -EINVAL. */
int top_find_kind(const char *word, size_t n, enum top_kind *kind);

/*
 * Start a list of the n largest (1 .. TOP_MAX). Returns it, owned by the
 * caller, or NULL when memory ran out. 120 octets per place of flows, 8 MiB for
 * hosts and ports.
 */
struct top *top_open(enum top_kind kind, size_t n);

/* True when top_record() would keep the record itself, to print it (a record_test_fn). */
bool top_wants_state(void *arg, const struct flow_record *r);

/* Count one record; arg is the struct top (a record_sink_fn). Cost O(1), flows O(n). */
void top_record(void *arg, const struct flow_record *r);

/*
 * Print the list, once, largest first, as JSON lines: flows by print_flow, others as
 * {"type":"top-host"|"top-port", ..., "octetDeltaCount", "packetDeltaCount",
 * "flows"}; {"type":"truncated",...} last when places ran out.
 */
void top_print(struct top *top, FILE *out,
	       void (*print_flow)(FILE *out, const struct flow_record *r, uint32_t groups),
	       uint32_t groups);

void top_close(struct top *top);
