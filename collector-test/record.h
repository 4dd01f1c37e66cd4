/* SPDX-License-Identifier: BSD-2-Clause */
/* One Data Record on the wire: its length, and the values that are summed or checked. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct template;

struct record {
	uint64_t packets; /* packetDeltaCount, IE 2 */
	uint64_t octets; /* octetDeltaCount, IE 1 */
	uint64_t start_ns; /* since 1970, from IE 150, 152, 154 or 156 */
	uint64_t end_ns; /* since 1970, from IE 151, 153, 155 or 157 */
	bool has_start;
	bool has_end;
};

/*
 * Read the Data Record at `octets`, of which `left` octets remain in the Set.
 *
 * Returns the octets of the record, or 0 if it overruns the Set (out untouched).
 * Cost O(fields). Source: RFC 7011 6 (reduced-size integers) and 7 (variable length).
 */
size_t record_read(const struct template *t, const uint8_t *octets, size_t left,
		   struct record *out);

/* Tell whether start <= end, and end's second <= the Message's Export Time. */
bool record_times_agree(const struct record *record, uint32_t export_time_s);
