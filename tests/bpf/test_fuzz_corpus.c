/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The inputs that fuzzing the native Metering Process has found worth keeping,
 * one for each way through its source, go through the programs in the kernel
 * too, and both Flow Caches and ledgers must be the same.
 */
#include <ftw.h>
#include <linux/if_ether.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probe/native_meter.h"
#include "probe/obs_private.h"
#include "probe/offline.h"
#include "tests/lib/fuzz_frames.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

#define CORPUS		"tests/fuzz/corpus/meter"
#define INPUT_OCTETS	65536
#define VARIANTS	500 /* of each input */
#define VARIED_OCTETS	128 /* of the first frame: its headers */
#define VARIED_AT_ONCE	4
#define CASE_MAX_OCTETS 1500
#define CASE_PACKETS	16

static struct meter_fixture m;
static struct obs_point raw = {.is_raw_ip = true, .wants_egress = true};
static int ethernet_program; /* of tc egress */
static struct {
	uint8_t octets[INPUT_OCTETS];
	size_t n;
} input;
static unsigned int n_inputs, n_frames;

static int setup(void **state)
{
	(void)state;
	meter_fixture_open(&m, 1);
	ethernet_program = m.program[METER_TC_EGRESS];
	return obs_instance_load(&m.points.loader, &raw, 0, m.points.point[0].skeleton);
}

static int teardown(void **state)
{
	(void)state;
	flow_bpf__destroy(raw.skeleton);
	meter_fixture_close(&m);
	return 0;
}

/* As the offline run does it, but as long as captured: what the kernel is told. */
static void run_native(const struct capture_packet *p)
{
	struct native_packet packet;

	offline_native_packet(p, &packet);
	packet.wire_octets = p->captured_octets;
	native_meter_packet(&m.native, &packet);
}

/* Run the frames of this link type that the hook takes through both. */
static void compare_input(enum meter_hook hook, enum capture_link link)
{
	struct fuzz_frames frames = {input.octets, input.n};
	struct capture_packet p;
	unsigned int n = 0;

	meter_fixture_clear(&m);
	while (fuzz_frame_next(&frames, &p)) {
		if (p.link != link || !meter_fixture_can_run(hook, p.data, p.captured_octets))
			continue;
		run_native(&p);
		meter_fixture_run(&m, hook, p.data, p.captured_octets);
		n++;
	}
	if (!n)
		return;
	meter_assert_same(&m.native, &m.kernel, meter_fixture_obs_point(hook));
	n_inputs++;
	n_frames += n;
}

/* False for what nftw() meets besides files. */
static bool read_input(const char *path, int kind)
{
	FILE *file;

	if (kind != FTW_F)
		return false;
	print_message("%s\n", path);
	file = fopen(path, "r");
	assert_non_null(file);
	input.n = fread(input.octets, 1, sizeof(input.octets), file);
	assert_true(input.n < sizeof(input.octets));
	fclose(file);
	return true;
}

static int compare_ethernet(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (!read_input(path, kind))
		return 0;
	for (enum meter_hook hook = METER_NATIVE + 1; hook < METER_HOOKS; hook++)
		compare_input(hook, CAPTURE_ETHERNET);
	return 0;
}

/* Below `limit`; xorshift64, always the same numbers. */
static uint32_t next_random(uint32_t limit)
{
	static uint64_t state = 1;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * limit >> 32);
}

/* Some octets of the headers get a bit changed, a small value or any. */
static void vary_input(void)
{
	size_t n = input.n - FUZZ_HEAD_OCTETS;

	for (uint32_t i = next_random(VARIED_AT_ONCE) + 1; i > 0; i--) {
		uint32_t at = next_random(n < VARIED_OCTETS ? (uint32_t)n : VARIED_OCTETS);
		uint8_t *octet = &input.octets[FUZZ_HEAD_OCTETS + at];
		uint32_t kind = next_random(3);

		if (kind == 0)
			*octet ^= (uint8_t)(1 << next_random(8));
		else
			*octet = (uint8_t)next_random(kind == 1 ? 8 : 256);
	}
}

/* Compare variants of the input, each behind another hook. */
static void vary_and_compare(void)
{
	static uint8_t original[INPUT_OCTETS];

	if (input.n <= FUZZ_HEAD_OCTETS)
		return;
	memcpy(original, input.octets, input.n);
	for (unsigned int i = 0; i < VARIANTS; i++) {
		memcpy(input.octets, original, input.n);
		vary_input();
		compare_input(METER_NATIVE + 1 + i % (METER_HOOKS - 1), CAPTURE_ETHERNET);
	}
}

static int compare_variants(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (read_input(path, kind))
		vary_and_compare();
	return 0;
}

/* The packets of a table that the kernel takes in one buffer. */
static void compare_case_variants(const struct parse_case *c)
{
	static struct pkt_builder b;
	struct capture_packet p = {.link = CAPTURE_ETHERNET};

	for (; c->name; c++) {
		print_message("%s\n", c->name);
		for (unsigned int i = 0; (i < c->n_packets && i < CASE_PACKETS) || !i; i++) {
			c->build(&b, i);
			if (b.len > CASE_MAX_OCTETS)
				continue;
			p.data = b.data;
			p.captured_octets = p.wire_octets = (uint32_t)b.len;
			input.n = fuzz_frame_put(input.octets, &p);
			vary_and_compare();
		}
	}
}

static int compare_raw_ip(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (read_input(path, kind))
		compare_input(METER_TC_EGRESS, CAPTURE_RAW_IP);
	return 0;
}

static void compare_corpus(__nftw_func_t compare)
{
	n_inputs = 0;
	n_frames = 0;
	assert_int_equal(nftw(CORPUS, compare, 16, FTW_PHYS), 0);
	print_message("%u inputs, %u frames compared\n", n_inputs, n_frames);
	assert_true(n_inputs > 0);
}

static void test_kernel_and_native_agree_on_ethernet_inputs(void **state)
{
	(void)state;
	m.program[METER_TC_EGRESS] = ethernet_program;
	compare_corpus(compare_ethernet);
}

/*
 * The source takes many a value without a branch, of which no coverage tells, so
 * that the corpus has each way but not each value: these are values at random.
 */
static void test_kernel_and_native_agree_on_varied_ethernet_inputs(void **state)
{
	(void)state;
	m.program[METER_TC_EGRESS] = ethernet_program;
	compare_corpus(compare_variants);
}

static void test_kernel_and_native_agree_on_varied_cases(void **state)
{
	(void)state;
	m.program[METER_TC_EGRESS] = ethernet_program;
	compare_case_variants(parse_cases_link);
	compare_case_variants(parse_cases_ipv4);
	compare_case_variants(parse_cases_ipv6);
	compare_case_variants(parse_cases_transport);
}

static void test_kernel_and_native_agree_on_raw_ip_inputs(void **state)
{
	(void)state;
	m.program[METER_TC_EGRESS] = bpf_program__fd(raw.skeleton->progs.xfp_tc_egress);
	compare_corpus(compare_raw_ip);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_and_native_agree_on_ethernet_inputs),
		cmocka_unit_test(test_kernel_and_native_agree_on_varied_ethernet_inputs),
		cmocka_unit_test(test_kernel_and_native_agree_on_varied_cases),
		cmocka_unit_test(test_kernel_and_native_agree_on_raw_ip_inputs),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
