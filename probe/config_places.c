/* SPDX-License-Identifier: BSD-2-Clause */
/* Places in a file. See config_places.h. */
#include "probe/config_places.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ITEMS 64

void config_places_add(struct config_places *p, const char *path, size_t line, size_t column)
{
	bool is_full = !p->n || (p->n >= FIRST_ITEMS && !(p->n & (p->n - 1)));

	if (is_full) {
		size_t n = p->n ? 2 * p->n : FIRST_ITEMS;
		struct config_place *item = realloc(p->item, n * sizeof(*item));

		if (!item)
			return;
		p->item = item;
	}
	struct config_place *at = &p->item[p->n++];

	snprintf(at->path, sizeof(at->path), "%s", path);
	at->line = line;
	at->column = column;
}

/* True when `path` is `outer` or something in it. */
static bool is_within(const char *path, const char *outer)
{
	size_t n = strlen(outer);

	return !strncmp(path, outer, n) && (!path[n] || path[n] == '.' || path[n] == '[');
}

const struct config_place *config_places_find(const struct config_places *p, const char *path)
{
	const struct config_place *best = NULL;

	for (size_t i = 0; i < p->n; i++) {
		const struct config_place *at = &p->item[i];

		if (is_within(path, at->path) && (!best || strlen(at->path) > strlen(best->path)))
			best = at;
	}
	return best;
}

void config_places_forget(struct config_places *p, const char *path)
{
	size_t n = 0;

	/* item stays as large as config_places_add() takes it to be, or larger */
	for (size_t i = 0; i < p->n; i++)
		if (!is_within(p->item[i].path, path))
			p->item[n++] = p->item[i];
	p->n = n;
}

void config_places_free(struct config_places *p)
{
	free(p->item);
	*p = (struct config_places){0};
}
