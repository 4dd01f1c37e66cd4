/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes packets to a pcap file for tests, through libpcap.
 */
#include "tests/lib/pcap_file.h"

#include <errno.h>
#include <pcap/pcap.h>

#include "tests/lib/pkt.h"

#define NS_PER_S 1000000000ULL

int pcap_file_open(struct pcap_file *f, const char *path, int link_type, bool is_nano)
{
	struct pcap_file opened = {.is_nano = is_nano};

	opened.pcap = pcap_open_dead_with_tstamp_precision(link_type, PKT_MAX_OCTETS,
							   is_nano ? PCAP_TSTAMP_PRECISION_NANO
								   : PCAP_TSTAMP_PRECISION_MICRO);
	if (!opened.pcap)
		return -EIO;
	opened.dumper = pcap_dump_open(opened.pcap, path);
	if (!opened.dumper) {
		pcap_close(opened.pcap);
		return -EIO;
	}
	*f = opened;
	return 0;
}

void pcap_file_add(struct pcap_file *f, uint64_t time_ns, const void *data, size_t len,
		   size_t wire_len)
{
	struct pcap_pkthdr header = {
		.ts.tv_sec = time_ns / NS_PER_S,
		.ts.tv_usec = time_ns % NS_PER_S / (f->is_nano ? 1 : 1000),
		.caplen = len,
		.len = wire_len ? wire_len : len,
	};

	pcap_dump((u_char *)f->dumper, &header, data);
}

int pcap_file_close(struct pcap_file *f)
{
	int err = 0;

	if (!f->pcap)
		return 0;
	if (pcap_dump_flush(f->dumper) != 0)
		err = -EIO;
	pcap_dump_close(f->dumper);
	pcap_close(f->pcap);
	*f = (struct pcap_file){0};
	return err;
}
