/* SPDX-License-Identifier: BSD-2-Clause */
/* The queue on disk: order, bounds, counts, and what is left by a run that was killed. */
#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>

#include "tests/lib/spool_fixture.h"

static void test_messages_come_out_in_order_and_leave_nothing(void **state)
{
	struct spool_place place;
	struct exporter_volume v;

	(void)state;
	append(500);
	check_disk();
	assert_int_equal(held(), 500 * RECORDS);
	take_done(250);
	append(500);
	take_done(750);
	assert_int_equal(take(&place, &v), -1);
	assert_int_equal(held(), 0);
	assert_int_equal(spool_stats(f.s)->n_files, 0);
	check_disk();
	append(1);
	take_done(1);
}

static void test_oldest_are_dropped_and_counted_when_it_is_full(void **state)
{
	struct exporter_volume v;
	struct spool_place place;

	(void)state;
	append(3000); /* 2.4 MiB */
	check_disk();
	const struct spool_stats *s = spool_stats(f.s);

	assert_true(s->octets <= MIB && s->octets > MIB - MIB / 8);
	uint32_t dropped = (uint32_t)s->full.records / RECORDS;

	assert_int_equal(dropped * RECORDS + s->held.records, 3000 * RECORDS);
	assert_int_equal(s->full.octets, s->full.records * 1000);
	assert_int_equal(s->full.packets, (uint64_t)dropped * (dropped - 1) / 2 * RECORDS);
	assert_int_equal(take(&place, &v), dropped);
	f.taken = dropped + 1;
	take_done(3000 - dropped - 1);
	assert_int_equal(held(), 0);
}

static void test_what_is_put_back_is_taken_again(void **state)
{
	struct spool_place place[200];
	struct exporter_volume v[200];

	(void)state;
	append(300);
	for (int i = 0; i < 200; i++)
		assert_int_equal(take(&place[i], &v[i]), i);
	assert_int_equal(held(), 100 * RECORDS);
	spool_done(f.s, &place[49]);
	for (int i = 50; i < 200; i++)
		assert_true(spool_put_back(f.s, &place[i], &v[i]));
	assert_int_equal(held(), 250 * RECORDS);
	f.taken = 50;
	take_done(250);
	assert_int_equal(spool_stats(f.s)->n_files, 0);
}

static void test_what_was_dropped_cannot_be_put_back(void **state)
{
	struct spool_place place;
	struct exporter_volume v;

	(void)state;
	append(10);
	assert_int_equal(take(&place, &v), 0);
	append(3000);
	assert_false(spool_put_back(f.s, &place, &v));
	/* taken before, it was none of those dropped */
	assert_int_equal(spool_stats(f.s)->full.records + held(), 3009 * RECORDS);
}

static void test_another_run_goes_on_where_one_ended(void **state)
{
	struct spool_place place;
	struct exporter_volume v;

	(void)state;
	append(400);
	take_done(123);
	assert_int_equal(take(&place, &v), 123); /* not done */
	close_spool();
	assert_int_equal(open_spool(1), 0);
	assert_int_equal(spool_stats(f.s)->recovered.records, 277 * RECORDS);
	assert_memory_equal(&spool_stats(f.s)->recovered, &spool_stats(f.s)->held, sizeof(v));
	check_disk();
	append(100);
	take_done(377);
	close_spool();
	assert_int_equal(open_spool(1), 0);
	assert_int_equal(spool_stats(f.s)->recovered.records, 0);
	assert_int_equal(spool_stats(f.s)->n_files, 0);
	append(1);
	take_done(1);
}

/* The path of the file that was written last. */
static void newest(char path[static 512])
{
	struct dirent **names;
	int n = scandir(f.folder, &names, NULL, alphasort);

	*path = '\0';
	for (int i = 0; i < n; i++) {
		if (strstr(names[i]->d_name, ".ipfix"))
			snprintf(path, 512, "%s/%s", f.folder, names[i]->d_name);
		free(names[i]);
	}
	free(names);
}

static void test_part_of_a_message_is_cut_off(void **state)
{
	(void)state;
	for (uint32_t cut = 1; cut < OCTETS; cut += 97) {
		char path[512];
		struct stat st;

		append(100);
		newest(path);
		close_spool();
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(truncate(path, st.st_size - cut), 0);
		assert_int_equal(open_spool(1), 0);
		assert_int_equal(held(), 99 * RECORDS);
		check_disk();
		take_done(99);
		f.taken++;
		assert_int_equal(held(), 0);
	}
}

static void test_damaged_file_is_counted_and_the_next_one_read(void **state)
{
	char path[512];

	(void)state;
	append(40);
	newest(path);
	append(200);
	int fd = open(path, O_WRONLY);
	uint64_t first_file = 0;
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	first_file = ((uint64_t)st.st_size - sizeof(f.head)) / OCTETS;
	assert_int_equal(pwrite(fd, "\0\0\0\0", 4, sizeof(f.head) + 10 * OCTETS + 0), 4);
	close(fd);
	take_done(10);
	f.taken = (uint32_t)first_file;
	take_done(240 - (uint32_t)first_file);
	assert_int_equal(spool_stats(f.s)->error.records, (first_file - 10) * RECORDS);
	assert_int_equal(held(), 0);
}

static void test_spool_of_another_is_refused(void **state)
{
	struct spool *own = f.s;

	(void)state;
	assert_int_equal(open_spool(1), -EBUSY);
	f.s = own;
	append(1);
}

static void test_folder_that_cannot_be_made_is_an_error(void **state)
{
	struct spool *s = NULL;
	struct spool_params params = {
		.folder = "/proc/spool", .owner = "test", .max_octets = MIB, .measure = measure};

	(void)state;
	assert_true(spool_open(&s, &params) < 0);
	assert_null(s);
}

/* Each file is one for any reader: Templates, Sequence Numbers from 0. */
static void test_each_file_is_whole_by_itself(void **state)
{
	uint8_t content[MIB / 16];
	char path[512];

	(void)state;
	append(200);
	newest(path);
	FILE *in = fopen(path, "r");
	size_t octets = fread(content, 1, sizeof(content), in), at = sizeof(f.head);
	uint32_t sequence = 0;

	fclose(in);
	assert_memory_equal(content, f.head, 4);
	for (; at < octets; at += OCTETS, sequence += RECORDS) {
		const uint8_t *m = content + at;

		assert_int_equal((uint32_t)m[8] << 24 | m[9] << 16 | m[10] << 8 | m[11], sequence);
		assert_int_equal((uint32_t)m[4] << 24 | m[5] << 16 | m[6] << 8 | m[7], TIME);
	}
	assert_int_equal(at, octets);
}

static void test_write_that_fails_leaves_the_file_whole(void **state)
{
	struct rlimit limit;
	int err = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = 20000;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	while (!err)
		err = append_one();
	limit.rlim_cur = RLIM_INFINITY;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(err, -EFBIG);
	check_disk();
	append(100);
	take_done(f.appended);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_messages_come_out_in_order_and_leave_nothing),
		TEST(test_oldest_are_dropped_and_counted_when_it_is_full),
		TEST(test_what_is_put_back_is_taken_again),
		TEST(test_what_was_dropped_cannot_be_put_back),
		TEST(test_another_run_goes_on_where_one_ended),
		TEST(test_part_of_a_message_is_cut_off),
		TEST(test_damaged_file_is_counted_and_the_next_one_read),
		TEST(test_spool_of_another_is_refused),
		TEST(test_folder_that_cannot_be_made_is_an_error),
		TEST(test_each_file_is_whole_by_itself),
		TEST(test_write_that_fails_leaves_the_file_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
