/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A control socket in a folder of its own, a scripted probe behind it and
 * clients in the same loop. What cannot be done fails the test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/control.h"

/* The probe: answers are made from the fields, which a test may change. */
struct control_fixture {
	struct loop loop;
	struct control control;
	struct control_ops ops;
	char folder[32];
	char path[64]; /* of the socket */
	uint32_t n_flows; /* 5 at first */
	bool detects; /* anomalies, and has one event */
	int status_err; /* 0 or -errno, returned by the status */
	bool is_slow; /* keeps the ledger's answer until control_fixture_give_ledger() */
	int n_ledgers; /* asked for so far */
	int n_sends; /* of Templates, asked for */
	bool has_switches; /* protocols can be switched, of which 6 and 17 are told of */
	bool is_off[256]; /* as was asked for */
	int n_reloads; /* asked for */
	int reload_err; /* 0 or -errno, returned by it, with two errors in the answer */
	control_ledger_fn done; /* waits for the ledger, or NULL */
	void *done_ctx;
};

struct client {
	struct loop *loop;
	struct loop_watch watch; /* its fd is the connection, the test's until client_await() */
	char *reply; /* what came so far, ends in NUL; the test frees it */
	size_t n; /* octets of it */
};

/* Setup and teardown of a test; *state is the fixture. Whatever is left in the folder is an error. */
int control_fixture_open(void **state);
int control_fixture_close(void **state);

/* Answer the ledger asked for: exported.packets is the count of those asked for. */
void control_fixture_give_ledger(struct control_fixture *f);

/* Turn the loop until all that is ready has been served. */
void control_fixture_serve(struct control_fixture *f);

/* Returns a connection to the socket. */
int client_connect(const struct control_fixture *f);

/* Connect and send request[n]. */
struct client client_open(struct control_fixture *f, const void *request, size_t n);

/* Run the loop until the server has hung up on the client; close the connection. */
void client_await(struct client *c);

/* Returns the whole reply, which the caller frees. */
char *ask(struct control_fixture *f, const char *request);

size_t count_lines(const char *text);

/* The reply has `expected` in it. */
void check_reply(struct control_fixture *f, const char *request, const char *expected);

/* The reply has n lines. */
void check_lines(struct control_fixture *f, const char *request, size_t n);
