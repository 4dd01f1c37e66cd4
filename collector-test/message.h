/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk over raw IPFIX Messages: headers, Sets, lengths, Templates, Sequence
 * Numbers and sums. It uses no library, so that what it counts is independent
 * of libfixbuf, which stops at the first Set it dislikes and counts less.
 */
#pragma once

#include "collector-test/counts.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_VERSION	      10
#define MESSAGE_HEADER_OCTETS 16
#define MESSAGE_MAX_OCTETS    65535

enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_FILE };

struct domain;

/* Walk state of one Transport Session. */
struct walk {
	enum transport transport;
	struct counts *counts; /* not owned; shared by all sessions */
	struct domain *domains; /* Observation Domains seen, owned */
};

/* Receives, header included, each Set that is well-formed and can be decoded. */
typedef void (*set_fn)(void *arg, const uint8_t *set, size_t octets);

struct set_sink {
	set_fn fn; /* NULL: nobody listens */
	void *arg;
};

/*
 * Start the walk of a new Transport Session.
 *
 * Over TCP the first Message of each Observation Domain must have Sequence
 * Number 0; over UDP and from files it sets the expectation, as the Collector
 * may have come late.
 */
void walk_open(struct walk *walk, enum transport transport, struct counts *counts);
void walk_close(struct walk *walk);

/*
 * Walk one Message and count.
 *
 * message   exactly what came in one datagram, or was framed by its Length
 * sink      called for each Set with records or Templates, in order, before return
 *
 * A Set that is malformed counts nothing of its content and ends the walk of the
 * Message. Returns 0, -EBADMSG if the Message or a Set was malformed (counted), or
 * -ENOMEM. Source: RFC 7011 3.
 */
int walk_message(struct walk *walk, const uint8_t *message, size_t len, struct set_sink sink);
