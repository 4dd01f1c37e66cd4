/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw Ethernet frames out of an interface. See frame_socket.h.
 */
#include "tests/lib/frame_socket.h"

#include <err.h>
#include <errno.h>
#include <net/if.h>
#include <sys/socket.h>

#include <linux/if_packet.h>

int frame_socket_open(const char *ifname)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "open a packet socket");
	to.sll_ifindex = (int)if_nametoindex(ifname);
	if (!to.sll_ifindex || bind(fd, (struct sockaddr *)&to, sizeof(to)))
		err(1, "bind to %s", ifname);
	return fd;
}

void frame_socket_send(int fd, const void *frame, size_t octets)
{
	while (send(fd, frame, octets, 0) != (ssize_t)octets)
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			err(1, "send a frame of %zu octets", octets);
}
