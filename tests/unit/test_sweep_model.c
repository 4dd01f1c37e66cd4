/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The sweep skips what is not due; a model looks at every Flow in every sweep.
 * Over random traffic both must end the same Flows in the same sweep, with the
 * same records. Sweeps lie on due ticks (2^20 ns), where both are exact.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <netinet/tcp.h>

#include "probe/expiry.h"
#include "tests/lib/sweep_fixture.h"

#define MAX_FLOWS 4096
#define N_IDS	  1500 /* conversations, two Flows each */
#define STEP_NS	  (1ULL << 30)
#define N_STEPS	  400
#define PER_STEP  60

/* One Flow as the model keeps it; packets 0: there is none. */
struct model_flow {
	struct expiry_flow flow;
	uint64_t octets, unexported_octets;
};

static struct model_flow model[N_IDS][2];
static struct sweep_fixture f;
static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 33) % n;
}

static struct fixture_packet random_packet(uint32_t hot)
{
	static const uint8_t flags[] = {TH_SYN, TH_ACK, TH_ACK, TH_ACK, TH_FIN | TH_ACK, TH_RST};
	uint32_t id = (hot + random_below(random_below(8) ? 60 : N_IDS)) % N_IDS;

	return (struct fixture_packet){
		.id = id,
		.is_reverse = id % 5 && random_below(3) == 0, /* every fifth has one side only */
		.is_ipv6 = id % 3 == 0,
		.protocol = id % 2 ? IPPROTO_TCP : IPPROTO_UDP,
		.tcp_flags = id % 2 ? flags[random_below(6)] : 0,
		.octets = (uint16_t)(60 + random_below(1400)),
	};
}

static void meter(uint64_t now_ns, const struct fixture_packet *p)
{
	struct model_flow *m = &model[p->id][p->is_reverse];

	fixture_meter(&f, now_ns, p);

	if (!m->flow.packets)
		*m = (struct model_flow){.flow.first_ns = now_ns};
	m->flow.is_tcp = p->protocol == IPPROTO_TCP;
	m->flow.last_ns = now_ns;
	m->flow.packets++;
	m->flow.unexported++;
	m->flow.tcp_flags |= p->tcp_flags;
	m->unexported_octets += p->octets;
}

/*
 * Two sides begin together: an answer that comes only after the end of the
 * other side does not shorten the linger of that, which the model would.
 */
static void meter_random(uint64_t now_ns, uint32_t hot)
{
	struct fixture_packet p = random_packet(hot), other = p;

	other.is_reverse = !p.is_reverse;
	other.tcp_flags = p.protocol == IPPROTO_TCP ? TH_SYN : 0;
	if (p.id % 5 && !model[p.id][other.is_reverse].flow.packets)
		meter(now_ns, &other);
	meter(now_ns, &p);
}

/* The record that has to be among those of the last sweep, once; it is then used up. */
static void take_record(uint32_t id, const struct model_flow *m, uint8_t reason)
{
	const struct expiry_flow *flow = &m->flow;
	uint64_t start_ns = flow->exported_ns ? flow->exported_ns : flow->first_ns;

	for (uint32_t i = 0; i < f.n_records; i++) {
		struct flow_record *r = &f.record[i];

		if (r->packets != flow->unexported || r->octets != m->unexported_octets ||
		    fixture_id(r) != id || r->end_reason != reason ||
		    r->start_ms != start_ns / FIXTURE_MS || r->end_ms != flow->last_ns / FIXTURE_MS)
			continue;
		r->packets = 0;
		return;
	}
	fail_msg("conversation %u: %u packets, reason %u: no such record", id,
		 (unsigned int)flow->unexported, reason);
}

/* Judge both directions of one conversation; returns the records it makes. */
static uint32_t model_look(uint32_t id, uint64_t now_ns)
{
	struct model_flow *side = model[id], before[2] = {side[0], side[1]};
	uint32_t n = 0;

	for (int i = 0; i < 2; i++) {
		struct expiry_flow *flow = &side[i].flow;
		const struct expiry_flow *other = before[!i].flow.packets ? &before[!i].flow : NULL;
		uint8_t reason;

		if (!flow->packets)
			continue;
		reason = expiry_judge(&f.sweep.timeouts, flow, other, now_ns).end_reason;
		if (!reason)
			continue;
		if (flow->unexported) {
			take_record(id, &side[i], reason);
			n++;
		}
		flow->unexported = side[i].unexported_octets = 0;
		flow->exported_ns =
			flow->first_ns +
			(flow->last_ns / FIXTURE_MS - flow->first_ns / FIXTURE_MS) * FIXTURE_MS;
		if (reason != FLOW_END_ACTIVE_TIMEOUT)
			side[i] = (struct model_flow){0};
	}
	return n;
}

/* Returns the Flows that live on. */
static uint64_t compare_sweep(uint64_t now_ns)
{
	uint64_t n_flows = 0;
	uint32_t n_records = 0;

	fixture_sweep(&f, now_ns);
	for (uint32_t id = 0; id < N_IDS; id++) {
		n_records += model_look(id, now_ns);
		n_flows += !!model[id][0].flow.packets + !!model[id][1].flow.packets;
	}
	assert_int_equal(f.n_records, n_records);
	assert_int_equal(fixture_flows(&f), n_flows);
	assert_int_equal(f.cache.table[FLOW_IPV4].n_live + f.cache.table[FLOW_IPV6].n_live,
			 n_flows);
	fixture_forget(&f);
	return n_flows;
}

/* Bursts on a few neighbours and long silences, so that most chunks are skipped. */
static void run(uint64_t start_ns, uint64_t active_ns, uint64_t idle_ns)
{
	uint64_t now = start_ns / STEP_NS * STEP_NS, n_looks = 0;

	fixture_open(&f, MAX_FLOWS);
	f.sweep.timeouts.active_ns = active_ns;
	f.sweep.timeouts.idle_ns = idle_ns;
	memset(model, 0, sizeof(model));
	for (uint32_t step = 0; step < N_STEPS; step++, now += STEP_NS) {
		uint64_t at = now;

		for (uint32_t i = random_below(PER_STEP); i-- > 0;) {
			at += 1 + random_below(STEP_NS / PER_STEP - 1);
			meter_random(at, step / 20 * 60);
		}
		n_looks += compare_sweep(now + STEP_NS);
	}
	assert_true(f.sweep.stats.by_reason[FLOW_END_IDLE_TIMEOUT] > 20);
	assert_true(f.sweep.stats.by_reason[FLOW_END_DETECTED] > 50);
	assert_true(f.sweep.stats.by_reason[FLOW_END_ACTIVE_TIMEOUT] > 10);
	assert_true(f.sweep.stats.looked_at < n_looks); /* the skipping did take place */
	fixture_close(&f);
}

static void test_skipping_misses_no_flow_with_short_timeouts(void **state)
{
	(void)state;
	run(1000 * FIXTURE_S, 3 * FIXTURE_S, 4 * FIXTURE_S);
}

static void test_skipping_misses_no_flow_with_long_timeouts(void **state)
{
	(void)state;
	run(1000 * FIXTURE_S, 20 * FIXTURE_S, 15 * FIXTURE_S);
}

/* Due ticks wrap after 2^52 ns, 52 days of uptime. */
static void test_skipping_misses_no_flow_while_due_ticks_wrap(void **state)
{
	(void)state;
	run((1ULL << 52) - 100 * FIXTURE_S, 20 * FIXTURE_S, 15 * FIXTURE_S);
	run((1ULL << 51) - 100 * FIXTURE_S, 20 * FIXTURE_S, 15 * FIXTURE_S);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_skipping_misses_no_flow_with_short_timeouts),
		cmocka_unit_test(test_skipping_misses_no_flow_with_long_timeouts),
		cmocka_unit_test(test_skipping_misses_no_flow_while_due_ticks_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
