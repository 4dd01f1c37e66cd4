/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * send_tcp IFACE PORT STEP...: the segments of one TCP connection between
 * 10.1.0.1:PORT and 10.1.0.2:80 as raw frames, as a mirror port shows them. A
 * STEP is the side and the flags: c:S, s:SA, c:A, c:FA, s:R ...
 */
#include <err.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/frame_socket.h"
#include "tests/lib/pkt.h"

static uint8_t flags_of(const char *letters)
{
	static const char names[] = "FSRPAU"; /* by bit */
	uint8_t flags = 0;

	for (; *letters; letters++) {
		const char *at = strchr(names, *letters);

		if (!at)
			errx(2, "%c is no TCP flag", *letters);
		flags |= (uint8_t)(1 << (at - names));
	}
	return flags;
}

int main(int argc, char **argv)
{
	static struct pkt_builder b;
	uint16_t port;
	int fd;

	if (argc < 4)
		errx(2, "usage: send_tcp IFACE PORT STEP...");
	fd = frame_socket_open(argv[1]);
	port = (uint16_t)atoi(argv[2]);
	for (int i = 3; i < argc; i++) {
		bool is_client = argv[i][0] == 'c';

		if (strlen(argv[i]) < 2 || argv[i][1] != ':')
			errx(2, "%s is no step", argv[i]);
		pkt_init(&b);
		pkt_eth(&b);
		pkt_ipv4(&b, is_client ? "10.1.0.1" : "10.1.0.2",
			 is_client ? "10.1.0.2" : "10.1.0.1");
		pkt_tcp(&b, is_client ? port : 80, is_client ? 80 : port, flags_of(argv[i] + 2));
		pkt_finish(&b);
		frame_socket_send(fd, b.data, b.len);
	}
	return 0;
}
