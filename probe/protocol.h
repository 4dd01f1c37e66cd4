/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the IP protocols people ask for by name; the others are numbers.
 * Not from /etc/protocols, which a small system does not have.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The protocols that are metered, as flow_cache.protocols says. Zeroed: all of them,
 * and there is nothing to switch.
 */
struct protocol_set {
	uint64_t word[4]; /* bit n % 64 of word n / 64: protocol n is in the set */
	bool is_given;
};

/* Name of a protocol as in the IANA registry, lower case, or NULL when it has none here. */
const char *protocol_name(uint8_t number);

/* Number of a name or of a decimal number 0 .. 255; -EINVAL for anything else. */
int protocol_number(const char *word);

/* True for every protocol when no set is given. */
bool protocol_set_has(const struct protocol_set *set, uint8_t number);

/* Add `all`, a name or a number as of protocol_number(). 0, or -EINVAL with *set as it was. */
int protocol_set_add(struct protocol_set *set, const char *word);

/* Write `all` or `[tcp, 200]`: what is in a set that is given. At most 1400 octets. */
void protocol_set_format(const struct protocol_set *set, char *out, size_t size);
