/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of xflow-probe(8). One table has every option with its
 * argument and help; options that stand for a key of xflow.yaml are checked
 * by that key's row of the schema.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "probe/config.h"

#define OPTIONS_MAX 32 /* rows of the table at most */

struct options {
	const char *config_path; /* NULL = none; points into argv */
	bool is_check_only; /* -n */
	bool detects_anomalies;
	bool wants_help;
	bool wants_version;
	uint32_t verbose; /* number of -v */
	struct interface_config interfaces[CONFIG_MAX_INTERFACES];
	size_t n_interfaces;
	struct exporter_config exporters[CONFIG_MAX_EXPORTERS];
	size_t n_exporters;
	const char *values[OPTIONS_MAX]; /* by row: value of a key, checked; NULL = not given */
};

/*
 * Read the command line into *opt (zeroed before). All of it is checked; each
 * error is printed with its fix.
 *
 * Returns 0 or -EINVAL.
 */
int options_parse(struct options *opt, int argc, char **argv);

/*
 * Put *opt over *cfg, loaded or initialized: interfaces and exporters of the
 * command line replace those of the file, and so does a file to read. Then
 * fill in what follows from the rest: names of exporters, kind of output, room
 * for Flows.
 */
void options_apply(struct config *cfg, const struct options *opt);

/* Print usage and the table of options. */
void options_print_help(FILE *out);

/* Name of row i without its dashes, NULL behind the last row. */
const char *options_name(size_t i);
