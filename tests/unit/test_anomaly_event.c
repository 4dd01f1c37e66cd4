/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as JSON lines; and the networks and the counting that they rest on. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "probe/anomaly_event.h"
#include "probe/distinct.h"
#include "probe/network.h"

static struct host host4(const char *text)
{
	return host_of_ipv4(inet_addr(text));
}

static void test_an_event_is_one_json_line(void **state)
{
	struct anomaly_event e = {
		.event_id = 42,
		.sequence = 1,
		.state = ANOMALY_START,
		.class = ANOMALY_PORT_SCAN,
		.subclass = ANOMALY_BY_FIN,
		.severity = 7,
		.confidence = 88,
		.visibility = ANOMALY_BOTH,
		.protocol = 6,
		.has_source = true,
		.has_destination = true,
		.source = host4("192.0.2.1"),
		.destination = host_of_ipv6((const uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [15] = 1}),
		.start_ms = 1000,
		.end_ms = 2000,
		.time_ms = 2500,
		.value = 15.5,
		.threshold = 15,
		.window_ms = 300000,
		.rule = "anomaly.scan.contacts",
		.reason = "say \"why\"",
		.n_ports = 15,
		.n_targets = 2,
		.target = {{.host = host4("192.0.2.2"), .port = 22, .has_port = true},
			   {.host = host4("192.0.2.3")}},
		.n_flow_ids = 2,
		.flow_id = {7, 8},
	};
	char line[ANOMALY_JSON_MAX];

	(void)state;
	*anomaly_put_json(line, &e) = '\0';
	assert_string_equal(
		line,
		"{\"type\":\"event\",\"eventId\":42,\"eventSequence\":1,\"state\":\"start\","
		"\"class\":\"port-scan\",\"subclass\":\"fin\","
		"\"sourceIPv4Address\":\"192.0.2.1\",\"destinationIPv6Address\":\"2001:db8::1\","
		"\"protocolIdentifier\":6,\"severity\":7,\"confidence\":88,\"value\":15.5,"
		"\"threshold\":15,\"baseline\":0,\"windowMs\":300000,\"visibility\":\"both\","
		"\"observationTime\":\"1970-01-01T00:00:02.500Z\","
		"\"flowStartMilliseconds\":\"1970-01-01T00:00:01.000Z\","
		"\"flowEndMilliseconds\":\"1970-01-01T00:00:02.000Z\",\"suppressedCount\":0,"
		"\"mitreTechnique\":\"T1046\",\"rule\":\"anomaly.scan.contacts\","
		"\"reason\":\"say \\\"why\\\"\",\"evidence\":{\"distinctPorts\":15,"
		"\"targets\":[{\"destinationIPv4Address\":\"192.0.2.2\","
		"\"destinationTransportPort\":22},{\"destinationIPv4Address\":\"192.0.2.3\"}]},"
		"\"flowIds\":[7,8]}\n");
}

static void test_features_are_evidence_with_z_value_and_what_is_usual(void **state)
{
	const struct anomaly_event e = {
		.class = ANOMALY_LEARNING,
		.n_features = 2,
		.feature = {{"octetsOut", 9.125f, 812000000, 12000000},
			    {"pcr", -6.5f, -0.25f, 0.5f}},
	};
	char line[ANOMALY_JSON_MAX];

	(void)state;
	*anomaly_put_json(line, &e) = '\0';
	assert_non_null(strstr(
		line, "\"evidence\":{\"topFeatures\":["
		      "{\"name\":\"octetsOut\",\"z\":9.125,\"value\":812000000,\"usual\":12000000},"
		      "{\"name\":\"pcr\",\"z\":-6.5,\"value\":-0.25,\"usual\":0.5}]}"));
}

static void test_the_longest_event_fits_and_is_json(void **state)
{
	static struct anomaly_event e;
	char line[ANOMALY_JSON_MAX];
	json_error_t error;
	json_t *json;

	(void)state;
	memset(&e, 0xff, sizeof(e));
	e.class = ANOMALY_PROTOCOL_VIOLATION;
	e.subclass = ANOMALY_BY_WS_DISCOVERY;
	e.state = ANOMALY_SUMMARY;
	e.visibility = ANOMALY_INGRESS_ONLY;
	e.value = e.threshold = e.baseline = e.interval_cv = e.pcr = 3e38f;
	e.rule = "anomaly.syn_flood.completed_pct";
	e.has_source = e.has_destination = e.has_source_port = e.has_destination_port = true;
	e.is_dry_run = e.is_spoofed = e.is_learning = e.is_group_rule = true;
	memset(e.group, 'g', sizeof(e.group) - 1);
	e.group[sizeof(e.group) - 1] = '\0';
	e.n_targets = ANOMALY_TARGETS;
	e.n_flow_ids = ANOMALY_FLOW_IDS;
	e.n_features = ANOMALY_FEATURES;
	for (int i = 0; i < ANOMALY_FEATURES; i++)
		e.feature[i] = (struct anomaly_feature){"packetsOut", -3e38f, 3e38f, 3e38f};
	for (int i = 0; i < ANOMALY_TARGETS; i++)
		e.target[i].has_port = true;
	memset(e.reason, '"', sizeof(e.reason) - 1);
	e.reason[sizeof(e.reason) - 1] = '\0';
	*anomaly_put_json(line, &e) = '\0';
	assert_true(strlen(line) < ANOMALY_JSON_MAX);
	json = json_loads(line, JSON_DECODE_INT_AS_REAL, &error);
	assert_non_null(json);
	json_decref(json);
}

static void test_what_would_have_silenced_it_names_the_list_of_the_other_side_too(void **state)
{
	struct anomaly_event e = {
		.event_id = 7,
		.class = ANOMALY_BEACON,
		.has_source = true,
		.has_destination = true,
		.source = host4("10.0.0.1"),
		.destination = host4("203.0.113.9"),
		.value = 81,
		.threshold = 50,
		.window_ms = 600000,
		.rule = "anomaly.beacon.score",
		.allow = "anomaly.beacon.allow",
		.reason = "it calls home",
		.connections = 24,
		.hours_bitmap = 3,
		.interval_median_ms = 60000,
		.interval_mad_ms = 1500,
		.interval_cv = 0.025f,
	};
	char line[ANOMALY_JSON_MAX];

	(void)state;
	*anomaly_put_explanation(line, &e) = '\0';
	assert_non_null(strstr(line, "\"why\":\"81 is not below the threshold, 50 of "
				     "anomaly.beacon.score, within 600 s\","
				     "\"silence\":\"anomaly.beacon.score above 81, or 10.0.0.1 in "
				     "anomaly.allow, or 203.0.113.9 in anomaly.beacon.allow\""));
	assert_non_null(strstr(line, "\"evidence\":{\"connectionCount\":24,\"hoursBitmap\":3,"
				     "\"intervalMedianMs\":60000,\"intervalMadMs\":1500,"
				     "\"intervalCv\":0.025}"));
}

static void test_names_that_are_no_number_of_ours_are_told_as_such(void **state)
{
	(void)state;
	assert_string_equal(anomaly_class_name(255), "?");
	assert_string_equal(anomaly_subclass_name(255), "?");
	assert_string_equal(anomaly_state_name(255), "?");
	assert_string_equal(anomaly_visibility_name(255), "?");
	assert_string_equal(anomaly_technique(255), "");
}

static void test_networks_are_read_and_have_their_hosts_only(void **state)
{
	static const struct {
		const char *text, *printed, *in, *out;
	} cases[] = {
		{"10.0.0.0/8", "10.0.0.0/8", "10.255.0.1", "11.0.0.1"},
		{"172.16.0.0/12", "172.16.0.0/12", "172.31.255.255", "172.32.0.0"},
		{"192.0.2.1", "192.0.2.1/32", "192.0.2.1", "192.0.2.0"},
		{"0.0.0.0/0", "0.0.0.0/0", "255.1.1.1", NULL},
		{"fc00::/7", "fc00::/7", NULL, "10.0.0.1"},
	};
	char text[NETWORK_TEXT_MAX + 1];
	struct network n;
	const char *reason;
	struct host h;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(network_parse(cases[i].text, &n, &reason), 0);
		network_put(text, &n);
		assert_string_equal(text, cases[i].printed);
		h = host4(cases[i].in ? cases[i].in : "1.1.1.1");
		assert_int_equal(network_has(&n, &h), cases[i].in != NULL);
		h = host4(cases[i].out ? cases[i].out : "1.1.1.1");
		assert_int_equal(network_has(&n, &h), cases[i].out == NULL);
	}
}

static void test_what_is_no_network_is_refused_with_a_reason(void **state)
{
	static const char *const texts[] = {"",
					    "10.0.0.0/33",
					    "10.0.0.1/8",
					    "10.0.0/8",
					    "fc00::/129",
					    "10.0.0.0/",
					    "10.0.0.0/08",
					    "10.0.0.0/8x",
					    "host",
					    "10.0.0.0/-1",
					    "fc00::1/64",
					    "::/x",
					    "1.2.3.4.5/32",
					    "10.0.0.0/99999999999999999999"};
	struct network n;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const char *reason = NULL;

		if (!network_parse(texts[i], &n, &reason))
			fail_msg("taken: %s", texts[i]);
		assert_non_null(reason);
	}
}

static void test_different_things_are_counted_within_their_error(void **state)
{
	static const uint32_t numbers[] = {1, 15, 100, 500, 1000};
	static const uint32_t many[] = {1, 50, 500, 20000, 1000000};

	(void)state;
	for (int k = 0; k < 5; k++) {
		struct distinct d = {0};
		struct distinct_many m = {0};

		for (int again = 0; again < 2; again++) {
			for (uint32_t i = 0; i < numbers[k]; i++)
				distinct_add(&d, distinct_mix(1, i));
			for (uint32_t i = 0; i < many[k]; i++)
				distinct_many_add(&m, distinct_mix(1, i));
		}
		assert_in_range(distinct_count(&d), numbers[k] * 85 / 100,
				numbers[k] * 115 / 100 + 1);
		assert_in_range(distinct_many_count(&m), many[k] * 8ull / 10,
				many[k] * 12ull / 10 + 1);
		distinct_turn(&d);
		assert_in_range(distinct_count(&d), numbers[k] * 85 / 100,
				numbers[k] * 115 / 100 + 1);
		distinct_turn(&d);
		assert_int_equal(distinct_count(&d), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_event_is_one_json_line),
		cmocka_unit_test(test_features_are_evidence_with_z_value_and_what_is_usual),
		cmocka_unit_test(test_the_longest_event_fits_and_is_json),
		cmocka_unit_test(
			test_what_would_have_silenced_it_names_the_list_of_the_other_side_too),
		cmocka_unit_test(test_names_that_are_no_number_of_ours_are_told_as_such),
		cmocka_unit_test(test_networks_are_read_and_have_their_hosts_only),
		cmocka_unit_test(test_what_is_no_network_is_refused_with_a_reason),
		cmocka_unit_test(test_different_things_are_counted_within_their_error),
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
