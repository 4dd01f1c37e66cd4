/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Protocol names, both ways.
 */
#include "probe/protocol.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

bool protocol_set_has(const struct protocol_set *set, uint8_t number)
{
	return !set->is_given || (set->word[number / 64] >> number % 64 & 1);
}

int protocol_set_add(struct protocol_set *set, const char *word)
{
	int number;

	if (!strcmp(word, "all")) {
		memset(set->word, 0xff, sizeof(set->word));
	} else {
		number = protocol_number(word);
		if (number < 0)
			return number;
		set->word[number / 64] |= 1ULL << number % 64;
	}
	set->is_given = true;
	return 0;
}

void protocol_set_format(const struct protocol_set *set, char *out, size_t size)
{
	uint64_t common = set->word[0] & set->word[1] & set->word[2] & set->word[3];
	const char *separator = "[";
	size_t n = 0;

	if (common == UINT64_MAX) {
		snprintf(out, size, "all");
		return;
	}
	for (int i = 0; i <= UINT8_MAX && n < size; i++) {
		const char *name = protocol_name((uint8_t)i);

		if (!protocol_set_has(set, (uint8_t)i))
			continue;
		n += (size_t)(name ? snprintf(out + n, size - n, "%s%s", separator, name)
				   : snprintf(out + n, size - n, "%s%d", separator, i));
		separator = ", ";
	}
	if (n < size)
		snprintf(out + n, size - n, "]");
}
