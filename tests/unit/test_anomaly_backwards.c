/* SPDX-License-Identifier: BSD-2-Clause */
/* Times that run backwards, as in captures of several parts, and hosts that collide. */
#include "probe/anomaly_private.h"
#include "tests/lib/anomaly_send.h"

#define MIN	(60 * 1000ULL)
#define SCANNER "203.0.113.9"
#define SERVER	"203.0.113.20"

#define SETS 2048

static void test_hosts_that_collide_under_one_seed_do_not_under_another(void **state)
{
	static struct anomaly known, secret;
	uint64_t used[SETS / 64] = {0};
	uint32_t n = 0, n_sets = 0;

	(void)state;
	known.seed = 0;
	secret.seed = 0x5eed;
	for (uint32_t i = 0; n < 64; i++) {
		struct host h = host_of_ipv4(i);

		if (anomaly_hash(&known, &h, CONTACT_TCP) % SETS)
			continue;
		place_use(used, (uint32_t)(anomaly_hash(&secret, &h, CONTACT_TCP) % SETS));
		n++;
	}
	FOR_PLACES(i, used, SETS)
	{
		n_sets++;
	}
	assert_true(n_sets > 56); /* of 64 places at random in 2048 */
}

/* A packet of each kind that detectors look for, so that ms counts down. */
static void incidents_of_all_kinds(uint64_t ms, uint32_t i)
{
	refuse(ms, SCANNER, TARGET, (uint16_t)(1 + i));
	send_tcp(ms, REMOTE, CLIENT, LOCAL, (uint16_t)(1 + i), TH_SYN | TH_FIN);
	ping(ms, SERVER, 100, 1000);
	anomaly_fixture_packet(&f, ms,
			       (struct anomaly_packet){.from = host(i),
						       .to = TARGET,
						       .from_port = 53,
						       .to_port = 4444,
						       .protocol = IPPROTO_UDP,
						       .payload = 1400});
	for (uint32_t k = 0; k < 12; k++)
		send_tcp(ms, forged(i * 12 + k), CLIENT, "10.0.0.4", 80, TH_SYN);
	for (uint32_t k = 0; k < 40; k++)
		send_udp(ms, forged(100000 + i * 40 + k), CLIENT, "10.0.0.3", 9999);
}

static void test_times_that_run_backwards_hide_nothing_and_break_nothing(void **state)
{
	const uint8_t classes[] = {ANOMALY_PORT_SCAN,  ANOMALY_PROTOCOL_VIOLATION,
				   ANOMALY_SYN_FLOOD,  ANOMALY_DDOS,
				   ANOMALY_REFLECTION, ANOMALY_ICMP_TUNNEL};

	(void)state;
	teardown(state);
	f.cfg.anomaly.ddos.packets_per_s = 1000;
	f.cfg.anomaly.syn_flood.syn_per_s = 500;
	anomaly_fixture_open(&f);
	/* each second's packets from its end to its begin, one day before and one after */
	for (uint32_t s = 0; s < 4; s++)
		for (uint32_t i = 0; i < 60; i++) {
			uint64_t ms = 24 * 60 * MIN + s * 1000 + 990 - i * 16;

			incidents_of_all_kinds(ms, s * 60 + i);
		}
	anomaly_fixture_run(&f, 24 * 60 * MIN + 20000);
	for (size_t i = 0; i < sizeof(classes); i++)
		assert_found(classes[i]);
	/* and all of it again a day earlier */
	for (uint32_t i = 0; i < 240; i++)
		incidents_of_all_kinds(i * 16, i);
	anomaly_fixture_finish(&f, 24 * 60 * MIN + 40000);
	for (uint32_t i = 0; i < f.n_events; i++) {
		assert_true(f.event[i].start_ms <= f.event[i].end_ms);
		assert_true(!i || f.event[i].time_ms >= f.event[i - 1].time_ms);
	}
}

static void test_a_scan_in_reverse_order_of_time_is_one(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 20; i++) {
		anomaly_fixture_run(&f, 100000 + 1000 * i);
		refuse(100000 - 2000 * i, SCANNER, TARGET, (uint16_t)(1 + i));
	}
	anomaly_fixture_finish(&f, 130000);
	assert_one(ANOMALY_PORT_SCAN, ANOMALY_BY_SYN, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_hosts_that_collide_under_one_seed_do_not_under_another),
		TEST(test_times_that_run_backwards_hide_nothing_and_break_nothing),
		TEST(test_a_scan_in_reverse_order_of_time_is_one),
	};
#undef TEST

	return cmocka_run_group_tests_name("backwards", tests, NULL, NULL);
}
