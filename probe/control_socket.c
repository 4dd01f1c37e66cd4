/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket as a file.
 */
#include "probe/control_socket.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "probe/log.h"

#define SOCKET_MODE    0660
#define FOLDER_MODE    0755
#define LISTEN_BACKLOG 16

/* Create the folder of the socket; 1 when it was missing, 0 when not, or -errno. */
static int make_folder(const char *path)
{
	char copy[PATH_MAX];
	int err;

	snprintf(copy, sizeof(copy), "%s", path);
	err = mkdir(dirname(copy), FOLDER_MODE) < 0 ? -errno : 1;
	return err == -EEXIST ? 0 : err;
}

static void remove_folder(const char *path)
{
	char copy[PATH_MAX];

	snprintf(copy, sizeof(copy), "%s", path);
	rmdir(dirname(copy));
}

/* Remove a socket nobody listens on; anything else in the way is an error. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	int fd, err;

	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
	close(fd);
	if (err != ECONNREFUSED)
		return err && err != EAGAIN ? -err : -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address)
{
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -errno;
	/* until listen() every connect() is refused: nobody comes in before the mode is set */
	if (chmod(address->sun_path, SOCKET_MODE) < 0 || listen(fd, LISTEN_BACKLOG) < 0) {
		int err = -errno;

		unlink(address->sun_path);
		return err;
	}
	return 0;
}

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	err = remove_stale(&address);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = bind_and_listen(fd, &address);
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

int control_socket_open(const char *path, bool *has_made_folder)
{
	int fd, made = make_folder(path);

	if (made < 0)
		return log_errno(made, "create the folder of control socket %s", path);
	fd = listen_at(path);
	if (fd >= 0) {
		*has_made_folder = made;
		return fd;
	}
	if (made)
		remove_folder(path);
	if (fd == -EADDRINUSE)
		log_error("listen on control socket %s: another probe listens there; give this "
			  "one another control.socket",
			  path);
	else if (fd == -EEXIST)
		log_error("listen on control socket %s: a file that is no socket is in the way",
			  path);
	else
		log_errno(fd, "listen on control socket %s", path);
	return fd;
}

void control_socket_close(int fd, const char *path, bool has_made_folder)
{
	close(fd);
	unlink(path);
	if (has_made_folder)
		remove_folder(path);
}
