/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protocol names, both ways.
 */
#include "probe/protocol.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <strings.h>

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{"icmp", 1},  {"igmp", 2},    {"ipip", 4},	 {"tcp", 6},
	{"udp", 17},  {"ipv6", 41},   {"gre", 47},	 {"esp", 50},
	{"ah", 51},   {"icmpv6", 58}, {"ipv6-icmp", 58}, {"ospf", 89},
	{"pim", 103}, {"vrrp", 112},  {"sctp", 132},	 {"udplite", 136},
};

const char *protocol_name(uint8_t number)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (protocols[i].number == number)
			return protocols[i].name;
	return NULL;
}

int protocol_number(const char *word)
{
	char *end;
	unsigned long number;

	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols); i++)
		if (!strcasecmp(protocols[i].name, word))
			return protocols[i].number;
	if (*word < '0' || *word > '9')
		return -EINVAL;
	number = strtoul(word, &end, 10);
	return *end || number > UINT8_MAX ? -EINVAL : (int)number;
}
