/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capture files. All reading goes through one buffer: our reader for classic
 * pcap works in it, and libpcap gets it as a stream, so that standard input
 * needs no seeking after the first octets told which of them it is.
 *
 * A classic pcap file (draft-ietf-opsawg-pcap):
 *   magic 4 | major 2 | minor 2 | zone 4 | accuracy 4 | snaplen 4 | link type 4
 *   per packet: seconds 4 | fraction 4 | captured 4 | on the wire 4 | data
 */
#include "probe/capture.h"

#include <arpa/inet.h>
#include <byteswap.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/log.h"

#define BUFFER_OCTETS	     (512u * 1024)
#define FILE_HEADER_OCTETS   24u
#define PACKET_HEADER_OCTETS 16u
#define MAX_PACKET_OCTETS    262144u /* libpcap's MAXIMUM_SNAPLEN: more is damage */
#define MAGIC_US	     0xa1b2c3d4u
#define MAGIC_NS	     0xa1b23c4du
#define VERSION_MAJOR	     2
#define VERSION_MINOR	     4 /* older ones differ in the packet header */
#define LINK_TYPE_MASK	     0x03ffffffu /* above: length of the checksum */

/*
 * Link types as they stand in files and, where libpcap renumbers them, as it
 * returns them (DLT_RAW is 12 there, 101 in files; 14 is OpenBSD's).
 */
static const struct {
	int type;
	enum capture_link link;
} link_types[] = {
	{1, CAPTURE_ETHERNET}, {12, CAPTURE_RAW_IP}, {14, CAPTURE_RAW_IP},  {101, CAPTURE_RAW_IP},
	{228, CAPTURE_IPV4},   {229, CAPTURE_IPV6},  {113, CAPTURE_COOKED}, {276, CAPTURE_COOKED2},
	{0, CAPTURE_NULL},     {108, CAPTURE_LOOP},
};

static const char supported[] = "Ethernet, raw IP, Linux cooked v1 and v2, BSD loopback";

static int find_link(struct capture *c, int type)
{
	const char *name = pcap_datalink_val_to_name(type);

	for (size_t i = 0; i < sizeof(link_types) / sizeof(*link_types); i++) {
		if (link_types[i].type == type) {
			c->link = link_types[i].link;
			return 0;
		}
	}
	log_error("read %s: its link type %d (%s) is not supported (supported: %s)", c->name, type,
		  name ? name : "unknown", supported);
	return -EPROTONOSUPPORT;
}

/* Read until the buffer holds `octets` unread ones; less at the end of the file. */
static size_t fill_buffer(struct capture *c, size_t octets)
{
	memmove(c->buffer, c->buffer + c->start, c->end - c->start);
	c->end -= c->start;
	c->start = 0;
	while (c->end < octets) {
		ssize_t n = read(c->fd, c->buffer + c->end, BUFFER_OCTETS - c->end);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			c->read_error = -errno;
		if (n <= 0)
			break;
		c->end += (size_t)n;
	}
	return c->end;
}

static inline size_t have_octets(struct capture *c, size_t octets)
{
	size_t unread = c->end - c->start;

	return unread >= octets ? unread : fill_buffer(c, octets);
}

static inline uint32_t load_u32(const struct capture *c, const uint8_t *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return c->is_swapped ? bswap_32(value) : value;
}

static inline uint16_t load_u16(const struct capture *c, const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return c->is_swapped ? bswap_16(value) : value;
}

/* True when the file starts as a pcap file of version 2.4 in either byte order. */
static bool is_classic(struct capture *c)
{
	if (have_octets(c, FILE_HEADER_OCTETS) < FILE_HEADER_OCTETS)
		return false;
	for (int swapped = 0; swapped < 2; swapped++) {
		c->is_swapped = swapped;
		uint32_t magic = load_u32(c, c->buffer);

		c->fraction_ns = magic == MAGIC_NS ? 1 : 1000;
		if (magic == MAGIC_US || magic == MAGIC_NS)
			return load_u16(c, c->buffer + 4) == VERSION_MAJOR &&
			       load_u16(c, c->buffer + 6) == VERSION_MINOR;
	}
	return false;
}

static ssize_t read_stream(void *cookie, char *to, size_t size)
{
	struct capture *c = cookie;
	size_t unread = have_octets(c, 1);

	if (!unread && c->read_error) {
		errno = -c->read_error;
		return -1;
	}
	if (size > unread)
		size = unread;
	memcpy(to, c->buffer + c->start, size);
	c->start += size;
	return (ssize_t)size;
}

static int open_pcap(struct capture *c)
{
	FILE *stream = fopencookie(c, "r", (cookie_io_functions_t){.read = read_stream});
	char reason[PCAP_ERRBUF_SIZE];

	if (!stream)
		return log_errno(-errno, "read %s", c->name);
	c->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO,
							   reason);
	if (!c->pcap) {
		fclose(stream);
		log_error("read %s: not a capture file that can be read: %s", c->name, reason);
		return c->read_error ? c->read_error : -EBADMSG;
	}
	return find_link(c, pcap_datalink(c->pcap));
}

static int open_reader(struct capture *c)
{
	if (!is_classic(c)) {
		c->is_swapped = false;
		return open_pcap(c);
	}
	c->start = FILE_HEADER_OCTETS;
	return find_link(c, (int)(load_u32(c, c->buffer + 20) & LINK_TYPE_MASK));
}

int capture_open(struct capture *c, const char *path)
{
	bool is_stdin = !strcmp(path, "-");
	struct capture opened = {.fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)};
	int err;

	if (opened.fd < 0)
		return log_errno(-errno, "open capture file %s", path);
	*c = opened;
	c->name = strdup(is_stdin ? "standard input" : path);
	c->buffer = malloc(BUFFER_OCTETS);
	err = c->name && c->buffer ? open_reader(c) : -ENOMEM;
	if (err)
		capture_close(c);
	return err;
}

/* The rest of the file cannot be used: say so once; for the caller it is the end. */
static int end_damaged(struct capture *c, const char *reason)
{
	c->is_damaged = true;
	c->start = c->end;
	log_warning("read %s: damaged after %llu packets, the rest is ignored: %s", c->name,
		    (unsigned long long)c->packets, reason);
	return 0;
}

static int end_short(struct capture *c, size_t unread)
{
	if (c->read_error)
		return log_errno(c->read_error, "read %s", c->name);
	return unread ? end_damaged(c, "the file ends inside a packet") : 0;
}

static int next_classic(struct capture *c, struct capture_packet *p)
{
	size_t unread = have_octets(c, PACKET_HEADER_OCTETS);
	const uint8_t *header = c->buffer + c->start;

	if (unread < PACKET_HEADER_OCTETS)
		return end_short(c, unread);
	uint32_t captured = load_u32(c, header + 8);

	if (captured > MAX_PACKET_OCTETS)
		return end_damaged(c, "a packet claims to be longer than 262144 octets");
	unread = have_octets(c, PACKET_HEADER_OCTETS + captured);
	if (unread < PACKET_HEADER_OCTETS + captured)
		return end_short(c, unread);
	header = c->buffer + c->start;
	c->start += PACKET_HEADER_OCTETS + captured;
	p->data = header + PACKET_HEADER_OCTETS;
	p->captured_octets = captured;
	p->wire_octets = load_u32(c, header + 12);
	p->time_ns = load_u32(c, header) * 1000000000ull +
		     (uint64_t)load_u32(c, header + 4) * c->fraction_ns;
	return 1;
}

static int next_pcap(struct capture *c, struct capture_packet *p)
{
	struct pcap_pkthdr *header;
	int got = pcap_next_ex(c->pcap, &header, &p->data);

	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1 && c->read_error)
		return log_errno(c->read_error, "read %s", c->name);
	if (got != 1)
		return end_damaged(c, pcap_geterr(c->pcap));
	p->captured_octets = header->caplen;
	p->wire_octets = header->len;
	p->time_ns = (uint64_t)header->ts.tv_sec * 1000000000ull + (uint64_t)header->ts.tv_usec;
	return 1;
}

int capture_next(struct capture *c, struct capture_packet *p)
{
	if (c->is_damaged)
		return 0;
	int got = c->pcap ? next_pcap(c, p) : next_classic(c, p);

	if (got != 1)
		return got;
	p->link = c->link;
	if (p->wire_octets < p->captured_octets)
		p->wire_octets = p->captured_octets;
	c->packets++;
	c->times_backwards += p->time_ns < c->last_time_ns;
	c->last_time_ns = p->time_ns;
	return 1;
}

void capture_close(struct capture *c)
{
	if (!c->name && !c->buffer)
		return;
	if (c->pcap)
		pcap_close(c->pcap);
	if (c->fd != STDIN_FILENO)
		close(c->fd);
	free(c->name);
	free(c->buffer);
	*c = (struct capture){0};
}

static uint16_t load_be16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* AF_INET6 differs between systems: Linux 10, NetBSD 24, FreeBSD 28, Darwin 30. */
static uint16_t ethertype_of_family(uint32_t family)
{
	switch (family) {
	case 2:
		return ETH_P_IP;
	case 10:
	case 24:
	case 28:
	case 30:
		return ETH_P_IPV6;
	default:
		return 0;
	}
}

/* No family is above 255, so a value that is was written in the other byte order. */
static uint16_t ethertype_of_null(const uint8_t *data)
{
	uint32_t family;

	memcpy(&family, data, sizeof(family));
	return ethertype_of_family(family > 0xffff ? bswap_32(family) : family);
}

/* Octets of the link header, which is all that is read here; raw IP needs its first octet. */
static uint32_t link_header_octets(enum capture_link link)
{
	static const uint32_t octets[] = {
		[CAPTURE_COOKED] = 16,
		[CAPTURE_COOKED2] = 20,
		[CAPTURE_NULL] = 4,
		[CAPTURE_LOOP] = 4,
	};

	return octets[link];
}

int capture_network_header(const struct capture_packet *p, uint16_t *ethertype, uint32_t *offset)
{
	if (p->link == CAPTURE_ETHERNET)
		return -EINVAL;
	uint32_t octets = link_header_octets(p->link);

	if (p->captured_octets < octets || !p->captured_octets)
		return -ENODATA;
	switch (p->link) {
	case CAPTURE_IPV4:
		*ethertype = ETH_P_IP;
		break;
	case CAPTURE_IPV6:
		*ethertype = ETH_P_IPV6;
		break;
	case CAPTURE_COOKED:
		*ethertype = load_be16(p->data + 14);
		break;
	case CAPTURE_COOKED2:
		*ethertype = load_be16(p->data);
		break;
	case CAPTURE_NULL:
		*ethertype = ethertype_of_null(p->data);
		break;
	case CAPTURE_LOOP:
		*ethertype = ethertype_of_family((uint32_t)load_be16(p->data) << 16 |
						 load_be16(p->data + 2));
		break;
	default:
		*ethertype = p->data[0] >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
	}
	*offset = octets;
	return 0;
}
