/* SPDX-License-Identifier: BSD-2-Clause */
/* Between config_file.c (the file) and config_yaml.c (what is in it). */
#pragma once

#include <stddef.h>

#include "probe/config.h"

/*
 * Read text[length], over what *cfg holds; untouched on failure.
 *
 * path    named in messages
 * places  NULL: not wanted
 *
 * Returns 0, -EINVAL when the text has errors, all printed, or -ENOMEM.
 */
int config_parse(struct config *cfg, const char *path, struct config_places *places,
		 const char *text, size_t length);
