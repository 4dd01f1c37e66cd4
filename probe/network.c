/* SPDX-License-Identifier: BSD-2-Clause */
/* Lists of networks. See network.h. */
#include "probe/network.h"

#include <arpa/inet.h>
#include <errno.h>

#include "probe/json.h"

static int refuse(const char **reason, const char *why)
{
	*reason = why;
	return -EINVAL;
}

/* The octets of an address that `length` bits leave, at place i of 16. */
static uint8_t mask_octet(uint8_t length, int i)
{
	int bits = length - 8 * i;

	if (bits >= 8)
		return 0xff;
	return bits <= 0 ? 0 : (uint8_t)(0xff00 >> bits);
}

static int parse_address(const char *text, struct host *host, uint8_t *bits)
{
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, text, &a4) == 1) {
		*host = host_of_ipv4(a4.s_addr);
		*bits = 32;
		return 0;
	}
	*bits = 128;
	if (inet_pton(AF_INET6, text, &a6) != 1)
		return -EINVAL;
	*host = host_of_ipv6(&a6);
	return 0;
}

/* 0 .. most, no sign, no leading zero; -1 otherwise. */
static int parse_length(const char *text, uint8_t most)
{
	int value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		value = value * 10 + (*text - '0');
		if (value > most)
			return -1;
	}
	return value;
}

int network_parse(const char *text, struct network *network, const char **reason)
{
	char address[NETWORK_TEXT_MAX + 1] = "";
	size_t n = strcspn(text, "/");
	uint8_t bits;
	int length;

	if (n >= sizeof(address))
		return refuse(reason, "not an address");
	memcpy(address, text, n);
	if (parse_address(address, &network->address, &bits))
		return refuse(reason, "not an address");
	length = text[n] ? parse_length(text + n + 1, bits) : bits;
	if (length < 0)
		return refuse(reason, "not a prefix length of its address");
	network->length = (uint8_t)(length + (bits == 32 ? IPV4_PREFIX_BITS : 0));
	for (int i = 0; i < 16; i++) {
		if (network->address.octets[i] & ~mask_octet(network->length, i))
			return refuse(reason, "has bits behind its prefix length");
	}
	return 0;
}

void network_put(char *p, const struct network *network)
{
	uint8_t length = network->length;

	p = host_put(p, &network->address);
	if (host_is_ipv4(&network->address) && length >= IPV4_PREFIX_BITS)
		length -= IPV4_PREFIX_BITS;
	*p++ = '/';
	*json_put_number(p, length) = '\0';
}

bool network_has(const struct network *network, const struct host *host)
{
	for (int i = 0; i < 16; i++) {
		uint8_t differs = network->address.octets[i] ^ host->octets[i];

		if (differs & mask_octet(network->length, i))
			return false;
	}
	return true;
}

bool networks_have(const struct network_list *list, const struct host *host)
{
	for (size_t i = 0; i < list->n; i++)
		if (network_has(&list->item[i], host))
			return true;
	return false;
}
