/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole capture files: each is refused or read to an end, and every octet of
 * every packet can be read.
 */
#include "probe/capture.h"
#include "tests/fuzz/fuzz.h"

static volatile uint8_t last; /* so that reading has an effect */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

static void check_packet(const struct capture_packet *p)
{
	uint16_t ethertype = 0;
	uint32_t offset = 0;
	int err = capture_network_header(p, &ethertype, &offset);

	FUZZ_CHECK(p->wire_octets >= p->captured_octets);
	FUZZ_CHECK(err || offset <= p->captured_octets);
	for (uint32_t i = 0; i < p->captured_octets; i++)
		last = p->data[i];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct capture capture = {};
	struct capture_packet p;
	uint64_t n = 0;
	int got;

	if (capture_open(&capture, fuzz_file(data, size)))
		return 0;
	while ((got = capture_next(&capture, &p)) > 0) {
		check_packet(&p);
		n++;
	}
	FUZZ_CHECK(got == 0); /* no file of this kind fails to be read */
	FUZZ_CHECK(capture.packets == n);
	FUZZ_CHECK(capture_next(&capture, &p) == 0);
	capture_close(&capture);
	return 0;
}
