/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon: owns every stage of a live run, opens them downstream first,
 * closes them upstream first, and drives them from one event loop.
 */
#pragma once

#include "probe/config.h"

/*
 * Observe the configured interfaces until a signal or the end of
 * cfg->duration_s; then detach, expire and export everything.
 * Returns 0 or -errno, printed.
 */
int live_run(const struct config *cfg);
