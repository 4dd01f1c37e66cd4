/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Filter expressions: each is refused with a sentence, or can be asked of any
 * Flow Record.
 */
#include <errno.h>

#include "probe/filter.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct flow_record records[] = {
		{.source4 = 0x0a010203, .destination_port = 443, .protocol = 6, .octets = 1000},
		{.is_ipv6 = 1, .source6 = {0x20, 0x01}, .protocol = 17, .vlan = 4095},
	};
	char *text = malloc(size + 1), error[64] = "";
	struct filter f = {};
	int err;

	FUZZ_CHECK(text);
	memcpy(text, data, size);
	text[size] = '\0';
	err = filter_parse(&f, text, error, sizeof(error));
	free(text);
	FUZZ_CHECK(!err || err == -EINVAL);
	if (err) {
		FUZZ_CHECK(error[0] && memchr(error, '\0', sizeof(error)));
		FUZZ_CHECK(!f.n_terms);
		return 0;
	}
	FUZZ_CHECK(f.n_terms <= FILTER_MAX_TERMS);
	for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++)
		FUZZ_CHECK(!filter_matches(&f, &records[i]) || filter_may_match(&f, &records[i]));
	FUZZ_CHECK(!filter_has_state(&f) || f.n_terms);
	return 0;
}
