/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The native Metering Process in batches and in a table that grows tells of the
 * same packets what it tells one by one in a table that is large from the start.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/native_meter.h"
#include "tests/lib/pkt.h"
#include "tests/lib/sweep_fixture.h"

#define START_NS    (1000 * FIXTURE_S)
#define MAX_FLOWS   40000
#define N_FLOWS	    30000u
#define N_PACKETS   200000u
#define N_SWEEPS    120u /* a second apart: idle and active timeouts pass */
#define INTERVAL_NS (N_SWEEPS * FIXTURE_S / N_PACKETS)

enum metering {
	ONE_BY_ONE,
	IN_BATCHES,
};

struct outcome {
	struct flow_record *record; /* sorted by flowId and start */
	uint32_t n_records;
	struct xfp_ledger_row row;
	uint32_t n_buckets[FLOW_FAMILIES];
};

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/*
 * TCP that ends and UDP, Flows with successors; one packet in a hundred is not
 * IP. Half-time brings so many Flows that tables grow around ones long reported.
 */
static void build_packet(struct pkt_builder *b, uint32_t i, uint32_t *random)
{
	uint32_t flow = next_random(random) % (i < N_PACKETS / 2 ? N_FLOWS / 4 : N_FLOWS);
	uint32_t kind = next_random(random) % 100;
	uint16_t port = (uint16_t)(1024 + i / (N_PACKETS / 4) * (flow % 2));
	void *address;

	pkt_init(b);
	pkt_eth(b);
	if (flow / 2 % 2) {
		struct iphdr *ip = pkt_ipv4(b, "10.0.0.1", "192.0.2.1");

		ip->ttl = (uint8_t)kind;
		address = &ip->saddr;
	} else {
		struct ipv6hdr *ip = pkt_ipv6(b, "2001:db8::1", "2001:db8::2");

		ip->hop_limit = (uint8_t)kind;
		address = &ip->saddr;
	}
	memcpy(address, &flow, sizeof(flow));
	if (flow % 3)
		pkt_tcp(b, port, 80, kind < 25 ? PKT_FIN | PKT_ACK : PKT_ACK);
	else
		pkt_udp(b, port, 53);
	pkt_payload(b, kind);
	pkt_finish(b);
	if (kind == 99)
		b->data[12] = 0;
}

static void meter_all(struct sweep_fixture *f, enum metering how)
{
	void (*meter)(struct flow_cache *, const struct native_packet *) =
		how == IN_BATCHES ? native_meter_add : native_meter_packet;
	static struct pkt_builder b;
	uint32_t random = 1;

	for (uint32_t i = 0; i < N_PACKETS; i++) {
		uint64_t now_ns = START_NS + i * INTERVAL_NS;

		if (now_ns % FIXTURE_S == 0) {
			native_meter_flush(&f->cache);
			fixture_sweep(f, now_ns);
		}
		build_packet(&b, i, &random);
		meter(&f->cache, &(struct native_packet){
					 .data = b.data,
					 .captured_octets = (uint32_t)b.len,
					 .wire_octets = (uint32_t)b.len,
					 .time_ns = now_ns,
					 .is_ethernet = true,
				 });
	}
	native_meter_flush(&f->cache);
	sweep_flush(&f->sweep, START_NS + N_PACKETS * INTERVAL_NS, FLOW_END_FORCED);
}

static int compare_records(const void *a, const void *b)
{
	const struct flow_record *x = a, *y = b;

	if (x->flow_id != y->flow_id)
		return x->flow_id < y->flow_id ? -1 : 1;
	return x->start_ms < y->start_ms ? -1 : x->start_ms > y->start_ms;
}

static void run(struct outcome *o, enum metering how, bool grows)
{
	static struct sweep_fixture f;

	if (grows)
		fixture_open_small(&f, MAX_FLOWS);
	else
		fixture_open(&f, MAX_FLOWS);
	meter_all(&f, how);
	qsort(f.record, f.n_records, sizeof(*f.record), compare_records);
	assert_int_equal(fixture_flows(&f), 0);
	*o = (struct outcome){.record = f.record, .n_records = f.n_records, .row = *f.cache.rows};
	for (int i = 0; i < FLOW_FAMILIES; i++)
		o->n_buckets[i] = f.cache.table[i].n_buckets;
	f.record = NULL;
	fixture_close(&f);
}

static void assert_same(const struct outcome *a, const struct outcome *b)
{
	assert_int_equal(a->n_records, b->n_records);
	for (uint32_t i = 0; i < a->n_records; i++)
		assert_memory_equal(&a->record[i], &b->record[i], sizeof(*a->record));
	assert_memory_equal(&a->row, &b->row, sizeof(a->row));
}

static struct outcome plain;

static int setup(void **state)
{
	(void)state;
	run(&plain, ONE_BY_ONE, false);
	assert_true(plain.n_records > N_FLOWS);
	assert_int_equal(plain.row.seen.packets, N_PACKETS);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(plain.record);
	return 0;
}

static void compare(enum metering how, bool grows)
{
	struct outcome other;

	run(&other, how, grows);
	assert_same(&plain, &other);
	for (int i = 0; i < FLOW_FAMILIES && grows; i++)
		assert_true(other.n_buckets[i] > flow_cache_buckets_start(MAX_FLOWS));
	free(other.record);
}

static void test_batches_change_nothing(void **state)
{
	(void)state;
	compare(IN_BATCHES, false);
}

static void test_growth_changes_nothing(void **state)
{
	(void)state;
	compare(ONE_BY_ONE, true);
}

static void test_growth_in_batches_changes_nothing(void **state)
{
	(void)state;
	compare(IN_BATCHES, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches_change_nothing),
		cmocka_unit_test(test_growth_changes_nothing),
		cmocka_unit_test(test_growth_in_batches_changes_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
