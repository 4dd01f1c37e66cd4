/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups of networks in the configuration: what stands in them, and what is refused where. */
#include "probe/config_groups.h"
#include "tests/lib/config_fixture.h"

#define GROUPS "anomaly:\n  groups:\n"

static void test_thresholds_stand_in_a_group_under_the_names_they_have_outside(void **state)
{
	struct config cfg;

	(void)state;
	assert_int_equal(load(&cfg, GROUPS "    lab:\n"
					   "      networks: [10.9.0.0/16, 'fc00:9::/32']\n"
					   "      scan: {contacts: 100}\n"
					   "      exfiltration: {mbyte_per_day: 7}\n"
					   "    web_1: {networks: [10.9.1.0/24]}\n"),
			 0);
	assert_int_equal(cfg.anomaly.n_groups, 2);
	assert_string_equal(cfg.anomaly.groups[0].name, "lab");
	assert_int_equal(cfg.anomaly.groups[0].networks.n, 2);
	assert_int_equal(cfg.anomaly.groups[0].limits.scan.contacts, 100);
	assert_int_equal(cfg.anomaly.groups[0].limits.scan.stealth, 0);
	assert_int_equal(cfg.anomaly.groups[0].limits.exfiltration.mbyte_per_day, 7);
	assert_string_equal(cfg.anomaly.groups[1].name, "web_1");
	assert_int_equal(cfg.anomaly.scan.contacts, 15);
}

/* Set in a group each to its least value, read from where all thresholds are. */
static void test_every_threshold_may_be_another_one_in_a_group(void **state)
{
	struct config cfg;
	char text[512], section[64], name[64];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];

		if (!config_key_is_threshold(key))
			continue;
		assert_int_equal(sscanf(key->path, "anomaly.%63[^.].%63s", section, name), 2);
		snprintf(text, sizeof(text),
			 GROUPS "    lab: {networks: [10.0.0.1], %s: {%s: %.0f}}\n", section, name,
			 key->min);
		if (load(&cfg, text))
			fail_msg("%s: %s", text, printed);
		assert_int_equal(config_group_threshold(&cfg.anomaly.groups[0], key), key->min);
		snprintf(text, sizeof(text),
			 GROUPS "    lab: {networks: [10.0.0.1], %s: {%s: 0}}\n", section, name);
		assert_refused(text, ": 0: out of range (allowed: ");
		n++;
	}
	assert_in_range(n, 24, 60);
}

static void test_what_is_no_threshold_has_no_place_in_a_group(void **state)
{
	(void)state;
	assert_refused(GROUPS "    lab:\n      networks: [10.0.0.1]\n      scan: {window_s: 60}\n",
		       ":5:14: anomaly.groups.lab.scan.window_s: unknown key (allowed: contacts, ");
	assert_refused(GROUPS "    lab: {networks: [10.0.0.1], beacon: {allow: []}}\n",
		       "anomaly.groups.lab.beacon.allow: unknown key");
	assert_refused(GROUPS "    lab: {networks: [10.0.0.1], scan: {enabled: false}}\n",
		       "anomaly.groups.lab.scan.enabled: unknown key");
	assert_refused(GROUPS "    lab: {networks: [10.0.0.1], dos: {}}\n",
		       ":3:33: anomaly.groups.lab.dos: unknown key, perhaps ddos is meant "
		       "(allowed: networks, scan, syn_flood, ddos, ");
}

static void test_a_network_is_in_one_group(void **state)
{
	struct config cfg;

	(void)state;
	assert_refused(GROUPS "    a: {networks: [10.0.0.0/8]}\n"
			      "    b:\n      networks: [192.0.2.1, 10.0.0.0/8]\n",
		       ":5:29: anomaly.groups.b.networks: 10.0.0.0/8: is in another group, too");
	assert_refused(GROUPS "    a: {networks: [10.0.0.1, 10.0.0.1/32]}\n",
		       ":3:30: anomaly.groups.a.networks: 10.0.0.1/32: is here a second time");
	/* one within another is what groups are for */
	assert_int_equal(load(&cfg, GROUPS "    a: {networks: [10.0.0.0/8]}\n"
					   "    b: {networks: [10.0.0.0/9]}\n"),
			 0);
}

static void test_a_group_has_networks(void **state)
{
	(void)state;
	assert_refused(GROUPS "    a: {scan: {udp: 60}}\n",
		       ":3:8: anomaly.groups.a: the key networks is missing");
	assert_refused(GROUPS "    a: {networks: []}\n", ":3:19: anomaly.groups.a.networks: empty");
	assert_refused(GROUPS "    a: {networks: [10.0.0.1/8]}\n",
		       "has bits behind its prefix length");
}

static void test_groups_too_many_are_refused(void **state)
{
	char text[8192];
	size_t n = (size_t)snprintf(text, sizeof(text), GROUPS);

	(void)state;
	for (int i = 0; i <= NETWORK_GROUPS_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
				      "    g%d: {networks: [10.0.0.%d], scan: {udp: 9}}\n", i, i);
	assert_refused(text, ":35:10: anomaly.groups.g32: one too many (allowed: 32 entries)");
}

static void test_printed_groups_are_read_back_equal(void **state)
{
	static char text[16384];
	struct config cfg, again;
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_int_equal(load(&cfg, GROUPS "    lab: {networks: [10.9.0.0/16], scan: {udp: 9},\n"
					   "      beacon: {score: 70, clients: 9}}\n"
					   "    x: {networks: ['fd00::/8']}\n"),
			 0);
	assert_int_equal(config_print(&cfg, out), 0);
	fclose(out);
	if (load(&again, text))
		fail_msg("%s", printed);
	assert_memory_equal(&again.anomaly, &cfg.anomaly, sizeof(cfg.anomaly));
	assert_true(config_groups_equal(&again.anomaly, &cfg.anomaly));
	again.anomaly.groups[0].limits.beacon.score++;
	assert_false(config_groups_equal(&again.anomaly, &cfg.anomaly));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_thresholds_stand_in_a_group_under_the_names_they_have_outside),
		cmocka_unit_test(test_every_threshold_may_be_another_one_in_a_group),
		cmocka_unit_test(test_what_is_no_threshold_has_no_place_in_a_group),
		cmocka_unit_test(test_a_network_is_in_one_group),
		cmocka_unit_test(test_a_group_has_networks),
		cmocka_unit_test(test_groups_too_many_are_refused),
		cmocka_unit_test(test_printed_groups_are_read_back_equal),
	};

	return cmocka_run_group_tests(tests, NULL, forget_printed);
}
