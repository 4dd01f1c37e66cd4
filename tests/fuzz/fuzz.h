/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the fuzzers have in common. Each is one libFuzzer target, fuzz_NAME.c,
 * built with clang's AddressSanitizer and UBSan: a report of theirs, a failed
 * FUZZ_CHECK() or an input that takes ten seconds is what it looks for.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Once, before the first input. Returns 0. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Try one input. Nothing may be left of it: inputs are tried in any order. Returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property that every input must keep. */
#define FUZZ_CHECK(condition)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

/* A file that holds data[size]. Returns its path, valid until the next call. */
static inline const char *fuzz_file(const void *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("input", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	FUZZ_CHECK(!ftruncate(fd, 0));
	FUZZ_CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	return path;
}

/* A copy of data[size] that ends, for AddressSanitizer, where they do. Free it. */
static inline void *fuzz_copy(const void *data, size_t size)
{
	void *copy = malloc(size);

	FUZZ_CHECK(copy);
	memcpy(copy, data, size);
	return copy;
}
