/* SPDX-License-Identifier: BSD-2-Clause */
/* The effective configuration, at start and whenever it is read again. */
#pragma once

#include "probe/config.h"
#include "probe/config_places.h"
#include "probe/options.h"

/*
 * Make *cfg: defaults, then the file of *opt, then *opt itself; and check it.
 *
 * places  zeroed; where each value of the file stands, for config_complain() as well,
 *         until configure_end()
 *
 * Returns 0, or -EINVAL or -errno of the file, printed.
 */
int configure(struct config *cfg, const struct options *opt, struct config_places *places);

/* What can be wrong with it is known: frees what places holds. */
void configure_end(struct config_places *places);
