/* SPDX-License-Identifier: BSD-2-Clause */
/* Addresses as text: IPv4 and IPv6 (RFC 5952). */
#pragma once

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
