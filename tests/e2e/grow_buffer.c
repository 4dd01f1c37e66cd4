/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Give a running program's UDP socket a receive buffer beyond the host's
 * net.core.rmem_max, which a test may not change and the program must obey.
 *
 *	grow_buffer PID PORT OCTETS
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_DESCRIPTORS 256

/* True for a UDP socket bound to the port; IPv4 and IPv6 keep it in one place. */
static int is_wanted(int fd, int port)
{
	struct sockaddr_in6 address = {};
	socklen_t size = sizeof(address), type_size = sizeof(int);
	int type = 0;

	return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_size) && type == SOCK_DGRAM &&
	       !getsockname(fd, (struct sockaddr *)&address, &size) &&
	       ntohs(address.sin6_port) == port;
}

/* Returns how many sockets were grown, or -errno. */
static int grow(int process, int port, int octets)
{
	int n = 0;

	for (int i = 0; i < MAX_DESCRIPTORS; i++) {
		int fd = (int)syscall(SYS_pidfd_getfd, process, i, 0);

		if (fd < 0)
			continue;
		if (is_wanted(fd, port)) {
			if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)))
				n = -errno;
			else
				n++;
		}
		close(fd);
		if (n < 0)
			break;
	}
	return n;
}

int main(int argc, char **argv)
{
	int process, n;

	if (argc != 4) {
		fprintf(stderr, "usage: grow_buffer PID PORT OCTETS\n");
		return 2;
	}
	process = (int)syscall(SYS_pidfd_open, (int)strtol(argv[1], NULL, 10), 0);
	n = process < 0
		    ? -errno
		    : grow(process, (int)strtol(argv[2], NULL, 10), (int)strtol(argv[3], NULL, 10));
	if (n > 0)
		return 0;
	fprintf(stderr, "grow_buffer: process %s, UDP port %s: %s\n", argv[1], argv[2],
		n ? strerror(-n) : "no such socket");
	return 1;
}
