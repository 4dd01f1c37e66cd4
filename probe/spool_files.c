/* SPDX-License-Identifier: BSD-2-Clause */
/* The folder of a spool, and what an earlier run left in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/exporter_encode.h"
#include "probe/log.h"
#include "probe/spool_private.h"

#define IPFIX_VERSION 10
#define STAMP_AT      4 /* Export Time and Sequence Number */
#define STAMP_OCTETS  8

#define POSITION_NAME_OCTETS 32

void spool_path(const struct spool *s, uint32_t number, char path[static SPOOL_PATH_MAX + 32])
{
	snprintf(path, SPOOL_PATH_MAX + 32, "%s/%08u.ipfix", s->folder, number);
}

/* As mkdir -p. Returns 0 or -errno. */
static int make_folders(const char *folder)
{
	char path[SPOOL_PATH_MAX];
	int err = 0;

	snprintf(path, sizeof(path), "%s", folder);
	for (char *slash = path + 1; !err && (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		err = mkdir(path, 0755) && errno != EEXIST ? -errno : 0;
		*slash = '/';
	}
	if (!err && mkdir(path, 0750) && errno != EEXIST)
		err = -errno;
	return err;
}

static int open_in(const struct spool *s, const char *name)
{
	char path[SPOOL_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", s->folder, name);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);

	return fd < 0 ? -errno : fd;
}

/* The Templates but for their stamps, which are other ones each time: FNV-1a. */
static uint64_t hash_head(const struct spool *s)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (size_t at = 0, octets; at < s->params.head_octets; at += octets) {
		const uint8_t *m = s->params.head + at;

		octets = encode_message_octets(m);
		for (size_t i = 0; i < octets; i++)
			if (i < STAMP_AT || i >= STAMP_AT + STAMP_OCTETS)
				hash = (hash ^ m[i]) * 0x100000001b3;
	}
	return hash;
}

/*
 * Files of other Templates stay where they are, so what is done is known of each
 * Templates' files by themselves: a number says nothing about files that were not ours.
 */
static void position_name(const struct spool *s, char name[static POSITION_NAME_OCTETS])
{
	snprintf(name, POSITION_NAME_OCTETS, "position-%016llx", (unsigned long long)hash_head(s));
}

void spool_leave(struct spool *s)
{
	char path[SPOOL_PATH_MAX + 32], name[POSITION_NAME_OCTETS];

	if (s->position_fd < 0)
		return;
	spool_sync(s);
	close(s->position_fd);
	position_name(s, name);
	snprintf(path, sizeof(path), "%s/%s", s->folder, name);
	if (s->is_recovered && !s->stats.n_files && unlink(path))
		log_errno(-errno, "exporter %s: remove %s", s->owner, path);
}

int spool_enter(struct spool *s)
{
	char name[POSITION_NAME_OCTETS];
	int err = make_folders(s->folder);

	if (!err) {
		s->lock_fd = open_in(s, "lock");
		err = s->lock_fd < 0 ? s->lock_fd : 0;
	}
	if (!err && flock(s->lock_fd, LOCK_EX | LOCK_NB)) {
		log_error("exporter %s: spool %s: in use by another exporter or probe; give each "
			  "its own spool.path",
			  s->owner, s->folder);
		return -EBUSY;
	}
	if (!err) {
		position_name(s, name);
		s->position_fd = open_in(s, name);
		err = s->position_fd < 0 ? s->position_fd : 0;
	}
	return err ? log_errno(err, "exporter %s: open spool %s", s->owner, s->folder) : 0;
}

struct spool_file *spool_list_file(struct spool *s, uint32_t number)
{
	if (s->stats.n_files == s->n_allocated) {
		uint32_t n = s->n_allocated ? 2 * s->n_allocated : 32;
		struct spool_file *files = realloc(s->files, n * sizeof(*files));

		if (!files)
			return NULL;
		s->files = files;
		s->n_allocated = n;
	}
	struct spool_file *f = &s->files[s->stats.n_files++];

	*f = (struct spool_file){.number = number};
	return f;
}

void spool_remove_first(struct spool *s)
{
	char path[SPOOL_PATH_MAX + 32];

	spool_path(s, s->files[0].number, path);
	if (unlink(path) && errno != ENOENT)
		log_errno(-errno, "exporter %s: remove %s", s->owner, path);
	s->stats.octets -= s->files[0].octets;
	s->stats.n_files--;
	memmove(s->files, s->files + 1, s->stats.n_files * sizeof(*s->files));
}

static void read_position(struct spool *s)
{
	char text[40] = "", *end = text;

	s->is_done_written = true;
	if (pread(s->position_fd, text, sizeof(text) - 1, 0) > 0) {
		s->done.file = (uint32_t)strtoul(text, &end, 10);
		s->done.offset = strtoull(end, NULL, 10);
	}
	s->last_number = s->done.file; /* its file may be gone; its number is not used again */
}

/* The same Templates, whenever they were written. */
static bool has_our_head(const struct spool *s, FILE *in)
{
	uint8_t head[16384];
	size_t octets = s->params.head_octets;

	if (octets > sizeof(head) || fread(head, 1, octets, in) != octets)
		return false;
	for (size_t at = 0; at < octets; at += encode_message_octets(s->params.head + at)) {
		size_t end = at + encode_message_octets(s->params.head + at);
		size_t rest = at + STAMP_AT + STAMP_OCTETS;

		if (memcmp(head + at, s->params.head + at, STAMP_AT) != 0 ||
		    memcmp(head + rest, s->params.head + rest, end - rest) != 0)
			return false;
	}
	return true;
}

/* Octets of the Message that comes, 0 when there is no whole one. */
static size_t next_message(struct spool *s, FILE *in)
{
	uint8_t *m = s->message;

	if (fread(m, 1, MESSAGE_HEADER_OCTETS, in) != MESSAGE_HEADER_OCTETS)
		return 0;
	size_t octets = encode_message_octets(m);

	if (m[0] || m[1] != IPFIX_VERSION || octets <= MESSAGE_DATA_OFFSET ||
	    fread(m + MESSAGE_HEADER_OCTETS, 1, octets - MESSAGE_HEADER_OCTETS, in) !=
		    octets - MESSAGE_HEADER_OCTETS)
		return 0;
	return octets;
}

/* Count the Messages that are not done. Sets f->octets to the end of the last whole one. */
static void count_messages(struct spool *s, struct spool_file *f, FILE *in)
{
	size_t octets;

	f->octets = s->params.head_octets;
	while ((octets = next_message(s, in))) {
		struct exporter_volume v;
		uint32_t n;
		bool is_done = f->number < s->done.file ||
			       (f->number == s->done.file && f->octets < s->done.offset);

		f->octets += octets;
		if (!is_done && s->params.measure(s->params.arg, s->message, octets, &n, &v))
			volume_add(&f->held, &v);
	}
}

/* A Message that was not written to its end goes. */
static void cut_file(const struct spool *s, const struct spool_file *f, const char *path, FILE *in)
{
	struct stat st;

	if (fstat(fileno(in), &st) || (uint64_t)st.st_size <= f->octets)
		return;
	log_warning("exporter %s: %s ends in a part of a Message: its last %llu octets are cut off",
		    s->owner, path, (unsigned long long)st.st_size - f->octets);
	if (truncate(path, (off_t)f->octets))
		log_errno(-errno, "exporter %s: cut %s", s->owner, path);
}

static int recover_file(struct spool *s, uint32_t number)
{
	char path[SPOOL_PATH_MAX + 32];

	spool_path(s, number, path);
	FILE *in = fopen(path, "r");

	if (!in)
		return log_errno(-errno, "exporter %s: read %s", s->owner, path);
	if (!has_our_head(s, in)) {
		log_warning("exporter %s: %s has other Templates than this configuration: it stays "
			    "there and is not sent",
			    s->owner, path);
		fclose(in);
		return 0;
	}
	struct spool_file *f = spool_list_file(s, number);

	if (f) {
		count_messages(s, f, in);
		cut_file(s, f, path, in);
		s->stats.octets += f->octets;
		volume_add(&s->stats.recovered, &f->held);
	}
	fclose(in);
	return f ? 0 : -ENOMEM;
}

static int is_ipfix(const struct dirent *d)
{
	return strspn(d->d_name, "0123456789") == 8 && !strcmp(d->d_name + 8, ".ipfix");
}

int spool_recover(struct spool *s)
{
	struct dirent **names;
	int err = 0;

	read_position(s);
	int n = scandir(s->folder, &names, is_ipfix, alphasort);

	if (n < 0)
		return log_errno(-errno, "exporter %s: read spool %s", s->owner, s->folder);
	for (int i = 0; i < n; i++) {
		uint32_t number = (uint32_t)strtoul(names[i]->d_name, NULL, 10);

		free(names[i]);
		if (!err)
			err = recover_file(s, number);
		if (number > s->last_number)
			s->last_number = number;
	}
	free(names);
	s->stats.held = s->stats.recovered;
	while (s->stats.n_files && !volume_has_any(&s->files[0].held))
		spool_remove_first(s);
	s->take = (struct spool_place){.file = s->stats.n_files ? s->files[0].number : 0};
	if (s->take.file && s->take.file == s->done.file)
		s->take.offset = s->done.offset;
	if (volume_has_any(&s->stats.held))
		log_info("exporter %s: %llu records and %llu events of an earlier run are in the "
			 "spool %s",
			 s->owner, (unsigned long long)s->stats.held.records,
			 (unsigned long long)s->stats.held.events, s->folder);
	s->is_recovered = !err;
	return err;
}
