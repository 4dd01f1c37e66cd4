/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What no Flow tells the detectors, as the Metering Process counted it (bpf/unseen_abi.h):
 * packets that found no place in the Flow Cache, and packets against their protocol.
 */
#pragma once

#include <stdint.h>

#include "bpf/flow_abi.h"
#include "probe/distinct.h"
#include "probe/host.h"

/* What happened since the last call, of one host; valid during the call only. */
struct unseen_news {
	uint64_t now_ns; /* of the sweep */
	uint8_t view; /* enum xfp_unseen_view */
	uint8_t protocol; /* of violations: of the latest packet */
	uint8_t obs_point; /* of the latest packet */
	uint16_t what; /* as in struct xfp_unseen_entry */
	struct host host; /* all zero: its addresses could not be read */
	struct host other; /* of violations; to be relied on when there was one only */
	uint64_t answers; /* packets of its own, of a target */
	uint64_t packets;
	uint64_t octets;
	uint64_t first_ns; /* packet time */
	uint64_t last_ns;
	uint32_t kind[XFP_UNSEEN_KINDS]; /* packets of a target, by enum xfp_unseen_kind */
	struct distinct_many distinct[XFP_UNSEEN_DISTINCTS];
};

/*
 * Call fn with the news of every host that has some, and begin anew, while the kernel
 * goes on counting: in each view a packet is told of once, or counted as `uncounted`.
 *
 * buckets  [XFP_UNSEEN_ALL]
 */
void unseen_take(struct xfp_unseen_bucket *buckets, uint64_t now_ns,
		 void (*fn)(void *arg, const struct unseen_news *news), void *arg);
