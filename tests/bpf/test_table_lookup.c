/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables too large to be flat are looked up in, and a CPU may want more barriers than
 * x86. The same packets through the same program must leave the same slot by slot,
 * whichever way the tables are reached and written.
 */
#include <bpf/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "probe/obs_private.h"
#include "tests/lib/kernel_table.h"
#include "tests/lib/meter_fixture.h"
#include "tests/lib/parse_cases.h"

#define MAX_FLOWS 180 /* a chunk of 256 places: one for each family */
#define N_FLOWS	  600 /* of each family: more than there are places */

enum way { FLAT, LOOKED_UP, UNORDERED, WAYS };

static struct flow_cache_params params;
static struct kernel_table table[WAYS];
static struct pkt_builder b;

static int setup(void **state)
{
	(void)state;
	return flow_cache_params_init(&params, MAX_FLOWS, 1);
}

static void tables_open(const char *program)
{
	struct kernel_table_options options = {
		.params = &params,
		.max_flows = MAX_FLOWS,
		.programs = program,
	};

	options.elf = flow_bpf__elf_bytes(&options.elf_octets);
	for (int way = 0; way < WAYS; way++) {
		struct bpf_map_info info = {};
		uint32_t octets = sizeof(info);

		options.is_lookup = way == LOOKED_UP;
		options.is_unordered = way == UNORDERED;
		assert_int_equal(kernel_table_open(&table[way], &options), 0);
		assert_int_equal(bpf_obj_get_info_by_fd(kernel_table_map(&table[way], "xfp_slots4"),
							&info, &octets),
				 0);
		assert_int_equal(info.max_entries,
				 way != LOOKED_UP ? 1 : table[way].cache.table[FLOW_IPV4].n_slots);
	}
}

/* ---- packets ---------------------------------------------------------------------- */

static void run(enum meter_hook hook, const char *program)
{
	if (!meter_fixture_can_run(hook, b.data, b.len))
		return;
	for (int way = 0; way < WAYS; way++)
		assert_true(kernel_table_run(kernel_table_program(&table[way], program), b.data,
					     (uint32_t)b.len, 1) >= 0);
}

static void run_cases(enum meter_hook hook, const char *program, const struct parse_case *c)
{
	for (; c->name; c++) {
		for (unsigned int i = 0; i < (c->n_packets ? c->n_packets : 1); i++) {
			c->build(&b, i);
			run(hook, program);
		}
	}
}

/* The round-th packet of a Flow: the extremes widen, and some TCP connections end. */
static void build_packet(uint32_t flow, bool is_ipv6, unsigned int round)
{
	static const uint8_t flags[][3] = {
		{PKT_SYN, PKT_ACK, PKT_ACK},
		{PKT_SYN, PKT_FIN | PKT_ACK, PKT_ACK},
		{PKT_RST, PKT_ACK, PKT_ACK},
		{PKT_ACK, PKT_ACK, PKT_RST},
	};
	uint8_t ttl = (uint8_t)(64 + (round == 1 ? 9 : 0) - round);
	char source[32];

	pkt_init(&b);
	pkt_eth(&b);
	if (is_ipv6) {
		snprintf(source, sizeof(source), "2001:db8::%x", flow + 1);
		pkt_ipv6(&b, source, CASE_DESTINATION6)->hop_limit = ttl;
	} else {
		snprintf(source, sizeof(source), "10.0.%u.%u", flow >> 8, flow & 0xff);
		pkt_ipv4(&b, source, CASE_DESTINATION4)->ttl = ttl;
	}
	if (flow % 3)
		pkt_tcp(&b, (uint16_t)(1024 + flow), 443, flags[flow % 4][round]);
	else
		pkt_udp(&b, (uint16_t)(1024 + flow), 53);
	pkt_payload(&b, 10 * round + flow % 7);
	pkt_finish(&b);
}

static void run_flows(enum meter_hook hook, const char *program)
{
	for (unsigned int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 2 * N_FLOWS; i++) {
			build_packet(i / 2, i % 2, round);
			run(hook, program);
		}
	}
}

/* ---- what they leave ---------------------------------------------------------------- */

/* Each run has its own clock: times are compared with each other only. */
static void slot_take(const struct flow_table *t, uint32_t slot, unsigned char *copy)
{
	struct xfp_counts *c = (struct xfp_counts *)(copy + t->key_octets);

	memcpy(copy, flow_key_at(t, slot), t->slot_octets);
	assert_true(c->last_ns >= c->first_ns);
	assert_int_equal(!c->first_ns, *flow_tag_at(t, slot) == XFP_TAG_FREE);
	c->first_ns = c->last_ns = 0;
}

static void assert_same_table(const struct flow_table *a, const struct flow_table *with)
{
	_Alignas(8) unsigned char slot_a[128], slot_b[128];
	uint32_t n_hints = 0;

	assert_memory_equal(a->tags, with->tags, a->n_buckets * sizeof(*a->tags));
	assert_memory_equal(a->hints, with->hints, a->n_buckets * sizeof(*a->hints));
	assert_memory_equal(a->news, with->news, a->n_chunks * sizeof(*a->news));
	for (uint32_t slot = 0; slot < a->n_slots; slot++) {
		slot_take(a, slot, slot_a);
		slot_take(with, slot, slot_b);
		assert_memory_equal(slot_a, slot_b, a->slot_octets);
	}
	for (uint32_t bucket = 0; bucket < a->n_buckets; bucket++)
		n_hints += a->hints[bucket] != 0;
	assert_true(n_hints > 0);
}

static void assert_same(void)
{
	struct xfp_ledger_row row[WAYS];

	for (int way = 0; way < WAYS; way++)
		meter_ledger_sum(&table[way].cache, &row[way]);
	for (int way = FLAT + 1; way < WAYS; way++) {
		assert_memory_equal(&row[FLAT], &row[way], sizeof(row[FLAT]));
		for (int f = 0; f < FLOW_FAMILIES; f++)
			assert_same_table(&table[FLAT].cache.table[f], &table[way].cache.table[f]);
	}

	/* it did become full, and not at once */
	assert_true(row[FLAT].overflow[IPPROTO_TCP].packets > 0);
	assert_true(row[FLAT].overflow[IPPROTO_UDP].packets > 0);
	assert_true(row[FLAT].inserts > 2 * MAX_FLOWS);
}

static void test_program(enum meter_hook hook, const char *program)
{
	tables_open(program);
	run_cases(hook, program, parse_cases_link);
	run_cases(hook, program, parse_cases_ipv4);
	run_cases(hook, program, parse_cases_ipv6);
	run_cases(hook, program, parse_cases_transport);
	run_flows(hook, program);
	assert_same();
	for (int way = 0; way < WAYS; way++)
		kernel_table_close(&table[way]);
}

static void test_xdp_meters_the_same_in_every_way(void **state)
{
	(void)state;
	test_program(METER_XDP, "xfp_xdp");
}

static void test_xdp_with_fragments_meters_the_same_in_every_way(void **state)
{
	(void)state;
	test_program(METER_XDP_FRAGS, "xfp_xdp_frags");
}

static void test_tc_ingress_meters_the_same_in_every_way(void **state)
{
	(void)state;
	test_program(METER_TC_INGRESS, "xfp_tc_ingress");
}

static void test_tc_egress_meters_the_same_in_every_way(void **state)
{
	(void)state;
	test_program(METER_TC_EGRESS, "xfp_tc_egress");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_xdp_meters_the_same_in_every_way),
		cmocka_unit_test(test_xdp_with_fragments_meters_the_same_in_every_way),
		cmocka_unit_test(test_tc_ingress_meters_the_same_in_every_way),
		cmocka_unit_test(test_tc_egress_meters_the_same_in_every_way),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
