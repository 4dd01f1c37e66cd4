/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPFIX Files (RFC 5655): Messages behind one another. Rotated, each file has its
 * Templates and is whole by itself; it is written as NAME.part and gets its name when
 * it is finished, and no file that is there is ever replaced. A compressed one is a
 * gzip file that can be read up to its last Message while it is being written.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/config.h"

struct file_sink;

/*
 * Create the file cfg->address says: that path, or if it is rotated PATH-TIME-NUMBER.
 * One that is there is emptied by the first Message written, not before: what is closed
 * without one was in vain, and leaves everything as it was.
 *
 * out  owned by the caller, freed by file_sink_close()
 * cfg  outlives it
 *
 * Returns 0, -ENOMEM or -errno of the file.
 */
int file_sink_open(struct file_sink **out, const struct exporter_config *cfg);

/*
 * Write one Message whole, or nothing of it.
 * Returns its octets or -errno; the file goes on being good.
 */
int file_sink_write(struct file_sink *f, const uint8_t *message, size_t octets);

/*
 * True when what is written next ought to go to another file. One without data is
 * never old.
 *
 * now_ns  of any clock that goes on, the same in all calls
 */
bool file_sink_is_full(struct file_sink *f, uint64_t now_ns);

/* When it will be, as now_ns; UINT64_MAX if that does not depend on time. */
uint64_t file_sink_due_ns(const struct file_sink *f);

/* Finish the file: it gets its name. NULL is allowed. One that is new and empty is removed. */
void file_sink_close(struct file_sink *f);
