/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the project's own captures. See capture_set.h.
 */
#include "tests/lib/capture_set.h"

#include <errno.h>
#include <pcap/dlt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/conversation.h"
#include "tests/lib/fragment_cases.h"
#include "tests/lib/parse_cases.h"
#include "tests/lib/pcap_file.h"

#define START_NS     1700000000123456789ULL
#define STEP_NS	     1000000007ULL
#define CASE_NS	     60000000000ULL /* between cases that share identifications */
#define LINK_MAX     20
#define ROUNDS	     8
#define AF_INET6_BSD 30 /* of macOS, which writes most files of this kind */

static struct pkt_builder b;

/* What precedes the IP header, and which families may follow. */
struct link_kind {
	const char *name;
	size_t octets;
	int link_type;
	uint8_t ipv4[LINK_MAX];
	uint8_t ipv6[LINK_MAX];
	bool is_ipv4_only, is_ipv6_only;
};

static const struct link_kind kinds[] = {
	{.name = "raw", .link_type = DLT_RAW},
	{.name = "ipv4", .link_type = DLT_IPV4, .is_ipv4_only = true},
	{.name = "ipv6", .link_type = DLT_IPV6, .is_ipv6_only = true},
	{.name = "cooked",
	 .link_type = DLT_LINUX_SLL,
	 .octets = 16,
	 .ipv4 = {[3] = 1, [5] = 6, [6] = 2, [11] = 1, [14] = 0x08},
	 .ipv6 = {[3] = 1, [5] = 6, [6] = 2, [11] = 1, [14] = 0x86, 0xdd}},
	{.name = "cooked2",
	 .link_type = DLT_LINUX_SLL2,
	 .octets = 20,
	 .ipv4 = {0x08, 0, [7] = 1, [9] = 1, [11] = 6, [12] = 2},
	 .ipv6 = {0x86, 0xdd, [7] = 1, [9] = 1, [11] = 6, [12] = 2}},
	{.name = "null", .link_type = DLT_NULL, .octets = 4, .ipv4 = {2}, .ipv6 = {AF_INET6_BSD}},
	{.name = "loop",
	 .link_type = DLT_LOOP,
	 .octets = 4,
	 .ipv4 = {[3] = 2},
	 .ipv6 = {[3] = AF_INET6_BSD}},
	{.name = "refused-wlan", .link_type = DLT_IEEE802_11},
	{.name = "refused-ppp", .link_type = DLT_PPP},
};

static void build_ip(bool is_ipv6, unsigned int i)
{
	pkt_init(&b);
	if (is_ipv6)
		pkt_ipv6(&b, CASE_SOURCE6, CASE_DESTINATION6);
	else
		pkt_ipv4(&b, CASE_SOURCE4, CASE_DESTINATION4);
	if (i % 3 == 0)
		pkt_tcp(&b, 1234, 80, PKT_SYN);
	else
		pkt_udp(&b, 1234, (uint16_t)(53 + i));
	pkt_payload(&b, 10 * i);
	pkt_finish(&b);
}

static void add_ip(struct pcap_file *f, const struct link_kind *kind, bool is_ipv6, unsigned int i)
{
	static uint8_t packet[LINK_MAX + 2048];

	build_ip(is_ipv6, i);
	memcpy(packet, is_ipv6 ? kind->ipv6 : kind->ipv4, kind->octets);
	memcpy(packet + kind->octets, b.data, b.len);
	pcap_file_add(f, START_NS + i * STEP_NS, packet, kind->octets + b.len, 0);
}

static int write_kind(const char *folder, const struct link_kind *kind)
{
	struct pcap_file f = {};
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.pcap", folder, kind->name);
	if (pcap_file_open(&f, path, kind->link_type, false))
		return -EIO;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (!kind->is_ipv6_only)
			add_ip(&f, kind, false, i);
		if (!kind->is_ipv4_only)
			add_ip(&f, kind, true, i);
	}
	return pcap_file_close(&f);
}

/* Call add(arg, time) with every frame of the table of packets in b. */
static void each_frame(void (*add)(void *arg, uint64_t time_ns), void *arg)
{
	static const struct parse_case *const tables[] = {
		parse_cases_link,	  parse_cases_session,	 parse_cases_ipv4,
		parse_cases_ipv6,	  parse_cases_transport, parse_cases_tunnel,
		parse_cases_tunnel_closed};
	uint64_t time_ns = START_NS;

	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		for (const struct parse_case *c = tables[t]; c->name; c++) {
			for (unsigned int i = 0; i < c->n_packets || !i; i++) {
				c->build(&b, i);
				add(arg, time_ns);
				time_ns += STEP_NS;
			}
		}
	}
}

static void add_pcap(void *f, uint64_t time_ns)
{
	pcap_file_add(f, time_ns, b.data, b.len, 0);
}

static int write_ethernet(const char *folder, bool is_nano)
{
	struct pcap_file f = {};
	char path[4096];

	snprintf(path, sizeof(path), "%s/ethernet%s.pcap", folder, is_nano ? "-ns" : "");
	if (pcap_file_open(&f, path, DLT_EN10MB, is_nano))
		return -EIO;
	each_frame(add_pcap, &f);
	return pcap_file_close(&f);
}

/* The table of fragments, each case at its own times. */
static int write_fragments(const char *folder)
{
	struct pcap_file f = {};
	char path[4096];

	snprintf(path, sizeof(path), "%s/fragments.pcap", folder);
	if (pcap_file_open(&f, path, DLT_EN10MB, true))
		return -EIO;
	for (unsigned int n = 0; fragment_cases[n].name; n++) {
		const struct fragment_case *c = &fragment_cases[n];

		for (unsigned int i = 0; fragment_case_build(c, i, &b); i++)
			pcap_file_add(&f, START_NS + n * CASE_NS + c->step[i].at_ns, b.data, b.len,
				      0);
	}
	return pcap_file_close(&f);
}

/* One Enhanced Packet Block of the pcapng format, times in nanoseconds. */
static void add_pcapng(void *file, uint64_t time_ns)
{
	static const uint8_t padding[4];
	uint32_t rest = (uint32_t)(-b.len & 3), octets = (uint32_t)(32 + b.len + rest);
	uint32_t block[] = {6,
			    octets,
			    0,
			    (uint32_t)(time_ns >> 32),
			    (uint32_t)time_ns,
			    (uint32_t)b.len,
			    (uint32_t)b.len};

	fwrite(block, sizeof(block), 1, file);
	fwrite(b.data, 1, b.len, file);
	fwrite(padding, 1, rest, file);
	fwrite(&octets, sizeof(octets), 1, file);
}

static int write_pcapng(const char *folder)
{
	/* Section Header; Interface Description: Ethernet, any length, if_tsresol 10^-9 */
	static const uint32_t head[] = {0x0a0d0d0a, 28, 0x1a2b3c4d,   1, ~0u, ~0u, 28, 1, 32,
					DLT_EN10MB, 0,	1u << 16 | 9, 9, 0,   32};
	char path[4096];
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "%s/ethernet.pcapng", folder);
	file = fopen(path, "w");
	if (!file)
		return -EIO;
	fwrite(head, sizeof(head), 1, file);
	each_frame(add_pcapng, file);
	err = ferror(file) ? -EIO : 0;
	return fclose(file) ? -EIO : err;
}

/* ROUNDS - 1 whole packets and the beginning of one more. */
static int write_cut(const char *folder)
{
	struct pcap_file f = {};
	char path[4096];

	snprintf(path, sizeof(path), "%s/cut.pcap", folder);
	if (pcap_file_open(&f, path, DLT_RAW, false))
		return -EIO;
	for (unsigned int i = 0; i < ROUNDS; i++)
		add_ip(&f, &kinds[0], false, i);
	if (pcap_file_close(&f))
		return -EIO;
	return truncate(path, (off_t)(24 + ROUNDS * (16 + 28) + 10 * ROUNDS * (ROUNDS - 1) / 2 +
				      12 * ((ROUNDS + 2) / 3) - 5))
		       ? -EIO
		       : 0;
}

static void add_frame(void *f, const struct pkt_builder *frame, uint64_t time_ns)
{
	pcap_file_add(f, time_ns, frame->data, frame->len, 0);
}

static int write_conversations(const char *folder)
{
	struct pcap_file f = {};
	char path[4096];

	snprintf(path, sizeof(path), "%s/conversations.pcap", folder);
	if (pcap_file_open(&f, path, DLT_EN10MB, true))
		return -EIO;
	conversation_each(false, START_NS, add_frame, &f);
	conversation_each(true, START_NS + STEP_NS, add_frame, &f);
	return pcap_file_close(&f);
}

int capture_set_write(const char *folder)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !err; i++)
		err = write_kind(folder, &kinds[i]);
	if (!err)
		err = write_ethernet(folder, false);
	if (!err)
		err = write_ethernet(folder, true);
	if (!err)
		err = write_pcapng(folder);
	if (!err)
		err = write_fragments(folder);
	if (!err)
		err = write_conversations(folder);
	return err ? err : write_cut(folder);
}
