/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * make_seeds FOLDER [CAPTURES]: write what the fuzzers begin with, one input a
 * file, below FOLDER/TARGET/. CAPTURES is a folder of further capture files, of
 * which the first packets are taken.
 */
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "probe/log.h"
#include "tests/lib/capture_set.h"
#include "tests/lib/fuzz_frames.h"
#include "tests/lib/message_fixture.h"
#include "tests/lib/parse_cases.h"

#define PACKETS_PER_FILE 50 /* of one capture */
#define PACKET_OCTETS	 1000 /* longer ones begin no input */
#define FILE_OCTETS	 16384 /* longer files neither */
#define FULL_BUCKET	 20 /* Flows; two buckets that are one hold sixteen */

static const char *folder; /* FOLDER */
static unsigned int n_seeds;

static void write_seed(const char *target, const void *octets, size_t n)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, target);
	mkdir(path, 0777);
	snprintf(path, sizeof(path), "%s/%s/%06u", folder, target, n_seeds++);
	file = fopen(path, "w");
	if (!file || fwrite(octets, 1, n, file) != n || fclose(file)) {
		perror(path);
		exit(1);
	}
}

/* Packets of one input. */
static struct {
	uint8_t octets[4096];
	size_t n;
} frames;

static void add_frame(enum capture_link link, const uint8_t *data, size_t n, uint32_t cut)
{
	const struct capture_packet p = {.data = data,
					 .captured_octets = (uint32_t)n,
					 .wire_octets = (uint32_t)n + cut,
					 .link = link};

	if (frames.n + FUZZ_HEAD_OCTETS + n <= sizeof(frames.octets))
		frames.n += fuzz_frame_put(frames.octets + frames.n, &p);
}

static void write_frames(void)
{
	if (frames.n)
		write_seed("meter", frames.octets, frames.n);
	frames.n = 0;
}

/* Every case as it is, its packets in a row, and without Ethernet where it has one. */
static void write_cases(const struct parse_case *c)
{
	static struct pkt_builder b;

	for (; c->name; c++) {
		for (unsigned int i = 0; i < c->n_packets || !i; i++) {
			c->build(&b, i);
			if (b.len <= PACKET_OCTETS)
				add_frame(CAPTURE_ETHERNET, b.data, b.len, 0);
		}
		write_frames();
		if (b.len <= ETH_HLEN || b.len > PACKET_OCTETS)
			continue;
		add_frame(CAPTURE_RAW_IP, b.data + ETH_HLEN, b.len - ETH_HLEN, 0);
		write_frames();
		add_frame(CAPTURE_ETHERNET, b.data, ETH_HLEN + (b.len - ETH_HLEN) / 2,
			  (uint32_t)(b.len / 2));
		write_frames();
	}
}

static void write_full_bucket(void)
{
	static struct pkt_builder b;

	for (uint16_t i = 0; i < FULL_BUCKET; i++) {
		case_start4(&b);
		pkt_udp(&b, i, 53);
		pkt_finish(&b);
		add_frame(CAPTURE_ETHERNET, b.data, b.len, 0);
	}
	write_frames();
}

/* The first packets of a capture for the Metering Process, each an input. */
static void write_packets(const char *path)
{
	struct capture capture = {};
	struct capture_packet p;

	if (capture_open(&capture, path))
		return;
	while (capture.packets < PACKETS_PER_FILE && capture_next(&capture, &p) > 0) {
		if (p.captured_octets > PACKET_OCTETS)
			continue;
		add_frame(p.link, p.data, p.captured_octets, p.wire_octets - p.captured_octets);
		write_frames();
	}
	capture_close(&capture);
}

static void write_file(const char *target, const char *path)
{
	static uint8_t octets[FILE_OCTETS + 1];
	FILE *file = fopen(path, "r");
	size_t n = file ? fread(octets, 1, sizeof(octets), file) : 0;

	if (n <= FILE_OCTETS)
		write_seed(target, octets, n);
	if (file)
		fclose(file);
}

static int write_capture(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (kind == FTW_F) {
		write_packets(path);
		write_file("capture", path);
	}
	return 0;
}

static void write_texts(void)
{
	static const char *const filters[] = {
		"",
		"proto tcp and port 443",
		"src host 10.1.2.3 dst net 192.0.2.0/24",
		"not net 2001:db8::/32 ipv6",
		"vlan 7 packets >= 10 octets < 18446744073709551615",
		"state established not state reset",
		"src port 53 octets > 1 packets <= 3 octets = 80 ipv4",
	};
	static const char *const requests[] = {"status",	 "ledger",	 "top",
					       "top flows 1000", "top hosts 10", "top ports"};
	char text[256];

	for (size_t i = 0; i < sizeof(filters) / sizeof(*filters); i++) {
		write_seed("filter", filters[i], strlen(filters[i]));
		snprintf(text, sizeof(text), "flows %s", filters[i]);
		write_seed("control", text, strlen(text));
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
		write_seed("control", requests[i], strlen(requests[i]));
}

/* A Message by datagram, stream and file, decoded and only counted. */
static void write_message(struct builder *message)
{
	uint8_t seed[1 + sizeof(message->octets)];

	patch_length(message, 2, message->len);
	memcpy(seed + 1, message->octets, message->len);
	for (uint8_t how = 0; how < 3; how++) {
		seed[0] = how;
		write_seed("message", seed, 1 + message->len);
		seed[0] = 0x80 + how;
		write_seed("message", seed, 1 + message->len);
	}
}

static void write_messages(void)
{
	struct builder b;

	begin_message(&b, 0);
	add_template(&b);
	add_records(&b, 2);
	write_message(&b);

	/* an Options Template, a variable-length element of an enterprise, a withdrawal */
	begin_message(&b, 0);
	begin_set(&b, 3);
	put(&b, TEMPLATE_ID << 16 | 2, 4);
	put(&b, 1, 2);
	put(&b, 149 << 16 | 4, 4);
	put(&b, (0x8000u | 1) << 16 | 65535, 4);
	put(&b, 29305, 4);
	end_set(&b);
	begin_set(&b, TEMPLATE_ID);
	put(&b, DOMAIN, 4);
	put(&b, 0x02aabb, 3);
	end_set(&b);
	begin_set(&b, 2);
	put(&b, TEMPLATE_ID << 16, 4);
	end_set(&b);
	write_message(&b);
}

int main(int argc, char *argv[])
{
	char own[4096];

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: make_seeds FOLDER [CAPTURES]\n");
		return 2;
	}
	log_setup(LOG_ERROR, false);
	folder = argv[1];
	snprintf(own, sizeof(own), "%s/own-captures", folder);
	if ((mkdir(folder, 0777) && errno != EEXIST) || (mkdir(own, 0777) && errno != EEXIST) ||
	    capture_set_write(own)) {
		perror(folder);
		return 1;
	}
	write_cases(parse_cases_link);
	write_cases(parse_cases_ipv4);
	write_cases(parse_cases_ipv6);
	write_cases(parse_cases_transport);
	write_full_bucket();
	write_texts();
	write_file("config", "conf/xflow.yaml");
	write_messages();
	if (nftw(own, write_capture, 16, FTW_PHYS))
		return 1;
	return argc == 3 && nftw(argv[2], write_capture, 16, FTW_PHYS) ? 1 : 0;
}
