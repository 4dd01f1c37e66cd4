/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket: one request line in, JSON lines out, end of connection.
 * Requests: `status`, `ledger`, `flows [FILTER]`, `top [flows|hosts|ports] [N]`,
 * `events`, `explain ID`, `templates [send]`, `protocols [NAME|NUMBER [on|off]]`,
 * `reload`.
 * Whatever a client sends or does not read, the loop goes on.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "probe/anomaly_event.h"
#include "probe/ledger.h"
#include "probe/loop.h"
#include "probe/record.h"

#define CONTROL_MAX_CLIENTS    32
#define CONTROL_REQUEST_OCTETS 2048
#define CONTROL_REPLY_OCTETS   (4u << 20) /* of flow lines; then the reply says it is truncated */
#define CONTROL_TIMEOUT_NS     10000000000ull /* for a client that neither asks nor reads */

/* Takes the ledger that was asked for; NULL when it could not be read. */
typedef void (*control_ledger_fn)(void *ctx, const struct ledger *ledger);

/* What the probe answers with; all are called from the loop. */
struct control_ops {
	void *arg;
	uint32_t groups; /* of elements each_flow() fills, OR of GROUP_* */

	/* Add members to the status object. Returns 0 or -errno. */
	int (*status)(void *arg, json_t *into);

	/*
	 * Add an object for each exporter to the list; with `sends` it sends its Templates
	 * again if its transport has that. Returns 0 or -errno.
	 */
	int (*templates)(void *arg, bool sends, json_t *list);

	/*
	 * Read the configuration again. Adds an object that tells what was done, or one of
	 * the type "error" for each of them. Returns 0 or -errno.
	 */
	int (*reload)(void *arg, json_t *answers);

	/*
	 * Read the ledger and call done(ctx, ...) exactly once: at once, or later
	 * from the loop (after a grace period), even after control_close().
	 */
	void (*ledger)(void *arg, control_ledger_fn done, void *ctx);

	/*
	 * Call fn for each Flow in the cache, as the record it would be exported as;
	 * without connection_state unless wants_state (NULL: never) asks for it.
	 */
	void (*each_flow)(void *arg, record_test_fn wants_state, record_sink_fn fn, void *fn_arg);

	/* Append an object for each protocol that there is something to tell of, or of one. */
	int (*protocols)(void *arg, int number, json_t *list);

	/* Meter a protocol, or no longer. Returns 0, or -EPERM where that cannot be changed. */
	int (*switch_protocol)(void *arg, uint8_t number, bool is_on);

	/* Call fn for each incident's latest event; false: anomalies are not looked for. */
	bool (*each_event)(void *arg, anomaly_sink_fn fn, void *fn_arg);
};

struct control_client;
struct control_reading;

/* A zeroed one is closed; an open one stays where it is. */
struct control {
	struct loop *loop;
	const struct control_ops *ops;
	struct loop_watch listener;
	struct loop_timer timer; /* ticks while there are clients          */
	struct control_client *clients; /* newest first                           */
	size_t n_clients;
	struct control_reading *reading;
	char *path;
	bool has_made_folder;
	bool is_ticking;
	bool is_open;
};

/*
 * Listen on the UNIX stream socket `path`, mode 0660. Its folder is created
 * when missing; a socket that nobody listens on is replaced.
 *
 * Returns 0 or -errno, printed; -EADDRINUSE when somebody listens there.
 */
int control_open(struct control *c, struct loop *loop, const char *path,
		 const struct control_ops *ops);

/* Drop all clients; remove the socket, and the folder if control_open() made it. */
void control_close(struct control *c);
