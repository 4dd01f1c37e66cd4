/* SPDX-License-Identifier: BSD-2-Clause */
/* Transport Sessions; see session.h. */
#include "collector-test/session.h"

#include "collector-test/collect.h"
#include "collector-test/template.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int session_open(struct session *session, enum transport transport, const struct output *output)
{
	struct collect *collect = NULL;

	if (output->jsonl) {
		collect = calloc(1, sizeof(*collect));
		if (collect == NULL)
			return -ENOMEM;
		collect_open(collect, output->model);
	}
	*session = (struct session){.collect = collect, .output = output};
	walk_open(&session->walk, transport, output->counts);
	return 0;
}

void session_close(struct session *session)
{
	walk_close(&session->walk);
	if (session->collect)
		collect_close(session->collect);
	free(session->collect);
	session->collect = NULL;
}

int session_take_message(struct session *session, const uint8_t *message, size_t len)
{
	struct counts *counts = session->output->counts;
	const uint64_t before = counts->records + counts->options_records;
	struct set_sink sink = {0};
	uint64_t n_decoded;
	int err;

	if (session->collect && len >= MESSAGE_HEADER_OCTETS) {
		collect_begin(session->collect, message);
		sink = (struct set_sink){.fn = collect_add_set, .arg = session->collect};
	}
	err = walk_message(&session->walk, message, len, sink);
	if (sink.fn == NULL || session->collect->len == MESSAGE_HEADER_OCTETS)
		return err;
	n_decoded = collect_decode(session->collect, session->output->jsonl, counts);
	if (n_decoded != counts->records + counts->options_records - before)
		counts->decode_errors++;
	return err;
}

int session_take_stream(struct session *session, const uint8_t *octets, size_t len, size_t *used)
{
	size_t at = 0;

	while (len - at >= MESSAGE_HEADER_OCTETS) {
		size_t message_octets = read_be16(octets + at + 2);
		int err;

		if (read_be16(octets + at) != MESSAGE_VERSION ||
		    message_octets < MESSAGE_HEADER_OCTETS) {
			session->output->counts->malformed++;
			return -EBADMSG;
		}
		if (message_octets > len - at)
			break;
		err = session_take_message(session, octets + at, message_octets);
		if (err == -ENOMEM)
			return err;
		at += message_octets;
	}
	*used = at;
	return 0;
}

void session_end_stream(struct session *session, size_t octets_left)
{
	if (octets_left > 0)
		session->output->counts->malformed++;
}

int session_read_file(struct session *session, FILE *file, uint64_t max_records)
{
	static uint8_t octets[2 * MESSAGE_MAX_OCTETS];
	const struct counts *counts = session->output->counts;
	size_t len = 0;
	size_t n;

	while ((n = fread(octets + len, 1, sizeof(octets) - len, file)) > 0) {
		size_t used = 0;
		int err;

		len += n;
		err = session_take_stream(session, octets, len, &used);
		if (err)
			return err == -EBADMSG ? 0 : err;
		len -= used;
		memmove(octets, octets + used, len);
		if (max_records > 0 && counts->records >= max_records)
			return 0;
	}
	session_end_stream(session, len);
	return ferror(file) ? -EIO : 0;
}
