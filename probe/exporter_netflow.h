/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Times of NetFlow v5 and v9. Flow times are ms of sysUpTime, a number of 32 bits;
 * a Collector adds them to the boot time it makes of the header's sysUpTime and
 * Unix seconds (RFC 3954 5.1). The header has whole seconds only, so both are of
 * a whole second here, and what the Collector gets is exact to the ms.
 *
 * Uptime of the machine would not do: packets of a capture are older, and after
 * 49.7 days Flows end before they start. So it counts from a base of our own, chosen
 * to be well before what is told and kept until the numbers would run out:
 * sysUpTime starts at NETFLOW_FIRST_MS and goes back there after 24.9 days. Each
 * Message has one base, so in each Message start <= end <= sysUpTime, as numbers.
 * To a Collector the step is a reboot, as every 49.7 days of any exporter are.
 */
#pragma once

#include <stdint.h>

/* 12.4 days: a Flow may start that long before a base is chosen, or wait that long to leave. */
#define NETFLOW_FIRST_MS (1ull << 30)
#define NETFLOW_LAST_MS	 ((1ull << 32) - NETFLOW_FIRST_MS) /* of the first Flow of a Message */

/* The largest uptime of whole seconds. */
#define NETFLOW_MAX_MS (UINT32_MAX / 1000 * 1000ull)

/*
 * The base for a Message whose first Flow has these times.
 *
 * base_ms  the one before, 0 = none
 *
 * Returns Unix ms of a whole second.
 */
uint64_t netflow_base(uint64_t base_ms, uint64_t start_ms, uint64_t end_ms);

/* Unix ms as ms of sysUpTime; what lies outside becomes the nearest that does not. */
static inline uint64_t netflow_uptime(uint64_t unix_ms, uint64_t base_ms)
{
	if (unix_ms < base_ms)
		return 0;
	return unix_ms - base_ms < NETFLOW_MAX_MS ? unix_ms - base_ms : NETFLOW_MAX_MS;
}

/*
 * Write sysUpTime and Unix seconds, octets 4 .. 11 of both versions' header. A Message
 * that waited past the end of its base's 49.7 days says that end: its Flows stay
 * where they were.
 */
void netflow_stamp_time(uint8_t *message, uint32_t time_s, uint64_t base_ms);
