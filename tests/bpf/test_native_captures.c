/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Native build and kernel agree on traffic: every Ethernet capture in
 * XFLOW_CAPTURES and of the project's own goes through both, with the same
 * secrets and geometry, and both Flow Caches must be the same. The cache is
 * smaller than the largest captures need, so that the overflow is compared too.
 */
#include <ftw.h>
#include <linux/if_ether.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "probe/capture.h"
#include "probe/log.h"
#include "tests/lib/capture_set.h"
#include "tests/lib/meter_check.h"
#include "tests/lib/meter_fixture.h"

#define MAX_FLOWS 8192

/* More do not fit into one buffer of a test packet. */
#define ONE_BUFFER 3000

/* Every file goes through XDP too, but no more packets of it. */
#define XDP_PACKETS 200

static struct meter_fixture m;
static unsigned int n_files;
static unsigned long n_packets;

static int setup(void **state, bool opens_tunnels)
{
	(void)state;
	log_setup(LOG_ERROR, false); /* captures that end early are expected here */
	m.opens_tunnels = opens_tunnels;
	meter_fixture_open(&m, MAX_FLOWS);
	return 0;
}

static int setup_outer(void **state)
{
	return setup(state, false);
}

static int setup_inner(void **state)
{
	return setup(state, true);
}

static int teardown(void **state)
{
	(void)state;
	meter_fixture_close(&m);
	return 0;
}

/* The hook wanted, or one that takes this frame. */
static enum meter_hook hook_for(enum meter_hook wanted, const struct capture_packet *p)
{
	if (p->captured_octets > ONE_BUFFER)
		return METER_XDP_FRAGS;
	return meter_fixture_can_run(wanted, p->data, p->captured_octets) ? wanted : METER_XDP;
}

/*
 * Frames go in as long as captured: the kernel cannot be told that there was
 * more on the wire.
 */
static void compare_capture(const char *path, enum meter_hook hook, unsigned long limit)
{
	struct capture capture = {};
	struct capture_packet p;
	unsigned long n = 0;

	if (capture_open(&capture, path))
		return;
	meter_fixture_clear(&m);
	while (n < limit && capture_next(&capture, &p) > 0 && p.link == CAPTURE_ETHERNET) {
		if (p.captured_octets < ETH_HLEN)
			continue; /* natively only: no kernel is handed such a frame */
		meter_fixture_run(&m, METER_NATIVE, p.data, p.captured_octets);
		meter_fixture_run(&m, hook_for(hook, &p), p.data, p.captured_octets);
		n++;
	}
	capture_close(&capture);
	if (!n)
		return;
	meter_assert_same(&m.native, &m.kernel, meter_fixture_obs_point(hook));
	n_files += hook == METER_TC_INGRESS;
	n_packets += n;
}

static int compare_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (kind != FTW_F)
		return 0;
	print_message("%s\n", path);
	compare_capture(path, METER_TC_INGRESS, ~0UL);
	compare_capture(path, METER_XDP, XDP_PACKETS);
	compare_capture(path, METER_XDP_FRAGS, XDP_PACKETS);
	return 0;
}

static int remove_file(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static void test_own_captures(void **state)
{
	const char *tmp = getenv("TMPDIR");
	char folder[4096];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/xflow-native.XXXXXX", tmp ? tmp : "/tmp");
	n_files = 0;
	assert_non_null(mkdtemp(folder));
	assert_int_equal(capture_set_write(folder), 0);
	assert_int_equal(nftw(folder, compare_file, 16, FTW_PHYS), 0);
	assert_int_equal(nftw(folder, remove_file, 16, FTW_PHYS | FTW_DEPTH), 0);
	assert_int_equal(n_files, 5);
}

static void compare_folder(const char *below)
{
	const char *folder = getenv("XFLOW_CAPTURES");
	char path[4096];

	n_files = 0;
	n_packets = 0;
	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/captures", below);
	if (access(path, R_OK) < 0) {
		print_message("no captures at %s\n", path);
		skip();
	}
	assert_int_equal(nftw(path, compare_file, 16, FTW_PHYS), 0);
	assert_true(n_files > 0);
	print_message("%u files, %lu packets compared\n", n_files, n_packets);
}

static void test_real_captures(void **state)
{
	(void)state;
	compare_folder("");
}

/* Those that have tunnels, and those that should never have been sent. */
static void test_real_captures_inner(void **state)
{
	(void)state;
	compare_folder("encapsulation");
	compare_folder("malformed");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_own_captures, setup_outer, teardown),
		cmocka_unit_test_setup_teardown(test_own_captures, setup_inner, teardown),
		cmocka_unit_test_setup_teardown(test_real_captures, setup_outer, teardown),
		cmocka_unit_test_setup_teardown(test_real_captures_inner, setup_inner, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
