/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The request `protocols [NAME|NUMBER [on|off]]` of the control socket.
 */
#pragma once

#include <stdio.h>

#include "probe/control.h"

/* Answer it by a line for each protocol. words: what follows `protocols`; may be changed. */
void control_answer_protocols(const struct control_ops *ops, char *words, FILE *reply);
