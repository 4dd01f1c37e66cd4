/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON lines character by character, and times against gmtime(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "probe/connection.h"
#include "probe/json.h"

static const struct flow_record tcp4 = {
	.start_ms = 1767323045678,
	.end_ms = 1767323105001,
	.octets = 18446744073709551615u,
	.packets = 12,
	.flow_id = 7,
	.source4 = 0xc0000201,
	.destination4 = 0xc6336407,
	.ingress = 2,
	.egress = 0,
	.length_min = 40,
	.length_max = 1500,
	.source_port = 40000,
	.destination_port = 443,
	.tcp_flags = 0x11b,
	.vlan = 100,
	.protocol = 6,
	.tos = 0xb8,
	.ttl_min = 63,
	.ttl_max = 64,
	.direction = 1,
	.end_reason = 3,
	.connection_state = 4,
};

static void check(const struct flow_record *r, const char *expected)
{
	char line[JSON_FLOW_MAX_OCTETS];

	*json_put_flow(line, r, GROUP_BASE) = '\0';
	assert_string_equal(line, expected);
}

static void test_tcp_record_has_every_element_of_its_template(void **state)
{
	(void)state;
	check(&tcp4,
	      "{\"type\":\"flow\",\"flowStartMilliseconds\":\"2026-01-02T03:04:05.678Z\","
	      "\"flowEndMilliseconds\":\"2026-01-02T03:05:05.001Z\","
	      "\"sourceIPv4Address\":\"192.0.2.1\",\"destinationIPv4Address\":\"198.51.100.7\","
	      "\"sourceTransportPort\":40000,\"destinationTransportPort\":443,"
	      "\"protocolIdentifier\":6,\"ipClassOfService\":184,\"tcpControlBits\":283,"
	      "\"octetDeltaCount\":18446744073709551615,\"packetDeltaCount\":12,"
	      "\"ingressInterface\":2,\"egressInterface\":0,\"vlanId\":100,\"flowDirection\":1,"
	      "\"flowEndReason\":3,\"minimumTTL\":63,\"maximumTTL\":64,"
	      "\"minimumIpTotalLength\":40,\"maximumIpTotalLength\":1500,\"flowId\":7,"
	      "\"connectionState\":\"closed\",\"communityId\":\"1:lWOTJwBjzASkHgo+w0kukpG9z0M=\"}"
	      "\n");
}

static void test_icmpv6_record_has_type_and_code_but_no_ports(void **state)
{
	struct flow_record r = {.is_ipv6 = 1, .protocol = 58, .icmp_type_code = 0x8700};

	(void)state;
	memcpy(r.source6, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	memcpy(r.destination6, "\xff\x02\0\0\0\0\0\0\0\0\0\x01\xff\0\0\x02", 16);
	check(&r, "{\"type\":\"flow\",\"flowStartMilliseconds\":\"1970-01-01T00:00:00.000Z\","
		  "\"flowEndMilliseconds\":\"1970-01-01T00:00:00.000Z\","
		  "\"sourceIPv6Address\":\"fe80::1\",\"destinationIPv6Address\":\"ff02::1:ff00:2\","
		  "\"icmpTypeCodeIPv6\":34560,\"protocolIdentifier\":58,\"ipClassOfService\":0,"
		  "\"octetDeltaCount\":0,\"packetDeltaCount\":0,\"ingressInterface\":0,"
		  "\"egressInterface\":0,\"vlanId\":0,\"flowDirection\":0,\"flowEndReason\":0,"
		  "\"minimumTTL\":0,\"maximumTTL\":0,\"minimumIpTotalLength\":0,"
		  "\"maximumIpTotalLength\":0,\"flowId\":0,"
		  "\"communityId\":\"1:6GkV4Q23CW9hmt4IlBap+Dis6uk=\"}\n");
}

static void test_groups_follow_base_in_their_order(void **state)
{
	struct flow_record r = {
		.protocol = 6,
		.l2 = {.source_mac = {2, 0, 0, 0, 0, 0xfe}, .ethertype = 0x800},
		.tunnel = {.mpls_top = {0, 0x64, 0x1f}, .outer_source4 = 0x0a000001},
		.connection_state = CONNECTION_NEVER_ANSWERED};
	char line[JSON_FLOW_MAX_OCTETS];

	(void)state;
	*json_put_flow(line, &r, GROUP_STATE | GROUP_TUNNEL | GROUP_L2 | GROUP_ICMP) = '\0';
	assert_string_equal(
		strstr(line, "\"flowId\""),
		"\"flowId\":0,\"sourceMacAddress\":\"02:00:00:00:00:fe\","
		"\"destinationMacAddress\":\"00:00:00:00:00:00\",\"ethernetType\":2048,"
		"\"dot1qVlanId\":0,\"dot1qPriority\":0,\"dot1qCustomerVlanId\":0,"
		"\"dot1qCustomerPriority\":0,\"layer2OctetDeltaCount\":0,\"layer2SegmentId\":0,"
		"\"mplsTopLabelStackSection\":\"00641f\",\"tunnelType\":0,"
		"\"outerSourceIPv4Address\":\"10.0.0.1\",\"outerDestinationIPv4Address\":"
		"\"0.0.0.0\",\"outerSourceIPv6Address\":\"::\",\"outerDestinationIPv6Address\":"
		"\"::\",\"connectionState\":\"never-answered\","
		"\"communityId\":\"1:idwO/QHAjbcGlF1bfQE9dPuu7T0=\"}\n");
}

static void test_biflow_has_reverse_elements_behind_the_forward_ones(void **state)
{
	struct flow_record forward = tcp4, reverse = tcp4;
	char line[JSON_FLOW_MAX_OCTETS];

	(void)state;
	forward.biflow_direction = BIFLOW_INITIATOR;
	reverse.octets = 99;
	reverse.packets = 3;
	reverse.direction = 0;
	*json_put_biflow(line, &forward, &reverse, GROUP_BASE) = '\0';
	*strstr(line, "\"communityId\"") = '\0';
	assert_string_equal(strstr(line, "\"flowId\""),
			    "\"flowId\":7,\"biflowDirection\":1,"
			    "\"reverseFlowStartMilliseconds\":\"2026-01-02T03:04:05.678Z\","
			    "\"reverseFlowEndMilliseconds\":\"2026-01-02T03:05:05.001Z\","
			    "\"reverseIpClassOfService\":184,\"reverseTcpControlBits\":283,"
			    "\"reverseOctetDeltaCount\":99,\"reversePacketDeltaCount\":3,"
			    "\"reverseIngressInterface\":2,\"reverseEgressInterface\":0,"
			    "\"reverseFlowDirection\":0,\"reverseMinimumTTL\":63,"
			    "\"reverseMaximumTTL\":64,\"reverseMinimumIpTotalLength\":40,"
			    "\"reverseMaximumIpTotalLength\":1500,\"connectionState\":\"closed\",");
}

static void test_longest_line_fits(void **state)
{
	struct flow_record r;
	char line[JSON_FLOW_MAX_OCTETS];

	(void)state;
	memset(&r, 0xff, sizeof(r));
	assert_true(json_put_flow(line, &r, GROUP_ALL) < line + sizeof(line));
	r.protocol = 6;
	r.connection_state = 6;
	assert_true(json_put_biflow(line, &r, &r, GROUP_ALL) < line + sizeof(line));
}

static void check_time(uint64_t unix_ms)
{
	time_t s = (time_t)(unix_ms / 1000);
	struct tm tm;
	char ours[JSON_TIME_OCTETS + 1];
	char theirs[64];
	size_t n = strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S", gmtime_r(&s, &tm));

	snprintf(theirs + n, sizeof(theirs) - n, ".%03uZ", (unsigned int)(unix_ms % 1000));
	*json_put_time(ours, unix_ms) = '\0';
	assert_string_equal(ours, theirs);
}

/* A prime step of some 11 days meets every month, leap days and centuries. */
static void test_times_are_those_of_gmtime(void **state)
{
	(void)state;
	for (uint64_t ms = 0; ms < 16725225600000; ms += 950400000 + 3600061)
		check_time(ms);
	check_time(951782400000); /* 2000-02-29 */
	check_time(4107542399999); /* 2100-02-28, the last before no leap day */
	check_time(4107542400000);
	check_time(253402300799999);
}

static void test_time_behind_year_9999_stays_four_digits(void **state)
{
	char text[JSON_TIME_OCTETS + 1];

	(void)state;
	*json_put_time(text, UINT64_MAX) = '\0';
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp_record_has_every_element_of_its_template),
		cmocka_unit_test(test_icmpv6_record_has_type_and_code_but_no_ports),
		cmocka_unit_test(test_groups_follow_base_in_their_order),
		cmocka_unit_test(test_biflow_has_reverse_elements_behind_the_forward_ones),
		cmocka_unit_test(test_longest_line_fits),
		cmocka_unit_test(test_times_are_those_of_gmtime),
		cmocka_unit_test(test_time_behind_year_9999_stays_four_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
