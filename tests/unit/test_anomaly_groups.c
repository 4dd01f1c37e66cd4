/* SPDX-License-Identifier: BSD-2-Clause */
/* Hosts of a group of networks are measured by its thresholds, and their events say so. */
#include "tests/lib/anomaly_send.h"

static struct network_group *add_group(const char *name, const char *network)
{
	struct network_group *group = &f.cfg.anomaly.groups[f.cfg.anomaly.n_groups++];
	const char *reason;

	snprintf(group->name, sizeof(group->name), "%s", name);
	f.cfg.anomaly.scan.slow =
		200; /* what is not told of now is not to be told of for the day */
	assert_int_equal(network_parse(network, &group->networks.item[0], &reason), 0);
	group->networks.n = 1;
	return group;
}

static void reload(void)
{
	assert_int_equal(anomaly_reload(f.anomaly, &f.cfg.anomaly, f.sweep.now_ns), 0);
}

/* n closed ports of the target, at once. */
static void scan(uint64_t ms, const char *from, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		refuse(ms, from, TARGET, 1 + i);
	anomaly_fixture_run(&f, ms / 1000 * 1000 + 2000);
}

static void test_hosts_of_a_group_have_its_threshold_and_others_theirs(void **state)
{
	struct anomaly_event e;

	(void)state;
	add_group("office", "10.5.0.0/16")->limits.scan.contacts = 30;
	reload();
	scan(100, "10.5.0.1", 29);
	assert_nothing();
	scan(10100, "10.5.0.1", 30);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_int_equal(e.threshold, 30);
	f.n_events = 0;
	scan(20100, "10.6.0.1", 15);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_int_equal(e.threshold, 15);
	assert_string_equal(e.group, "");
}

static void test_the_longest_prefix_counts_whatever_the_order(void **state)
{
	struct anomaly_event e;

	(void)state;
	add_group("wide", "10.0.0.0/8")->limits.scan.contacts = 40;
	add_group("narrow", "10.5.5.0/24")->limits.scan.contacts = 20;
	add_group("middle", "10.5.0.0/16")->limits.scan.contacts = 30;
	reload();
	scan(100, "10.5.5.9", 20);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_string_equal(e.group, "narrow");
	f.n_events = 0;
	scan(10100, "10.5.6.9", 30);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_string_equal(e.group, "middle");
	f.n_events = 0;
	scan(20100, "10.6.6.9", 39);
	assert_nothing();
}

static void test_a_prefix_of_ipv4_is_none_of_ipv6(void **state)
{
	struct anomaly_event e;

	(void)state;
	add_group("all-4", "0.0.0.0/0")->limits.scan.contacts = 900;
	add_group("six", "2001:db8::/33")->limits.scan.contacts = 20;
	reload();
	for (uint16_t i = 0; i < 20; i++)
		refuse(100, "2001:db8:7000::1", "fd00::2", 1 + i);
	scan(200, REMOTE, 100);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	assert_string_equal(e.group, "six");
}

/* What the group does not say is as for all: the key that holds it is outside, too. */
static void test_an_event_names_the_group_and_the_key_that_would_have_silenced_it(void **state)
{
	char line[ANOMALY_JSON_MAX];
	struct anomaly_event e;

	(void)state;
	add_group("office", "10.5.0.0/16")->limits.scan.contacts = 20;
	reload();
	scan(100, "10.5.0.1", 20);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	*anomaly_put_json(line, &e) = '\0';
	assert_non_null(strstr(line, "\"networkGroup\":\"office\",\"rule\":\"anomaly.groups."
				     "office.scan.contacts\""));
	*anomaly_put_explanation(line, &e) = '\0';
	assert_non_null(strstr(line, "20 of anomaly.groups.office.scan.contacts, within 300 s"));
	assert_non_null(strstr(line, "\"silence\":\"anomaly.groups.office.scan.contacts above 20"));
	f.n_events = 0;
	for (uint16_t i = 0; i < 5; i++)
		send_tcp(10100, "10.5.0.2", CLIENT, TARGET, 1 + i, TH_FIN);
	anomaly_fixture_run(&f, 12000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_FIN, &e);
	*anomaly_put_json(line, &e) = '\0';
	assert_non_null(
		strstr(line, "\"networkGroup\":\"office\",\"rule\":\"anomaly.scan.stealth\""));
}

static void test_a_struck_host_is_measured_by_its_own_group(void **state)
{
	struct anomaly_event e;

	(void)state;
	add_group("servers", TARGET "/32")->limits.syn_flood.syn_per_s = 100;
	reload();
	for (uint64_t s = 1; s < 5; s++)
		for (uint16_t i = 0; i < 150; i++) {
			send_tcp(1000 * s + i, host(i), (uint16_t)(1024 + 10 * i + s), TARGET, 80,
				 TH_SYN);
			send_tcp(1000 * s + i, host(i), (uint16_t)(1024 + 10 * i + s), LOCAL, 80,
				 TH_SYN);
		}
	anomaly_fixture_run(&f, 6000);
	assert_one(ANOMALY_SYN_FLOOD, ANOMALY_BY_SYN, &e);
	assert_int_equal(host_ipv4(&e.destination), 0x0a000002);
	assert_string_equal(e.group, "servers");
	assert_int_equal(e.threshold, 100);
}

/* The rough counts that come before anybody is looked at know of the lowest threshold. */
static void test_a_group_may_have_a_lower_threshold_of_volume(void **state)
{
	struct anomaly_event e;

	(void)state;
	add_group("servers", TARGET "/32")->limits.ddos.packets_per_s = 200;
	reload();
	for (uint64_t s = 1; s < 5; s++)
		for (uint16_t i = 0; i < 300; i++)
			send_udp(1000 * s + i * 3, host(i), 4000, TARGET, 9);
	anomaly_fixture_run(&f, 6000);
	assert_one(ANOMALY_DDOS, ANOMALY_BY_UDP, &e);
	assert_int_equal(e.threshold, 200);
	assert_string_equal(e.group, "servers");
}

static void test_a_reload_changes_thresholds_of_groups_at_once(void **state)
{
	struct anomaly_event e;

	(void)state;
	add_group("office", "10.5.0.0/16")->limits.scan.contacts = 1000;
	reload();
	scan(100, "10.5.0.1", 100);
	assert_nothing();
	f.cfg.anomaly.groups[0].limits.scan.contacts = 50;
	reload();
	scan(10100, "10.5.0.1", 1);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, &e);
	/* the event keeps the name of a group that is no more */
	f.cfg.anomaly.n_groups = 0;
	memset(f.cfg.anomaly.groups, 0, sizeof(f.cfg.anomaly.groups));
	reload();
	anomaly_fixture_finish(&f, 13000);
	assert_string_equal(f.event[f.n_events - 1].group, "office");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_hosts_of_a_group_have_its_threshold_and_others_theirs),
		TEST(test_the_longest_prefix_counts_whatever_the_order),
		TEST(test_a_prefix_of_ipv4_is_none_of_ipv6),
		TEST(test_an_event_names_the_group_and_the_key_that_would_have_silenced_it),
		TEST(test_a_struck_host_is_measured_by_its_own_group),
		TEST(test_a_group_may_have_a_lower_threshold_of_volume),
		TEST(test_a_reload_changes_thresholds_of_groups_at_once),
	};
#undef TEST

	return cmocka_run_group_tests_name("groups of networks", tests, NULL, NULL);
}
