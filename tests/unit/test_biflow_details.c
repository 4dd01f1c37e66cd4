/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Groups of elements in records of both directions: what a pair carries is what
 * the two Flows carry that it is made of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "probe/detail_layout.h"
#include "probe/native_meter.h"
#include "tests/lib/conversation.h"
#include "tests/lib/sweep_fixture.h"

#define START	    (1000 * FIXTURE_S)
#define MAX_FLOWS   1024
#define MAX_RECORDS 64

struct pair {
	struct flow_record forward, reverse;
};

/* One cache and what its sweep told. */
struct run {
	struct sweep_fixture f; /* whose own list is empty */
	struct pair pair[MAX_RECORDS];
	struct flow_record single[MAX_RECORDS];
	uint32_t n_pairs, n_singles;
};

static struct run runs[2]; /* tell both directions, tell each */

static void keep_single(void *arg, const struct flow_record *r)
{
	struct run *run = arg;

	assert_true(run->n_singles < MAX_RECORDS);
	run->single[run->n_singles++] = *r;
}

static void keep_pair(void *arg, const struct flow_record *forward,
		      const struct flow_record *reverse)
{
	struct run *run = arg;

	assert_true(run->n_pairs < MAX_RECORDS);
	run->pair[run->n_pairs++] = (struct pair){*forward, *reverse};
}

static int setup(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		memset(&runs[i], 0, sizeof(runs[i]));
		fixture_open_groups(&runs[i].f, MAX_FLOWS, GROUP_ALL);
		runs[i].f.sweep.sink = keep_single;
		runs[i].f.sweep.biflow_sink = i ? NULL : keep_pair;
		runs[i].f.sweep.sink_arg = &runs[i];
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		fixture_close(&runs[i].f);
	return 0;
}

static void meter(void *unused, const struct pkt_builder *b, uint64_t time_ns)
{
	(void)unused;
	for (int i = 0; i < 2; i++)
		native_meter_packet(&runs[i].f.cache, &(struct native_packet){
							      .data = b->data,
							      .captured_octets = (uint32_t)b->len,
							      .wire_octets = (uint32_t)b->len,
							      .time_ns = time_ns,
							      .is_ethernet = true,
						      });
}

static void sweep(uint64_t after_s)
{
	for (int i = 0; i < 2; i++)
		fixture_sweep(&runs[i].f, START + after_s * FIXTURE_S);
}

/* The record of one direction of that key and start. */
static const struct flow_record *single_like(const struct flow_record *r)
{
	for (uint32_t i = 0; i < runs[1].n_singles; i++) {
		const struct flow_record *s = &runs[1].single[i];

		if (s->flow_id == r->flow_id && s->start_ms == r->start_ms)
			return s;
	}
	fail_msg("no record of one direction from port %u", r->source_port);
	return NULL;
}

/* To the last octet, but for what only a pair has. */
static void assert_same(struct flow_record of_pair)
{
	of_pair.biflow_direction = BIFLOW_ARBITRARY;
	assert_memory_equal(&of_pair, single_like(&of_pair), sizeof(of_pair));
}

static const struct pair *pair_of(uint8_t protocol)
{
	for (uint32_t i = 0; i < runs[0].n_pairs; i++)
		if (runs[0].pair[i].forward.protocol == protocol)
			return &runs[0].pair[i];
	fail_msg("no pair of protocol %u", protocol);
	return NULL;
}

static void check_family(bool is_ipv6)
{
	const struct pair *tcp, *udp;

	conversation_each(is_ipv6, START, meter, NULL);
	sweep(60);
	assert_int_equal(runs[0].n_pairs, 2);
	assert_int_equal(runs[0].n_singles, 2); /* ICMP */
	assert_int_equal(runs[1].n_singles, 6);
	for (uint32_t i = 0; i < runs[0].n_pairs; i++) {
		assert_same(runs[0].pair[i].forward);
		assert_same(runs[0].pair[i].reverse);
	}
	for (uint32_t i = 0; i < runs[0].n_singles; i++)
		assert_same(runs[0].single[i]);
	tcp = pair_of(IPPROTO_TCP);
	udp = pair_of(IPPROTO_UDP);
	assert_int_equal(tcp->forward.destination_port, 443);
	assert_int_equal(tcp->forward.tcp.mss, 1460);
	assert_int_equal(tcp->reverse.tcp.mss, 1220);
	assert_int_equal(tcp->forward.tcp_health.out_of_order_packets, 1);
	assert_int_equal(tcp->reverse.tcp_health.retransmitted_packets, 1);
	assert_int_equal(tcp->reverse.tcp_health.retransmitted_octets, 1200);
	assert_int_equal(tcp->forward.l2.priority, 5);
	assert_int_equal(tcp->reverse.l2.priority, 3);
	assert_int_equal(udp->reverse.size.above_1514, 2);
	assert_int_equal(udp->forward.size.to_128, 2);
}

static void reverse_of_ipv4_carries_what_its_own_record_would(void **state)
{
	(void)state;
	check_family(false);
}

static void reverse_of_ipv6_carries_what_its_own_record_would(void **state)
{
	(void)state;
	check_family(true);
}

static void both_directions_tell_the_same_handshake(void **state)
{
	const struct pair *p;

	(void)state;
	conversation_each(false, START, meter, NULL);
	sweep(60);
	p = pair_of(IPPROTO_TCP);
	/* in units of 1024 ns */
	assert_in_range(p->forward.tcp_health.handshake_server_us, 19998, 20000);
	assert_in_range(p->forward.tcp_health.handshake_client_us, 4998, 5000);
	assert_int_equal(p->reverse.tcp_health.handshake_server_us,
			 p->forward.tcp_health.handshake_server_us);
	assert_int_equal(p->reverse.tcp_health.handshake_client_us,
			 p->forward.tcp_health.handshake_client_us);
}

/* What counts from one record to the next, of one direction of UDP. */
struct sums {
	uint64_t packets, frame_octets, squares, sized;
};

static void sums_add(struct sums *s, const struct flow_record *r)
{
	s->packets += r->packets;
	s->frame_octets += r->l2.frame_octets;
	s->squares += r->ip.octet_squares;
	s->sized += (uint64_t)r->size.to_128 + r->size.to_256 + r->size.to_512 + r->size.to_1024 +
		    r->size.to_1514 + r->size.above_1514;
}

/* In pairs and alone, of UDP from one port. */
static struct sums sums_of(const struct run *run, uint16_t source_port)
{
	struct sums s = {};

	for (uint32_t i = 0; i < run->n_pairs; i++) {
		const struct flow_record *both[2] = {&run->pair[i].forward, &run->pair[i].reverse};

		for (int side = 0; side < 2; side++)
			if (both[side]->protocol == IPPROTO_UDP &&
			    both[side]->source_port == source_port)
				sums_add(&s, both[side]);
	}
	for (uint32_t i = 0; i < run->n_singles; i++)
		if (run->single[i].protocol == IPPROTO_UDP &&
		    run->single[i].source_port == source_port)
			sums_add(&s, &run->single[i]);
	return s;
}

static void counts_of_both_directions_add_up_over_active_timeouts(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++)
		runs[i].f.sweep.timeouts.active_ns = 2 * FIXTURE_S;
	for (uint64_t s = 0; s < 10; s++) {
		conversation_each(false, START + s * FIXTURE_S, meter, NULL);
		sweep(s + 1);
	}
	sweep(60);
	assert_true(runs[0].n_pairs > 4);
	for (int side = 0; side < 2; side++) {
		uint16_t port = side ? 53 : 4000;
		struct sums pairs = sums_of(&runs[0], port), singles = sums_of(&runs[1], port);

		assert_int_equal(pairs.packets, side ? 40 : 20);
		assert_int_equal(pairs.sized, pairs.packets);
		assert_true(pairs.frame_octets > 60 * pairs.packets);
		assert_memory_equal(&pairs, &singles, sizeof(pairs));
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reverse_of_ipv4_carries_what_its_own_record_would),
		TEST(reverse_of_ipv6_carries_what_its_own_record_would),
		TEST(both_directions_tell_the_same_handshake),
		TEST(counts_of_both_directions_add_up_over_active_timeouts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
