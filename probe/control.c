/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket's connections. A client is read until its line is whole,
 * answered into memory, written as it reads, and dropped. Ledgers are read one
 * at a time: who asks meanwhile gets the next one, not one begun before.
 */
#include "probe/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "probe/control_request.h"
#include "probe/control_socket.h"
#include "probe/log.h"

#define TICK_NS 1000000000ull

enum client_state {
	CLIENT_ASKING, /* its line is not whole yet                */
	CLIENT_WANTS_LEDGER, /* the next one that is begun               */
	CLIENT_AWAITS_LEDGER, /* the one being read                       */
	CLIENT_READING, /* its reply is being sent                  */
};

struct control_client {
	struct control *control;
	struct control_client *next;
	enum client_state state;
	struct loop_watch watch;
	uint64_t deadline_ns; /* while asking or reading */
	size_t n_octets; /* of request              */
	char request[CONTROL_REQUEST_OCTETS];
	char *reply;
	size_t reply_octets, sent_octets;
};

/* Context of the ledger being read; outlives a control socket closed meanwhile. */
struct control_reading {
	struct control *control; /* NULL: closed */
	bool is_going_on;
};

static void drop_client(struct control_client *client)
{
	struct control *c = client->control;
	struct control_client **at = &c->clients;

	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	c->n_clients--;
	loop_unwatch(c->loop, &client->watch);
	close(client->watch.fd);
	free(client->reply);
	free(client);
}

/* Send what the client takes; the client is gone when all is sent or it hung up. */
static void send_reply(struct control_client *client)
{
	struct control *c = client->control;

	while (client->sent_octets < client->reply_octets) {
		ssize_t n = send(client->watch.fd, client->reply + client->sent_octets,
				 client->reply_octets - client->sent_octets,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN &&
		    !loop_watch_fd(c->loop, &client->watch, client->watch.fd, EPOLLOUT))
			return;
		if (n < 0)
			break;
		client->sent_octets += (size_t)n;
		client->deadline_ns = c->loop->now_ns + CONTROL_TIMEOUT_NS;
	}
	drop_client(client);
}

/* Begin a reply in memory; NULL when there is none, and the client is dropped. */
static FILE *open_reply(struct control_client *client)
{
	FILE *reply = open_memstream(&client->reply, &client->reply_octets);

	if (!reply)
		drop_client(client);
	return reply;
}

static void close_reply(struct control_client *client, FILE *reply)
{
	fclose(reply);
	client->state = CLIENT_READING;
	client->deadline_ns = client->control->loop->now_ns + CONTROL_TIMEOUT_NS;
	send_reply(client);
}

static void take_ledger(void *ctx, const struct ledger *ledger);

/* Read the ledger for all who want one, unless one is being read. */
static void read_ledger(struct control *c)
{
	bool is_wanted = false;

	if (c->reading->is_going_on)
		return;
	for (struct control_client *client = c->clients; client; client = client->next) {
		if (client->state != CLIENT_WANTS_LEDGER)
			continue;
		client->state = CLIENT_AWAITS_LEDGER;
		is_wanted = true;
	}
	if (!is_wanted)
		return;
	c->reading->is_going_on = true;
	c->ops->ledger(c->ops->arg, take_ledger, c->reading);
}

static void take_ledger(void *ctx, const struct ledger *ledger)
{
	struct control_reading *reading = ctx;
	struct control *c = reading->control;
	struct control_client *client, *next;

	if (!c) {
		free(reading);
		return;
	}
	reading->is_going_on = false;
	for (client = c->clients; client; client = next) {
		next = client->next;
		if (client->state != CLIENT_AWAITS_LEDGER)
			continue;
		FILE *reply = open_reply(client);

		if (!reply)
			continue;
		control_print_ledger(reply, ledger);
		close_reply(client, reply);
	}
	read_ledger(c);
}

static void answer(struct control_client *client, size_t n_octets)
{
	struct control *c = client->control;
	FILE *reply = open_reply(client);

	if (!reply)
		return;
	if (control_answer_request(c->ops, client->request, n_octets, reply) == CONTROL_ANSWERED) {
		close_reply(client, reply);
		return;
	}
	fclose(reply);
	free(client->reply);
	client->reply = NULL;
	client->state = CLIENT_WANTS_LEDGER;
	/* no events: only that it hung up is told */
	if (loop_watch_fd(c->loop, &client->watch, client->watch.fd, 0))
		drop_client(client);
	read_ledger(c);
}

static void read_request(struct control_client *client)
{
	size_t room = sizeof(client->request) - client->n_octets;
	ssize_t n = recv(client->watch.fd, client->request + client->n_octets, room, MSG_DONTWAIT);
	const char *newline;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (n == 0 && !client->n_octets)) {
		drop_client(client);
		return;
	}
	client->n_octets += (size_t)n;
	newline = memchr(client->request, '\n', client->n_octets);
	if (newline)
		answer(client, (size_t)(newline - client->request));
	else if (n == 0 || client->n_octets == sizeof(client->request))
		answer(client, client->n_octets); /* too long a line is refused there */
}

static void serve_client(void *arg, uint64_t now_ns, uint32_t events)
{
	struct control_client *client = arg;

	(void)now_ns;
	if (client->state == CLIENT_ASKING)
		read_request(client);
	else if (client->state == CLIENT_READING)
		send_reply(client);
	else if (events & (EPOLLHUP | EPOLLERR))
		drop_client(client);
}

static void add_client(struct control *c, int fd)
{
	static const char refusal[] = "{\"type\":\"error\",\"error\":\"too many clients\"}\n";
	struct control_client *client = NULL;

	if (c->n_clients == CONTROL_MAX_CLIENTS)
		send(fd, refusal, sizeof(refusal) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	else
		client = calloc(1, sizeof(*client));
	if (!client) {
		close(fd);
		return;
	}
	client->control = c;
	client->deadline_ns = c->loop->now_ns + CONTROL_TIMEOUT_NS;
	client->watch = (struct loop_watch){.fn = serve_client, .arg = client};
	if (loop_watch_fd(c->loop, &client->watch, fd, EPOLLIN)) {
		close(fd);
		free(client);
		return;
	}
	client->next = c->clients;
	c->clients = client;
	c->n_clients++;
}

static void accept_client(void *arg, uint64_t now_ns, uint32_t events)
{
	struct control *c = arg;
	int fd = accept4(c->listener.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0) {
		add_client(c, fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* out of descriptors: the listener stays ready, so look away until the next tick */
		log_warning("accept a client of %s: %s", c->path, strerror(errno));
		loop_watch_fd(c->loop, &c->listener, c->listener.fd, 0);
	}
	if (!c->is_ticking)
		loop_timer_set(&c->timer, now_ns + TICK_NS, TICK_NS);
	c->is_ticking = true;
}

static void drop_late_clients(void *arg, uint64_t now_ns)
{
	struct control *c = arg;
	struct control_client *client, *next;

	for (client = c->clients; client; client = next) {
		next = client->next;
		if ((client->state == CLIENT_ASKING || client->state == CLIENT_READING) &&
		    client->deadline_ns <= now_ns)
			drop_client(client);
	}
	if (loop_watch_fd(c->loop, &c->listener, c->listener.fd, EPOLLIN) || c->clients)
		return;
	loop_timer_set(&c->timer, UINT64_MAX, 0);
	c->is_ticking = false;
}

static int watch_listener(struct control *c)
{
	int err;

	if (!c->path || !c->reading)
		return -ENOMEM;
	c->reading->control = c;
	err = loop_timer_open(c->loop, &c->timer);
	return err ? err : loop_watch_fd(c->loop, &c->listener, c->listener.fd, EPOLLIN);
}

int control_open(struct control *c, struct loop *loop, const char *path,
		 const struct control_ops *ops)
{
	bool has_made_folder = false;
	int err, fd = control_socket_open(path, &has_made_folder);

	if (fd < 0)
		return fd;
	*c = (struct control){
		.loop = loop,
		.ops = ops,
		.listener = {.fn = accept_client, .arg = c, .fd = fd},
		.timer = {.fn = drop_late_clients, .arg = c},
		.path = strdup(path),
		.reading = calloc(1, sizeof(*c->reading)),
		.has_made_folder = has_made_folder,
		.is_open = true,
	};
	err = watch_listener(c);
	if (err) {
		log_errno(err, "watch control socket %s", path);
		control_close(c);
	}
	return err;
}

void control_close(struct control *c)
{
	if (!c->is_open)
		return;
	while (c->clients)
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): drop_client() unlinks what it frees */
		drop_client(c->clients);
	if (c->reading && c->reading->is_going_on)
		c->reading->control = NULL;
	else
		free(c->reading);
	loop_timer_close(c->loop, &c->timer);
	loop_unwatch(c->loop, &c->listener);
	control_socket_close(c->listener.fd, c->path, c->has_made_folder);
	free(c->path);
	*c = (struct control){0};
}
