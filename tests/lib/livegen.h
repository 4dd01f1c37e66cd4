/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packet generator without a driver: BPF_F_TEST_XDP_LIVE_FRAMES, redirected out
 * of one end of a veth pair, millions of packets a second from one CPU. The other
 * end must have a native XDP program, else nothing arrives; it runs on the sending
 * CPU. Transport checksums are zero. The program is .output/tests/bench/livegen.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct livegen_options {
	uint32_t ifindex; /* sends out of this interface                         */
	uint8_t destination[6]; /* MAC address; that of the other end, or packets are
				 * not for its host and go no further than its hooks   */
	uint32_t flows; /* every so many packets are one of each, shuffled     */
	uint32_t first_flow; /* number of the first Flow                            */
	uint32_t udp_percent; /* of the Flows; the others are TCP                    */
	uint32_t ipv6_percent;
	bool is_syn; /* TCP segments are SYN, not ACK                       */
	uint64_t rate_pps; /* on average, in bursts of a quarter second; 0: flat out */
};

struct livegen;

/* What was handed to the interface since livegen_open(). */
struct livegen_sent {
	uint64_t packets;
	uint64_t ip_octets;
	uint64_t frame_octets; /* Ethernet header included, FCS not */
	uint64_t took_ns;
};

/*
 * out  freed by livegen_close()
 * Returns 0 or -errno; the message was printed.
 */
int livegen_open(struct livegen **out, const struct livegen_options *options);

/* Send n packets; *sent is the sum so far. Returns 0 or -errno; printed. */
int livegen_send(struct livegen *g, uint64_t n_packets, struct livegen_sent *sent);

/* A program that passes everything, for the other end; lives as long as g. */
int livegen_pass_fd(const struct livegen *g);

/* NULL is allowed. */
void livegen_close(struct livegen *g);
