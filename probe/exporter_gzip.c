/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Raw deflate data with a flush behind each Message, and header and trailer of gzip
 * around it made here: after a write that failed the compressor's state is ahead of
 * the file, so that member is closed where the file stands and a new one begun, as
 * RFC 1952 2.2 allows.
 */
#include "probe/exporter_gzip.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "probe/exporter_channel.h"

#define HEADER_OCTETS  10
#define TRAILER_OCTETS 10 /* an empty last block, CRC32 and length */
#define LEAD_MAX       (TRAILER_OCTETS + HEADER_OCTETS)
#define LEVEL	       1 /* half the time of 6, for files a twentieth larger */

struct gzip {
	z_stream z;
	uint32_t crc; /* of what the member in the file holds */
	uint32_t length; /* of that, modulo 2^32 */
	size_t lead_octets; /* at the start of packed[], to be written before what comes next */
	uint8_t packed[LEAD_MAX + GZIP_MESSAGE_MAX + GZIP_MESSAGE_MAX / 8 + 64];
};

static void put_header(struct gzip *g)
{
	static const uint8_t header[HEADER_OCTETS] = {0x1f, 0x8b, Z_DEFLATED, 0, 0, 0, 0, 0, 0, 3};

	memcpy(g->packed + g->lead_octets, header, sizeof(header));
	g->lead_octets += sizeof(header);
	g->crc = (uint32_t)crc32(0, NULL, 0);
	g->length = 0;
}

static void put_trailer(const struct gzip *g, uint8_t out[static TRAILER_OCTETS])
{
	uint32_t le[2] = {htole32(g->crc), htole32(g->length)};

	out[0] = 0x03; /* a block of the fixed code, the last one, with nothing in it */
	out[1] = 0x00;
	memcpy(out + 2, le, sizeof(le));
}

int gzip_open(struct gzip **out)
{
	struct gzip *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	if (deflateInit2(&g->z, LEVEL, Z_DEFLATED, -MAX_WBITS, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY)) {
		free(g);
		return -ENOMEM;
	}
	put_header(g);
	*out = g;
	return 0;
}

/* The file has nothing of what was compressed last. */
static void begin_again(struct gzip *g)
{
	deflateReset(&g->z);
	if (g->lead_octets)
		return; /* and nothing of a member */
	put_trailer(g, g->packed);
	g->lead_octets = TRAILER_OCTETS;
	put_header(g);
}

int gzip_write(struct gzip *g, int fd, const uint8_t *message, size_t octets)
{
	union {
		const uint8_t *data;
		uint8_t *as_zlib; /* which does not write to it */
	} in = {.data = message};

	if (octets > GZIP_MESSAGE_MAX)
		return -EMSGSIZE;
	g->z.next_in = in.as_zlib;
	g->z.avail_in = (uInt)octets;
	g->z.next_out = g->packed + g->lead_octets;
	g->z.avail_out = (uInt)(sizeof(g->packed) - g->lead_octets);
	deflate(&g->z, Z_SYNC_FLUSH);
	int n = channel_write_file(fd, g->packed, (size_t)(g->z.next_out - g->packed));

	if (n < 0) {
		begin_again(g);
		return n;
	}
	g->lead_octets = 0;
	g->crc = (uint32_t)crc32(g->crc, message, (uInt)octets);
	g->length += (uint32_t)octets;
	return (int)octets;
}

int gzip_end(struct gzip *g, int fd)
{
	if (!g->lead_octets) {
		put_trailer(g, g->packed);
		g->lead_octets = TRAILER_OCTETS + HEADER_OCTETS;
	}
	/* the header is that of a member that does not come */
	size_t octets = g->lead_octets - HEADER_OCTETS;
	int n = octets ? channel_write_file(fd, g->packed, octets) : 0;

	return n < 0 ? n : 0;
}

void gzip_close(struct gzip *g)
{
	if (!g)
		return;
	deflateEnd(&g->z);
	free(g);
}
