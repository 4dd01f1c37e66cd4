/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses of a collector. A number needs no waiting; a name is looked up
 * by a thread of its own, because a silent name server must not stop the probe.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define RESOLVE_MAX_ADDRESSES 8

struct resolve;

/* Address of a numeric host. Returns 0, or -ENOENT when `host` is a name. */
int resolve_numeric(const char *host, uint16_t port, struct sockaddr_storage *out);

/* Start to look up a name. Returns 0, -ENOMEM or -EAGAIN (no thread). */
int resolve_start(struct resolve **out, const char *host, uint16_t port);

/*
 * Ask for the result; never waits.
 * Returns the number of addresses in out[max], -EAGAIN while looking, or
 * -ENOENT with *reason set (gai_strerror) when there are none.
 */
int resolve_poll(struct resolve *r, struct sockaddr_storage *out, size_t max, const char **reason);

/* Forget the lookup, finished or not; NULL is allowed. */
void resolve_abandon(struct resolve *r);
