/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Conversations whose two directions differ in all that a Flow Record tells: what
 * tests of biflows stand on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tests/lib/pkt.h"

/* Takes one frame, of Ethernet, which is the caller's; times do not go back. */
typedef void (*frame_fn)(void *arg, const struct pkt_builder *b, uint64_t time_ns);

/*
 * Call add() with every frame of three conversations from start_ns on, within 0.5 s
 * of each other: TCP with its handshake, loss, disorder and an end of both sides,
 * UDP, and an ICMP echo with its reply. All of TCP is from or to port 443, of
 * UDP port 53; the others are 4000.
 */
void conversation_each(bool is_ipv6, uint64_t start_ns, frame_fn add, void *arg);
