/* SPDX-License-Identifier: BSD-2-Clause */
/* The file of a learned model. See model_file.h. */
#include "probe/model_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/anomaly_model.h"
#include "probe/log.h"

/* As much as the file has. Returns octets or -errno. */
static ssize_t read_all(int fd, uint8_t *octets, size_t room)
{
	size_t n = 0;

	while (n < room) {
		ssize_t got = read(fd, octets + n, room - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			break;
		n += (size_t)got;
	}
	return (ssize_t)n;
}

/* Returns what is wrong, static, or NULL. */
static const char *load_from(struct anomaly *a, int fd)
{
	size_t room = anomaly_model_max() + 1; /* one more shows that it is too large */
	const char *why = NULL;
	struct stat st;
	uint8_t *octets;
	ssize_t n;

	if (fstat(fd, &st))
		return strerror(errno);
	if (!S_ISREG(st.st_mode))
		return "it is no regular file";
	octets = malloc(room);
	if (!octets)
		return "there is no memory for it";
	n = read_all(fd, octets, room);
	if (n < 0)
		why = strerror((int)-n);
	else if (!anomaly_model_load(a, octets, (size_t)n, &why))
		why = NULL;
	free(octets);
	return why;
}

void model_file_load(struct anomaly *a, const char *path, const char *what_next)
{
	/* O_NONBLOCK: nobody may ever write to a FIFO of that name */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why;

	if (fd < 0 && errno == ENOENT) {
		log_info("there is no model %s yet: learning", path);
		return;
	}
	why = fd < 0 ? strerror(errno) : load_from(a, fd);
	if (fd >= 0)
		close(fd);
	if (why)
		log_warning("go on from the learned model %s: %s; learning starts anew, %s", path,
			    why, what_next);
	else
		log_info("going on from the learned model %s", path);
}

static int write_all(int fd, const uint8_t *octets, size_t n)
{
	while (n) {
		ssize_t put = write(fd, octets, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return -errno;
		octets += put;
		n -= (size_t)put;
	}
	return fsync(fd) ? -errno : 0;
}

/* The new name is on the disk, too. */
static int sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd, err;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fsync(fd) ? -errno : 0;
	close(fd);
	return err;
}

int model_file_write(const char *path, const uint8_t *octets, size_t n)
{
	char part[PATH_MAX];
	int fd, err;

	snprintf(part, sizeof(part), "%s.tmp", path);
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, octets, n);
	if (close(fd) && !err)
		err = -errno;
	if (!err && rename(part, path))
		err = -errno;
	if (err)
		unlink(part);
	return err ? err : sync_folder(path);
}
