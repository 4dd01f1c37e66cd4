/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The probe's JSON lines as tables for people; for xflowctl only.
 */
#pragma once

#include <stdio.h>
#include <jansson.h>

/* A zeroed one has printed nothing yet. */
struct table {
	const char *heading; /* the last one printed: a new one starts with every kind of row */
};

/* Print one line of a reply: a row of flows, hosts or ports, the ledger, or name and value. */
void table_print(struct table *table, json_t *line, FILE *out);
