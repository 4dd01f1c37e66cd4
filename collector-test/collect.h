/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decoding with libfixbuf: from the Sets that passed our own walk to one JSON
 * line per Data Record, with the names of the Information Model.
 */
#pragma once

#include "collector-test/message.h"

#include <fixbuf/public.h>

struct jsonl;

/*
 * Make the Information Model: IANA's elements as built into libfixbuf, and those
 * of `n_files` element files in the CERT form of the IANA registry's XML.
 *
 * Logs and returns -EINVAL if a file cannot be read. Free with fbInfoModelFree().
 */
int collect_open_model(const char *const files[], size_t n_files, fbInfoModel_t **out);

/* Decoding state of one Transport Session. */
struct collect {
	fBuf_t *buf;
	fbSession_t *session;
	const fbTemplate_t *external; /* that the internal one now set was made for, or NULL */
	uint16_t len;
	uint8_t message[MESSAGE_MAX_OCTETS]; /* header, and the Sets to decode */
	uint8_t record[MESSAGE_MAX_OCTETS + 1] __attribute__((aligned(16)));
};

/* The model must outlive the session. */
void collect_open(struct collect *collect, fbInfoModel_t *model);
void collect_close(struct collect *collect);

/* Start on a Message with its 16-octet header; then add its good Sets (a set_fn). */
void collect_begin(struct collect *collect, const uint8_t header[static MESSAGE_HEADER_OCTETS]);
void collect_add_set(void *collect, const uint8_t *set, size_t octets);

/*
 * Decode the Message and write its Data Records, in order. Values that break
 * their data type are counted in counts->bad_values.
 *
 * Returns the number of records decoded; libfixbuf's error, if any, is logged.
 */
uint64_t collect_decode(struct collect *collect, struct jsonl *out, struct counts *counts);
