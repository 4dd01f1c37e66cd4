/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gzip file (RFC 1952) written Message by Message: each is whole in the file when
 * its write returns, and a write that fails leaves the file as it was.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define GZIP_MESSAGE_MAX 65535

struct gzip;

/* Returns 0 with *out owned by the caller, or -ENOMEM. */
int gzip_open(struct gzip **out);

/* Compress and write a Message, of at most GZIP_MESSAGE_MAX octets, whole or not at all. */
int gzip_write(struct gzip *g, int fd, const uint8_t *message, size_t octets);

/* Write the end of the file: checksum and length. Returns 0 or -errno. */
int gzip_end(struct gzip *g, int fd);

/* NULL is allowed. */
void gzip_close(struct gzip *g);
