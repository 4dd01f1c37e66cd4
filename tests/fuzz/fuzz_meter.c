/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames of all link types to the native Metering Process: whatever they hold,
 * the loss ledger balances, and the Flow Cache holds what was accounted.
 */
#include <errno.h>

#include "probe/native_meter.h"
#include "probe/offline.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/fuzz_frames.h"
#include "tests/lib/meter_check.h"

static struct flow_cache cache;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* A multiplier of 0 lets all Flows meet in one bucket, so that few frames fill it. */
	const struct flow_cache_params params = {
		.n_buckets = {XFP_CHUNK_BUCKETS, XFP_CHUNK_BUCKETS}};

	(void)argc;
	(void)argv;
	return flow_cache_open(&cache, &params, 1, 1, true);
}

static void add_volume(struct xfp_volume *sum, const struct xfp_volume *more)
{
	sum->packets += more->packets;
	sum->octets += more->octets;
}

static bool is_headless(const struct capture_packet *p)
{
	uint16_t ethertype;
	uint32_t offset;

	return capture_network_header(p, &ethertype, &offset) == -ENODATA;
}

/* headless  packets that end inside their link header */
static void check_ledger(const struct xfp_volume *given, uint64_t headless)
{
	struct flow_cache_content content;
	struct xfp_volume explained, kept;
	struct xfp_ledger_row row;

	meter_ledger_sum(&cache, &row);
	FUZZ_CHECK(!memcmp(&row.seen, given, sizeof(*given)));
	explained = row.accounted;
	for (int i = 0; i < XFP_N_REASONS; i++)
		add_volume(&explained, &row.reason[i]);
	FUZZ_CHECK(!memcmp(&explained, given, sizeof(*given)));
	FUZZ_CHECK(row.reason[XFP_truncated].packets >= headless);

	flow_cache_content(&cache, &content);
	FUZZ_CHECK(content.flows == row.inserts);
	kept = (struct xfp_volume){content.packets, content.octets};
	for (int i = 0; i < XFP_N_PROTOCOLS; i++)
		add_volume(&kept, &row.overflow[i]);
	FUZZ_CHECK(kept.packets == row.accounted.packets);
	FUZZ_CHECK(kept.octets == row.accounted_ip_octets);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_frames frames = {data, size};
	struct xfp_volume given = {};
	struct capture_packet p;
	uint64_t headless = 0;

	meter_cache_clear(&cache);
	while (fuzz_frame_next(&frames, &p)) {
		uint8_t *copy = fuzz_copy(p.data, p.captured_octets);
		struct native_packet packet;

		p.data = copy;
		offline_native_packet(&p, &packet);
		native_meter_add(&cache, &packet);
		headless += is_headless(&p);
		free(copy);
		add_volume(&given, &(struct xfp_volume){1, p.wire_octets});
	}
	native_meter_flush(&cache);
	check_ledger(&given, headless);
	return 0;
}
