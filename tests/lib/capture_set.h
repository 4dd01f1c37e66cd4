/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The project's own captures: one file per link type the probe reads, two that
 * it refuses, and the forms of the file format.
 */
#pragma once

/*
 * Write the files into a folder that is there. All of one stem hold the same
 * IP packets: of Ethernet, the whole table of tests/lib/parse_cases.h.
 *
 *	ethernet.pcap ethernet-ns.pcap ethernet.pcapng raw.pcap ipv4.pcap
 *	ipv6.pcap cooked.pcap cooked2.pcap null.pcap loop.pcap
 *	fragments.pcap      the table of tests/lib/fragment_cases.h, a case a minute
 *	conversations.pcap  both directions, tests/lib/conversation.h
 *	cut.pcap            ends inside its last packet
 *	refused-wlan.pcap refused-ppp.pcap
 *
 * Returns 0 or -EIO.
 */
int capture_set_write(const char *folder);
