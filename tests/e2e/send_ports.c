/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_ports IFACE N: N Flows (at most 4,000,000,000) of one UDP packet of 28
 * octets each, as raw frames: the destination port and address count.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/frame_socket.h"
#include "tests/lib/pkt.h"

int main(int argc, char **argv)
{
	static struct pkt_builder b;
	unsigned long n;
	int fd;

	if (argc != 3)
		errx(2, "usage: send_ports IFACE N");
	n = strtoul(argv[2], NULL, 10);
	fd = frame_socket_open(argv[1]);
	for (unsigned long i = 0; i < n; i++) {
		char destination[INET_ADDRSTRLEN];

		snprintf(destination, sizeof(destination), "10.2.%lu.%lu", i >> 24 & 255,
			 i >> 16 & 255);
		pkt_init(&b);
		pkt_eth(&b);
		pkt_ipv4(&b, "10.1.0.1", destination);
		pkt_udp(&b, 40001, (uint16_t)i);
		pkt_finish(&b);
		frame_socket_send(fd, b.data, b.len);
	}
	return 0;
}
