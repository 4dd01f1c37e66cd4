/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What BPF_PROG_TEST_RUN cannot make, on a veth pair in a private namespace:
 * behind tc ingress the stack has moved the outer VLAN tag into the packet's
 * metadata, and headers lie outside the first buffer. The table of packets must
 * end the same.
 */
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/obs_point.h"
#include "tests/lib/parse_cases.h"

#define SENDING	    "xfp0"
#define RECEIVING   "xfp1"
#define WAIT_ROUNDS 2000 /* of a millisecond */

static struct config cfg;
static struct flow_cache cache;
static struct obs_points points;
static struct pkt_builder b;
static int sender;
static bool is_egress;

/* A packet socket that says of each frame how much of it comes first. */
static void sender_open(void)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET};
	int on = 1;

	sender = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(sender >= 0);
	to.sll_ifindex = (int)if_nametoindex(SENDING);
	assert_int_equal(bind(sender, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(setsockopt(sender, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)), 0);
}

static int attach(void)
{
	struct flow_cache_params params;

	assert_int_equal(flow_cache_params_init(&params, 1, 1), 0);
	assert_int_equal(flow_cache_open(&cache, &params, 1, 1, false), 0);
	config_init(&cfg);
	cfg.n_interfaces = 1;
	snprintf(cfg.interfaces[0].name, sizeof(cfg.interfaces[0].name), "%s",
		 is_egress ? SENDING : RECEIVING);
	cfg.interfaces[0].ingress = is_egress ? INGRESS_OFF : INGRESS_TC;
	cfg.interfaces[0].egress = is_egress ? EGRESS_TC : EGRESS_OFF;
	assert_int_equal(obs_points_open(&points, &cfg, &cache), 0);
	assert_int_equal(obs_points_attach(&points, &cfg), 0);
	sender_open();
	return 0;
}

static int attach_ingress(void **state)
{
	(void)state;
	is_egress = false;
	return attach();
}

static int attach_egress(void **state)
{
	(void)state;
	is_egress = true;
	return attach();
}

static int detach(void **state)
{
	(void)state;
	close(sender);
	obs_points_close(&points);
	flow_cache_close(&cache);
	return 0;
}

/* linear 0: all in one buffer. */
static void send_frame(size_t linear)
{
	struct virtio_net_hdr header = {.hdr_len = (uint16_t)linear};
	struct iovec parts[] = {{&header, sizeof(header)}, {b.data, b.len}};

	assert_int_equal(writev(sender, parts, 2), sizeof(header) + b.len);
}

/* Packets that the program is done with. */
static uint64_t accounted(const struct xfp_ledger_row *row)
{
	uint64_t packets = row->accounted.packets;

	for (int i = 0; i < XFP_N_REASONS; i++)
		packets += row->reason[i].packets;
	return packets;
}

static void wait_for_packets(uint64_t packets)
{
	struct xfp_ledger_row row;

	for (int i = 0; i < WAIT_ROUNDS; i++) {
		meter_ledger_sum(&cache, &row);
		if (accounted(&row) >= packets)
			return;
		usleep(1000);
	}
	fail_msg("only %lu of %lu packets came", accounted(&row), packets);
}

/* Octets of the frame in b that the hook is handed. */
static uint64_t octets_at_hook(void)
{
	uint16_t type = (uint16_t)(b.data[12] << 8 | b.data[13]);

	return b.len - (!is_egress && (type == ETH_P_8021Q || type == ETH_P_8021AD) ? 4 : 0);
}

static void test_case(const struct parse_case *c)
{
	unsigned int n = c->n_packets ? c->n_packets : 1;
	uint64_t octets = 0;

	print_message("%s\n", c->name);
	meter_cache_clear(&cache);
	for (unsigned int i = 0; i < n; i++) {
		c->build(&b, i);
		octets += octets_at_hook();
		send_frame(0);
	}
	wait_for_packets(n);
	parse_case_assert(c, &cache, is_egress, octets);
}

static void test_tables(void **state)
{
	const struct parse_case *tables[] = {parse_cases_link, parse_cases_ipv4, parse_cases_ipv6,
					     parse_cases_transport};

	(void)state;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct parse_case *c = tables[i]; c->name; c++)
			test_case(c);
}

/* The first buffer ends at every octet of the headers. */
static void split_everywhere(const struct meter_flow *flow)
{
	pkt_init(&b);
	pkt_eth(&b);
	if (flow->vlan)
		pkt_vlan(&b, ETH_P_8021AD, flow->vlan);
	if (flow->inner_vlan)
		pkt_vlan(&b, ETH_P_8021Q, flow->inner_vlan);
	pkt_ipv6(&b, CASE_SOURCE6, CASE_DESTINATION6);
	pkt_ext(&b, IPPROTO_HOPOPTS, 1);
	pkt_ext(&b, IPPROTO_DSTOPTS, 2);
	pkt_ah(&b, 6);
	pkt_tcp(&b, 1234, 53, PKT_SYN);
	pkt_payload(&b, 5000);
	pkt_finish(&b);
	for (size_t linear = ETH_HLEN; linear < 160; linear++) {
		meter_cache_clear(&cache);
		send_frame(linear);
		wait_for_packets(1);
		meter_assert_flow(&cache, flow, 1, is_egress);
	}
}

static void test_split_headers(void **state)
{
	struct meter_flow flow = {
		CASE_ENDS6,
		CASE_PORTS,
		.protocol = IPPROTO_TCP,
		.tcp_flags = PKT_SYN,
		.octets = 40 + 8 + 16 + 24 + 20 + 5000,
	};

	(void)state;
	split_everywhere(&flow);
	flow.vlan = 100;
	split_everywhere(&flow);
	flow.inner_vlan = 101;
	split_everywhere(&flow);
}

/* Nothing but this test sends on them: no addresses, no IPv6. */
static int make_interfaces(void)
{
	return unshare(CLONE_NEWNET) ||
	       system("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 && "
		      "ip link add " SENDING " mtu 9000 type veth peer name " RECEIVING
		      " mtu 9000 && ip link set " RECEIVING " up && ip link set " SENDING " up");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_split_headers),
	};
	int failed;

	if (make_interfaces()) {
		puts("cannot make a private namespace with a veth pair");
		return 1;
	}
	failed = cmocka_run_group_tests_name("tc ingress", tests, attach_ingress, detach);

	return failed + cmocka_run_group_tests_name("tc egress", tests, attach_egress, detach);
}
