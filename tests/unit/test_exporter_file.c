/* SPDX-License-Identifier: BSD-2-Clause */
/* IPFIX files: each whole by itself, none replaced, none with half a Message. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "probe/exporter_private.h"
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/wire_octets.h"

#define MS    1000000ull
#define S     (1000 * MS)
#define T0    (1000 * S)
#define TIME  1767400000u
#define FILES 16

struct fixture {
	char folder[64];
	struct exporter_config cfg;
	struct exporter *e;
	uint64_t now_ns;
	struct dirent **names; /* found by the last read_files() */
	int n_files;
	struct wire *w; /* of the file read last */
	uint64_t records; /* of all */
};

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	f = (struct fixture){.now_ns = T0, .folder = "/tmp/xflow-test-file-XXXXXX"};
	assert_non_null(mkdtemp(f.folder));
	f.cfg = (struct exporter_config){
		.name = "test", .transport = TRANSPORT_FILE, .template_refresh_s = 60};
	snprintf(f.cfg.address, sizeof(f.cfg.address), "%s/flows.ipfix", f.folder);
	f.w = malloc(sizeof(*f.w));
	return 0;
}

static void free_names(void)
{
	for (int i = 0; i < f.n_files; i++)
		free(f.names[i]);
	free(f.names);
	f.names = NULL;
	f.n_files = 0;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	exporter_close(f.e);
	free_names();
	free(f.w);
	snprintf(command, sizeof(command), "rm -r %s", f.folder);
	return system(command);
}

static void open_file(void)
{
	assert_int_equal(exporter_open(&f.e, &f.cfg, 7, 32473, true), 0);
	exporter_run(f.e, f.now_ns, TIME);
}

static void close_file(void)
{
	exporter_close(f.e);
	f.e = NULL;
}

/* One sweep, a second after the last. */
static void sweep(uint32_t n_records)
{
	for (uint32_t i = 0; i < n_records; i++) {
		struct flow_record r = sample_record(i);

		exporter_record(f.e, &r);
	}
	exporter_flush(f.e, f.now_ns, S);
	exporter_run(f.e, f.now_ns, TIME);
	check_balance(f.e);
	f.now_ns += S;
}

static int is_file(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* Read a file, gzip or not, as one stream of its own. True if it ends well. */
static bool read_file(const char *name)
{
	static uint8_t content[16 << 20];
	char path[512];
	int octets, error;

	snprintf(path, sizeof(path), "%s/%s", f.folder, name);
	gzFile in = gzopen(path, "rb");

	assert_non_null(in);
	octets = gzread(in, content, sizeof(content));
	gzerror(in, &error);
	gzclose(in);
	assert_true(octets >= 0);
	memset(f.w, 0, sizeof(*f.w));
	assert_int_equal(wire_read_stream(f.w, content, (size_t)octets), octets);
	assert_true(f.w->template_messages > 0);
	assert_int_equal(f.w->gaps, 0);
	assert_int_equal(f.w->next_sequence, f.w->data.records); /* counted from 0 */
	f.records += f.w->data.records;
	return error == Z_OK;
}

static void list_files(void)
{
	free_names();
	f.n_files = scandir(f.folder, &f.names, is_file, alphasort);
	assert_true(f.n_files >= 0);
}

static void read_files(void)
{
	list_files();
	f.records = 0;
	for (int i = 0; i < f.n_files; i++)
		assert_true(read_file(f.names[i]->d_name));
}

static bool is_named(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && !strcmp(name + n - m, end);
}

static void test_file_is_followed_by_another_at_its_size(void **state)
{
	(void)state;
	f.cfg.rotate_mib = 1;
	open_file();
	for (int i = 0; i < 10; i++)
		sweep(5000); /* 0.4 MB */
	list_files();
	assert_int_equal(f.n_files, 5);
	assert_true(is_named(f.names[0]->d_name, ".ipfix"));
	close_file();
	read_files();
	assert_int_equal(f.n_files, 5);
	assert_int_equal(f.records, 50000);
	for (int i = 0; i < 4; i++) {
		struct stat st;
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", f.folder, f.names[i]->d_name);
		assert_int_equal(stat(path, &st), 0);
		assert_in_range(st.st_size, 1 << 20, (1 << 20) + SESSION_STREAM_OCTETS);
		assert_false(is_named(path, ".part"));
	}
}

static void test_file_is_followed_by_another_at_its_age(void **state)
{
	(void)state;
	f.cfg.rotate_s = 10;
	open_file();
	for (int i = 0; i < 36; i++)
		sweep(i < 5 || i >= 24 ? 10 : 0);
	/* From 0 and 24; the second is over 10 s old. An empty one does not age. */
	list_files();
	assert_int_equal(f.n_files, 3);
	assert_in_range(exporter_run(f.e, f.now_ns, TIME), T0 + 44 * S, T0 + 46 * S);
	close_file();
	read_files();
	assert_int_equal(f.records, 17 * 10);
}

/* Flow Records that the Message at the end of a file tells of, which is of RFC 7011 4.1. */
static uint64_t told_at_the_end(const char *name)
{
	uint8_t end[48]; /* headers, domain, Messages, Flow Records, octets */
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", f.folder, name);
	FILE *in = fopen(path, "rb");

	assert_non_null(in);
	assert_int_equal(fseek(in, -(long)sizeof(end), SEEK_END), 0);
	assert_int_equal(fread(end, sizeof(end), 1, in), 1);
	fclose(in);
	assert_int_equal(get16(end + 2), sizeof(end));
	assert_int_equal(get32(end + 12), 0); /* Observation Domain */
	assert_int_equal(get16(end + 16), 320);
	return get64(end + 32);
}

static void test_each_file_ends_with_the_counts(void **state)
{
	static struct wire w;
	uint64_t n_records = 0;

	(void)state;
	f.cfg.options = EXPORTER_OPTIONS_AUTO;
	f.cfg.rotate_mib = 1;
	open_file();
	for (int i = 0; i < 10; i++)
		sweep(5000);
	exporter_drain(f.e, f.now_ns, TIME, 0);
	close_file();
	list_files();
	assert_int_equal(f.n_files, 5);
	for (int i = 0; i < f.n_files; i++) {
		static uint8_t content[2 << 20];
		char path[512];

		snprintf(path, sizeof(path), "%s/%s", f.folder, f.names[i]->d_name);
		FILE *in = fopen(path, "rb");
		size_t octets = fread(content, 1, sizeof(content), in);

		fclose(in);
		memset(&w, 0, sizeof(w));
		assert_int_equal(wire_read_stream(&w, content, octets), octets);
		assert_int_equal(w.gaps, 0);
		n_records += w.data.records;
		assert_int_equal(told_at_the_end(f.names[i]->d_name), n_records);
	}
	assert_int_equal(n_records, 50000);
}

static void test_no_file_is_replaced(void **state)
{
	struct exporter *other;

	(void)state;
	f.cfg.rotate_mib = 1;
	open_file();
	sweep(100);
	other = f.e;
	open_file(); /* most likely in the same second */
	sweep(200);
	close_file();
	open_file();
	sweep(300);
	exporter_close(other);
	close_file();
	read_files();
	assert_int_equal(f.n_files, 3);
	assert_int_equal(f.records, 600);
}

static void test_file_without_records_does_not_stay(void **state)
{
	(void)state;
	f.cfg.rotate_s = 10;
	f.cfg.template_refresh_s = 5;
	f.cfg.options = EXPORTER_OPTIONS_AUTO; /* which are no Flows */
	open_file();
	for (int i = 0; i < 30; i++)
		sweep(0);
	assert_in_range(exporter_stats(f.e)->templates_sent, 4, 4);
	close_file();
	list_files();
	assert_int_equal(f.n_files, 0);
}

static void test_folder_that_is_gone_delays_and_loses_nothing(void **state)
{
	char elsewhere[80];

	(void)state;
	f.cfg.rotate_s = 2;
	open_file();
	snprintf(elsewhere, sizeof(elsewhere), "%s.moved", f.folder);
	sweep(100);
	assert_int_equal(rename(f.folder, elsewhere), 0);
	for (int i = 0; i < 5; i++)
		sweep(100); /* the first go to the file that cannot get its name */
	assert_in_range(exporter_stats(f.e)->queued.records, 200, 400);
	assert_int_equal(rename(elsewhere, f.folder), 0);
	for (int i = 0; i < 12; i++)
		sweep(0);
	close_file();
	read_files();
	assert_int_equal(f.records, 600);
}

static void test_compressed_files_are_whole_gzip_files(void **state)
{
	(void)state;
	f.cfg.compress = true;
	f.cfg.rotate_mib = 1;
	open_file();
	for (int i = 0; i < 10; i++)
		sweep(5000);
	close_file();
	read_files();
	assert_int_equal(f.n_files, 5);
	assert_int_equal(f.records, 50000);
	for (int i = 0; i < f.n_files; i++)
		assert_true(is_named(f.names[i]->d_name, ".ipfix.gz"));
}

/* As if the probe was killed: the end of the file is not written. */
static void test_compressed_file_in_the_making_can_be_read(void **state)
{
	(void)state;
	f.cfg.compress = true;
	open_file();
	sweep(5000);
	assert_false(read_file("flows.ipfix"));
	assert_int_equal(f.w->data.records, 5000);
	assert_int_equal(exporter_stats(f.e)->sent.records, 5000);
}

static void set_file_limit(rlim_t octets)
{
	struct rlimit limit;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_compressed_file_is_whole_after_the_disk_was_full(void **state)
{
	(void)state;
	f.cfg.compress = true;
	open_file();
	set_file_limit(30000);
	sweep(5000);
	set_file_limit(RLIM_INFINITY);
	assert_true(exporter_stats(f.e)->not_sent_error.records > 0);
	sweep(700);
	const struct exporter_volume sent = exporter_stats(f.e)->sent;

	assert_in_range(sent.records, 1200, 4000);
	exporter_run(f.e, f.now_ns, TIME);
	close_file();
	list_files();
	/* what was lost leaves a gap in the Sequence Numbers */
	static uint8_t content[1 << 20];
	gzFile in = gzopen(f.cfg.address, "rb");
	int octets = gzread(in, content, sizeof(content)), error;

	gzerror(in, &error);
	gzclose(in);
	assert_int_equal(error, Z_OK);
	memset(f.w, 0, sizeof(*f.w));
	assert_int_equal(wire_read_stream(f.w, content, (size_t)octets), octets);
	assert_memory_equal(&f.w->data, &sent, sizeof(sent));
	assert_true(f.w->gaps > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_file_is_followed_by_another_at_its_size),
		TEST(test_file_is_followed_by_another_at_its_age),
		TEST(test_each_file_ends_with_the_counts),
		TEST(test_no_file_is_replaced),
		TEST(test_file_without_records_does_not_stay),
		TEST(test_folder_that_is_gone_delays_and_loses_nothing),
		TEST(test_compressed_files_are_whole_gzip_files),
		TEST(test_compressed_file_in_the_making_can_be_read),
		TEST(test_compressed_file_is_whole_after_the_disk_was_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
