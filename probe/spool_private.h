/* SPDX-License-Identifier: BSD-2-Clause */
/* Between spool.c and spool_take.c (the queue), and spool_files.c (its folder). */
#pragma once

#include "probe/spool.h"

#define SPOOL_PATH_MAX 512

struct spool_file {
	uint32_t number;
	uint64_t octets;
	struct exporter_volume held; /* not taken out */
};

struct spool {
	struct spool_params params;
	char folder[SPOOL_PATH_MAX];
	char owner[CONFIG_LABEL_MAX];
	struct spool_stats stats;
	uint64_t file_max_octets;
	struct spool_file *files; /* [stats.n_files], by number */
	uint32_t n_allocated;
	uint32_t last_number; /* ever used */
	int lock_fd;
	int position_fd;
	int write_fd; /* of the last file, -1 = that one is finished */
	int read_fd; /* of take.file */
	uint32_t sequence[2]; /* of the next Message written, by Observation Domain */
	uint32_t export_time_s; /* of the last one in its file */
	struct spool_place take; /* what is taken next: file and offset */
	struct spool_place done; /* all before it is */
	bool is_done_written;
	bool is_recovered; /* all files of an earlier run are in the list */
	bool is_full; /* it was printed */
	uint8_t message[SPOOL_MESSAGE_MAX];
};

/* Path of a file into path[SPOOL_PATH_MAX + 32]. */
void spool_path(const struct spool *s, uint32_t number, char path[static SPOOL_PATH_MAX + 32]);

/* Make the folder and lock it. Returns 0 or -errno, printed. */
int spool_enter(struct spool *s);

/* Write down what is done; of no files nothing has to be known. */
void spool_leave(struct spool *s);

/* Find the files there are, drop what is done, count the rest. Returns 0 or -errno. */
int spool_recover(struct spool *s);

/* Append a file to the list. Returns it or NULL. */
struct spool_file *spool_list_file(struct spool *s, uint32_t number);

/* The file of that number in the list, or NULL. */
struct spool_file *spool_find_file(const struct spool *s, uint32_t number);

/* Nothing more is appended to the last file. */
void spool_finish_file(struct spool *s);

/* Take on from the start of the first file that is left. */
void spool_take_from_first(struct spool *s);

/* Remove the oldest file from the list and the disk. */
void spool_remove_first(struct spool *s);
