/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue on disk. See spool.h. */
#include "probe/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "probe/exporter_channel.h"
#include "probe/exporter_encode.h"
#include "probe/log.h"
#include "probe/spool_private.h"

#define FILES		16 /* of a full spool: a sixteenth of it is dropped at once */
#define FILE_MIN_OCTETS ((uint64_t)64 << 10)
#define FILE_MAX_OCTETS ((uint64_t)16 << 20)

int spool_open(struct spool **out, const struct spool_params *params)
{
	struct spool *s = calloc(1, sizeof(*s));

	if (!s)
		return log_errno(-ENOMEM, "open spool %s", params->folder);
	s->params = *params;
	snprintf(s->folder, sizeof(s->folder), "%s", params->folder);
	snprintf(s->owner, sizeof(s->owner), "%s", params->owner);
	s->lock_fd = s->position_fd = s->write_fd = s->read_fd = -1;
	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error like any other */
	int err = spool_enter(s);

	if (!err)
		err = spool_recover(s);
	if (err) {
		spool_close(s);
		return err;
	}
	*out = s;
	return 0;
}

static struct spool_file *find_file(const struct spool *s, uint32_t number)
{
	for (uint32_t i = 0; i < s->stats.n_files; i++)
		if (s->files[i].number == number)
			return &s->files[i];
	return NULL;
}

static void finish_file(struct spool *s)
{
	if (s->write_fd >= 0)
		close(s->write_fd);
	s->write_fd = -1;
}

/* Take on from the start of the first file that is left. */
static void take_from_first(struct spool *s)
{
	if (s->read_fd >= 0)
		close(s->read_fd);
	s->read_fd = -1;
	s->take = (struct spool_place){.file = s->stats.n_files ? s->files[0].number : 0};
}

/* The oldest file makes room. */
static void drop_first(struct spool *s)
{
	struct exporter_volume v = s->files[0].held;
	bool was_taken_from = s->take.file == s->files[0].number;

	volume_add(&s->stats.full, &v);
	volume_subtract(&s->stats.held, &v);
	if (!s->is_full)
		log_warning(
			"exporter %s: the spool %s is full: the oldest records are dropped, and "
			"counted",
			s->owner, s->folder);
	s->is_full = true;
	spool_remove_first(s);
	if (was_taken_from)
		take_from_first(s);
}

static bool can_drop(const struct spool *s)
{
	return s->stats.n_files > (s->write_fd >= 0 ? 1u : 0u);
}

static void make_room(struct spool *s, uint64_t octets)
{
	while (s->stats.octets + octets > s->params.max_octets && can_drop(s))
		drop_first(s);
}

/* The Templates, as of this moment. */
static int write_head(struct spool *s, struct spool_file *f, uint32_t export_time_s)
{
	memcpy(s->message, s->params.head, s->params.head_octets);
	for (size_t at = 0; at < s->params.head_octets;
	     at += encode_message_octets(s->message + at))
		encode_stamp(s->message + at, export_time_s, 0);
	int n = channel_write_file(s->write_fd, s->message, s->params.head_octets);

	if (n < 0)
		return n;
	f->octets = s->params.head_octets;
	s->stats.octets += f->octets;
	return 0;
}

/* How large the next file gets: on a disk that is nearly full, small ones can be dropped. */
static uint64_t next_file_octets(const struct spool *s)
{
	uint64_t octets = s->params.max_octets;
	struct statvfs disk;

	if (!statvfs(s->folder, &disk)) {
		uint64_t room = s->stats.octets + (uint64_t)disk.f_bavail * disk.f_frsize;

		octets = room < octets ? room : octets;
	}
	octets /= FILES;
	if (octets < FILE_MIN_OCTETS)
		return FILE_MIN_OCTETS;
	return octets < FILE_MAX_OCTETS ? octets : FILE_MAX_OCTETS;
}

static int begin_file(struct spool *s, uint32_t export_time_s)
{
	char path[SPOOL_PATH_MAX + 32], fresh[SPOOL_PATH_MAX + 32];
	struct spool_file *f = spool_list_file(s, s->last_number + 1);

	if (!f)
		return -ENOMEM;
	snprintf(fresh, sizeof(fresh), "%s/new", s->folder);
	s->write_fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	int err = s->write_fd < 0 ? -errno : write_head(s, f, export_time_s);

	spool_path(s, f->number, path);
	if (!err && rename(fresh, path)) /* so that each has all its Templates */
		err = -errno;
	if (err) {
		s->stats.octets -= f->octets;
		finish_file(s);
		s->stats.n_files--;
		return err;
	}
	s->file_max_octets = next_file_octets(s);
	s->last_number++;
	memset(s->sequence, 0, sizeof(s->sequence));
	s->export_time_s = export_time_s;
	if (!s->take.file)
		take_from_first(s);
	return 0;
}

/* Each Observation Domain counts its own: that of the Templates at the head, and the other. */
static uint32_t *sequence_of(struct spool *s, const uint8_t *message)
{
	return &s->sequence[memcmp(message + MESSAGE_DOMAIN_OFFSET,
				   s->params.head + MESSAGE_DOMAIN_OFFSET, 4) != 0];
}

static int write_message(struct spool *s, uint8_t *message, size_t octets, uint32_t export_time_s)
{
	int err = 0;

	if (s->write_fd >= 0 && s->files[s->stats.n_files - 1].octets + octets > s->file_max_octets)
		finish_file(s);
	if (s->write_fd < 0) {
		make_room(s, s->params.head_octets + octets);
		err = begin_file(s, export_time_s);
	} else {
		make_room(s, octets);
	}
	if (err)
		return err;
	/* A clock that was stepped back leaves no data older than its Template (RFC 7011 8). */
	if (s->export_time_s < export_time_s)
		s->export_time_s = export_time_s;
	encode_stamp(message, s->export_time_s, *sequence_of(s, message));
	return channel_write_file(s->write_fd, message, octets);
}

int spool_append(struct spool *s, uint8_t *message, size_t octets, uint32_t n_records,
		 const struct exporter_volume *volume, uint32_t export_time_s)
{
	int n = write_message(s, message, octets, export_time_s);

	while ((n == -ENOSPC || n == -EDQUOT) && can_drop(s)) {
		drop_first(s);
		n = write_message(s, message, octets, export_time_s);
	}
	if (n < 0)
		return n;
	struct spool_file *f = &s->files[s->stats.n_files - 1];

	*sequence_of(s, message) += n_records;
	f->octets += octets;
	s->stats.octets += octets;
	volume_add(&f->held, volume);
	volume_add(&s->stats.held, volume);
	return 0;
}

static bool open_to_take(struct spool *s)
{
	char path[SPOOL_PATH_MAX + 32];

	if (s->read_fd >= 0)
		return true;
	spool_path(s, s->take.file, path);
	s->read_fd = open(path, O_RDONLY | O_CLOEXEC);
	return s->read_fd >= 0;
}

/* Octets of the Message at the place, 0 = there is none that can be read. */
static size_t read_message(struct spool *s, const struct spool_file *f, uint8_t *message,
			   size_t room)
{
	uint64_t at = s->take.offset;

	if (!open_to_take(s) ||
	    pread(s->read_fd, message, MESSAGE_HEADER_OCTETS, (off_t)at) != MESSAGE_HEADER_OCTETS)
		return 0;
	size_t octets = encode_message_octets(message);

	if (octets <= MESSAGE_DATA_OFFSET || octets > room || at + octets > f->octets)
		return 0;
	return pread(s->read_fd, message, octets, (off_t)at) == (ssize_t)octets ? octets : 0;
}

/* The rest of a file is lost. */
static void skip_damaged(struct spool *s, struct spool_file *f)
{
	log_error("exporter %s: %08u.ipfix of the spool %s cannot be read at octet %llu: %llu "
		  "records and %llu events are lost, and counted",
		  s->owner, f->number, s->folder, (unsigned long long)s->take.offset,
		  (unsigned long long)f->held.records, (unsigned long long)f->held.events);
	volume_add(&s->stats.error, &f->held);
	volume_subtract(&s->stats.held, &f->held);
	f->held = (struct exporter_volume){0};
	s->take.offset = f->octets;
}

/* Go to the file behind f, false if there is none. */
static bool take_from_next(struct spool *s, const struct spool_file *f)
{
	if (f + 1 == s->files + s->stats.n_files)
		return false;
	s->take = (struct spool_place){.file = f[1].number};
	if (s->read_fd >= 0)
		close(s->read_fd);
	s->read_fd = -1;
	return true;
}

size_t spool_take(struct spool *s, uint8_t *message, size_t room, struct spool_place *place,
		  struct exporter_volume *volume)
{
	struct spool_file *f = find_file(s, s->take.file);
	uint32_t n_records;

	while (f && volume_has_any(&s->stats.held)) {
		if (s->take.offset >= f->octets) {
			f = take_from_next(s, f) ? find_file(s, s->take.file) : NULL;
			continue;
		}
		size_t octets = read_message(s, f, message, room);

		if (!octets) {
			skip_damaged(s, f);
			continue;
		}
		*place = s->take;
		place->octets = (uint32_t)octets;
		s->take.offset += octets;
		if (!s->params.measure(s->params.arg, message, octets, &n_records, volume))
			continue; /* Templates */
		volume_subtract(&f->held, volume);
		volume_subtract(&s->stats.held, volume);
		return octets;
	}
	return 0;
}

static bool is_before(const struct spool_place *a, const struct spool_place *b)
{
	return a->file != b->file ? a->file < b->file : a->offset < b->offset;
}

bool spool_put_back(struct spool *s, const struct spool_place *place,
		    const struct exporter_volume *volume)
{
	struct spool_file *f = find_file(s, place->file);

	if (!f)
		return false;
	volume_add(&f->held, volume);
	volume_add(&s->stats.held, volume);
	if (is_before(place, &s->take)) {
		if (place->file != s->take.file && s->read_fd >= 0) {
			close(s->read_fd);
			s->read_fd = -1;
		}
		s->take = (struct spool_place){.file = place->file, .offset = place->offset};
	}
	return true;
}

void spool_done(struct spool *s, const struct spool_place *place)
{
	struct spool_place end = {.file = place->file, .offset = place->offset + place->octets};
	struct spool_file *f;

	if (!is_before(&s->done, &end))
		return;
	s->done = end;
	s->is_done_written = false;
	while (s->stats.n_files && (f = &s->files[0], f->number < end.file)) {
		bool was_taken_from = s->take.file == f->number;

		spool_remove_first(s);
		if (was_taken_from)
			take_from_first(s);
	}
	f = find_file(s, end.file);
	if (!f || end.offset < f->octets)
		return;
	if (f + 1 == s->files + s->stats.n_files)
		finish_file(s);
	spool_remove_first(s);
	s->is_full = false;
	if (s->take.file == end.file)
		take_from_first(s);
}

void spool_sync(struct spool *s)
{
	char text[40];

	if (s->is_done_written)
		return;
	int n = snprintf(text, sizeof(text), "%010u %020llu\n", s->done.file,
			 (unsigned long long)s->done.offset);

	s->is_done_written = pwrite(s->position_fd, text, (size_t)n, 0) == n;
}

const struct spool_stats *spool_stats(const struct spool *s)
{
	return &s->stats;
}

void spool_close(struct spool *s)
{
	if (!s)
		return;
	spool_leave(s);
	finish_file(s);
	if (s->read_fd >= 0)
		close(s->read_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->files);
	free(s);
}
