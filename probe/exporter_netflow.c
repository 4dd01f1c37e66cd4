/* SPDX-License-Identifier: BSD-2-Clause */
/* Times of NetFlow. See exporter_netflow.h. */
#include "probe/exporter_netflow.h"

#include "probe/exporter_put.h"

#define UPTIME_OFFSET 4
#define TIME_OFFSET   8

uint64_t netflow_base(uint64_t base_ms, uint64_t start_ms, uint64_t end_ms)
{
	if (start_ms >= base_ms && end_ms - base_ms <= NETFLOW_LAST_MS)
		return base_ms;
	return end_ms > NETFLOW_FIRST_MS ? (end_ms - NETFLOW_FIRST_MS) / 1000 * 1000 : 0;
}

void netflow_stamp_time(uint8_t *message, uint32_t time_s, uint64_t base_ms)
{
	uint64_t uptime_ms = netflow_uptime(time_s * 1000ull, base_ms);

	put(message + UPTIME_OFFSET, uptime_ms, 4);
	put(message + TIME_OFFSET, (base_ms + uptime_ms) / 1000, 4);
}
