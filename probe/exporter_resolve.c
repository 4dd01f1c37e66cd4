/* SPDX-License-Identifier: BSD-2-Clause */
/* getaddrinfo() in a detached thread. */
#include "probe/exporter_resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whoever finds the other side gone (thread finished, owner gave up) frees. */
enum { RUNNING, FINISHED, ABANDONED };

struct resolve {
	atomic_int state;
	int result; /* of getaddrinfo; valid when FINISHED */
	struct addrinfo *list;
	char port[8];
	char host[];
};

static void resolve_free(struct resolve *r)
{
	if (r->list)
		freeaddrinfo(r->list);
	free(r);
}

static int look_up(const char *host, const char *port, int flags, struct addrinfo **list)
{
	/* One socket type only, else every address comes three times. */
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = flags | AI_NUMERICSERV};

	return getaddrinfo(host, port, &hints, list);
}

static void *resolve_main(void *arg)
{
	struct resolve *r = arg;

	r->result = look_up(r->host, r->port, AI_ADDRCONFIG, &r->list);
	if (atomic_exchange(&r->state, FINISHED) == ABANDONED)
		resolve_free(r);
	return NULL;
}

int resolve_numeric(const char *host, uint16_t port, struct sockaddr_storage *out)
{
	struct addrinfo *list;
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	if (look_up(host, service, AI_NUMERICHOST, &list))
		return -ENOENT;
	*out = (struct sockaddr_storage){0};
	memcpy(out, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

int resolve_start(struct resolve **out, const char *host, uint16_t port)
{
	size_t host_size = strlen(host) + 1;
	struct resolve *r = calloc(1, sizeof(*r) + host_size);
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all;

	if (!r)
		return -ENOMEM;
	memcpy(r->host, host, host_size);
	snprintf(r->port, sizeof(r->port), "%u", port);
	sigfillset(&all); /* signals belong to the loop */
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setsigmask_np(&attr, &all);
	int err = pthread_create(&thread, &attr, resolve_main, r);

	pthread_attr_destroy(&attr);
	if (err) {
		free(r);
		return -err;
	}
	*out = r;
	return 0;
}

int resolve_poll(struct resolve *r, struct sockaddr_storage *out, size_t max, const char **reason)
{
	size_t n = 0;

	if (atomic_load(&r->state) == RUNNING)
		return -EAGAIN;
	if (r->result) {
		*reason = gai_strerror(r->result);
		return -ENOENT;
	}
	for (const struct addrinfo *a = r->list; a && n < max; a = a->ai_next, n++) {
		out[n] = (struct sockaddr_storage){0};
		memcpy(&out[n], a->ai_addr, a->ai_addrlen);
	}
	return (int)n;
}

void resolve_abandon(struct resolve *r)
{
	if (r && atomic_exchange(&r->state, ABANDONED) == FINISHED)
		resolve_free(r);
}
