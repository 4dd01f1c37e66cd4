/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Capture files: written here octet by octet, and the real ones under
 * XFLOW_CAPTURES, where every pcap file must read as libpcap reads it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <byteswap.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe/capture.h"
#include "probe/log.h"

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du

/* A pcap file in memory, in the byte order asked for. */
struct file {
	uint8_t octets[4096];
	size_t n;
	bool is_swapped;
};

static void put_u32(struct file *f, uint32_t value)
{
	value = f->is_swapped ? bswap_32(value) : value;
	memcpy(f->octets + f->n, &value, sizeof(value));
	f->n += sizeof(value);
}

static void put_u16(struct file *f, uint16_t value)
{
	value = f->is_swapped ? bswap_16(value) : value;
	memcpy(f->octets + f->n, &value, sizeof(value));
	f->n += sizeof(value);
}

static void put_header(struct file *f, uint32_t magic, uint32_t link_type)
{
	put_u32(f, magic);
	put_u16(f, 2);
	put_u16(f, 4);
	put_u32(f, 0);
	put_u32(f, 0);
	put_u32(f, 65535);
	put_u32(f, link_type);
}

static void put_packet(struct file *f, uint32_t seconds, uint32_t fraction, uint32_t captured)
{
	put_u32(f, seconds);
	put_u32(f, fraction);
	put_u32(f, captured);
	put_u32(f, captured + 1000);
	for (uint32_t i = 0; i < captured; i++)
		f->octets[f->n++] = (uint8_t)(i + 1);
}

static char path[] = "/tmp/xflow-test-capture-XXXXXX";

static int open_file(struct capture *c, const struct file *f)
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, f->octets, f->n), f->n);
	close(fd);
	return capture_open(c, path);
}

static void check_times(bool is_swapped, uint32_t magic, uint64_t expected_ns)
{
	struct file f = {.is_swapped = is_swapped};
	struct capture c = {0};
	struct capture_packet p;

	put_header(&f, magic, 1);
	put_packet(&f, 1700000000, 123456, 60);
	assert_int_equal(open_file(&c, &f), 0);
	assert_int_equal(capture_next(&c, &p), 1);
	assert_int_equal(p.time_ns, expected_ns);
	assert_int_equal(p.captured_octets, 60);
	assert_int_equal(p.wire_octets, 1060);
	assert_int_equal(p.link, CAPTURE_ETHERNET);
	assert_int_equal(p.data[0], 1);
	assert_int_equal(p.data[59], 60);
	assert_int_equal(capture_next(&c, &p), 0);
	assert_false(c.is_damaged);
	capture_close(&c);
	capture_close(&c);
}

static void test_pcap_of_either_byte_order_and_precision_is_read(void **state)
{
	(void)state;
	check_times(false, MAGIC_US, 1700000000123456000ull);
	check_times(true, MAGIC_US, 1700000000123456000ull);
	check_times(false, MAGIC_NS, 1700000000000123456ull);
	check_times(true, MAGIC_NS, 1700000000000123456ull);
}

static void test_standard_input_is_read(void **state)
{
	struct file f = {0};
	struct capture c = {0};
	struct capture_packet p;
	int ends[2], saved = dup(STDIN_FILENO);

	(void)state;
	put_header(&f, MAGIC_US, 1);
	put_packet(&f, 1, 0, 60);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], f.octets, f.n), f.n);
	close(ends[1]);
	dup2(ends[0], STDIN_FILENO);
	assert_int_equal(capture_open(&c, "-"), 0);
	assert_int_equal(capture_next(&c, &p), 1);
	assert_int_equal(capture_next(&c, &p), 0);
	capture_close(&c);
	dup2(saved, STDIN_FILENO);
	close(saved);
	close(ends[0]);
}

static void test_all_before_a_cut_off_packet_is_delivered(void **state)
{
	struct file whole = {0};
	size_t second_at;

	(void)state;
	put_header(&whole, MAGIC_US, 1);
	put_packet(&whole, 1, 0, 60);
	second_at = whole.n;
	put_packet(&whole, 2, 0, 60);
	for (size_t n = second_at; n <= whole.n; n++) {
		struct file f = whole;
		struct capture c = {0};
		struct capture_packet p;
		uint64_t expected = n == whole.n ? 2 : 1;

		f.n = n;
		assert_int_equal(open_file(&c, &f), 0);
		while (capture_next(&c, &p) == 1)
			;
		assert_int_equal(c.packets, expected);
		assert_int_equal(c.is_damaged, n != second_at && n != whole.n);
		assert_int_equal(capture_next(&c, &p), 0);
		capture_close(&c);
	}
}

static void test_impossible_packet_length_ends_the_file_as_damaged(void **state)
{
	struct file f = {0};
	struct capture c = {0};
	struct capture_packet p;

	(void)state;
	put_header(&f, MAGIC_US, 1);
	put_packet(&f, 1, 0, 60);
	for (int i = 0; i < 8; i++)
		put_u32(&f, 0xfffffff0u);
	assert_int_equal(open_file(&c, &f), 0);
	assert_int_equal(capture_next(&c, &p), 1);
	assert_int_equal(capture_next(&c, &p), 0);
	assert_true(c.is_damaged);
	capture_close(&c);
}

static void test_time_going_backwards_is_counted_and_delivered(void **state)
{
	struct file f = {0};
	struct capture c = {0};
	struct capture_packet p;

	(void)state;
	put_header(&f, MAGIC_US, 1);
	put_packet(&f, 10, 0, 60);
	put_packet(&f, 9, 999999, 60);
	put_packet(&f, 11, 0, 60);
	assert_int_equal(open_file(&c, &f), 0);
	while (capture_next(&c, &p) == 1)
		;
	assert_int_equal(c.packets, 3);
	assert_int_equal(c.times_backwards, 1);
	capture_close(&c);
}

static void test_wire_octets_are_never_below_captured_octets(void **state)
{
	struct file f = {0};
	struct capture c = {0};
	struct capture_packet p;

	(void)state;
	put_header(&f, MAGIC_US, 1);
	put_packet(&f, 1, 0, 60);
	memset(f.octets + 24 + 12, 0, 4);
	assert_int_equal(open_file(&c, &f), 0);
	assert_int_equal(capture_next(&c, &p), 1);
	assert_int_equal(p.wire_octets, 60);
	capture_close(&c);
}

static void test_unsupported_link_type_is_refused(void **state)
{
	struct file f = {0};
	struct capture c = {0};

	(void)state;
	put_header(&f, MAGIC_US, 105);
	assert_int_equal(open_file(&c, &f), -EPROTONOSUPPORT);
	assert_null(c.buffer);
	capture_close(&c);
}

static void test_what_is_no_capture_is_refused(void **state)
{
	struct file empty = {0}, text = {0}, short_header = {0};
	struct capture c = {0};

	(void)state;
	assert_int_equal(open_file(&c, &empty), -EBADMSG);
	memset(text.octets, 'x', text.n = 200);
	assert_int_equal(open_file(&c, &text), -EBADMSG);
	put_header(&short_header, MAGIC_US, 1);
	short_header.n = 23;
	assert_int_equal(open_file(&c, &short_header), -EBADMSG);
	assert_int_equal(capture_open(&c, "/nonexistent/x.pcap"), -ENOENT);
	assert_int_equal(capture_open(&c, "/tmp"), -EISDIR);
	assert_null(c.buffer);
}

struct network_case {
	enum capture_link link;
	uint8_t data[20];
	uint32_t octets;
	int result;
	uint16_t ethertype;
	uint32_t offset;
};

static void test_network_header_is_found_behind_every_link_header(void **state)
{
	static const struct network_case cases[] = {
		{CAPTURE_RAW_IP, {0x45}, 1, 0, 0x0800, 0},
		{CAPTURE_RAW_IP, {0x60}, 1, 0, 0x86dd, 0},
		{CAPTURE_RAW_IP, {0x00}, 1, 0, 0x0800, 0},
		{CAPTURE_RAW_IP, {0x45}, 0, -ENODATA, 0, 0},
		{CAPTURE_IPV4, {0x60}, 1, 0, 0x0800, 0},
		{CAPTURE_IPV6, {0x45}, 1, 0, 0x86dd, 0},
		{CAPTURE_COOKED, {[14] = 0x86, [15] = 0xdd}, 16, 0, 0x86dd, 16},
		{CAPTURE_COOKED, {[14] = 0x86, [15] = 0xdd}, 15, -ENODATA, 0, 0},
		{CAPTURE_COOKED2, {0x08, 0x00}, 20, 0, 0x0800, 20},
		{CAPTURE_COOKED2, {0x08, 0x00}, 19, -ENODATA, 0, 0},
		{CAPTURE_NULL, {2, 0, 0, 0}, 4, 0, 0x0800, 4},
		{CAPTURE_NULL, {0, 0, 0, 2}, 4, 0, 0x0800, 4},
		{CAPTURE_NULL, {30, 0, 0, 0}, 4, 0, 0x86dd, 4},
		{CAPTURE_NULL, {0, 0, 0, 24}, 4, 0, 0x86dd, 4},
		{CAPTURE_NULL, {7, 0, 0, 0}, 4, 0, 0, 4},
		{CAPTURE_NULL, {2, 0, 0}, 3, -ENODATA, 0, 0},
		{CAPTURE_LOOP, {0, 0, 0, 2}, 4, 0, 0x0800, 4},
		{CAPTURE_LOOP, {0, 0, 0, 28}, 4, 0, 0x86dd, 4},
		{CAPTURE_LOOP, {2, 0, 0, 0}, 4, 0, 0, 4},
		{CAPTURE_ETHERNET, {0}, 20, -EINVAL, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct network_case *t = &cases[i];
		struct capture_packet p = {
			.data = t->data, .captured_octets = t->octets, .link = t->link};
		uint16_t ethertype = 0;
		uint32_t offset = 0;

		assert_int_equal(capture_network_header(&p, &ethertype, &offset), t->result);
		assert_int_equal(ethertype, t->ethertype);
		assert_int_equal(offset, t->offset);
	}
}

/* Hundreds of the files are refused, and each says so. */
static int open_quietly(struct capture *c, const char *name)
{
	int saved = dup(STDERR_FILENO), quiet = open("/dev/null", O_WRONLY);
	int err;

	dup2(quiet, STDERR_FILENO);
	err = capture_open(c, name);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(quiet);
	return err;
}

static size_t n_compared;

/* libpcap cuts packets at the file's snapshot length and reads seconds as signed; else all is equal. */
static void compare_packets(struct capture *c, pcap_t *reference)
{
	struct pcap_pkthdr *header;
	const u_char *data;
	struct capture_packet p;

	while (pcap_next_ex(reference, &header, &data) == 1) {
		assert_int_equal(capture_next(c, &p), 1);
		assert_true(p.captured_octets >= header->caplen);
		assert_memory_equal(p.data, data, header->caplen);
		assert_true(p.wire_octets == header->len || p.wire_octets == p.captured_octets);
		assert_int_equal(p.time_ns, (uint64_t)(uint32_t)header->ts.tv_sec * 1000000000ull +
						    (uint64_t)header->ts.tv_usec);
		n_compared++;
	}
	assert_int_equal(capture_next(c, &p), 0);
}

static int compare_file(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	char reason[PCAP_ERRBUF_SIZE];
	struct capture c = {0};
	pcap_t *reference;

	(void)st;
	(void)ftw;
	if (type != FTW_F)
		return 0;
	reference =
		pcap_open_offline_with_tstamp_precision(name, PCAP_TSTAMP_PRECISION_NANO, reason);
	if (!reference) {
		assert_int_not_equal(open_quietly(&c, name), 0);
		return 0;
	}
	if (open_quietly(&c, name) == 0)
		compare_packets(&c, reference);
	capture_close(&c);
	pcap_close(reference);
	return 0;
}

static void test_real_captures_read_as_libpcap_reads_them(void **state)
{
	const char *folder = getenv("XFLOW_CAPTURES");

	(void)state;
	if (!folder)
		folder = "../shared/captures";
	if (access(folder, R_OK) < 0) {
		print_message("no captures at %s\n", folder);
		skip();
	}
	assert_int_equal(nftw(folder, compare_file, 16, FTW_PHYS), 0);
	assert_true(n_compared > 0);
	print_message("%zu packets compared\n", n_compared);
}

static int make_path(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0;
}

static int remove_path(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap_of_either_byte_order_and_precision_is_read),
		cmocka_unit_test(test_standard_input_is_read),
		cmocka_unit_test(test_all_before_a_cut_off_packet_is_delivered),
		cmocka_unit_test(test_impossible_packet_length_ends_the_file_as_damaged),
		cmocka_unit_test(test_time_going_backwards_is_counted_and_delivered),
		cmocka_unit_test(test_wire_octets_are_never_below_captured_octets),
		cmocka_unit_test(test_unsupported_link_type_is_refused),
		cmocka_unit_test(test_what_is_no_capture_is_refused),
		cmocka_unit_test(test_network_header_is_found_behind_every_link_header),
		cmocka_unit_test(test_real_captures_read_as_libpcap_reads_them),
	};

	log_setup(LOG_ERROR, false); /* damage is expected here, and only warned about */
	return cmocka_run_group_tests(tests, make_path, remove_path);
}
