/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The packet builder, checked against published checksums and against tshark,
 * which dissects and verifies every shape the builder can make.
 */
#include "tests/lib/pkt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <pcap/dlt.h>

#include "tests/lib/pcap_file.h"

static struct pkt_builder b;

static void start_ipv4(void)
{
	pkt_init(&b);
	pkt_eth(&b);
	pkt_ipv4(&b, "192.168.0.1", "192.168.0.199");
}

static void start_ipv6(void)
{
	pkt_init(&b);
	pkt_eth(&b);
	pkt_ipv6(&b, "2001:db8::1", "2001:db8::2");
}

static void test_ipv4_header_checksum_is_the_published_one(void **state)
{
	struct iphdr *ip;

	(void)state;
	pkt_init(&b);
	ip = pkt_ipv4(&b, "192.168.0.1", "192.168.0.199");
	ip->frag_off = htons(0x4000);
	pkt_protocol(&b, IPPROTO_UDP, 95);
	pkt_finish(&b);
	assert_int_equal(ntohs(ip->tot_len), 115);
	assert_int_equal(ntohs(ip->check), 0xb861);
}

static void test_sctp_checksum_is_crc32c(void **state)
{
	struct pkt_sctp *sctp;

	(void)state;
	/* 32 zero octets: RFC 3720, appendix B.4. */
	pkt_init(&b);
	pkt_ipv4(&b, "10.0.0.1", "10.0.0.2");
	sctp = pkt_sctp(&b, 0, 0);
	memset(pkt_payload(&b, 20), 0, 20);
	pkt_finish(&b);
	assert_int_equal(le32toh(sctp->checksum), 0x8a9136aa);
}

static void test_headers_name_what_follows(void **state)
{
	struct pkt_vlan *outer, *inner;
	struct ethhdr *eth;
	struct ipv6hdr *ip;
	uint8_t *hop;

	(void)state;
	pkt_init(&b);
	eth = pkt_eth(&b);
	outer = pkt_vlan(&b, ETH_P_8021AD, 7);
	inner = pkt_vlan(&b, ETH_P_8021Q, 4095);
	ip = pkt_ipv6(&b, "fd77::1", "fd77::2");
	hop = pkt_ext(&b, IPPROTO_HOPOPTS, 2);
	pkt_tcp(&b, 1, 2, PKT_SYN);
	pkt_finish(&b);
	assert_int_equal(ntohs(eth->h_proto), ETH_P_8021AD);
	assert_int_equal(ntohs(outer->type), ETH_P_8021Q);
	assert_int_equal(ntohs(inner->type), ETH_P_IPV6);
	assert_int_equal(ntohs(inner->tci), 4095);
	assert_int_equal(ip->nexthdr, IPPROTO_HOPOPTS);
	assert_int_equal(hop[0], IPPROTO_TCP);
	assert_int_equal(ntohs(ip->payload_len), 16 + 20);
	assert_int_equal(b.len, 14 + 4 + 4 + 40 + 16 + 20);
}

static void test_padding_and_cutting_leave_lengths_alone(void **state)
{
	struct iphdr *ip;

	(void)state;
	start_ipv4();
	ip = (struct iphdr *)(b.data + sizeof(struct ethhdr));
	pkt_udp(&b, 1, 2);
	pkt_finish(&b);
	pkt_pad(&b, ETH_ZLEN);
	assert_int_equal(b.len, ETH_ZLEN);
	pkt_truncate(&b, 20);
	assert_int_equal(b.len, 20);
	assert_int_equal(ntohs(ip->tot_len), 28);
}

/* --- every shape, seen by tshark --- */

static void add_to(struct pcap_file *f)
{
	static uint64_t time_ns = 1700000000123456789;

	pkt_finish(&b);
	pcap_file_add(f, time_ns++, b.data, b.len, 0);
}

static void add_ipv4_shapes(struct pcap_file *f)
{
	start_ipv4();
	pkt_ipv4_options(&b, 40);
	pkt_tcp(&b, 1234, 80, PKT_SYN);
	pkt_tcp_options(&b, 12);
	add_to(f);

	start_ipv4();
	pkt_udp(&b, 1234, 4321);
	pkt_payload(&b, 1471);
	add_to(f);

	start_ipv4();
	pkt_icmp(&b, 8, 0);
	pkt_payload(&b, 56);
	add_to(f);

	start_ipv4();
	pkt_sctp(&b, 1234, 4321);
	pkt_payload(&b, 0);
	add_to(f);

	start_ipv4();
	pkt_ipv6(&b, "fd77::1", "fd77::2");
	pkt_ipv4(&b, "10.0.0.1", "10.0.0.2");
	pkt_tcp(&b, 1234, 80, PKT_ACK);
	pkt_payload(&b, 3);
	add_to(f);
}

static void add_ipv6_shapes(struct pcap_file *f)
{
	start_ipv6();
	pkt_ext(&b, IPPROTO_HOPOPTS, 1);
	pkt_ext(&b, IPPROTO_DSTOPTS, 1);
	pkt_ext(&b, IPPROTO_ROUTING, 3)[2] = 2; /* type 2 has one address */
	pkt_ah(&b, 6);
	pkt_tcp(&b, 1234, 80, PKT_FIN | PKT_ACK);
	pkt_payload(&b, 100);
	add_to(f);

	start_ipv6();
	pkt_icmpv6(&b, 128, 0);
	pkt_payload(&b, 8);
	add_to(f);
}

static void add_fragments(struct pcap_file *f)
{
	start_ipv6();
	pkt_ext_fragment(&b, 99, 1448, 0);
	add_to(f);

	pkt_init(&b);
	pkt_eth(&b);
	pkt_ipv4_fragment(pkt_ipv4(&b, "10.0.0.1", "10.0.0.2"), 7, 1480, 0);
	pkt_protocol(&b, IPPROTO_UDP, 33);
	add_to(f);
}

/* Number of lines tshark prints about the file under a display filter. */
static int count_packets(const char *path, const char *filter)
{
	char command[1024], line[512];
	int n = 0;
	FILE *out;

	snprintf(command, sizeof(command),
		 "tshark -n -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE"
		 " -o udp.check_checksum:TRUE -o \"sctp.checksum:CRC 32c\" -o ip.defragment:FALSE"
		 " -o ipv6.defragment:FALSE -r '%s' -Y '%s' 2>/dev/null",
		 path, filter);
	out = popen(command, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out)) {
		n++;
		print_message("# %s: %s", filter, line);
	}
	assert_int_equal(pclose(out), 0);
	return n;
}

static void test_tshark_finds_every_shape_well_formed(void **state)
{
	struct pcap_file f = {0};
	const char *dir = getenv("TMPDIR");
	char path[256];
	int fd;

	(void)state;
	if (system("command -v tshark >/dev/null") != 0) {
		print_message("# tshark is not installed\n");
		skip();
	}
	snprintf(path, sizeof(path), "%s/test-pkt-XXXXXX", dir ? dir : "/tmp");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(pcap_file_open(&f, path, DLT_EN10MB, true), 0);
	add_ipv4_shapes(&f);
	add_ipv6_shapes(&f);
	add_fragments(&f);
	assert_int_equal(pcap_file_close(&f), 0);

	assert_int_equal(count_packets(path, "frame"), 9);
	assert_int_equal(count_packets(path, "_ws.malformed"), 0);
	assert_int_equal(count_packets(path, "ip.checksum.status == \"Bad\" ||"
					     " tcp.checksum.status == \"Bad\" ||"
					     " udp.checksum.status == \"Bad\" ||"
					     " icmp.checksum.status == \"Bad\" ||"
					     " icmpv6.checksum.status == \"Bad\" ||"
					     " sctp.checksum.status == \"Bad\""),
			 0);
	assert_int_equal(count_packets(path, "tcp.checksum.status == \"Good\""), 3);
	assert_int_equal(count_packets(path, "sctp.checksum.status == \"Good\""), 1);
	assert_int_equal(count_packets(path, "icmpv6.checksum.status == \"Good\""), 1);
	assert_int_equal(count_packets(path, "ah && ipv6.routing.type == 2 && ipv6.dstopts"), 1);
	assert_int_equal(count_packets(path, "ip.frag_offset == 185 && ip.id == 7"), 1);
	assert_int_equal(count_packets(path, "ipv6.fraghdr.offset == 181"), 1);
	assert_int_equal(count_packets(path, "frame.time_epoch == 1700000000.123456790"), 1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_header_checksum_is_the_published_one),
		cmocka_unit_test(test_sctp_checksum_is_crc32c),
		cmocka_unit_test(test_headers_name_what_follows),
		cmocka_unit_test(test_padding_and_cutting_leave_lengths_alone),
		cmocka_unit_test(test_tshark_finds_every_shape_well_formed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
