/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * write_spoofed FILE N RATE: a capture of N SYN to port 80 of 10.0.0.2, each from an
 * address and port of its own, RATE in a second, and among the third 100,000 of them 200
 * SYN of 198.51.100.7 to 200 ports of 10.0.0.3, that are refused.
 */
#include <arpa/inet.h>
#include <err.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/pcap_file.h"

#define START_NS   1700000000000000000ULL
#define SCAN_FIRST 200000u
#define SCAN_STEP  500u /* SYN of the flood for each of the scan */
#define SCAN_PORTS 200u

#define VICTIM	0x0a000002u
#define SCANNED 0x0a000003u
#define SCANNER 0xc6336407u

#define SYN 0x02
#define RST 0x14 /* with ACK */

static struct pcap_file file;
static uint64_t now_ns = START_NS;

static void write_segment(uint32_t from, uint16_t from_port, uint32_t to, uint16_t to_port,
			  uint8_t flags)
{
	unsigned char segment[54] = {2, 0, 0,	 0, 0, 2,  2, 0, 0, 0, 0,  1,
				     8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6};
	const uint32_t addresses[2] = {htonl(from), htonl(to)};
	const uint16_t ports[2] = {htons(from_port), htons(to_port)};

	memcpy(segment + 26, addresses, sizeof(addresses));
	memcpy(segment + 34, ports, sizeof(ports));
	segment[46] = 0x50;
	segment[47] = flags;
	pcap_file_add(&file, now_ns, segment, sizeof(segment), 0);
}

int main(int argc, char **argv)
{
	uint64_t interval_ns;
	uint32_t n;

	if (argc != 4 || !strtoul(argv[3], NULL, 10))
		errx(2, "usage: write_spoofed FILE N RATE");
	interval_ns = 1000000000 / strtoul(argv[3], NULL, 10);
	n = (uint32_t)strtoul(argv[2], NULL, 10);
	if (pcap_file_open(&file, argv[1], DLT_EN10MB, false))
		return 1;
	for (uint32_t i = 0; i < n; i++, now_ns += interval_ns) {
		uint32_t probe = (i - SCAN_FIRST) / SCAN_STEP;

		/* by an odd factor each number has another address, all over the world */
		write_segment(0x0b000000u + i * 2654435761u % 0xc0000000u,
			      (uint16_t)(1024 + i % 60000), VICTIM, 80, SYN);
		if (i < SCAN_FIRST || probe >= SCAN_PORTS || i % SCAN_STEP)
			continue;
		write_segment(SCANNER, 40000, SCANNED, (uint16_t)(1 + probe), SYN);
		write_segment(SCANNED, (uint16_t)(1 + probe), SCANNER, 40000, RST);
	}
	return pcap_file_close(&file) ? 1 : 0;
}
