/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One dependent random cache-line read in a table of a given size: what the bench
 * measures beside itself, so that figures of different machines can be compared.
 */
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "probe/log.h"
#include "tests/bench/report.h"
#include "tests/bench/trace.h"

#define CHASE_LINE  64
#define CHASE_STEPS 200000

struct chase {
	unsigned char *lines; /* each begins with the number of the next */
	uint32_t n_lines;
	uint32_t at;
};

/* Small pages, as a map of the kernel has them. Returns 0 or -ENOMEM, with a message. */
static inline int chase_open(struct chase *chase, uint32_t n_lines)
{
	uint32_t *order = malloc(n_lines * sizeof(*order));
	size_t octets = (size_t)n_lines * CHASE_LINE;
	__u64 random = 2463534242ULL;

	chase->lines =
		mmap(NULL, octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!order || chase->lines == MAP_FAILED)
		return log_errno(-ENOMEM, "allocate %u cache lines", n_lines);
	chase->n_lines = n_lines;
	madvise(chase->lines, octets, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < n_lines; i++)
		order[i] = i;
	/* Sattolo: one cycle over all lines */
	for (uint32_t i = n_lines - 1; i > 0; i--) {
		uint32_t j = trace_random(&random) % i, swap = order[i];

		order[i] = order[j];
		order[j] = swap;
	}
	for (uint32_t i = 0; i < n_lines; i++)
		*(uint32_t *)(void *)(chase->lines + (size_t)i * CHASE_LINE) = order[i];
	free(order);
	return 0;
}

/* Nanoseconds of processor time per read. */
static inline double chase_run(struct chase *chase)
{
	uint64_t start = report_cpu_ns();

	for (uint32_t i = 0; i < CHASE_STEPS; i++)
		chase->at = *(volatile uint32_t *)(void *)(chase->lines +
							   (size_t)chase->at * CHASE_LINE);
	return (double)(report_cpu_ns() - start) / CHASE_STEPS;
}

static inline void chase_close(struct chase *chase)
{
	if (chase->lines)
		munmap(chase->lines, (size_t)chase->n_lines * CHASE_LINE);
	*chase = (struct chase){};
}
