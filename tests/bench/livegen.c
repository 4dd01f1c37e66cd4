/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Send packets out of an interface as live frames, and print one JSON line:
 * {"packets":N,"ip_octets":N,"frame_octets":N,"pps":N}.
 *
 *	livegen -i IFACE -d MAC [-f FLOWS] [-o FIRST_FLOW] [-n PACKETS] [-u UDP_PERCENT]
 *		[-6 IPV6_PERCENT] [-r PPS] [-t SECONDS] [-s]
 *
 * With -s TCP segments are SYN. Without -n it sends for -t seconds; at most -t seconds with both.
 */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "probe/clock.h"
#include "probe/log.h"
#include "tests/lib/livegen.h"

struct arguments {
	struct livegen_options options;
	uint64_t packets;
	uint64_t seconds;
};

static int usage(void)
{
	log_error("usage: livegen -i IFACE -d MAC [-f FLOWS] [-o FIRST_FLOW] [-n PACKETS] "
		  "[-u UDP_PERCENT] [-6 IPV6_PERCENT] [-r PPS] [-t SECONDS] [-s]");
	return -1;
}

static int arguments_parse(struct arguments *a, int argc, char **argv)
{
	uint8_t *mac = a->options.destination;
	int option, n_mac = 0;

	while ((option = getopt(argc, argv, "i:d:f:o:n:u:6:r:t:s")) != -1) {
		uint64_t number = optarg ? strtoull(optarg, NULL, 10) : 0;

		switch (option) {
		case 'i':
			a->options.ifindex = if_nametoindex(optarg);
			break;
		case 'd':
			n_mac = sscanf(optarg, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1,
				       mac + 2, mac + 3, mac + 4, mac + 5);
			break;
		case 'f':
			a->options.flows = (uint32_t)number;
			break;
		case 's':
			a->options.is_syn = true;
			break;
		case 'o':
			a->options.first_flow = (uint32_t)number;
			break;
		case 'n':
			a->packets = number;
			break;
		case 'u':
			a->options.udp_percent = (uint32_t)number;
			break;
		case '6':
			a->options.ipv6_percent = (uint32_t)number;
			break;
		case 'r':
			a->options.rate_pps = number;
			break;
		case 't':
			a->seconds = number;
			break;
		default:
			return usage();
		}
	}
	if (!a->options.ifindex || n_mac != 6 || !a->options.flows || !(a->packets || a->seconds))
		return usage();
	return 0;
}

/* In steps short enough to end in time. */
static int send_all(struct livegen *g, const struct arguments *a, struct livegen_sent *sent)
{
	uint64_t step = a->options.rate_pps ? a->options.rate_pps / 4 + 1 : 1000000;
	uint64_t deadline =
		a->seconds ? clock_monotonic_ns() + a->seconds * 1000000000ULL : UINT64_MAX;
	uint64_t left = a->packets ? a->packets : UINT64_MAX;
	int err = 0;

	while (left && !err && clock_monotonic_ns() < deadline) {
		uint64_t some = !a->seconds || left < step ? left : step;

		err = livegen_send(g, some, sent);
		left -= some;
	}
	return err;
}

int main(int argc, char **argv)
{
	struct arguments a = {.options.flows = 1};
	struct livegen_sent sent = {};
	struct livegen *g;
	int err;

	if (arguments_parse(&a, argc, argv))
		return 2;
	err = livegen_open(&g, &a.options);
	if (err)
		return 1;
	err = send_all(g, &a, &sent);
	livegen_close(g);
	printf("{\"packets\":%llu,\"ip_octets\":%llu,\"frame_octets\":%llu,\"pps\":%llu}\n",
	       (unsigned long long)sent.packets, (unsigned long long)sent.ip_octets,
	       (unsigned long long)sent.frame_octets,
	       (unsigned long long)(sent.took_ns ? sent.packets * 1000000000.0 / sent.took_ns : 0));
	return err ? 1 : 0;
}
