/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs of the bench have in common: a median, and the line of the
 * table that run.sh lays out.
 */
#pragma once

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* CPU time of this thread: what other processes take does not count. */
static inline uint64_t report_cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static inline long report_pin_to_last_cpu(void)
{
	long last = sysconf(_SC_NPROCESSORS_ONLN) - 1;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET((size_t)last, &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	return last;
}

/*
 * Let nothing else run on this processor in between, which would leave its data in
 * the caches. Without the right to it things stay as they are.
 */
static inline void report_go_first(void)
{
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
}

static inline int report_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts the values. */
static inline double report_median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), report_compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

/*
 * One line: name, value with unit, what it is compared with (empty: nothing), the
 * target, and whether it is met.
 */
struct report_line {
	const char *name;
	double value;
	const char *unit;
	double ratio; /* 0: none                                            */
	double at_most; /* of the ratio if there is one, else of the value; 0: none */
	double at_least;
};

static inline void report_print(const struct report_line *line)
{
	double judged = line->ratio ? line->ratio : line->value;
	const char *verdict = "-";

	if (line->at_most)
		verdict = judged <= line->at_most ? "yes" : "NO";
	if (line->at_least)
		verdict = judged >= line->at_least ? "yes" : "NO";
	printf("%s\t%.*f\t%s\t", line->name, line->value < 100 ? 2 : 0, line->value, line->unit);
	if (line->ratio)
		printf("%.2f", line->ratio);
	else
		printf("-");
	if (line->at_most)
		printf("\t<= %g\t%s\n", line->at_most, verdict);
	else if (line->at_least)
		printf("\t>= %g\t%s\n", line->at_least, verdict);
	else
		printf("\t-\t-\n");
	fflush(stdout);
}
