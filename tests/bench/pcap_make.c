/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Write a capture file of TCP segments spread evenly over IPv4 Flows, 100,000 a
 * second.
 *
 *	pcap_make FILE PACKETS FLOWS
 */
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/log.h"
#include "tests/bench/trace.h"
#include "tests/lib/pcap_file.h"

#define START_NS    1700000000000000000ULL
#define INTERVAL_NS 10000ULL

static void segment_address(unsigned char *segment, uint32_t flow)
{
	const uint32_t source = TRACE_SOURCE(flow), destination = TRACE_DESTINATION(flow);
	const uint16_t port = TRACE_SOURCE_PORT(flow);

	memcpy(segment + 26, &source, sizeof(source));
	memcpy(segment + 30, &destination, sizeof(destination));
	memcpy(segment + 34, &port, sizeof(port));
}

int main(int argc, char **argv)
{
	unsigned char segment[66] = {2, 0, 0,	 0, 0, 2,  2, 0, 0, 0, 0,  1,
				     8, 0, 0x45, 0, 0, 52, 0, 0, 0, 0, 64, 6};
	struct pcap_file file = {};
	uint64_t n_packets, n_flows;

	if (argc != 4) {
		log_error("usage: pcap_make FILE PACKETS FLOWS");
		return 2;
	}
	n_packets = strtoull(argv[2], NULL, 10);
	n_flows = strtoull(argv[3], NULL, 10);
	if (!n_flows || pcap_file_open(&file, argv[1], DLT_EN10MB, false))
		return 1;
	segment[37] = 80;
	segment[46] = 0x50;
	segment[47] = 0x10;
	for (uint64_t i = 0; i < n_packets; i++) {
		segment_address(segment, (uint32_t)(i * 2654435761u % n_flows));
		pcap_file_add(&file, START_NS + i * INTERVAL_NS, segment, sizeof(segment), 0);
	}
	return pcap_file_close(&file) ? 1 : 0;
}
