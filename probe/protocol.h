/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the IP protocols people ask for by name; the others are numbers.
 * Not from /etc/protocols, which a small system does not have.
 */
#pragma once

#include <stdint.h>

/* Name of a protocol as in the IANA registry, lower case, or NULL when it has none here. */
const char *protocol_name(uint8_t number);

/* Number of a name or of a decimal number 0 .. 255; -EINVAL for anything else. */
int protocol_number(const char *word);
