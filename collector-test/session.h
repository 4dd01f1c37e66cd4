/* SPDX-License-Identifier: BSD-2-Clause */
/* A Transport Session: its walk, its decoding, and Messages framed from a stream or file. */
#pragma once

#include "collector-test/message.h"

#include <fixbuf/public.h>

#include <stdio.h>

struct jsonl;
struct collect;

/* What all sessions share; none of it is owned. */
struct output {
	fbInfoModel_t *model;
	struct jsonl *jsonl; /* NULL: count only, decode nothing */
	struct counts *counts;
};

struct session {
	struct walk walk;
	struct collect *collect; /* NULL when nothing is decoded */
	const struct output *output;
};

/* Returns 0 or -ENOMEM. */
int session_open(struct session *session, enum transport transport, const struct output *output);
void session_close(struct session *session);

/*
 * Take one Message: count it, and write its Data Records unless only counting.
 *
 * Returns 0, -EBADMSG (counted; the session goes on) or -ENOMEM.
 */
int session_take_message(struct session *session, const uint8_t *message, size_t len);

/*
 * Take the whole Messages at the start of a stream's octets.
 *
 * used   set to the octets taken; the rest is the start of the next Message
 *
 * Returns 0, -EBADMSG if the stream has lost its framing (counted; close it), or
 * -ENOMEM. Source: RFC 7011 10.4.3.
 */
int session_take_stream(struct session *session, const uint8_t *octets, size_t len, size_t *used);

/* Count what a stream ended with: the start of a Message that never came whole. */
void session_end_stream(struct session *session, size_t octets_left);

/*
 * Take all Messages of an IPFIX File (RFC 5655), at most until `max_records`
 * Data Records are counted; 0 is no limit. Returns 0 or an error of reading.
 */
int session_read_file(struct session *session, FILE *file, uint64_t max_records);
