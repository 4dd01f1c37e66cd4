/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Collects what a test's code writes to standard error. An assertion that fails
 * in between is told only after the test: end the capture first, then assert.
 */
#pragma once

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static int capture_fd = -1, capture_saved = -1;

static void capture_begin(void)
{
	capture_fd = memfd_create("stderr", MFD_CLOEXEC);
	capture_saved = dup(STDERR_FILENO);
	if (capture_fd < 0 || capture_saved < 0 || dup2(capture_fd, STDERR_FILENO) < 0)
		abort();
}

/* The text written since capture_begin(), to be freed. */
static char *capture_end(void)
{
	off_t length = lseek(capture_fd, 0, SEEK_END);
	char *text = calloc(1, length + 1);

	if (!text || pread(capture_fd, text, length, 0) != length ||
	    dup2(capture_saved, STDERR_FILENO) < 0)
		abort();
	close(capture_fd);
	close(capture_saved);
	return text;
}
