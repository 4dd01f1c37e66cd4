/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Biflows (RFC 5103): which of two Flows of one conversation is the forward one,
 * that of the side that began it.
 *
 *  1. TCP, one side's first packet a SYN without ACK: that side.
 *  2. TCP, one side's first packet a SYN with ACK: the other side.
 *  3. TCP that was met after its handshake: the side with the higher port, as a
 *     service listens on the well-known one.
 *  4. Otherwise the side whose first packet came first; where the clock cannot
 *     tell, the side with the higher port.
 *
 * All of it is what a Flow has known since its first packet, so the answer stays
 * the same from one active timeout to the next.
 */
#pragma once

#include <stdint.h>

#include "probe/record.h"

/* What is known of one direction. */
struct biflow_side {
	uint64_t first_ns; /* its first packet */
	uint16_t port; /* of its sender, host order; 0 = the protocol has none */
	uint8_t protocol; /* protocolIdentifier, the same of both */
	uint8_t first_flags; /* low octet of tcpControlBits of the first packet */
};

/*
 * Who began it: BIFLOW_INITIATOR for `a`, BIFLOW_REVERSE_INITIATOR for `b`, or
 * BIFLOW_ARBITRARY when nothing tells.
 */
enum biflow_direction biflow_judge(const struct biflow_side *a, const struct biflow_side *b);
