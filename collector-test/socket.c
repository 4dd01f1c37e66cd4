/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets; see socket.h. */
#include "collector-test/socket.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BUFFER_OCTETS (128 << 20)
#define BATCH_MAX	      64
#define HOST_OCTETS	      256

/* Split "[ADDR:]PORT" in place of host; returns the port or NULL. */
static const char *split_address(const char *address, char host[static HOST_OCTETS])
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;

	host[0] = '\0';
	if (colon == NULL)
		return address;
	if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	} else if (memchr(address, ':', len)) {
		return NULL;
	}
	if (len == 0 || len >= HOST_OCTETS)
		return NULL;
	memcpy(host, address, len);
	host[len] = '\0';
	return colon + 1;
}

static int resolve(int type, const char *address, struct addrinfo **out)
{
	struct addrinfo hints = {
		.ai_socktype = type,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
	};
	char host[HOST_OCTETS];
	const char *port = split_address(address, host);

	/* Without an address, "::" also takes IPv4. */
	if (host[0] == '\0')
		hints.ai_family = AF_INET6;
	if (port == NULL || getaddrinfo(host[0] ? host : NULL, port, &hints, out) != 0)
		return -EINVAL;
	return 0;
}

static void announce(int fd, int type)
{
	struct sockaddr_storage address = {0};
	socklen_t len = sizeof(address);
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];
	bool is_ipv6;

	if (getsockname(fd, (struct sockaddr *)&address, &len) < 0 ||
	    getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port),
			NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return;
	is_ipv6 = address.ss_family == AF_INET6;
	fprintf(stderr, "listening %s %s%s%s:%s\n", type == SOCK_DGRAM ? "udp" : "tcp",
		is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "", port);
}

static int bind_socket(int fd, int type, const struct addrinfo *info)
{
	const int on = 1;
	const int off = 0;
	const int octets = RECEIVE_BUFFER_OCTETS;

	if (info->ai_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Without CAP_NET_ADMIN the kernel's net.core.rmem_max is the limit. */
	else if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &octets, sizeof(octets)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &octets, sizeof(octets));
	if (bind(fd, info->ai_addr, info->ai_addrlen) < 0 ||
	    (type == SOCK_STREAM && listen(fd, SOMAXCONN) < 0))
		return -errno;
	return 0;
}

int socket_open(int type, const char *address)
{
	struct addrinfo *info;
	int err = resolve(type, address, &info);
	int fd;

	if (err) {
		fprintf(stderr, "xflow-collector-test: listen on %s: not [ADDR:]PORT\n", address);
		return err;
	}
	fd = socket(info->ai_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	err = fd < 0 ? -errno : bind_socket(fd, type, info);
	freeaddrinfo(info);
	if (err) {
		fprintf(stderr, "xflow-collector-test: listen on %s: %s\n", address,
			strerror(-err));
		if (fd >= 0)
			close(fd);
		return err;
	}
	announce(fd, type);
	return fd;
}

int socket_receive(int fd, struct datagram batch[], unsigned int n)
{
	struct mmsghdr headers[BATCH_MAX] = {0};
	struct iovec vectors[BATCH_MAX];
	int n_received;

	if (n > BATCH_MAX)
		n = BATCH_MAX;
	for (unsigned int i = 0; i < n; i++) {
		/* An IPv4 peer fills less: the rest must compare equal. */
		memset(&batch[i].peer, 0, sizeof(batch[i].peer));
		vectors[i] = (struct iovec){batch[i].octets, sizeof(batch[i].octets)};
		headers[i].msg_hdr.msg_name = &batch[i].peer;
		headers[i].msg_hdr.msg_namelen = sizeof(batch[i].peer);
		headers[i].msg_hdr.msg_iov = &vectors[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	n_received = recvmmsg(fd, headers, n, MSG_DONTWAIT, NULL);
	if (n_received < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	for (int i = 0; i < n_received; i++)
		batch[i].len = headers[i].msg_len;
	return n_received;
}

uint64_t socket_drops(int fd)
{
	uint32_t values[SK_MEMINFO_VARS] = {0};
	socklen_t len = sizeof(values);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, values, &len) < 0)
		return 0;
	return values[SK_MEMINFO_DROPS];
}
