/* SPDX-License-Identifier: BSD-2-Clause */
/* From getifaddrs(3) to a list of networks. */
#include "probe/interface_networks.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>

#include "probe/log.h"

/* Lists of equal networks in equal order; what is behind n is not compared. */
static bool is_default(const struct network_list *list)
{
	static struct config defaults;
	const struct network_list *usual = &defaults.anomaly.local_networks;

	config_init(&defaults);
	if (list->n != usual->n)
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (list->item[i].length != usual->item[i].length ||
		    !host_equals(&list->item[i].address, &usual->item[i].address))
			return false;
	return true;
}

/* An IPv4 address may have a label of its own instead, eth0:1; no interface has a colon. */
static bool is_configured(const struct config *cfg, const char *label)
{
	size_t n = strcspn(label, ":");

	for (size_t i = 0; i < cfg->n_interfaces; i++)
		if (strlen(cfg->interfaces[i].name) == n &&
		    !memcmp(cfg->interfaces[i].name, label, n))
			return true;
	return false;
}

static uint8_t length_of(const uint8_t *mask, int octets)
{
	uint8_t length = 0;

	for (int i = 0; i < octets; i++)
		length = (uint8_t)(length + __builtin_popcount(mask[i]));
	return length;
}

static bool is_link_local(const struct network *network)
{
	const uint8_t *a = network->address.octets;

	if (host_is_ipv4(&network->address))
		return a[12] == 169 && a[13] == 254; /* RFC 3927 */
	return a[0] == 0xfe && (a[1] & 0xc0) == 0x80; /* RFC 4291 2.5.6 */
}

/* The network of an address with its mask. False: of no family of ours. */
static bool network_of(const struct ifaddrs *i, struct network *network)
{
	const struct sockaddr_in *in = (const void *)i->ifa_addr;
	const struct sockaddr_in6 *in6 = (const void *)i->ifa_addr;

	if (!i->ifa_addr || !i->ifa_netmask)
		return false;
	if (i->ifa_addr->sa_family == AF_INET) {
		const struct sockaddr_in *mask = (const void *)i->ifa_netmask;

		network->length =
			length_of((const void *)&mask->sin_addr, 4) + (uint8_t)IPV4_PREFIX_BITS;
		network->address = host_of_ipv4(in->sin_addr.s_addr & mask->sin_addr.s_addr);
		return true;
	}
	if (i->ifa_addr->sa_family != AF_INET6)
		return false;
	const struct sockaddr_in6 *mask6 = (const void *)i->ifa_netmask;

	network->length = length_of(mask6->sin6_addr.s6_addr, 16);
	network->address = host_of_ipv6(&in6->sin6_addr);
	for (int k = 0; k < 16; k++)
		network->address.octets[k] &= mask6->sin6_addr.s6_addr[k];
	return true;
}

void interface_networks(const struct config *cfg, struct network_list *list)
{
	struct ifaddrs *all;
	struct network network;

	list->n = 0;
	if (!is_default(&cfg->anomaly.local_networks))
		return;
	if (getifaddrs(&all)) {
		log_warning("cannot read the addresses of the interfaces: %s; networks that are "
			    "ours are those of anomaly.local_networks only",
			    strerror(errno));
		return;
	}
	for (const struct ifaddrs *i = all; i && list->n < NETWORKS_MAX; i = i->ifa_next)
		if (is_configured(cfg, i->ifa_name) && network_of(i, &network) &&
		    !is_link_local(&network))
			list->item[list->n++] = network;
	freeifaddrs(all);
}
