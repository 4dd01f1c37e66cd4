/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far a TCP connection has come, by the control bits that its two directions
 * have shown so far. Pure functions; no clock, no memory, no I/O.
 */
#pragma once

#include <stdint.h>

#include "probe/expiry.h"

/* connectionState: the same value in both directions' records of one moment. */
enum connection_state {
	CONNECTION_NONE = 0, /* not TCP, or no control bit that tells                */
	CONNECTION_OPENING = 1, /* the handshake is not complete                        */
	CONNECTION_ESTABLISHED = 2, /* it is, or began before it was observed            */
	CONNECTION_CLOSING = 3, /* FIN of one side                                      */
	CONNECTION_CLOSED = 4, /* FIN of both sides                                    */
	CONNECTION_RESET = 5, /* RST of either side before that                       */
	CONNECTION_NEVER_ANSWERED = 6, /* SYN alone, and no answer is expected any more */
	CONNECTION_STATES,
};

/* A SYN has so long to be answered, as with Zeek. */
#define CONNECTION_ANSWER_NS 5000000000ULL

/*
 * State of the connection that `flow` is one direction of.
 *
 * reverse     the other direction, NULL where only one is seen
 * end_reason  enum flow_end_reason of the record it is told in; 0: of none
 * now_ns      clock of the Flows' times
 *
 * Where one direction is seen, e.g. at a mirror port of it, that one has to say
 * it all. An ACK after a SYN, or without one (the connection is older than what
 * was observed), means established; a single packet of SYN and ACK is an answer
 * whose other side was not seen, so opening. A FIN means closing; closed when the
 * Flow ended by it (FLOW_END_DETECTED). Where both are seen, SYN and SYN-ACK
 * without the third step stay opening, as a SYN flood leaves them.
 * A RST behind both FINs only clears away, and leaves closed. Neither SYN nor ACK
 * (later fragments, a NULL scan) is of no connection: none.
 *
 * A TCP Flow that ends with FLOW_END_DETECTED (expiry_judge()) is closed or reset.
 *
 * Source: RFC 9293 3.3.2, as seen from between the ends.
 */
enum connection_state connection_state(const struct expiry_flow *flow,
				       const struct expiry_flow *reverse, uint8_t end_reason,
				       uint64_t now_ns);

/* Name of a state in JSON and filters: "never-answered", "none". */
const char *connection_state_name(uint8_t state);

/* The state of that name; -EINVAL for none. */
int connection_state_number(const char *name);
