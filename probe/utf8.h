/* SPDX-License-Identifier: BSD-2-Clause */
/* Well-formed UTF-8 (RFC 3629). */
#pragma once

#include <stddef.h>

/* Octets of the character at text, by the bounds of its first two octets (4); 0 = none. */
size_t utf8_octets(const char *text);

/* Make each octet that belongs to no character a '?'. */
void utf8_repair(char *text);
