/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A Transport Session (RFC 7011 2): finding the collector, connecting, coming
 * back after a loss, and how large a Message may be. Over UDP, TCP, or to a file.
 * Nothing here waits.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/config.h"
#include "probe/exporter_file.h"
#include "probe/exporter_resolve.h"

/* Messages of TCP and files: below 64 records, the default limit of some collectors. */
#define SESSION_STREAM_OCTETS 4096

#define SESSION_REFUSED_OCTETS 20 /* headers of Message and Set */

enum session_state {
	SESSION_CLOSED, /* or not begun */
	SESSION_WAITING, /* for retry_ns */
	SESSION_RESOLVING, /* a name server is being asked */
	SESSION_CONNECTING, /* TCP handshake */
	SESSION_UP,
};

struct session {
	const struct exporter_config *cfg; /* of the exporter, outlives the session */
	int state; /* enum session_state */
	struct file_sink *file; /* of transport file */
	int fd; /* from SESSION_CONNECTING on */
	int error; /* why it is not up, negative errno; 0 = never tried */
	uint32_t generation; /* sessions that came up so far */
	size_t limit_octets; /* the largest Message now */
	uint64_t retry_ns; /* not before */
	uint64_t failed_ns; /* last time something went wrong */
	uint32_t n_good; /* sent since then */
	uint64_t unacknowledged; /* octets of the connection lost last */
	uint8_t refused[SESSION_REFUSED_OCTETS]; /* start of the Message the last error is about */
	int refused_octets; /* of it; 0 = not known */
	bool can_segment; /* on this path */
	bool is_failing; /* sending fails, and did not work again for long enough yet */
	bool is_bad; /* it was printed and did not recover yet */
	char host[CONFIG_ADDRESS_MAX];
	uint16_t port;
	struct resolve *resolve;
	struct sockaddr_storage addresses[RESOLVE_MAX_ADDRESSES];
	int n_addresses;
	int next_address;
};

/*
 * Prepare a session that has not begun: session_advance() does nothing. The limit of a
 * Message is known. Returns 0 or -EINVAL (address), printed.
 */
int session_open(struct session *s, const struct exporter_config *cfg);

/*
 * Let it begin: a file is opened now.
 * Returns 0, or -errno of the file, printed: session_advance() tries again.
 */
int session_begin(struct session *s);

/* Go on with resolving and connecting; notice a connection closed by the collector. */
void session_advance(struct session *s, uint64_t now_ns);

/*
 * Send some of a stream, or one datagram.
 * Returns the octets taken or -errno; -EAGAIN: later. To a file all or nothing.
 */
int session_send(struct session *s, const uint8_t *data, size_t octets);

/*
 * Send n datagrams at once, as channel_send_segments() has it; after any error but
 * -EAGAIN of the path itself, not until the path is looked at again.
 * Returns 0 or -errno: then none was sent.
 */
int session_send_segments(struct session *s, struct iovec *datagrams, size_t n);

/*
 * Ask whether a datagram was refused since the last call; session_send() fails with
 * that too. Returns 0, or -errno with s->refused filled.
 */
int session_check_refused(struct session *s);

/* True when the next Message ought to go to another file, which session_advance() begins. */
bool session_is_full(const struct session *s, uint64_t now_ns);

/* Ask the kernel again for the path MTU of a UDP session. */
void session_update_limit(struct session *s);

/* Give the connection up after an error of session_send(). */
void session_lose(struct session *s);

/* The same, and the other end is told so: it gets nothing of what is still to be sent. */
void session_abort(struct session *s);

/*
 * Print what failed, once until it worked for some seconds and some Messages
 * again: an error of UDP shows only in the second call after it.
 */
void session_note_failure(struct session *s, uint64_t now_ns, int err, const char *doing);
void session_note_success(struct session *s, uint64_t now_ns);

/* When session_advance() has something to do; UINT64_MAX = nothing by itself. */
uint64_t session_next(const struct session *s, uint64_t now_ns);

void session_close(struct session *s);
