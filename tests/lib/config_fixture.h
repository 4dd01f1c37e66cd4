/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loads configurations from text and keeps what was printed, for the tests of
 * the configuration. Included once in a test.
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/config.h"
#include "probe/log.h"
#include "tests/lib/capture_stderr.h"

static char *printed; /* by the last load, check */

/* Load text[length] as a file; its messages are in `printed`. */
static inline int load_octets(struct config *cfg, const char *text, size_t length)
{
	char path[64];
	int err, fd = memfd_create("yaml", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, length), length);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	free(printed);
	log_setup(LOG_INFO, false);
	capture_begin();
	err = config_load(cfg, path);
	printed = capture_end();
	close(fd);
	return err;
}

/* Load over the defaults. */
static inline int load(struct config *cfg, const char *text)
{
	config_init(cfg);
	return load_octets(cfg, text, strlen(text));
}

static inline void assert_told(const char *part)
{
	if (!strstr(printed, part))
		fail_msg("\"%s\" is not in: %s", part, printed);
}

/* Messages printed. */
static inline size_t count_lines(void)
{
	size_t n = 0;

	for (const char *c = printed; *c; c++)
		n += *c == '\n';
	return n;
}

/* Loading `text` fails with exactly one message, which has `part` in it. */
static inline void assert_refused(const char *text, const char *part)
{
	struct config cfg;

	if (load(&cfg, text) != -EINVAL)
		fail_msg("accepted: %s", text);
	assert_told(part);
	if (count_lines() != 1)
		fail_msg("more than one message: %s", printed);
}

/* Teardown of the group. */
static inline int forget_printed(void **state)
{
	(void)state;
	free(printed);
	printed = NULL;
	return 0;
}
