/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Community ID version 1, against the identifiers that the specification's
 * baseline and the tests of its reference implementation list.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "probe/community_id.h"

struct id_case {
	const char *source, *destination;
	uint8_t protocol;
	uint16_t source_port, destination_port; /* ICMP: type, code */
	const char *id;
};

static void set_address(const char *text, uint32_t *address4, uint8_t address6[16],
			uint8_t *is_ipv6)
{
	if (inet_pton(AF_INET6, text, address6) == 1) {
		*is_ipv6 = 1;
		return;
	}
	assert_int_equal(inet_pton(AF_INET, text, address4), 1);
	*address4 = ntohl(*address4);
}

/* As the sweep fills it in. */
static struct flow_record record_of(const struct id_case *c)
{
	struct flow_record r = {.protocol = c->protocol};

	set_address(c->source, &r.source4, r.source6, &r.is_ipv6);
	set_address(c->destination, &r.destination4, r.destination6, &r.is_ipv6);
	if (c->protocol == IPPROTO_ICMP || c->protocol == IPPROTO_ICMPV6) {
		r.icmp_type_code = (uint16_t)(c->source_port << 8 | c->destination_port);
	} else {
		r.source_port = c->source_port;
		r.destination_port = c->destination_port;
	}
	return r;
}

static void check_record(const struct flow_record *r, const char *id)
{
	char text[COMMUNITY_ID_OCTETS + 1];

	assert_ptr_equal(community_id_put(text, r), text + COMMUNITY_ID_OCTETS);
	text[COMMUNITY_ID_OCTETS] = '\0';
	assert_string_equal(text, id);
}

static void check_cases(const struct id_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct flow_record r = record_of(&cases[i]);

		check_record(&r, cases[i].id);
	}
}

#define CHECK(cases) check_cases(cases, sizeof(cases) / sizeof(*(cases)))

static void test_both_directions_of_ports_have_the_published_id(void **state)
{
	static const struct id_case cases[] = {
		{"128.232.110.120", "66.35.250.204", 6, 34855, 80,
		 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"66.35.250.204", "128.232.110.120", 6, 80, 34855,
		 "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{"10.0.0.1", "10.0.0.2", 6, 10, 11569, "1:SXBGMX1lBOwhhoDrZynfROxnhnM="},
		{"192.168.1.52", "8.8.8.8", 17, 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{"8.8.8.8", "192.168.1.52", 17, 53, 54585, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="},
		{"192.168.170.8", "192.168.170.56", 132, 7, 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="},
		{"192.168.170.8", "192.168.170.56", 132, 7, 80, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="},
		{"192.168.170.56", "192.168.170.8", 132, 80, 7, "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ="},
		{"2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 6, 63943, 25,
		 "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
		{"2607:f8b0:400c:c03::1a", "2001:470:e5bf:dead:4957:2174:e82c:4887", 6, 25, 63943,
		 "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4="},
	};

	(void)state;
	CHECK(cases);
}

static void test_icmp_request_and_reply_have_one_id(void **state)
{
	static const struct id_case cases[] = {
		{"192.168.0.89", "192.168.0.1", 1, 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{"192.168.0.1", "192.168.0.89", 1, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		/* of a type with an answer the code does not count */
		{"192.168.0.1", "192.168.0.89", 1, 0, 20, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	};

	(void)state;
	CHECK(cases);
}

static void test_icmp_types_without_reply_are_one_way_and_have_their_code(void **state)
{
	static const struct id_case cases[] = {
		{"10.0.0.1", "10.0.0.2", 1, 11, 0, "1:YHxtAirCG//0OzkcVAukqKQN9xM="},
		{"192.168.0.89", "192.168.0.1", 1, 20, 0, "1:3o2RFccXzUgjl7zDpqmY7yJi8rI="},
		{"192.168.0.89", "192.168.0.1", 1, 20, 1, "1:tz/fHIDUHs19NkixVVoOZywde+I="},
		{"3ffe:501:1800:2345::2", "3ffe:507:0:1:200:86ff:fe05:80da", 58, 3, 0,
		 "1:2ObVBgIn28oZvibYZhZMBgh7WdQ="},
		{"3ffe:501:410:0:2c0:dfff:fe47:33e", "3ffe:507:0:1:200:86ff:fe05:80da", 58, 1, 4,
		 "1:hLZd0XGWojozrvxqE0dWB1iM6R0="},
		{"3ffe:507:0:1:260:97ff:fe07:69ea", "3ffe:507:0:1:200:86ff:fe05:80da", 58, 3, 0,
		 "1:NdobDX8PQNJbAyfkWxhtL2Pqp5w="},
		{"3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:507:0:1:260:97ff:fe07:69ea", 58, 3, 0,
		 "1:/OGBt9BN1ofenrmSPWYicpij2Vc="},
	};

	(void)state;
	CHECK(cases);
}

static void test_icmpv6_request_and_reply_have_one_id(void **state)
{
	static const struct id_case cases[] = {
		{"fe80::200:86ff:fe05:80da", "fe80::260:97ff:fe07:69ea", 58, 135, 0,
		 "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
		{"fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 58, 136, 0,
		 "1:dGHyGvjMfljg6Bppwm3bg0LO8TY="},
		{"fe80::260:97ff:fe07:69ea", "fe80::200:86ff:fe05:80da", 58, 135, 0,
		 "1:zavyT/cezQr1fmImYCwYnMXbgck="},
		{"3ffe:507:0:1:200:86ff:fe05:80da", "3ffe:501:0:1001::2", 58, 128, 0,
		 "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="},
		{"3ffe:501:0:1001::2", "3ffe:507:0:1:200:86ff:fe05:80da", 58, 129, 0,
		 "1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="},
		{"fe80::200:86ff:fe05:80da", "ff02::2", 58, 133, 0,
		 "1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="},
		{"fe80::260:97ff:fe07:69ea", "ff02::1", 58, 134, 0,
		 "1:pkvHqCL88/tg1k4cPigmZXUtL00="},
	};

	(void)state;
	CHECK(cases);
}

static void test_other_protocols_are_addresses_and_protocol_alone(void **state)
{
	static const struct id_case cases[] = {
		{"10.1.12.1", "10.1.12.2", 46, 0, 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="},
		{"10.1.12.2", "10.1.12.1", 46, 0, 0, "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw="},
		{"10.1.24.4", "10.1.12.1", 46, 0, 0, "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4="},
		{"10.1.24.4", "10.1.12.1", 46, 7, 80, "1:/nQI4Rh/TtY3mf0R2gJFBkVlgS4="},
	};

	(void)state;
	CHECK(cases);
}

/* Made with Python's hashlib by the specification's pseudo code. */
static void test_equal_addresses_are_ordered_by_port(void **state)
{
	static const struct id_case cases[] = {
		{"127.0.0.1", "127.0.0.1", 6, 40000, 80, "1:5rFr+y3i0wpQbEhThSaj08U8BaE="},
		{"127.0.0.1", "127.0.0.1", 6, 80, 40000, "1:5rFr+y3i0wpQbEhThSaj08U8BaE="},
		{"::1", "::1", 58, 128, 0, "1:gwUCjL48AExQFC0IDZx6AU/nkEk="},
		{"::1", "::1", 58, 129, 0, "1:gwUCjL48AExQFC0IDZx6AU/nkEk="},
	};

	(void)state;
	CHECK(cases);
}

/* The id written last is kept: what it is not of must not get it. */
static void test_an_id_follows_each_part_of_the_tuple(void **state)
{
	static const struct id_case cases[] = {
		{"10.0.0.1", "10.0.0.2", 6, 10, 11569, "1:SXBGMX1lBOwhhoDrZynfROxnhnM="},
		{"10.0.0.1", "10.0.0.2", 17, 10, 11569, NULL},
		{"10.0.0.1", "10.0.0.2", 6, 11, 11569, NULL},
		{"10.0.0.1", "10.0.0.2", 6, 10, 11568, NULL},
		{"10.0.0.3", "10.0.0.2", 6, 10, 11569, NULL},
		{"10.0.0.1", "10.0.0.3", 6, 10, 11569, NULL},
		{"a00:1::", "a00:2::", 6, 10, 11569, NULL},
	};
	char text[2][COMMUNITY_ID_OCTETS];
	struct flow_record first = record_of(&cases[0]);

	(void)state;
	for (size_t i = 1; i < sizeof(cases) / sizeof(*cases); i++) {
		struct flow_record other = record_of(&cases[i]);

		community_id_put(text[0], &first);
		community_id_put(text[1], &other);
		assert_memory_not_equal(text[0], text[1], COMMUNITY_ID_OCTETS);
		check_record(&first, cases[0].id);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_directions_of_ports_have_the_published_id),
		cmocka_unit_test(test_icmp_request_and_reply_have_one_id),
		cmocka_unit_test(test_icmp_types_without_reply_are_one_way_and_have_their_code),
		cmocka_unit_test(test_icmpv6_request_and_reply_have_one_id),
		cmocka_unit_test(test_other_protocols_are_addresses_and_protocol_alone),
		cmocka_unit_test(test_equal_addresses_are_ordered_by_port),
		cmocka_unit_test(test_an_id_follows_each_part_of_the_tuple),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
