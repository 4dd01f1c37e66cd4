/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An address of either family in one form, as the detectors keep it: IPv4 is
 * ::ffff:a.b.c.d (RFC 4291 2.5.5.2).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "probe/addr.h"

struct host {
	uint8_t octets[16]; /* network order */
};

#define HOST_TEXT_MAX ADDR_TEXT6_MAX

static inline bool host_is_ipv4(const struct host *h)
{
	static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};

	return !memcmp(h->octets, prefix, sizeof(prefix));
}

static inline bool host_equals(const struct host *a, const struct host *b)
{
	return !memcmp(a, b, sizeof(*a));
}

/* address  network order */
static inline struct host host_of_ipv4(uint32_t address)
{
	struct host h = {{[10] = 0xff, [11] = 0xff}};

	memcpy(h.octets + 12, &address, 4);
	return h;
}

static inline struct host host_of_ipv6(const void *address)
{
	struct host h;

	memcpy(h.octets, address, sizeof(h.octets));
	return h;
}

/* Host order. */
static inline uint32_t host_ipv4(const struct host *h)
{
	return (uint32_t)h->octets[12] << 24 | (uint32_t)h->octets[13] << 16 |
	       (uint32_t)h->octets[14] << 8 | h->octets[15];
}

/* The /64 of an IPv6 address, within which one host picks as it likes; IPv4 as it is. */
static inline struct host host_site(const struct host *h)
{
	struct host site = *h;

	if (!host_is_ipv4(h))
		memset(site.octets + 8, 0, 8);
	return site;
}

/* Group addresses and the limited broadcast: nobody answers for them. */
static inline bool host_is_group(const struct host *h)
{
	if (!host_is_ipv4(h))
		return h->octets[0] == 0xff;
	return h->octets[12] >= 224 && (h->octets[12] < 240 || host_ipv4(h) == UINT32_MAX);
}

/* Write the address at p, at most HOST_TEXT_MAX characters, no NUL. Returns the end. */
static inline char *host_put(char *p, const struct host *h)
{
	return host_is_ipv4(h) ? addr_put4(p, host_ipv4(h)) : addr_put6(p, h->octets);
}
