/* SPDX-License-Identifier: BSD-2-Clause */
/* The loss ledger as far as the Metering Process and the sweep know it. */
#pragma once

#include "probe/ledger.h"
#include "probe/sweep.h"

/*
 * Read what the programs counted, what is in the cache and what was exported; the
 * sinks add what became of that. Packets seen before and after are the caller's, who
 * knows whether any came in between.
 */
void sweep_ledger(const struct sweep *s, struct ledger *ledger);
