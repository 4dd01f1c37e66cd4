/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Give up what is no longer needed once the programs are attached.
 */
#pragma once

#include <stdbool.h>

#include "probe/grace.h"

/*
 * Drop all capabilities of this thread, for good. Keeps CAP_BPF when a grace
 * period does not work without it, CAP_NET_ADMIN when asked to.
 *
 * Returns 0, or -errno when even with CAP_BPF no grace period can be had.
 */
int privileges_drop(struct grace *grace, bool keep_net_admin);
