/* SPDX-License-Identifier: BSD-2-Clause */
/* System calls of a session; what to make of their results is the session's affair. */
#include "probe/exporter_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

int channel_create_file(const char *path, bool *is_new)
{
	/* O_NONBLOCK for the open only: a FIFO without reader is an error, not a wait. */
	const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK;
	int fd = open(path, flags | O_EXCL, 0644);

	*is_new = fd >= 0;
	if (fd < 0 && errno == EEXIST)
		fd = open(path, flags, 0644);
	if (fd < 0)
		return -errno;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	return fd;
}

int channel_empty_file(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return S_ISREG(st.st_mode) && ftruncate(fd, 0) ? -errno : 0;
}

/*
 * Never fragment; and report every ICMP error (RECVERR), not only those the
 * kernel holds for final, so that a collector that is gone is counted as such.
 */
static void set_udp_options(int fd, int family)
{
	int one = 1;
	int discover;

	if (family == AF_INET6) {
		discover = IPV6_PMTUDISC_DO;
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &discover, sizeof(discover));
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
	} else {
		discover = IP_PMTUDISC_DO;
		setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &discover, sizeof(discover));
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
	}
}

int channel_connect(int *out, enum transport transport, const struct sockaddr_storage *to)
{
	int type = transport == TRANSPORT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	socklen_t size = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						   : sizeof(struct sockaddr_in);
	int fd = socket(to->ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (transport == TRANSPORT_UDP)
		set_udp_options(fd, to->ss_family);
	int err = connect(fd, (const struct sockaddr *)to, size) ? -errno : 0;

	if (err && err != -EINPROGRESS)
		close(fd);
	else
		*out = fd;
	return err;
}

int channel_check_connect(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	return poll(&p, 1, 0) <= 0 ? -EINPROGRESS : channel_take_error(fd);
}

int channel_check_peer(int fd)
{
	uint8_t unasked[512];
	ssize_t n = recv(fd, unasked, sizeof(unasked), MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return 0;
	return n ? -errno : -ECONNRESET;
}

size_t channel_path_mtu(int fd, int family)
{
	int mtu = 0;
	socklen_t size = sizeof(mtu);
	int level = family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
	int option = family == AF_INET6 ? IPV6_MTU : IP_MTU;

	if (getsockopt(fd, level, option, &mtu, &size) || mtu < 0)
		return 0;
	return (size_t)mtu;
}

/* A regular file never ends in half a Message, or nothing behind it could be read. */
int channel_write_file(int fd, const uint8_t *data, size_t octets)
{
	off_t start = lseek(fd, 0, SEEK_CUR);
	size_t done = 0;

	while (done < octets) {
		ssize_t n = write(fd, data + done, octets - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n >= 0) {
			done += (size_t)n;
			continue;
		}
		int err = -errno;

		if (start >= 0 && !ftruncate(fd, start))
			lseek(fd, start, SEEK_SET);
		return err;
	}
	return (int)octets;
}

size_t channel_unacknowledged(int fd)
{
	int octets = 0;

	return ioctl(fd, SIOCOUTQ, &octets) || octets < 0 ? 0 : (size_t)octets;
}

int channel_take_report(int fd, uint8_t *datagram, size_t room)
{
	struct iovec iov = {.iov_base = datagram, .iov_len = room};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n = recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT);

	return n < 0 ? -EAGAIN : (int)n;
}

int channel_take_error(int fd)
{
	int err = 0;
	socklen_t size = sizeof(err);

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &size);
	return -err;
}

/* What is no fault of the path is tried again. */
static int send_error(void)
{
	return errno == ENOBUFS || errno == EINTR ? -EAGAIN : -errno;
}

int channel_send(int fd, const uint8_t *data, size_t octets)
{
	ssize_t n = send(fd, data, octets, MSG_NOSIGNAL | MSG_DONTWAIT);

	return n >= 0 ? (int)n : send_error();
}

int channel_send_segments(int fd, struct iovec *datagrams, size_t n)
{
	union {
		char octets[CMSG_SPACE(sizeof(uint16_t))];
		struct cmsghdr aligned;
	} control = {0};
	struct msghdr msg = {.msg_iov = datagrams,
			     .msg_iovlen = n,
			     .msg_control = control.octets,
			     .msg_controllen = sizeof(control.octets)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	const uint16_t octets = (uint16_t)datagrams->iov_len;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(octets));
	memcpy(CMSG_DATA(c), &octets, sizeof(octets));
	return sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ? 0 : send_error();
}
