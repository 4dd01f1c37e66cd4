/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Community ID: one identifier for both directions of a conversation, the same
 * in Zeek, Suricata, Wireshark, Elastic and others, to join their data with ours.
 */
#pragma once

#include "probe/record.h"

#define COMMUNITY_ID_OCTETS 30 /* "1:" and a SHA-1 digest in base64 */

/*
 * Write the Community ID of a Flow Record at p, COMMUNITY_ID_OCTETS characters,
 * no NUL. Returns the end.
 *
 * Source: Community ID specification, version 1, seed 0. TCP, UDP and SCTP are
 * told apart by ports, ICMP by type: request and reply have one id, a type
 * without a reply has one for each direction and code. All others are addresses
 * and protocol alone. Not reentrant: the id written last is kept, for a
 * conversation's other direction usually comes next.
 */
char *community_id_put(char *p, const struct flow_record *r);
