/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the values of a configuration stand in their file, for what is found to be
 * wrong with them only when all of it is known.
 */
#pragma once

#include <stddef.h>

#include "probe/config_schema.h"

struct config_place {
	char path[CONFIG_PATH_TEXT_MAX]; /* with list indexes: `interfaces[0].name` */
	size_t line, column; /* of the value, from 1 */
};

/* A zeroed one is empty. */
struct config_places {
	struct config_place *item;
	size_t n;
};

/* Note a value. Memory that runs out makes a later message say less, nothing else. */
void config_places_add(struct config_places *p, const char *path, size_t line, size_t column);

/*
 * The place of `path`, or of what it would be in: a key that is not there has the
 * place of its mapping or list. NULL: nothing of the path is in the file.
 */
const struct config_place *config_places_find(const struct config_places *p, const char *path);

/* Forget `path` and what is in it: its values come from elsewhere. */
void config_places_forget(struct config_places *p, const char *path);

/* Free what it holds; idempotent. */
void config_places_free(struct config_places *p);
