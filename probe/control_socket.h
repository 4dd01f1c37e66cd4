/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The control socket as a file: its folder, its mode, and what a probe that was
 * killed has left of it.
 */
#pragma once

#include <stdbool.h>

/*
 * Listen on the UNIX stream socket `path`, mode 0660, non-blocking. The folder
 * is created when missing; a socket that nobody listens on is replaced.
 *
 * has_made_folder  set to true when the folder was created
 *
 * Returns the descriptor or -errno, printed; -EADDRINUSE when somebody listens.
 */
int control_socket_open(const char *path, bool *has_made_folder);

/* Close the descriptor and remove the socket, and its folder when we made it. */
void control_socket_close(int fd, const char *path, bool has_made_folder);
