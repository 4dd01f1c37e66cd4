/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw Ethernet frames out of an interface, for the senders of end-to-end tests.
 * What goes wrong is printed and ends the program with status 1.
 */
#pragma once

#include <stddef.h>

/* A packet socket bound to the interface, for sending only. Returns the descriptor. */
int frame_socket_open(const char *ifname);

/* Send one frame as it is; waits while the interface's queue is full. */
void frame_socket_send(int fd, const void *frame, size_t octets);
