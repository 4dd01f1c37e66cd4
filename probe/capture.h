/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads capture files: pcap and pcapng, micro- and nanoseconds, from a path or
 * from standard input. Ordinary pcap files are read by our own buffered reader,
 * since libpcap's two fread() per packet cost more than the Flow Cache does;
 * everything else goes through libpcap.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcap;

/* What a packet starts with. */
enum capture_link {
	CAPTURE_ETHERNET,
	CAPTURE_RAW_IP, /* an IPv4 or IPv6 header, by its version         */
	CAPTURE_IPV4,
	CAPTURE_IPV6,
	CAPTURE_COOKED, /* Linux "any" device, 16 octets                  */
	CAPTURE_COOKED2, /* its second version, 20 octets                  */
	CAPTURE_NULL, /* BSD loopback: address family, writer's order   */
	CAPTURE_LOOP, /* OpenBSD loopback: address family, network order */
};

struct capture_packet {
	const uint8_t *data; /* the capture's; valid until the next call       */
	uint32_t captured_octets; /* at data                                        */
	uint32_t wire_octets; /* as long as it was; never below captured_octets */
	uint64_t time_ns; /* Unix time                                      */
	enum capture_link link;
};

/* A zeroed one is closed; an open one stays where it is. */
struct capture {
	char *name; /* for messages                                      */
	uint8_t *buffer; /* read ahead from fd; NULL when closed              */
	size_t start, end; /* unread part of buffer                             */
	int fd;
	int read_error; /* negative errno of the last read, 0 = none         */
	bool is_swapped; /* pcap header of the other byte order               */
	uint32_t fraction_ns; /* unit of the time stamp's fraction: 1 or 1000      */
	struct pcap *pcap; /* libpcap's reader, NULL when ours is used          */
	enum capture_link link;
	uint64_t packets; /* delivered                                         */
	uint64_t times_backwards; /* packets older than the one before               */
	uint64_t last_time_ns;
	bool is_damaged; /* the file ended inside a packet or made no sense   */
};

/*
 * Open a capture file; "-" is standard input. A link type that is not in enum
 * capture_link is refused.
 *
 * Returns 0, or printed: -errno of opening and reading, -EBADMSG for what is no
 * capture file, -EPROTONOSUPPORT for a link type.
 */
int capture_open(struct capture *c, const char *path);

/*
 * Give the next packet.
 *
 * Returns 1 with *p, 0 at the end of the file, -errno when reading failed. A
 * damaged rest (cut off inside a packet, impossible lengths) is the end too:
 * it is printed once and is_damaged is set.
 * Cost: about 20 ns per small packet of a pcap file, 100 ns of a pcapng file.
 */
int capture_next(struct capture *c, struct capture_packet *p);

/*
 * Find the network layer of a packet that is not Ethernet.
 *
 * ethertype  host order; 0 for an address family that is not IP. A raw packet
 *            that is not version 6 is called IPv4: its header tells the rest
 * offset     octets in front of the network header
 *
 * Returns 0, -ENODATA when the packet ends inside the link header, or -EINVAL
 * for an Ethernet frame.
 */
int capture_network_header(const struct capture_packet *p, uint16_t *ethertype, uint32_t *offset);

void capture_close(struct capture *c);
