/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages on what is wrong with a configuration as a whole, with the place of the key
 * in its file: what is only known when all of it has been read.
 */
#pragma once

#include "probe/config.h"
#include "probe/config_places.h"

/*
 * From now on keys are looked for in this file. Both have to stay until the next call;
 * NULL: there is no file.
 */
void config_complain_in(const char *file, const struct config_places *places);

/*
 * Print an error that begins with the path of its key and a colon, as the file has it:
 * `exporters[0].address: no port`, with FILE:LINE:COLUMN before it where the file has the
 * key or what it would be in.
 */
void config_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Print where exporters[i] names the file or spool that could not be opened: err, -ENOMEM excepted. */
void config_complain_unusable(const struct config *cfg, size_t i, int err);
