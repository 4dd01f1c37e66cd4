/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of Messages: names, and when the next is begun. See exporter_file.h. */
#include "probe/exporter_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "probe/clock.h"
#include "probe/exporter_channel.h"
#include "probe/exporter_gzip.h"
#include "probe/exporter_options_encode.h"
#include "probe/log.h"

#define MIB	    ((uint64_t)1 << 20)
#define NAMES_MAX   100000 /* tried before a folder is given up */
#define PART	    ".part"
#define NAME_OCTETS (CONFIG_ADDRESS_MAX + 64)
#define DATA_SET_ID 256
#define SET_AT	    16 /* behind the Message header */

struct file_sink {
	const struct exporter_config *cfg;
	struct gzip *gzip; /* NULL: not compressed */
	int fd;
	char name[NAME_OCTETS]; /* once it is finished; empty = it has it already */
	uint64_t octets; /* of Messages */
	uint64_t data_ns; /* a clock reading not later than its first data, 0 = none yet */
	bool has_data;
	bool is_new; /* there was none of that name */
	bool is_begun; /* there is nothing but what was written here */
};

static bool is_rotated(const struct exporter_config *cfg)
{
	return cfg->rotate_mib || cfg->rotate_s;
}

/* BASE-TIME-NUMBER.ipfix[.gz], the address being BASE.ipfix or BASE. */
static void make_name(char name[static NAME_OCTETS], const struct exporter_config *cfg,
		      uint32_t number)
{
	static const char suffix[] = ".ipfix";
	size_t n = strlen(cfg->address);
	bool has_suffix = n > strlen(suffix) && !strcmp(cfg->address + n - strlen(suffix), suffix);
	time_t now = time(NULL);
	struct tm tm;
	char stamp[32];

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(name, NAME_OCTETS, "%.*s-%s-%04u%s%s", (int)(has_suffix ? n - strlen(suffix) : n),
		 cfg->address, stamp, number, has_suffix ? suffix : "", cfg->compress ? ".gz" : "");
}

static void part_of(char part[static NAME_OCTETS], const char *name)
{
	snprintf(part, NAME_OCTETS, "%.*s" PART, NAME_OCTETS - (int)sizeof(PART), name);
}

/* A name that nobody else has in the making; whether it is taken shows when it is given. */
static int create_part(struct file_sink *f)
{
	char part[NAME_OCTETS];

	for (uint32_t number = 1; number < NAMES_MAX; number++) {
		make_name(f->name, f->cfg, number);
		part_of(part, f->name);
		int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : fd;
	}
	return -EEXIST;
}

int file_sink_open(struct file_sink **out, const struct exporter_config *cfg)
{
	struct file_sink *f = calloc(1, sizeof(*f));
	int err = f ? 0 : -ENOMEM;

	if (!err && cfg->compress)
		err = gzip_open(&f->gzip);
	if (!err) {
		f->cfg = cfg;
		f->fd = is_rotated(cfg) ? create_part(f)
					: channel_create_file(cfg->address, &f->is_new);
		err = f->fd < 0 ? f->fd : 0;
	}
	if (err) {
		if (f)
			gzip_close(f->gzip);
		free(f);
		return err;
	}
	*out = f;
	return 0;
}

/* A Message has one Data Set of Flows or of an event, or begins with another Set. */
static bool has_records(const uint8_t *message)
{
	uint32_t set_id = (uint32_t)message[SET_AT] << 8 | message[SET_AT + 1];

	return set_id >= DATA_SET_ID && !options_has_template(set_id);
}

int file_sink_write(struct file_sink *f, const uint8_t *message, size_t octets)
{
	int n = f->is_begun ? 0 : channel_empty_file(f->fd);

	f->is_begun |= !n;
	if (!n)
		n = f->gzip ? gzip_write(f->gzip, f->fd, message, octets)
			    : channel_write_file(f->fd, message, octets);
	if (n < 0)
		return n;
	f->octets += octets;
	if (has_records(message))
		f->has_data = true;
	return n;
}

uint64_t file_sink_due_ns(const struct file_sink *f)
{
	return f->cfg->rotate_s && f->data_ns ? f->data_ns + f->cfg->rotate_s * NS_PER_S
					      : UINT64_MAX;
}

bool file_sink_is_full(struct file_sink *f, uint64_t now_ns)
{
	if (!f->has_data) {
		f->data_ns = now_ns;
		return false;
	}
	if (f->cfg->rotate_mib && f->octets >= f->cfg->rotate_mib * MIB)
		return true;
	return now_ns >= file_sink_due_ns(f);
}

/* Never replaces a file: where somebody took the name meanwhile, the next number is free. */
static int give_name(struct file_sink *f)
{
	char part[NAME_OCTETS];

	part_of(part, f->name);
	for (uint32_t number = 1; number < NAMES_MAX; number++) {
		int err =
			renameat2(AT_FDCWD, part, AT_FDCWD, f->name, RENAME_NOREPLACE) ? -errno : 0;

		if (err == -EINVAL || err == -ENOSYS) /* a file system that cannot */
			err = link(part, f->name) ? -errno : unlink(part) ? -errno : 0;
		if (err != -EEXIST)
			return err;
		make_name(f->name, f->cfg, number);
	}
	return -EEXIST;
}

static int finish(struct file_sink *f)
{
	char part[NAME_OCTETS];
	int err = f->gzip ? gzip_end(f->gzip, f->fd) : 0;

	if (close(f->fd) && !err)
		err = -errno;
	if (!*f->name && f->is_new && !f->is_begun)
		return unlink(f->cfg->address) ? -errno : 0;
	if (!*f->name)
		return err;
	part_of(part, f->name);
	if (!f->has_data)
		return unlink(part) ? -errno : 0;
	int named = give_name(f);

	return named ? named : err;
}

void file_sink_close(struct file_sink *f)
{
	if (!f)
		return;
	int err = finish(f);

	if (err)
		log_errno(err, "exporter %s: finish %s", f->cfg->name,
			  *f->name ? f->name : f->cfg->address);
	gzip_close(f->gzip);
	free(f);
}
