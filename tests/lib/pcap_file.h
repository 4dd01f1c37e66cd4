/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes packets to a pcap file for tests, through libpcap.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed is closed. */
struct pcap_file {
	struct pcap *pcap;
	struct pcap_dumper *dumper;
	bool is_nano;
};

/*
 * Create path, emptying it if it is there. link_type is one of libpcap's DLT_
 * numbers; is_nano chooses nanoseconds over microseconds. Returns 0 or -EIO.
 */
int pcap_file_open(struct pcap_file *f, const char *path, int link_type, bool is_nano);

/* Append a packet of len captured octets, wire_len on the wire (0: the same). */
void pcap_file_add(struct pcap_file *f, uint64_t time_ns, const void *data, size_t len,
		   size_t wire_len);

/* Flush and close; idempotent. Returns 0 or -EIO if not everything was written. */
int pcap_file_close(struct pcap_file *f);
