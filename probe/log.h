/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for the operator: one line each on stderr, with a level. As text
 * `xflow-probe: error: ...`, or as JSON lines {"type":"log",...} (log.format).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
};

/* Set the highest level printed (default LOG_INFO) and the form of a line. */
void log_setup(enum log_level level, bool json);

/* True when a message of this level would be printed. */
bool log_enabled(enum log_level level);

/* Hand each message that is printed to fn as well, until that is NULL; for one thread. */
typedef void (*log_copy_fn)(void *arg, enum log_level level, const char *message);
void log_copy(log_copy_fn fn, void *arg);

/* Print one message; no newline at its end. */
void log_print(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/*
 * Print `what failed: reason of err` as an error and return err, for
 * `return log_errno(err, "attach XDP to %s", name);`
 *
 * err  negative errno; returned unchanged
 */
int log_errno(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...)	 log_print(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_print(LOG_WARNING, __VA_ARGS__)
#define log_info(...)	 log_print(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	 log_print(LOG_DEBUG, __VA_ARGS__)
