/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Configuration files: each is refused, or what was understood is printed so
 * that it is understood as the same again.
 */
#include <errno.h>

#include "probe/config.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

/* Returns the configuration as text, to be freed. */
static char *print(const struct config *cfg, size_t *length)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, length);

	FUZZ_CHECK(out);
	FUZZ_CHECK(!config_print(cfg, out));
	FUZZ_CHECK(!fclose(out));
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config cfg, again;
	char *first, *second;
	size_t n_first, n_second;
	int err;

	config_init(&cfg);
	err = config_load(&cfg, fuzz_file(data, size));
	FUZZ_CHECK(!err || err == -EINVAL || err == -EFBIG);
	if (err)
		return 0;
	config_check(&cfg);
	first = print(&cfg, &n_first);
	config_init(&again);
	FUZZ_CHECK(!config_load(&again, fuzz_file(first, n_first)));
	second = print(&again, &n_second);
	FUZZ_CHECK(n_first == n_second && !memcmp(first, second, n_first));
	free(first);
	free(second);
	return 0;
}
