/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Octets to the test Collector. The first says how they come: as one datagram,
 * as a TCP stream or as a file, and whether records are decoded or only counted.
 */
#include <errno.h>

#include "collector-test/collect.h"
#include "collector-test/jsonl.h"
#include "collector-test/session.h"
#include "tests/fuzz/fuzz.h"

static fbInfoModel_t *model;
static FILE *nowhere;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	nowhere = fopen("/dev/null", "w");
	FUZZ_CHECK(nowhere);
	return collect_open_model(NULL, 0, &model);
}

static int take(struct session *s, enum transport transport, uint8_t *octets, size_t size)
{
	size_t used = 0;
	FILE *file;
	int err;

	if (transport == TRANSPORT_UDP)
		return session_take_message(s, octets, size);
	if (transport == TRANSPORT_TCP) {
		err = session_take_stream(s, octets, size, &used);
		FUZZ_CHECK(used <= size);
		if (!err)
			session_end_stream(s, size - used);
		return err;
	}
	if (!size)
		return 0; /* fmemopen() makes no empty file */
	file = fmemopen(octets, size, "r");
	FUZZ_CHECK(file);
	err = session_read_file(s, file, 0);
	fclose(file);
	return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum transport transport = size ? data[0] % 3 : TRANSPORT_UDP;
	struct jsonl jsonl = {.file = nowhere};
	struct counts counts = {};
	struct output output = {.model = model, .counts = &counts};
	struct session session;
	uint8_t *octets;
	int err;

	if (!size)
		return 0;
	if (!(data[0] & 0x80))
		output.jsonl = &jsonl;
	octets = fuzz_copy(data + 1, size - 1);
	FUZZ_CHECK(!session_open(&session, transport, &output));
	err = take(&session, transport, octets, size - 1);
	FUZZ_CHECK(!err || err == -EBADMSG);
	FUZZ_CHECK(err == 0 || counts_has_fault(&counts));
	session_close(&session);
	free(octets);
	return 0;
}
