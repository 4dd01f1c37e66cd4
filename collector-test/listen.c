/* SPDX-License-Identifier: BSD-2-Clause */
/* The wait loop and its sources; the sockets themselves are made in socket.c. */
#include "collector-test/listen.h"

#include "collector-test/jsonl.h"
#include "collector-test/socket.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_PER_WAIT	  16
#define BATCH_MESSAGES	  64
#define STREAM_OCTETS	  (4 * MESSAGE_MAX_OCTETS)
#define BATCHES_PER_EVENT 16 /* then the clock and the signals get a look */
#define DRAIN_MAX_S	  2.0 /* what a sender that never pauses can hold us up */

enum source_kind { SOURCE_UDP, SOURCE_TCP_LISTENER, SOURCE_TCP };

struct source {
	struct source *next;
	int fd;
	enum source_kind kind;
	struct session session; /* SOURCE_TCP */
	size_t len; /* octets held of an unfinished Message */
	uint8_t *octets; /* [STREAM_OCTETS], SOURCE_TCP */
};

/* Over UDP an Exporter's address and port make the Transport Session. */
struct peer {
	struct peer *next;
	struct sockaddr_in6 address;
	struct session session;
};

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int log_failure(const char *what, int err)
{
	fprintf(stderr, "xflow-collector-test: %s: %s\n", what, strerror(-err));
	return err;
}

/* Takes over fd, also on failure. */
static int add_source(struct listen *listen, int fd, enum source_kind kind)
{
	struct source *source = calloc(1, sizeof(*source));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
	int err = -ENOMEM;

	if (source == NULL)
		goto out;
	source->fd = fd;
	source->kind = kind;
	if (kind == SOURCE_TCP) {
		source->octets = malloc(STREAM_OCTETS);
		if (source->octets == NULL)
			goto out;
		err = session_open(&source->session, TRANSPORT_TCP, listen->output);
		if (err)
			goto out;
	}
	if (epoll_ctl(listen->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0) {
		source->next = listen->sources;
		listen->sources = source;
		return 0;
	}
	err = -errno;
	if (kind == SOURCE_TCP)
		session_close(&source->session);
out:
	if (source)
		free(source->octets);
	free(source);
	close(fd);
	return log_failure("watch a socket", err);
}

static void remove_source(struct listen *listen, struct source *source)
{
	struct source **at = &listen->sources;

	while (*at != source)
		at = &(*at)->next;
	*at = source->next;
	if (source->kind == SOURCE_TCP)
		session_close(&source->session);
	close(source->fd);
	free(source->octets);
	free(source);
}

static struct session *find_peer(struct listen *listen, const struct sockaddr_in6 *address)
{
	struct peer *peer = listen->peers;

	while (peer && memcmp(&peer->address, address, sizeof(*address)) != 0)
		peer = peer->next;
	if (peer)
		return &peer->session;
	peer = calloc(1, sizeof(*peer));
	if (peer == NULL || session_open(&peer->session, TRANSPORT_UDP, listen->output)) {
		free(peer);
		return NULL;
	}
	peer->address = *address;
	peer->next = listen->peers;
	listen->peers = peer;
	return &peer->session;
}

/* Returns 1 if there may be more, 0 if not, or -errno. */
static int take_datagrams(struct listen *listen, struct source *source)
{
	static struct datagram batch[BATCH_MESSAGES];
	int n = socket_receive(source->fd, batch, BATCH_MESSAGES);

	for (int i = 0; i < n; i++) {
		struct session *session = find_peer(listen, &batch[i].peer);
		int err = session ? session_take_message(session, batch[i].octets, batch[i].len)
				  : -ENOMEM;

		if (err && err != -EBADMSG)
			return err;
	}
	return n == -EAGAIN ? 0 : n < 0 ? n : n == BATCH_MESSAGES;
}

static int take_connection(struct listen *listen, struct source *source)
{
	int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int err;

	if (fd < 0)
		return errno == EAGAIN || errno == ECONNABORTED ? 0 : -errno;
	err = add_source(listen, fd, SOURCE_TCP);
	return err ? err : 1;
}

/* Removes the source at the end of its stream, so does not touch it afterwards. */
static int take_stream(struct listen *listen, struct source *source)
{
	size_t used = 0;
	ssize_t n = read(source->fd, source->octets + source->len, STREAM_OCTETS - source->len);
	int err;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		session_end_stream(&source->session, source->len);
		remove_source(listen, source);
		return 0;
	}
	source->len += (size_t)n;
	err = session_take_stream(&source->session, source->octets, source->len, &used);
	source->len -= used;
	memmove(source->octets, source->octets + used, source->len);
	if (err == -EBADMSG) {
		remove_source(listen, source);
		return 0;
	}
	return err ? err : 1;
}

static int take_once(struct listen *listen, struct source *source)
{
	switch (source->kind) {
	case SOURCE_UDP:
		return take_datagrams(listen, source);
	case SOURCE_TCP_LISTENER:
		return take_connection(listen, source);
	case SOURCE_TCP:
		return take_stream(listen, source);
	}
	return 0;
}

static bool is_enough(const struct listen *listen, uint64_t max_records)
{
	return max_records > 0 && listen->output->counts->records >= max_records;
}

/* Returns the number of sources that had something, or -errno. */
static int wait_once(struct listen *listen, int timeout_ms, uint64_t max_records,
		     bool *is_signalled)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	int n = epoll_wait(listen->epoll_fd, events, EVENTS_PER_WAIT, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct source *source = events[i].data.ptr;
		int more = source != NULL;

		if (source == NULL)
			*is_signalled = true;
		for (int k = 0; more == 1 && k < BATCHES_PER_EVENT; k++)
			more = is_enough(listen, max_records) ? 0 : take_once(listen, source);
		if (more < 0)
			return more;
	}
	return n;
}

/* What was sent before a signal is in the sockets: take it without waiting for more. */
static int drain(struct listen *listen, uint64_t max_records)
{
	const double end_s = now_s() + DRAIN_MAX_S;
	bool is_signalled = false;
	int n = 1;

	epoll_ctl(listen->epoll_fd, EPOLL_CTL_DEL, listen->signal_fd, NULL);
	while (n > 0 && !is_enough(listen, max_records) && now_s() < end_s)
		n = wait_once(listen, 0, max_records, &is_signalled);
	return n < 0 ? n : 0;
}

int listen_open(struct listen *listen, const struct output *output)
{
	struct listen l = {.output = output, .epoll_fd = -1, .signal_fd = -1};
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	l.signal_fd = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
	l.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l.signal_fd < 0 || l.epoll_fd < 0 ||
	    epoll_ctl(l.epoll_fd, EPOLL_CTL_ADD, l.signal_fd, &event) < 0) {
		int err = log_failure("prepare to wait for signals", -errno);

		listen_close(&l);
		return err;
	}
	*listen = l;
	return 0;
}

void listen_close(struct listen *listen)
{
	while (listen->sources)
		remove_source(listen, listen->sources);
	while (listen->peers) {
		struct peer *peer = listen->peers;

		listen->peers = peer->next;
		session_close(&peer->session);
		free(peer);
	}
	if (listen->signal_fd >= 0)
		close(listen->signal_fd);
	if (listen->epoll_fd >= 0)
		close(listen->epoll_fd);
	listen->signal_fd = -1;
	listen->epoll_fd = -1;
}

int listen_add(struct listen *listen, enum transport transport, const char *address)
{
	bool is_udp = transport == TRANSPORT_UDP;
	int fd = socket_open(is_udp ? SOCK_DGRAM : SOCK_STREAM, address);

	if (fd < 0)
		return fd;
	return add_source(listen, fd, is_udp ? SOURCE_UDP : SOURCE_TCP_LISTENER);
}

int listen_run(struct listen *listen, uint64_t max_records, double max_s)
{
	const double end_s = now_s() + max_s;
	bool is_signalled = false;
	int err = 0;

	while (err >= 0 && !is_signalled && !is_enough(listen, max_records)) {
		double left_s = max_s > 0 ? end_s - now_s() : 0;
		int timeout_ms = max_s > 0 ? (int)(left_s * 1000) + 1 : -1;

		if (max_s > 0 && left_s <= 0)
			break;
		err = wait_once(listen, timeout_ms, max_records, &is_signalled);
		if (listen->output->jsonl)
			fflush(listen->output->jsonl->file);
	}
	if (is_signalled && err >= 0)
		err = drain(listen, max_records);
	for (struct source *source = listen->sources; source; source = source->next)
		if (source->kind == SOURCE_UDP)
			listen->output->counts->socket_drops += socket_drops(source->fd);
	return err < 0 ? log_failure("receive Messages", err) : 0;
}
