/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon: owns every stage of a live run, opens them downstream first,
 * closes them upstream first, and drives them from one event loop.
 */
#pragma once

#include "probe/config.h"
#include "probe/options.h"

/*
 * Observe the configured interfaces until a signal or the end of
 * cfg->duration_s; then detach, expire and export everything. SIGHUP, or a request
 * over the control socket, reads the configuration again.
 *
 * opt  what *cfg was made from; outlives the call
 *
 * Returns 0 or -errno, printed.
 */
int live_run(const struct config *cfg, const struct options *opt);
