/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a request line to the lines of its reply; no sockets in here.
 */
#pragma once

#include <stdio.h>

#include "probe/control.h"

enum control_answer {
	CONTROL_ANSWERED,
	CONTROL_WANTS_LEDGER, /* nothing written: control_print_ledger() has to follow */
};

/*
 * Answer a request into `reply`; an unknown or wrong one with {"type":"error"}.
 *
 * request  without its newline; [n_octets], may hold anything
 */
enum control_answer control_answer_request(const struct control_ops *ops, const char *request,
					   size_t n_octets, FILE *reply);

/* Print an object, whose reference is taken, as one JSON line; NULL is an error line. */
void control_print_line(FILE *reply, json_t *object);

/* Print the ledger as one JSON line; NULL is an error line. */
void control_print_ledger(FILE *reply, const struct ledger *ledger);

/* Print {"type":"error","error":...} as one JSON line. */
void control_print_error(FILE *reply, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
