/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of networks, as the configuration has them: 10.0.0.0/8, fc00::/7, 192.0.2.1. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/host.h"

#define NETWORKS_MAX	 32
#define NETWORK_TEXT_MAX (HOST_TEXT_MAX + 4) /* and /128 */

#define IPV4_PREFIX_BITS 96 /* of ::ffff:0.0.0.0/96, which IPv4 is kept in */

struct network {
	struct host address; /* bits behind the length are 0            */
	uint8_t length; /* 0 .. 128; of IPv4 96 more than written  */
};

struct network_list {
	size_t n;
	struct network item[NETWORKS_MAX];
};

/*
 * Read ADDRESS or ADDRESS/LENGTH.
 * Returns 0, or -EINVAL with *reason set to why not, static.
 */
int network_parse(const char *text, struct network *network, const char **reason);

/* Write it as network_parse() reads it, with its NUL: at most NETWORK_TEXT_MAX and that. */
void network_put(char *p, const struct network *network);

/* True when the host is within the network. */
bool network_has(const struct network *network, const struct host *host);

/* True when any network of the list has the host. */
bool networks_have(const struct network_list *list, const struct host *host);
