/* SPDX-License-Identifier: BSD-2-Clause */
/* What the kernel calls the interfaces whose numbers are in Flow Records. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <net/if.h>

#define INTERFACE_ALIAS_OCTETS 64 /* with the NUL; of the kernel's 256 the first */

struct interface_name {
	uint32_t index;
	char name[IF_NAMESIZE];
	char alias[INTERFACE_ALIAS_OCTETS]; /* as `ip link set alias` says; may be empty */
};

/*
 * Read the interfaces of our network namespace (rtnetlink(7)), as many as `names`
 * takes. Octets that are no well-formed UTF-8 become '?'.
 *
 * Returns how many, or -errno.
 */
int interfaces_read(struct interface_name *names, size_t max);
