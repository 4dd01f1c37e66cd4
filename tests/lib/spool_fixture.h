/* SPDX-License-Identifier: BSD-2-Clause */
/* For tests of the queue on disk: one in a folder of its own, and Messages that count. */
#pragma once

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_encode.h"
#include "probe/spool.h"

#define TIME	      1767400000u
#define MIB	      (1u << 20)
#define RECORD_OCTETS 8
#define RECORDS	      100 /* in a Message */
#define OCTETS	      (MESSAGE_DATA_OFFSET + RECORDS * RECORD_OCTETS)

struct fixture {
	char folder[64];
	uint8_t head[24];
	struct spool *s;
	uint32_t appended, taken; /* Messages; each has its number in all its records */
};

static struct fixture f;

/* A record is the number of its Message, which counts as its packets. */
static inline bool measure(void *arg, const uint8_t *message, size_t octets, uint32_t *n_records,
			   struct exporter_volume *v)
{
	(void)arg;
	if (message[16] == 0)
		return false;
	*n_records = (uint32_t)((octets - MESSAGE_DATA_OFFSET) / RECORD_OCTETS);
	*v = (struct exporter_volume){.records = *n_records, .octets = *n_records * 1000};
	for (size_t at = MESSAGE_DATA_OFFSET; at < octets; at += RECORD_OCTETS)
		v->packets += (uint32_t)message[at] << 8 | message[at + 1];
	return true;
}

static inline int open_spool(uint32_t mib)
{
	struct spool_params params = {
		.folder = f.folder,
		.owner = "test",
		.max_octets = (uint64_t)mib * MIB,
		.head = f.head,
		.head_octets = sizeof(f.head),
		.measure = measure,
	};

	return spool_open(&f.s, &params);
}

static inline void close_spool(void)
{
	spool_close(f.s);
	f.s = NULL;
}

static inline int setup(void **state)
{
	(void)state;
	f = (struct fixture){.folder = "/tmp/xflow-test-spool-XXXXXX"};
	assert_non_null(mkdtemp(f.folder));
	encode_headers(f.head, 7, 2);
	encode_lengths(f.head, 4);
	assert_int_equal(open_spool(1), 0);
	return 0;
}

static inline int teardown(void **state)
{
	char command[128];

	(void)state;
	close_spool();
	snprintf(command, sizeof(command), "rm -rf %s", f.folder);
	return system(command);
}

static inline void make_message(uint8_t message[static OCTETS], uint32_t number)
{
	memset(message, 0, OCTETS);
	encode_headers(message, 7, 256);
	encode_lengths(message, OCTETS - MESSAGE_DATA_OFFSET);
	for (size_t at = MESSAGE_DATA_OFFSET; at < OCTETS; at += RECORD_OCTETS) {
		message[at] = (uint8_t)(number >> 8);
		message[at + 1] = (uint8_t)number;
	}
}

static inline int append_one(void)
{
	uint8_t message[OCTETS];
	struct exporter_volume v;
	uint32_t n;

	make_message(message, f.appended);
	measure(NULL, message, OCTETS, &n, &v);
	int err = spool_append(f.s, message, OCTETS, n, &v, TIME);

	f.appended += !err;
	return err;
}

static inline void append(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		assert_int_equal(append_one(), 0);
}

/* Take the next; its number, -1 if there is none. */
static inline int take(struct spool_place *place, struct exporter_volume *v)
{
	uint8_t message[OCTETS], expected[OCTETS];
	size_t octets = spool_take(f.s, message, sizeof(message), place, v);

	if (!octets)
		return -1;
	int number = message[MESSAGE_DATA_OFFSET] << 8 | message[MESSAGE_DATA_OFFSET + 1];

	assert_int_equal(octets, OCTETS);
	make_message(expected, (uint32_t)number);
	memcpy(expected + 4, message + 4, 8); /* the stamp */
	assert_memory_equal(message, expected, OCTETS);
	return number;
}

/* Take so many, in order, and be done with them. */
static inline void take_done(uint32_t n)
{
	struct spool_place place;
	struct exporter_volume v;

	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(take(&place, &v), f.taken++);
		spool_done(f.s, &place);
	}
}

static inline uint64_t held(void)
{
	return spool_stats(f.s)->held.records;
}

/* Octets of all files, by the file system; the number of them. */
static inline uint64_t octets_on_disk(uint32_t *n_files)
{
	DIR *dir = opendir(f.folder);
	uint64_t octets = 0;
	struct stat st;

	*n_files = 0;
	for (struct dirent *d; (d = readdir(dir));) {
		if (!strstr(d->d_name, ".ipfix"))
			continue;
		assert_int_equal(fstatat(dirfd(dir), d->d_name, &st, 0), 0);
		octets += (uint64_t)st.st_size;
		++*n_files;
	}
	closedir(dir);
	return octets;
}

static inline void check_disk(void)
{
	uint32_t n;

	assert_int_equal(octets_on_disk(&n), spool_stats(f.s)->octets);
	assert_int_equal(n, spool_stats(f.s)->n_files);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
