/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow filter: what each term lets pass, and the sentence that each kind of
 * mistake is answered with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "probe/filter.h"

/* 10.1.2.3:40000 -> 192.0.2.9:443, TCP, VLAN 7, reset, 10 packets, 1000 octets */
static const struct flow_record v4 = {
	.source4 = 0x0a010203,
	.destination4 = 0xc0000209,
	.source_port = 40000,
	.destination_port = 443,
	.protocol = 6,
	.vlan = 7,
	.connection_state = 5,
	.packets = 10,
	.octets = 1000,
};

/* [2001:db8::1]:53 -> [2001:db8:8000::2]:5353, UDP, untagged */
static const struct flow_record v6 = {
	.source6 = {0x20, 0x01, 0x0d, 0xb8, [15] = 1},
	.destination6 = {0x20, 0x01, 0x0d, 0xb8, 0x80, [15] = 2},
	.source_port = 53,
	.destination_port = 5353,
	.protocol = 17,
	.packets = 1,
	.octets = 80,
	.is_ipv6 = 1,
};

struct match_case {
	const char *text;
	bool has_v4, has_v6;
};

static void check_cases(const struct match_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char error[256] = "";
		struct filter f;

		if (filter_parse(&f, cases[i].text, error, sizeof(error)))
			fail_msg("'%s': %s", cases[i].text, error);
		if (filter_matches(&f, &v4) != cases[i].has_v4 ||
		    filter_matches(&f, &v6) != cases[i].has_v6)
			fail_msg("'%s' matches wrongly", cases[i].text);
	}
}

#define CHECK(cases) check_cases(cases, sizeof(cases) / sizeof(*(cases)))

static void test_empty_filter_lets_everything_pass(void **state)
{
	static const struct match_case cases[] = {{"", true, true}, {"  \t ", true, true}};

	(void)state;
	CHECK(cases);
}

static void test_hosts_are_found_on_the_side_asked_for(void **state)
{
	static const struct match_case cases[] = {
		{"host 10.1.2.3", true, false},	    {"host 192.0.2.9", true, false},
		{"src host 10.1.2.3", true, false}, {"dst host 10.1.2.3", false, false},
		{"host 2001:db8::1", false, true},  {"dst host 2001:db8::1", false, false},
		{"host 10.1.2.4", false, false},
	};

	(void)state;
	CHECK(cases);
}

static void test_nets_compare_only_their_length(void **state)
{
	static const struct match_case cases[] = {
		{"net 10.0.0.0/8", true, false},
		{"net 10.1.2.255/24", true, false},
		{"net 10.1.2.2/31", true, false},
		{"net 10.1.2.0/31", false, false},
		{"net 0.0.0.0/0", true, false},
		{"net ::/0", false, true},
		{"dst net 2001:db8:8000::/33", false, true},
		{"src net 2001:db8:8000::/33", false, false},
		{"net 2001:db8::2/127", false, false},
	};

	(void)state;
	CHECK(cases);
}

static void test_ports_protocols_vlans_states_and_versions_match(void **state)
{
	static const struct match_case cases[] = {
		{"port 443", true, false},     {"src port 443", false, false},
		{"dst port 443", true, false}, {"port 53", false, true},
		{"proto tcp", true, false},    {"proto 17", false, true},
		{"proto UDP", false, true},    {"proto icmp", false, false},
		{"vlan 7", true, false},       {"vlan 0", false, true},
		{"ipv4", true, false},	       {"ipv6", false, true},
		{"state reset", true, false},  {"state closed", false, false},
		{"state none", false, true},   {"not state reset", false, true},
	};

	(void)state;
	CHECK(cases);
}

static void test_counters_are_compared(void **state)
{
	static const struct match_case cases[] = {
		{"packets >= 10", true, false}, {"packets > 10", false, false},
		{"packets <= 1", false, true},	{"packets < 1", false, false},
		{"octets = 80", false, true},	{"octets >= 18446744073709551615", false, false},
	};

	(void)state;
	CHECK(cases);
}

static void test_all_terms_have_to_hold_and_not_turns_one(void **state)
{
	static const struct match_case cases[] = {
		{"proto tcp port 443", true, false},
		{"proto tcp and port 443", true, false},
		{"proto tcp port 53", false, false},
		{"not proto tcp", false, true},
		{"not src host 10.1.2.3 not port 1", false, true},
		{"not ipv4 not ipv6", false, false},
	};

	(void)state;
	CHECK(cases);
}

static void test_mistake_names_the_word_and_what_is_allowed(void **state)
{
	static const struct {
		const char *text, *word, *allowed;
	} cases[] = {
		{"hots 10.1.2.3", "'hots'", "host"},
		{"host", "'host'", "an address"},
		{"host 10.1.2", "'10.1.2'", "IPv4 or IPv6"},
		{"host example.org", "'example.org'", "IPv4 or IPv6"},
		{"net 10.0.0.0", "'10.0.0.0'", "ADDRESS/LENGTH"},
		{"net 10.0.0.0/33", "'33'", "0 to 32"},
		{"net 10.0.0.0/", "''", "0 to 32"},
		{"net ::/129", "'129'", "0 to 128"},
		{"port 65536", "'65536'", "0 to 65535"},
		{"port -1", "'-1'", "0 to 65535"},
		{"port http", "'http'", "0 to 65535"},
		{"vlan 4096", "'4096'", "0 to 4095"},
		{"proto foo", "'foo'", "tcp"},
		{"proto 256", "'256'", "0 to 255"},
		{"state open", "'open'", "opening, established"},
		{"state", "'state'", "never-answered"},
		{"src vlan 3", "'vlan'", "host, net, port"},
		{"src", "'src'", "host, net, port"},
		{"not", "'not'", "a term"},
		{"ipv4 and", "'and'", "a term"},
		{"packets 10", "'10'", ">="},
		{"packets >=", "'>='", "a number"},
		{"octets >= 18446744073709551616", "'18446744073709551616'", "0 to"},
		{"and ipv4", "'and'", "not"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char error[256] = "";
		struct filter f = {.n_terms = 99};

		assert_int_equal(filter_parse(&f, cases[i].text, error, sizeof(error)), -EINVAL);
		if (!strstr(error, cases[i].word) || !strstr(error, cases[i].allowed))
			fail_msg("'%s': %s", cases[i].text, error);
		assert_int_equal(f.n_terms, 99);
	}
}

static void test_too_many_terms_and_too_long_words_are_refused(void **state)
{
	char text[1024] = "", error[256];
	struct filter f;

	(void)state;
	for (int i = 0; i < FILTER_MAX_TERMS; i++)
		strcat(text, "ipv4 ");
	assert_int_equal(filter_parse(&f, text, error, sizeof(error)), 0);
	strcat(text, "ipv4");
	assert_int_equal(filter_parse(&f, text, error, sizeof(error)), -EINVAL);
	memset(text, 'x', 1000);
	text[1000] = '\0';
	assert_int_equal(filter_parse(&f, text, error, sizeof(error)), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_filter_lets_everything_pass),
		cmocka_unit_test(test_hosts_are_found_on_the_side_asked_for),
		cmocka_unit_test(test_nets_compare_only_their_length),
		cmocka_unit_test(test_ports_protocols_vlans_states_and_versions_match),
		cmocka_unit_test(test_counters_are_compared),
		cmocka_unit_test(test_all_terms_have_to_hold_and_not_turns_one),
		cmocka_unit_test(test_mistake_names_the_word_and_what_is_allowed),
		cmocka_unit_test(test_too_many_terms_and_too_long_words_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
