/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration's file, as a whole. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/config_yaml.h"
#include "probe/log.h"

#define FILE_MAX_OCTETS (1 << 20)

/* Read all of fd into text[FILE_MAX_OCTETS + 1]; the length, or -errno. */
static ssize_t read_all(int fd, char *text)
{
	size_t n = 0;

	while (n <= FILE_MAX_OCTETS) {
		ssize_t got = read(fd, text + n, FILE_MAX_OCTETS + 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return n;
		n += got;
	}
	return -EFBIG;
}

int config_load_places(struct config *cfg, const char *path, struct config_places *places)
{
	int err, fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;
	char *text;

	if (fd < 0)
		return log_errno(-errno, "read configuration %s", path);
	text = malloc(FILE_MAX_OCTETS + 1);
	length = text ? read_all(fd, text) : -ENOMEM;
	close(fd);
	if (length < 0)
		err = log_errno(length, "read configuration %s (at most 1 MiB)", path);
	else
		err = config_parse(cfg, path, places, text, length);
	free(text);
	return err;
}

int config_load(struct config *cfg, const char *path)
{
	return config_load_places(cfg, path, NULL);
}
