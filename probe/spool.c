/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue on disk: what goes into it. See spool.h. */
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

struct spool_file *spool_find_file(const struct spool *s, uint32_t number)
{
	for (uint32_t i = 0; i < s->stats.n_files; i++)
		if (s->files[i].number == number)
			return &s->files[i];
	return NULL;
}

void spool_finish_file(struct spool *s)
{
	if (s->write_fd >= 0)
		close(s->write_fd);
	s->write_fd = -1;
}

void spool_take_from_first(struct spool *s)
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
		spool_take_from_first(s);
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
		spool_finish_file(s);
		s->stats.n_files--;
		return err;
	}
	s->file_max_octets = next_file_octets(s);
	s->last_number++;
	memset(s->sequence, 0, sizeof(s->sequence));
	s->export_time_s = export_time_s;
	if (!s->take.file)
		spool_take_from_first(s);
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
		spool_finish_file(s);
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
	spool_finish_file(s);
	if (s->read_fd >= 0)
		close(s->read_fd);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->files);
	free(s);
}
