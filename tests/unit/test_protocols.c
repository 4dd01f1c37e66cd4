/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IP protocols: as flow_cache.protocols names them, switched, and with totals that
 * add up to what was accounted.
 */
#include "tests/lib/config_fixture.h"

#include <netinet/in.h>

#include "probe/config_schema.h"
#include "probe/protocols.h"
#include "tests/lib/sweep_case.h"

/* ---- configuration ------------------------------------------------------------ */

static void load_protocols(struct config *cfg, const char *value)
{
	char text[256];

	snprintf(text, sizeof(text), "flow_cache: {protocols: %s}\n", value);
	if (load(cfg, text))
		fail_msg("%s: %s", text, printed);
}

static size_t set_count(const struct protocol_set *set)
{
	size_t n = 0;

	for (int i = 0; i < XFP_N_PROTOCOLS; i++)
		n += protocol_set_has(set, (uint8_t)i);
	return n;
}

static void test_fixed_is_every_protocol_and_no_set(void **state)
{
	struct config cfg;

	(void)state;
	config_init(&cfg);
	assert_false(cfg.flow_cache.protocols.is_given);
	assert_int_equal(set_count(&cfg.flow_cache.protocols), 256);
	load_protocols(&cfg, "fixed");
	assert_false(cfg.flow_cache.protocols.is_given);
}

static void test_all_is_a_set_of_every_protocol(void **state)
{
	struct config cfg;

	(void)state;
	load_protocols(&cfg, "all");
	assert_true(cfg.flow_cache.protocols.is_given);
	assert_int_equal(set_count(&cfg.flow_cache.protocols), 256);
}

static void test_protocols_are_listed_by_name_and_number(void **state)
{
	struct config cfg;
	const struct protocol_set *set = &cfg.flow_cache.protocols;

	(void)state;
	load_protocols(&cfg, "[TCP, 17, ipv6-icmp, 255, 0, \"gre\"]");
	assert_true(set->is_given);
	assert_int_equal(set_count(set), 6);
	assert_true(protocol_set_has(set, IPPROTO_TCP) && protocol_set_has(set, IPPROTO_UDP) &&
		    protocol_set_has(set, IPPROTO_ICMPV6) && protocol_set_has(set, 255) &&
		    protocol_set_has(set, 0) && protocol_set_has(set, IPPROTO_GRE));
	load_protocols(&cfg, "udp");
	assert_int_equal(set_count(set), 1);
}

static void test_set_is_printed_as_it_is_read(void **state)
{
	const struct config_key *key = config_key_find("flow_cache.protocols");
	char text[CONFIG_VALUE_TEXT_MAX], every_other[CONFIG_VALUE_TEXT_MAX] = "[";
	const char *const values[] = {"fixed", "all", "[udp]", "[0, tcp, 200, 255]", every_other};
	struct config cfg;
	size_t n = 1;

	(void)state;
	/* the longest there is: all but one */
	for (int i = 1; i < XFP_N_PROTOCOLS; i++) {
		const char *name = protocol_name((uint8_t)i);
		char number[8];

		snprintf(number, sizeof(number), "%d", i);
		n += (size_t)snprintf(every_other + n, sizeof(every_other) - n, "%s%s",
				      i > 1 ? ", " : "", name ? name : number);
	}
	assert_in_range(n, 1000, 1400);
	every_other[n] = ']';
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		char yaml[CONFIG_VALUE_TEXT_MAX + 64];

		snprintf(yaml, sizeof(yaml), "flow_cache: {protocols: %s}\n", values[i]);
		assert_int_equal(load(&cfg, yaml), 0);
		config_key_format(key, &cfg, text);
		assert_string_equal(text, values[i]);
	}
}

static void test_what_is_no_protocol_is_refused(void **state)
{
	static const struct {
		const char *value, *why;
	} cases[] = {
		{"[tcp, 256]",
		 "256: no IP protocol that is known here (allowed: fixed | all | list"},
		{"[-1]", "-1: no IP protocol"},
		{"[tpc]", "tpc: no IP protocol"},
		{"[0x11]", "0x11: no IP protocol"},
		{"tpc", "tpc: no IP protocol"},
		{"[]", "empty list"},
		{"[tcp, fixed]", "fixed: stands alone"},
		{"[fixed]", "fixed: stands alone"},
		{"[[tcp]]", "a list (allowed"},
		{"[~]", "has no value"},
		{"{tcp: on}", "a mapping (allowed"},
	};
	struct config cfg;
	char text[128];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "flow_cache: {protocols: %s}\n", cases[i].value);
		assert_int_equal(load(&cfg, text), -EINVAL);
		assert_told(cases[i].why);
	}
}

/* ---- totals ------------------------------------------------------------------- */

static void read_totals(struct xfp_volume totals[static XFP_N_PROTOCOLS])
{
	struct flow_cache_content content;

	flow_cache_content(&f.cache, &content);
	protocols_total(&content, &f.sweep.stats, f.cache.rows, totals);
}

static void assert_volume(const struct xfp_volume *v, uint64_t packets, uint64_t octets)
{
	assert_int_equal(v->packets, packets);
	assert_int_equal(v->octets, octets);
}

static void test_totals_add_up_to_what_was_accounted(void **state)
{
	static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_TCP, 0, 200, 255};
	struct xfp_volume totals[XFP_N_PROTOCOLS], sum = {0}, sent[XFP_N_PROTOCOLS] = {{0}};

	(void)state;
	for (uint32_t i = 0; i < 5000; i++) {
		struct fixture_packet p = {
			.id = i % 700,
			.is_ipv6 = i % 3 == 0,
			.protocol = protocols[i % 5],
			.octets = (uint16_t)(60 + i % 1000),
		};
		struct xfp_volume *to = &sent[p.protocol ? p.protocol : IPPROTO_UDP];

		to->packets++;
		to->octets += p.octets;
		fixture_meter(&f, START + i * 10 * FIXTURE_MS, &p);
		if (i % 100 == 0)
			fixture_sweep(&f, START + i * 10 * FIXTURE_MS);
	}
	assert_true(f.n_records > 0 && fixture_flows(&f) > 0);
	read_totals(totals);
	for (int i = 0; i < XFP_N_PROTOCOLS; i++) {
		assert_volume(&totals[i], sent[i].packets, sent[i].octets);
		sum.packets += totals[i].packets;
		sum.octets += totals[i].octets;
	}
	assert_volume(&sum, f.cache.rows->accounted.packets, f.cache.rows->accounted_ip_octets);
	sweep_flush(&f.sweep, START + 100 * FIXTURE_S, FLOW_END_FORCED);
	read_totals(totals);
	for (int i = 0; i < XFP_N_PROTOCOLS; i++)
		assert_volume(&totals[i], sent[i].packets, sent[i].octets);
}

static void test_totals_have_what_found_no_place(void **state)
{
	struct xfp_volume totals[XFP_N_PROTOCOLS];

	(void)state;
	fixture_meter(&f, START, &(struct fixture_packet){.protocol = IPPROTO_ESP});
	f.cache.rows->overflow[IPPROTO_ESP] = (struct xfp_volume){7, 700};
	read_totals(totals);
	assert_volume(&totals[IPPROTO_ESP], 8, 800);
}

/* ---- listing ------------------------------------------------------------------ */

static json_t *list(int number)
{
	struct xfp_volume totals[XFP_N_PROTOCOLS];
	json_t *lines = json_array();

	read_totals(totals);
	assert_int_equal(protocols_list(&f.cache, totals, f.cache.rows, number, lines), 0);
	return lines;
}

static void assert_listed(int number, const char *numbers)
{
	json_t *lines = list(number);
	char text[1024] = "";

	for (size_t i = 0; i < json_array_size(lines); i++) {
		const json_t *line = json_array_get(lines, i);
		json_int_t n = json_integer_value(json_object_get(line, "protocolIdentifier"));

		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%lld%s ", (long long)n,
			 json_string_value(json_object_get(line, "switch")));
	}
	assert_string_equal(text, numbers);
	json_decref(lines);
}

static void test_list_has_protocols_with_packets(void **state)
{
	(void)state;
	assert_listed(PROTOCOLS_ALL, "");
	fixture_meter(&f, START, &(struct fixture_packet){.protocol = IPPROTO_TCP});
	f.cache.rows->off[200].packets = 1;
	assert_listed(PROTOCOLS_ALL, "6fixed 200fixed ");
	assert_listed(17, "17fixed ");
}

static void test_list_has_protocols_switched_other_than_most(void **state)
{
	struct protocol_set set = {{0}, false};

	(void)state;
	assert_int_equal(protocols_switch(&f.cache, 6, false), -EPERM);
	f.cache.params.has_switches = true;
	assert_int_equal(protocols_switch(&f.cache, 6, false), 0);
	assert_listed(PROTOCOLS_ALL, "6off ");
	assert_int_equal(protocol_set_add(&set, "udp"), 0);
	assert_int_equal(protocol_set_add(&set, "89"), 0);
	protocols_switch_all(&f.cache, &set);
	assert_listed(PROTOCOLS_ALL, "17on 89on ");
	assert_listed(6, "6off ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fixed_is_every_protocol_and_no_set),
		cmocka_unit_test(test_all_is_a_set_of_every_protocol),
		cmocka_unit_test(test_protocols_are_listed_by_name_and_number),
		cmocka_unit_test(test_set_is_printed_as_it_is_read),
		cmocka_unit_test(test_what_is_no_protocol_is_refused),
		WITH_CACHE(test_totals_add_up_to_what_was_accounted),
		WITH_CACHE(test_totals_have_what_found_no_place),
		WITH_CACHE(test_list_has_protocols_with_packets),
		WITH_CACHE(test_list_has_protocols_switched_other_than_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
