/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the probe tells a Collector of NetFlow v9 about itself (RFC 3954 6): what it has
 * exported, and the names of interfaces. In the Source ID of the Flows: the Sequence
 * Number counts packets there, so nobody takes these for lost Flows.
 */
#pragma once

#include <stdint.h>

#include "probe/exporter_options_encode.h"

/* As options_encode(); parts that v9 has no fields for are left out. */
void netflow9_encode_options(struct options_batch *b, const struct options_state *state,
			     uint32_t parts);
