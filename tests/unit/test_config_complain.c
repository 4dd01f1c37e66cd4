/* SPDX-License-Identifier: BSD-2-Clause */
/* What is wrong between the keys of a configuration is told with the place of the key. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/config_complain.h"
#include "probe/configure.h"
#include "tests/lib/capture_stderr.h"

#define COMMAND_LINE_MAX 8

static char path[] = "/tmp/xflow-complain.XXXXXX";
static struct config_places places;

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* What configuring with this file and these options prints; freed by the caller. */
static char *configure_with(const char *yaml, struct config *cfg, const char *more)
{
	static char program[] = "xflow-probe", option[] = "-c";
	char *argv[COMMAND_LINE_MAX] = {program, option, path}, words[128], *save = NULL;
	static struct options opt;
	int argc = 3;
	FILE *f = fopen(path, "w");
	int err;

	assert_non_null(f);
	fputs(yaml, f);
	fclose(f);
	snprintf(words, sizeof(words), "%s", more);
	for (char *w = strtok_r(words, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	capture_begin();
	err = options_parse(&opt, argc, argv);
	if (!err)
		err = configure(cfg, &opt, &places);
	if (!err)
		err = *cfg->exporters[0].spool_path ? -EACCES : 0;
	if (err == -EACCES)
		config_complain_unusable(cfg, 0, err);
	configure_end(&places);
	assert_int_not_equal(err, 0);
	return capture_end();
}

static void assert_place(const char *yaml, const char *line, const char *column,
			 const char *message)
{
	static struct config cfg;
	char *printed = configure_with(yaml, &cfg, ""), expected[512];

	snprintf(expected, sizeof(expected), "%s:%s:%s: %s", path, line, column, message);
	if (!strstr(printed, expected))
		fail_msg("no %s in: %s", expected, printed);
	free(printed);
}

#define ETH0 "interfaces: [{name: eth0}]\n"

static void test_each_error_between_keys_has_its_place(void **state)
{
	static const struct {
		const char *yaml, *line, *column, *message;
	} cases[] = {
		{ETH0 "exporters:\n- name: a\n  address: 127.0.0.1\n", "4", "12",
		 "exporters[0].address: 127.0.0.1: no port; write HOST:PORT"},
		{ETH0 "exporters:\n- address: a:1\n- address: a:70000\n", "4", "12",
		 "exporters[1].address: a:70000: the port is out of range"},
		{ETH0
		 "exporters: [{address: a:1, biflow: rfc5103, fields: [tcp, size, tcp_health, l2, "
		 "fragment, tunnel, timing],\n  mtu: 512}]\n",
		 "3", "8", "exporters[0].mtu: the Templates of these fields take "},
		{ETH0 "enterprise_number: 29305\n", "2", "20", "enterprise_number: 29305 is taken"},
		{ETH0 "exporters: [{address: a:1, group: b}]\n", "2", "35",
		 "exporters[0].group: there is no group b"},
		{ETH0 "exporters: [{address: a:1, protocol: netflow5,\n  transport: tcp}]\n", "3",
		 "14", "exporters[0].transport: NetFlow v5 travels over UDP only"},
		{ETH0 "flow_cache:\n  sweep_interval_s: 30\n", "3", "21",
		 "flow_cache.sweep_interval_s: longer than idle_timeout_s"},
		{"interfaces:\n- name: a/b\n", "2", "9", "interfaces[0].name: a/b is no name"},
		/* a key that is not there: what it would be in */
		{ETH0 "groups: {pair: {mode: failover}}\nexporters:\n"
		      "- {address: a:1, protocol: netflow9, group: pair}\n"
		      "- {address: b:1, group: pair}\n",
		 "5", "3", "exporters[1].protocol: not that of exporters[0]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_place(cases[i].yaml, cases[i].line, cases[i].column, cases[i].message);
}

static void test_a_folder_that_cannot_be_used_has_its_place(void **state)
{
	(void)state;
	assert_place(ETH0 "exporters:\n- address: a:1\n  spool: {path: /proc/a}\n", "4", "17",
		     "exporters[0].spool.path: cannot be used; make its folder writable, or name "
		     "another");
}

static void test_what_the_command_line_gave_has_no_place(void **state)
{
	static struct config cfg;
	char *printed = configure_with(ETH0 "exporters: [{address: a:1}]\n", &cfg,
				       "--collector netflow5:127.0.0.1:9995 --fields tcp");

	(void)state;
	assert_non_null(strstr(printed, "exporters[0].fields: NetFlow v5 has no elements of"));
	assert_null(strstr(printed, path));
	free(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_error_between_keys_has_its_place),
		cmocka_unit_test(test_a_folder_that_cannot_be_used_has_its_place),
		cmocka_unit_test(test_what_the_command_line_gave_has_no_place),
	};

	return cmocka_run_group_tests_name("places of errors", tests, make_file, remove_file);
}
