/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as text and back: IPv4, IPv6 (RFC 5952), and HOST:PORT. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ADDR_TEXT4_MAX 15 /* 255.255.255.255 */
#define ADDR_TEXT6_MAX 39 /* eight groups of four digits */

/*
 * Write an address at p, at most ADDR_TEXT4_MAX characters, no NUL.
 * address  host order. Returns the end of the text.
 */
char *addr_put4(char *p, uint32_t address);

/* The same of an IPv6 address in network order, at most ADDR_TEXT6_MAX characters. */
char *addr_put6(char *p, const uint8_t address[static 16]);

/*
 * Split HOST:PORT or [IPV6]:PORT. A bare IPv6 address with a port is ambiguous
 * and refused.
 *
 * host  [host_size], NUL-terminated, without brackets; untouched on failure
 *
 * Returns 0 or -EINVAL (no port, port not in 1 .. 65535, empty or too long host).
 */
int addr_split_port(const char *text, char *host, size_t host_size, uint16_t *port);
