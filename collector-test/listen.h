/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sockets: UDP and TCP listeners, TCP connections, and the loop that waits
 * for them, for the end of time and for signals.
 */
#pragma once

#include "collector-test/session.h"

#include <stdint.h>

struct source;
struct peer;

struct listen {
	int epoll_fd;
	int signal_fd;
	struct source *sources; /* listeners and connections, owned */
	struct peer *peers; /* Exporters seen over UDP, owned */
	const struct output *output;
};

/*
 * Prepare the loop; SIGINT and SIGTERM are blocked and read by it from here on.
 * `output` must outlive it. Logs and returns -errno. Close with listen_close().
 */
int listen_open(struct listen *listen, const struct output *output);
void listen_close(struct listen *listen);

/*
 * Listen on "[ADDR:]PORT", an IPv6 address in brackets; without an address on all
 * of both families. Port 0 takes a free one. Says "listening udp ADDR:PORT" on
 * stderr. Logs and returns -errno; -EINVAL if the text is no such address.
 */
int listen_add(struct listen *listen, enum transport transport, const char *address);

/*
 * Take Messages until SIGINT, SIGTERM, `max_records` Data Records or `max_s`
 * seconds (0: no limit). After a signal what the sockets already hold is still
 * taken. Adds to counts->socket_drops. Returns 0 or -errno (logged).
 */
int listen_run(struct listen *listen, uint64_t max_records, double max_s);
