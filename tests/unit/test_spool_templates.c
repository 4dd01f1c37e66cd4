/* SPDX-License-Identifier: BSD-2-Clause */
/* One spool of runs with several Templates: each finds its own files again. */
#include <sys/wait.h>

#include "tests/lib/spool_fixture.h"

static void test_files_of_other_templates_stay(void **state)
{
	uint32_t n;

	(void)state;
	append(100);
	uint64_t octets = spool_stats(f.s)->octets;

	close_spool();
	f.head[20] = 1;
	assert_int_equal(open_spool(1), 0);
	assert_int_equal(held(), 0);
	append(10);
	f.taken = 100;
	take_done(10);
	close_spool();
	assert_int_equal(octets_on_disk(&n), octets);
	f.head[20] = 0;
	assert_int_equal(open_spool(1), 0);
}

/* Other Templates: a run with these sends n Messages and leaves no file of them. */
static void run_with_other_templates(uint32_t n)
{
	struct fixture before = f;

	f.head[20] ^= 1;
	assert_int_equal(open_spool(1), 0);
	assert_int_equal(held(), 0);
	append(n);
	f.taken = before.appended;
	take_done(n);
	close_spool();
	f.head[20] ^= 1;
	f.appended = before.appended;
	f.taken = before.taken;
}

static void test_files_of_templates_that_come_back_are_sent(void **state)
{
	(void)state;
	append(300); /* four files */
	close_spool();
	run_with_other_templates(100);
	assert_int_equal(open_spool(1), 0);
	assert_int_equal(spool_stats(f.s)->recovered.records, 300 * RECORDS);
	assert_int_equal(held(), 300 * RECORDS);
	check_disk();
	take_done(100); /* one file and part of the next */
	close_spool();
	run_with_other_templates(1);
	run_with_other_templates(200);
	assert_int_equal(open_spool(1), 0);
	assert_int_equal(held(), 200 * RECORDS);
	append(100);
	take_done(300); /* none twice */
	assert_int_equal(spool_stats(f.s)->n_files, 0);
}

/* A run that takes 120 of 300 Messages and is killed. */
static void be_killed(void)
{
	pid_t child = fork();
	struct spool_place place;
	struct exporter_volume v;
	int status;

	if (!child) {
		int is_open = !open_spool(1);

		for (int i = 0; is_open && i < 120 && take(&place, &v) >= 0; i++)
			spool_done(f.s, &place);
		spool_sync(f.s);
		_exit(is_open && held() == 180 * RECORDS ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
}

static void test_files_of_templates_that_come_back_are_sent_after_kills(void **state)
{
	(void)state;
	append(300);
	close_spool();
	run_with_other_templates(100);
	be_killed();
	run_with_other_templates(100);
	assert_int_equal(open_spool(1), 0);
	assert_int_equal(held(), 180 * RECORDS);
	f.taken = 120;
	take_done(180);
}

/* Names in the folder that begin so. */
static int count_names(const char *prefix)
{
	DIR *dir = opendir(f.folder);
	int n = 0;

	for (struct dirent *d; (d = readdir(dir));)
		n += !strncmp(d->d_name, prefix, strlen(prefix));
	closedir(dir);
	return n;
}

static void test_empty_spool_leaves_no_position(void **state)
{
	(void)state;
	append(10);
	take_done(5);
	close_spool();
	assert_int_equal(count_names("position"), 1);
	run_with_other_templates(10);
	assert_int_equal(count_names("position"), 1);
	assert_int_equal(open_spool(1), 0);
	take_done(5);
	close_spool();
	assert_int_equal(count_names("position"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_files_of_other_templates_stay),
		TEST(test_files_of_templates_that_come_back_are_sent),
		TEST(test_files_of_templates_that_come_back_are_sent_after_kills),
		TEST(test_empty_spool_leaves_no_position),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
