/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow Records on a descriptor, usually stdout: as JSON lines or as a table for
 * people. A reader that goes away costs records, which are counted, not the probe.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/config.h"
#include "probe/record.h"

struct output_stream {
	int fd; /* the caller's, not closed */
	int form; /* enum output: OUTPUT_JSON or OUTPUT_TABLE */
	uint32_t
		groups; /* of elements in JSON, OR of GROUP_*; GROUP_BIFLOW: one line for both directions */
	char *buffer;
	size_t used;
	uint64_t buffered; /* records in the buffer */
	uint64_t records_written;
	uint64_t records_lost; /* the descriptor refused them */
	bool is_bad; /* ... and that was printed */
};

/*
 * Start output to fd. Ignores SIGPIPE for the process: a closed reader is an
 * error of write() here.
 *
 * form    OUTPUT_JSON or OUTPUT_TABLE (prints a heading)
 * groups  of elements in JSON, with GROUP_BIFLOW one line for both directions; the
 *         table has its own columns and a line for each
 *
 * Returns 0 or -ENOMEM.
 */
int output_open(struct output_stream *o, int fd, int form, uint32_t groups);

/* Format one record, filled for those groups, into the buffer; arg is the struct output_stream (a record_sink_fn). */
void output_record(void *arg, const struct flow_record *r);

/* Format both directions (a biflow_sink_fn): one line, which counts as one record, or two. */
void output_biflow(void *arg, const struct flow_record *forward, const struct flow_record *reverse);

/* Write the n octets of another kind of line in its order; same fate as a record, not counted. */
void output_line(struct output_stream *o, const char *line, size_t n);

/* Write out what is buffered. Blocks as long as the reader does. */
void output_flush(struct output_stream *o);

/* Flush and free; the counts stay readable. */
void output_close(struct output_stream *o);
