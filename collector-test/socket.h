/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets: addresses as text, large receive buffers, batches of datagrams, drops. */
#pragma once

#include <netinet/in.h>

#include <stddef.h>
#include <stdint.h>

#define DATAGRAM_MAX_OCTETS 65535

struct datagram {
	struct sockaddr_in6 peer; /* IPv4 senders: only the first 16 octets are used */
	size_t len;
	uint8_t octets[DATAGRAM_MAX_OCTETS];
};

/*
 * Bind a non-blocking socket to "[ADDR:]PORT", listen if it is a stream, and say
 * so on stderr. Returns the descriptor; logs and returns -errno, -EINVAL if the
 * text is not an address.
 */
int socket_open(int type, const char *address);

/* Receive up to n datagrams. Returns how many, -EAGAIN if there is none, or -errno. */
int socket_receive(int fd, struct datagram batch[], unsigned int n);

/* Datagrams the kernel dropped at this socket since it was opened. */
uint64_t socket_drops(int fd);
