/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue on disk: what comes out of it, and what is done. See spool.h. */
#include <fcntl.h>
#include <unistd.h>

#include "probe/exporter_encode.h"
#include "probe/log.h"
#include "probe/spool_private.h"

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
	struct spool_file *f = spool_find_file(s, s->take.file);
	uint32_t n_records;

	while (f && volume_has_any(&s->stats.held)) {
		if (s->take.offset >= f->octets) {
			f = take_from_next(s, f) ? spool_find_file(s, s->take.file) : NULL;
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
	struct spool_file *f = spool_find_file(s, place->file);

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
			spool_take_from_first(s);
	}
	f = spool_find_file(s, end.file);
	if (!f || end.offset < f->octets)
		return;
	if (f + 1 == s->files + s->stats.n_files)
		spool_finish_file(s);
	spool_remove_first(s);
	s->is_full = false;
	if (s->take.file == end.file)
		spool_take_from_first(s);
}
