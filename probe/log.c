/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for the operator. A line is put together in one buffer and written
 * with one call, so that lines of several threads or processes never mix.
 * What a message quotes may come from a file or a packet: control characters
 * are replaced (text) or escaped (JSON) before a terminal sees them, and so is
 * what is not UTF-8.
 */
#include "probe/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/utf8.h"

#define MESSAGE_MAX	1024
#define LINE_MAX_OCTETS (6 * MESSAGE_MAX + 128) /* each octet may become \u00XX */

static const char *const level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARNING] = "warning",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static struct {
	enum log_level level;
	bool is_json;
	log_copy_fn copy;
	void *copy_arg;
} settings = {.level = LOG_INFO};

void log_setup(enum log_level level, bool json)
{
	settings.level = level;
	settings.is_json = json;
}

void log_copy(log_copy_fn fn, void *arg)
{
	settings.copy = fn;
	settings.copy_arg = arg;
}

bool log_enabled(enum log_level level)
{
	return level <= settings.level;
}

static bool is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

static size_t append_message(char *out, const char *message)
{
	size_t n = 0, length;

	for (; *message; message += length ? length : 1) {
		length = utf8_octets(message);
		if (is_control(*message) && settings.is_json) {
			n += sprintf(out + n, "\\u%04x", *message);
		} else if (is_control(*message) || !length) {
			out[n++] = '?';
		} else {
			if (settings.is_json && (*message == '"' || *message == '\\'))
				out[n++] = '\\';
			memcpy(out + n, message, length);
			n += length;
		}
	}
	return n;
}

static void write_line(enum log_level level, const char *message)
{
	char line[LINE_MAX_OCTETS];
	size_t n;

	if (settings.is_json) {
		n = sprintf(line, "{\"type\":\"log\",\"level\":\"%s\",\"message\":\"",
			    level_names[level]);
		n += append_message(line + n, message);
		n += sprintf(line + n, "\"}\n");
	} else {
		n = sprintf(line, "xflow-probe: %s: ", level_names[level]);
		n += append_message(line + n, message);
		line[n++] = '\n';
	}
	if (write(STDERR_FILENO, line, n) < 0)
		return; /* nobody left to tell */
}

/* Format into message[], which ends in "..." where it was cut. */
static void format(char message[static MESSAGE_MAX], const char *fmt, va_list args)
{
	int n = vsnprintf(message, MESSAGE_MAX, fmt, args);

	if (n >= MESSAGE_MAX)
		strcpy(message + MESSAGE_MAX - 4, "...");
}

void log_print(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char message[MESSAGE_MAX];
	va_list args;

	if (!log_enabled(level))
		return;
	va_start(args, fmt);
	format(message, fmt, args);
	va_end(args);
	write_line(level, message);
	if (settings.copy)
		settings.copy(settings.copy_arg, level, message);
	errno = saved;
}

int log_errno(int err, const char *fmt, ...)
{
	char message[MESSAGE_MAX];
	va_list args;

	va_start(args, fmt);
	format(message, fmt, args);
	va_end(args);
	log_error("%s: %s", message, strerror(-err));
	return err;
}
