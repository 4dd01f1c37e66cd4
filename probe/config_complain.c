/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a configuration is wrong. See config_complain.h. */
#include "probe/config_complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probe/log.h"

#define MESSAGE_MAX 1024

static const char *complained_file;
static const struct config_places *complained_places;

void config_complain_in(const char *file, const struct config_places *places)
{
	complained_file = file;
	complained_places = places;
}

static const struct config_place *place_of(const char *message)
{
	char path[CONFIG_PATH_TEXT_MAX];
	size_t n = strcspn(message, ": ");

	if (!complained_file || message[n] != ':' || n >= sizeof(path))
		return NULL;
	memcpy(path, message, n);
	path[n] = '\0';
	return config_places_find(complained_places, path);
}

void config_complain(const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	const struct config_place *at;
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	at = place_of(message);
	if (at)
		log_error("%s:%zu:%zu: %s", complained_file, at->line, at->column, message);
	else
		log_error("%s", message);
}

void config_complain_unusable(const struct config *cfg, size_t i, int err)
{
	bool is_file = cfg->exporters[i].transport == TRANSPORT_FILE;

	if (err && err != -ENOMEM)
		config_complain("exporters[%zu].%s: cannot be used; make its folder writable, or "
				"name another",
				i, is_file ? "address" : "spool.path");
}
