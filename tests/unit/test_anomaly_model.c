/* SPDX-License-Identifier: BSD-2-Clause */
/* The model that outlives a run: it comes back as it was, or not at all and with a reason. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "probe/anomaly_model.h"
#include "probe/log.h"
#include "probe/model_file.h"
#include "tests/lib/capture_stderr.h"
#include "tests/lib/learning_site.h"

#define MINUTES 51 /* two before an hour is full, of which something is learned then */

static uint8_t *model, *other;
static size_t n_octets;
static char folder[] = "/tmp/xflow-model.XXXXXX", path[64];

static int train(void **state)
{
	(void)state;
	model = malloc(anomaly_model_max() + 1);
	other = malloc(anomaly_model_max() + 1);
	assert_true(model && other && mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/learned", folder);
	site_open();
	site_usual_minutes(0, MINUTES);
	anomaly_fixture_run(&f, SITE_AT(MINUTES));
	n_octets = anomaly_model_save(f.anomaly, model);
	anomaly_fixture_close(&f);
	assert_in_range(n_octets, 10000, anomaly_model_max());
	return 0;
}

static int forget(void **state)
{
	(void)state;
	free(model);
	free(other);
	unlink(path);
	return rmdir(folder);
}

static int setup_site(void **state)
{
	(void)state;
	site_open();
	return 0;
}

static int load(const uint8_t *octets, size_t n)
{
	const char *why;
	int err = anomaly_model_load(f.anomaly, octets, n, &why);

	assert_int_equal(err != 0, why != NULL);
	return err;
}

/* The checksum is made right again, so that what is changed is looked at itself. */
static void seal(uint8_t *octets, size_t n)
{
	uint32_t sum = (uint32_t)crc32(crc32(0, octets + 12, 4), octets + 20, (uInt)(n - 20));

	for (int i = 0; i < 4; i++)
		octets[16 + i] = (uint8_t)(sum >> 8 * (3 - i));
}

static void assert_refused(const uint8_t *octets, size_t n, const char *reason)
{
	struct anomaly_stats stats;
	const char *why = "";

	assert_true(anomaly_model_load(f.anomaly, octets, n, &why) < 0);
	assert_non_null(why);
	if (!strstr(why, reason))
		fail_msg("%s, not: %s", why, reason);
	anomaly_stats(f.anomaly, &stats);
	assert_true(stats.learning.is_learning && !stats.learning.hosts);
}

static void test_what_is_loaded_and_saved_again_is_the_same_to_the_octet(void **state)
{
	(void)state;
	assert_int_equal(load(model, n_octets), 0);
	assert_int_equal(anomaly_model_save(f.anomaly, other), n_octets);
	assert_memory_equal(other, model, n_octets);
}

/* What follows is scored as if there had been no restart: all that is learned of it is the same. */
static void test_a_run_that_goes_on_and_one_that_loads_learn_the_same(void **state)
{
	size_t n;

	(void)state;
	assert_int_equal(load(model, n_octets), 0);
	for (uint32_t minute = MINUTES; minute < MINUTES + 3; minute++)
		connect_to(SITE_AT(minute) + 500, "10.0.1.3", "198.51.100.1", 80);
	anomaly_fixture_run(&f, SITE_AT(MINUTES + 3));
	n = anomaly_model_save(f.anomaly, other);
	assert_int_not_equal(memcmp(other, model, n_octets < n ? n_octets : n), 0);
	anomaly_fixture_close(&f);

	site_open();
	assert_int_equal(load(model, n_octets), 0);
	for (uint32_t minute = MINUTES; minute < MINUTES + 3; minute++) {
		size_t between;

		connect_to(SITE_AT(minute) + 500, "10.0.1.3", "198.51.100.1", 80);
		anomaly_fixture_run(&f, SITE_AT(minute + 1));
		between = anomaly_model_save(f.anomaly, model);
		anomaly_fixture_close(&f);
		site_open();
		assert_int_equal(load(model, between), 0);
		n_octets = between;
	}
	assert_int_equal(n_octets, n);
	assert_memory_equal(model, other, n);
}

static void test_what_is_cut_off_is_refused_wherever_it_is_cut(void **state)
{
	static const size_t at[] = {1, 7, 8, 12, 19, 20, 21, 1000, 5000};

	(void)state;
	assert_refused(model, 0, "no model of this probe");
	for (size_t i = 0; i < sizeof(at) / sizeof(*at); i++)
		assert_refused(model, at[i], at[i] < 8 ? "no model of this probe" : "cut off");
	assert_refused(model, n_octets - 1, "cut off");
}

static void test_each_bit_that_is_damaged_is_noticed(void **state)
{
	(void)state;
	memcpy(other, model, n_octets);
	for (size_t i = 20; i < n_octets; i += n_octets / 50 + 1) {
		other[i] ^= (uint8_t)(1u << i % 8);
		assert_refused(other, n_octets, "checksum is wrong");
		other[i] = model[i];
	}
	other[16] ^= 1;
	assert_refused(other, n_octets, "checksum is wrong");
}

static void test_another_version_a_foreign_file_and_too_much_are_refused(void **state)
{
	(void)state;
	memcpy(other, model, n_octets);
	other[11]++;
	assert_refused(other, n_octets, "another version");
	memcpy(other,
	       "\x7f"
	       "ELF\x02\x01\x01\x00",
	       8);
	assert_refused(other, n_octets, "no model of this probe");
	memcpy(other, model, n_octets);
	other[n_octets] = 0;
	assert_refused(other, n_octets + 1, "more in it than a model");
	assert_refused(other, anomaly_model_max() + 1, "larger than any model");
}

/* Whoever can write a checksum can write anything: what cannot be is not taken, and breaks nothing. */
static void test_numbers_that_cannot_be_are_refused_though_the_checksum_is_right(void **state)
{
	uint32_t n_refused = 0;

	(void)state;
	memcpy(other, model, n_octets);
	memset(other + 20, 0, 8); /* no trees without a seed */
	seal(other, n_octets);
	assert_refused(other, n_octets, "what is in it cannot be");
	for (size_t i = 20; i + 4 < n_octets; i += 97) {
		memcpy(other, model, n_octets);
		memset(other + i, 0xff, 4);
		seal(other, n_octets);
		n_refused += load(other, n_octets) != 0;
		anomaly_fixture_run(&f, f.next_sweep_ms);
	}
	assert_true(n_refused > 10);
	for (size_t n = 24; n < n_octets; n += n_octets / 40) {
		memcpy(other, model, n);
		for (int i = 0; i < 4; i++)
			other[12 + i] = (uint8_t)((n - 20) >> 8 * (3 - i));
		seal(other, n);
		assert_int_not_equal(load(other, n), 0);
	}
}

static void test_a_file_is_replaced_as_a_whole_and_read_back(void **state)
{
	struct anomaly_stats stats;
	struct stat st;

	(void)state;
	assert_int_equal(model_file_write(path, (const uint8_t *)"old", 3), 0);
	assert_int_equal(model_file_write(path, model, n_octets), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, n_octets);
	assert_int_equal(st.st_mode & 0777, 0600);
	model_file_load(f.anomaly, path, "x");
	anomaly_stats(f.anomaly, &stats);
	assert_int_equal(stats.learning.hosts, SITE_HOSTS);
	/* nothing of the making is left */
	strcat(strcpy((char *)other, path), ".tmp");
	assert_int_not_equal(access((char *)other, F_OK), 0);
	assert_int_equal(model_file_write("/nowhere/learned", model, n_octets), -ENOENT);
}

static void test_a_file_that_is_no_good_is_told_in_one_sentence(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(model_file_write(path, model, n_octets / 2), 0);
	capture_begin();
	model_file_load(f.anomaly, path, "and the next save replaces the file");
	text = capture_end();
	assert_non_null(strstr(text, "go on from the learned model /tmp/xflow-model."));
	assert_non_null(strstr(text, "it is cut off; learning starts anew, and the next save "
				     "replaces the file\n"));
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	capture_begin();
	model_file_load(f.anomaly, path, "x");
	free(text);
	text = capture_end();
	assert_non_null(strstr(text, "it is no regular file"));
	free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_site, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_loaded_and_saved_again_is_the_same_to_the_octet),
		TEST(test_what_is_cut_off_is_refused_wherever_it_is_cut),
		TEST(test_each_bit_that_is_damaged_is_noticed),
		TEST(test_another_version_a_foreign_file_and_too_much_are_refused),
		TEST(test_numbers_that_cannot_be_are_refused_though_the_checksum_is_right),
		TEST(test_a_file_is_replaced_as_a_whole_and_read_back),
		TEST(test_a_file_that_is_no_good_is_told_in_one_sentence),
		TEST(test_a_run_that_goes_on_and_one_that_loads_learn_the_same),
	};

	return cmocka_run_group_tests(tests, train, forget);
}
