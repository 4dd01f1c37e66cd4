/* SPDX-License-Identifier: BSD-2-Clause */
/* Files of exporters that a reload adds: all of them begin, or none that is there changes. */
#include <sys/stat.h>

#include "tests/lib/capture_stderr.h"
#include "tests/lib/reload_fixture.h"

#define CONTENT "what an earlier run wrote"

static void add_file(const char *name)
{
	struct exporter_config *e = add_exporter(&f.next, name, 0);

	e->transport = TRANSPORT_FILE;
	snprintf(e->address, sizeof(e->address), "%s/%s", f.folder, name);
}

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", f.folder, name);
	return path;
}

static void write_content(const char *name)
{
	FILE *out = fopen(path_of(name), "w");

	assert_non_null(out);
	fputs(CONTENT, out);
	fclose(out);
}

static void assert_content(const char *name)
{
	char content[64] = "";
	FILE *in = fopen(path_of(name), "r");

	assert_non_null(in);
	assert_int_equal(fread(content, 1, sizeof(content), in), strlen(CONTENT));
	assert_string_equal(content, CONTENT);
	fclose(in);
}

static void assert_file(const char *name, uint64_t n_records)
{
	static uint8_t data[1 << 20];
	static struct wire w;
	FILE *in = fopen(path_of(name), "r");

	assert_non_null(in);
	memset(&w, 0, sizeof(w));
	size_t octets = fread(data, 1, sizeof(data), in);

	fclose(in);
	assert_int_equal(wire_read_stream(&w, data, octets), octets);
	assert_int_equal(w.data.records, n_records);
}

static void test_refused_reload_leaves_files_as_they_were(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0);
	open_sinks();
	write_content("old");
	add_file("old");
	add_file("new");
	add_file("no/where");
	capture_begin();
	assert_int_equal(prepare(), -ENOENT);
	free(capture_end());
	assert_content("old");
	assert_int_equal(access(path_of("new"), F_OK), -1);
	record_samples(10);
	pass_seconds(1);
	assert_content("old");
}

static void test_files_of_a_reload_begin_empty(void **state)
{
	(void)state;
	add_exporter(&f.cfg, "a", 0);
	open_sinks();
	write_content("old");
	add_file("old");
	add_file("new");
	reload();
	pass_seconds(1);
	assert_file("old", 0); /* the Templates */
	record_samples(100);
	pass_seconds(1);
	assert_file("old", 100);
	assert_file("new", 100);
}

static void test_refused_start_leaves_files_as_they_were(void **state)
{
	(void)state;
	write_content("old");
	f.next = f.cfg;
	add_file("old");
	add_file("no/where");
	capture_begin();
	assert_int_equal(sinks_open(&f.sinks, &f.next, true), -ENOENT);
	free(capture_end());
	assert_content("old");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RELOAD_TEST(test_refused_reload_leaves_files_as_they_were),
		RELOAD_TEST(test_files_of_a_reload_begin_empty),
		RELOAD_TEST(test_refused_start_leaves_files_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
