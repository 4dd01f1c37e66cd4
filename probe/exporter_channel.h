/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a session sends Messages to, as a file descriptor: a file, or a connected
 * UDP or TCP socket. Only writing to a file waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "probe/config.h"

#define SEGMENTS_MAX 64 /* UDP_MAX_SEGMENTS of Linux 6.1 */
#define SEGMENTS_MAX_OCTETS                                                                        \
	(65535 - 40 - 8) /* the Payload Length of IPv6, the Total Length of IPv4 */

/*
 * Create a file, or open the one that is there, with what is in it; a FIFO needs its
 * reader already.
 *
 * is_new  set: it was not there
 *
 * Returns the descriptor, owned by the caller, or -errno.
 */
int channel_create_file(const char *path, bool *is_new);

/* Empty a file, if it is a regular one. Returns 0 or -errno. */
int channel_empty_file(int fd);

/*
 * Begin to connect a socket of this transport, which is UDP or TCP.
 *
 * out  owned by the caller; set also when -EINPROGRESS is returned (TCP)
 *
 * Returns 0 when it is connected, -EINPROGRESS or -errno.
 */
int channel_connect(int *out, enum transport transport, const struct sockaddr_storage *to);

/* Ask how a connection in progress came out: 0, -EINPROGRESS or -errno. */
int channel_check_connect(int fd);

/* What the collector said, which is nothing: 0, or -errno when the connection ended. */
int channel_check_peer(int fd);

/* The kernel's MTU of the path, octets of the IP packet; 0 = it has none. */
size_t channel_path_mtu(int fd, int family);

/* Octets of a TCP connection that its other end has not acknowledged. */
size_t channel_unacknowledged(int fd);

/*
 * Take a report of an error off a UDP socket; each is what fails one call.
 *
 * datagram  start of the payload it is about, as far as the report has it
 *
 * Returns the octets of that (0: not known), -EAGAIN when there is no report.
 */
int channel_take_report(int fd, uint8_t *datagram, size_t room);

/* The error that the next call on a socket would fail with, and will not now: 0 or -errno. */
int channel_take_error(int fd);

/* Send some of a stream, or one datagram. Returns the octets taken or -errno; -EAGAIN: later. */
int channel_send(int fd, const uint8_t *data, size_t octets);

/*
 * Send n datagrams in one call, which the kernel cuts apart when they leave (UDP_SEGMENT,
 * udp(7)): a few pieces of work for all of them, not for each.
 *
 * datagrams  all of one length, but for the last that may be shorter; n <= SEGMENTS_MAX,
 *            SEGMENTS_MAX_OCTETS together
 *
 * Returns 0 or -errno: then none was sent; -EAGAIN: later, -EINVAL or -EIO: not on
 * this path, or no longer of this length.
 */
int channel_send_segments(int fd, struct iovec *datagrams, size_t n);

/*
 * Write to a file, all or nothing: a regular file never ends in half a Message.
 * Waits for the disk. Returns the octets or -errno.
 */
int channel_write_file(int fd, const uint8_t *data, size_t octets);
