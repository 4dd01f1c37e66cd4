/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Outer headers of the tables of tunnels: Ethernet, and IP between the two ends.
 */
#pragma once

#include "tests/lib/pkt.h"

#define TUNNEL_SOURCE4	    "203.0.113.1"
#define TUNNEL_DESTINATION4 "203.0.113.2"
#define TUNNEL_SOURCE6	    "2001:db8:1::1"
#define TUNNEL_DESTINATION6 "2001:db8:1::2"

#define TUNNEL_ENDS4 .source = TUNNEL_SOURCE4, .destination = TUNNEL_DESTINATION4
#define TUNNEL_ENDS6 .source = TUNNEL_SOURCE6, .destination = TUNNEL_DESTINATION6

/* Start a frame whose IP header is followed by `protocol`, or by UDP of these ports. */
void tunnel4(struct pkt_builder *b, uint8_t protocol);
void tunnel6(struct pkt_builder *b, uint8_t protocol);
void tunnel_udp(struct pkt_builder *b, uint16_t source_port, uint16_t destination_port);
