/* SPDX-License-Identifier: BSD-2-Clause */
/* When a Collector is told about the probe, in what order, and with which numbers. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "probe/exporter_private.h"
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/wire_octets.h"

#define MS     1000000ull
#define S      (1000 * MS)
#define T0     (1000 * S)
#define TIME   1767400000u
#define DOMAIN 7
#define N_IDS  400

/* What a Collector has read: the domain of the Flows as others do, and options here. */
struct told {
	struct wire flows;
	uint32_t next[2]; /* Sequence Number of OPTIONS_DOMAIN, and of DOMAIN */
	uint32_t gaps;
	uint32_t templates;
	uint32_t records[N_IDS];
	uint8_t last[N_IDS][64]; /* the last record's beginning */
	bool is_data_first; /* Flow Records came before all options */
};

static struct told told;
static struct options_facts facts;
static struct exporter *e;
static int fd;
static uint16_t port;

static uint32_t read_records(uint32_t id, const uint8_t *p, size_t octets)
{
	uint32_t n = 0;

	for (size_t at = 0; at < octets; at += options_record_octets(id, p + at)) {
		size_t length = options_record_octets(id, p + at);

		memcpy(told.last[id], p + at, length < 64 ? length : 64);
		told.records[id]++;
		n++;
	}
	return n;
}

/* True for a Message of options. */
static bool read_options(const uint8_t *message, size_t octets)
{
	uint32_t domain = get32(message + 12), id = get16(message + 16);
	uint32_t *next = &told.next[domain == DOMAIN];

	if (domain == DOMAIN && id != 3 && id != 323)
		return false;
	assert_true(domain == OPTIONS_DOMAIN || domain == DOMAIN);
	told.gaps += get32(message + 8) != *next;
	*next = get32(message + 8);
	for (size_t at = 16; at < octets; at += get16(message + at + 2)) {
		size_t length = get16(message + at + 2);

		if (get16(message + at) == 3)
			told.templates++;
		else
			*next += read_records(get16(message + at), message + at + 4, length - 4);
	}
	return true;
}

static void read_message(const uint8_t *message, size_t octets)
{
	if (read_options(message, octets)) {
		told.flows.next_sequence = told.next[1];
		return;
	}
	told.is_data_first |= !told.templates && get16(message + 16) != 2;
	wire_read(&told.flows, message, octets);
	told.next[1] = told.flows.next_sequence;
}

static void read_datagrams(void)
{
	static uint8_t datagram[WIRE_MAX_OCTETS];
	ssize_t octets;

	while ((octets = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT)) > 0)
		read_message(datagram, (size_t)octets);
}

static void open_with(int transport, int options)
{
	struct exporter_config cfg = {.name = "test",
				      .transport = transport,
				      .template_refresh_s = 60,
				      .options = options,
				      .fields = GROUP_BASE | GROUP_SIZE};

	snprintf(cfg.address, sizeof(cfg.address), "127.0.0.1:%u", port);
	assert_int_equal(exporter_open(&e, &cfg, DOMAIN, 32473, true), 0);
	exporter_set_facts(e, &facts);
}

static int setup(void **state)
{
	(void)state;
	memset(&told, 0, sizeof(told));
	memset(&facts, 0, sizeof(facts));
	port = 0;
	fd = collector_open(AF_INET, &port);
	open_with(TRANSPORT_UDP, EXPORTER_OPTIONS_AUTO);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	exporter_close(e);
	if (fd >= 0)
		close(fd);
	return 0;
}

static void record_samples(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct flow_record r = sample_record(i);

		exporter_record(e, &r);
	}
}

/* One call a second from second `from` to `to`, as the loop and the sweep do. */
static void run_seconds(uint32_t from, uint32_t to)
{
	for (uint32_t s = from; s <= to; s++) {
		exporter_flush(e, T0 + s * S, S);
		for (int i = 0; i < 20; i++) {
			exporter_run(e, T0 + s * S + i * 50 * MS, TIME + s);
			if (fd >= 0)
				read_datagrams();
		}
	}
}

static void test_options_follow_templates_and_precede_data(void **state)
{
	(void)state;
	record_samples(1000);
	run_seconds(0, 2);
	assert_int_equal(told.flows.data.records, 1000);
	assert_false(told.is_data_first);
	assert_int_equal(told.templates, 6);
	assert_int_equal(told.records[340], 6); /* packetSize...Count */
	assert_int_equal(told.records[323], 4);
	assert_int_equal(told.records[320], 1);
	assert_int_equal(told.gaps + told.flows.gaps, 0);
	check_balance(e);
}

static void test_they_come_again_with_the_templates(void **state)
{
	(void)state;
	run_seconds(0, 130); /* 0, 4, 8, 68, 128 */
	assert_int_equal(told.flows.template_messages / 2, 5);
	assert_int_equal(told.templates, 5 * 6);
	assert_int_equal(told.records[340], 5 * 6);
	assert_int_equal(told.records[320], 5);
	assert_int_equal(told.records[323], 4); /* once, before data */
	assert_int_equal(told.gaps, 0);
}

static void test_flow_keys_come_again_when_all_is_wanted(void **state)
{
	(void)state;
	exporter_close(e);
	open_with(TRANSPORT_UDP, EXPORTER_OPTIONS_ALL);
	record_samples(100);
	run_seconds(0, 69);
	assert_int_equal(told.records[323], 4 * 4);
	assert_int_equal(told.gaps + told.flows.gaps, 0);
}

static void test_statistics_tell_what_was_sent_before(void **state)
{
	(void)state;
	record_samples(500);
	run_seconds(0, 67);
	uint64_t messages = exporter_stats(e)->messages;
	uint64_t octets = exporter_stats(e)->message_octets;

	run_seconds(68, 68);
	assert_int_equal(get32(told.last[320]), DOMAIN);
	/* behind Templates that left just before */
	assert_in_range(get64(told.last[320] + 4), messages + 1, messages + 3);
	assert_int_equal(get64(told.last[320] + 12), 500);
	assert_true(get64(told.last[320] + 20) > octets);
}

static void test_losses_are_told_with_their_times(void **state)
{
	(void)state;
	record_samples(10);
	run_seconds(0, 2);
	assert_int_equal(told.records[321] + told.records[322], 0);
	facts.ignored = (struct options_loss){0, 5, 600, TIME + 3, TIME + 9};
	e->stats.not_sent_queue =
		(struct exporter_volume){.records = 2, .packets = 30, .octets = 400};
	run_seconds(10, 19); /* seen at 10, by the time of the call before */
	e->stats.not_sent_error =
		(struct exporter_volume){.records = 1, .packets = 1, .octets = 40};
	run_seconds(20, 75);
	const uint8_t *ignored = told.last[321], *not_sent = told.last[322];

	assert_true(told.records[321] > 0 && told.records[322] > 0);
	assert_int_equal(get32(ignored), DOMAIN);
	assert_int_equal(get64(ignored + 4), 5);
	assert_int_equal(get64(ignored + 12), 600);
	assert_int_equal(get32(ignored + 20), TIME + 3);
	assert_int_equal(get32(ignored + 24), TIME + 9);
	assert_int_equal(get64(not_sent + 4), 3);
	assert_int_equal(get64(not_sent + 12), 31);
	assert_int_equal(get64(not_sent + 20), 440);
	assert_int_equal(get32(not_sent + 28), TIME + 2);
	assert_int_equal(get32(not_sent + 32), TIME + 19);
}

static int two_interfaces(struct interface_name *to, size_t max)
{
	assert_true(max >= 2);
	to[0] = (struct interface_name){3, "eth0", "uplink"};
	to[1] = (struct interface_name){9, "eth1", ""};
	return 2;
}

static void test_interfaces_have_names_and_on_demand_descriptions(void **state)
{
	(void)state;
	facts.read_interfaces = two_interfaces;
	run_seconds(0, 0);
	assert_int_equal(told.records[324], 2);
	assert_memory_equal(told.last[324], "\0\0\0\x09\4eth1", 9);
	exporter_close(e);
	memset(&told, 0, sizeof(told));
	open_with(TRANSPORT_UDP, EXPORTER_OPTIONS_ALL);
	run_seconds(0, 0);
	assert_int_equal(told.records[324], 0);
	assert_int_equal(told.records[325], 2);
	assert_memory_equal(told.last[325], "\0\0\0\x09\4eth1\0", 10);
}

static void test_data_is_refused_and_counted_as_without_options(void **state)
{
	(void)state;
	close(fd);
	fd = -1;
	for (uint32_t s = 0; s < 10; s++) {
		record_samples(200);
		run_seconds(s, s);
		check_balance(e);
	}
	assert_true(exporter_stats(e)->not_sent_refused.records > 0);
	assert_int_equal(exporter_stats(e)->queued.records, 0);
	fd = collector_open(AF_INET, &port);
	record_samples(200);
	run_seconds(20, 40);
	assert_true(told.records[340] > 0 && told.flows.data.records > 0);
	assert_true(told.records[322] > 0);
}

static void test_the_counts_are_told_a_last_time(void **state)
{
	(void)state;
	record_samples(300);
	run_seconds(0, 3);
	record_samples(77);
	exporter_drain(e, T0 + 3 * S + 500 * MS, TIME + 3, 1000);
	read_datagrams();
	assert_int_equal(get64(told.last[320] + 12), 377);
	assert_int_equal(get64(told.last[320] + 4), exporter_stats(e)->messages - 1);
	assert_int_equal(told.records[340], 6); /* nothing else again */
}

static int many_interfaces(struct interface_name *to, size_t max)
{
	for (size_t i = 0; i < max; i++) {
		to[i].index = (uint32_t)i;
		snprintf(to[i].name, sizeof(to[i].name), "interface%03u", (unsigned int)i % 1000);
		memset(to[i].alias, 'a', sizeof(to[i].alias) - 1);
	}
	return (int)max;
}

/* A listening TCP socket with a buffer that a round of options overflows. */
static int listen_narrow(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t size = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int small = 2048;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	assert_int_equal(bind(listener, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &size), 0);
	port = ntohs(a.sin_port);
	return listener;
}

/* Read and run on in turns until the exporter has said all there is. */
static size_t read_stream(int stream, uint8_t *data, size_t room)
{
	struct pollfd p = {.fd = stream, .events = POLLIN};
	size_t octets = 0;

	for (int i = 0; i < 1000; i++) {
		exporter_run(e, T0 + 60 * S + i * 10 * MS, TIME + 60);
		if (poll(&p, 1, e->is_blocked ? 5000 : 20) != 1)
			break;
		ssize_t n = recv(stream, data + octets, room - octets, 0);

		assert_true(n > 0);
		octets += (size_t)n;
	}
	return octets;
}

static void test_a_slow_stream_gets_whole_messages_in_order(void **state)
{
	static uint8_t data[1 << 20];
	int listener = listen_narrow(), small = 2048;
	size_t at = 0;

	(void)state;
	exporter_close(e);
	facts.read_interfaces = many_interfaces;
	open_with(TRANSPORT_TCP, EXPORTER_OPTIONS_ALL);
	exporter_run(e, T0, TIME); /* the first round finds room in the kernel's buffer */
	setsockopt(e->session.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	int stream = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

	record_samples(1000);
	exporter_flush(e, T0, S);
	exporter_run(e, T0 + 60 * S, TIME + 60);
	assert_true(e->is_blocked && exporter_options_under_way(e));
	size_t octets = read_stream(stream, data, sizeof(data));

	for (; at < octets; at += get16(data + at + 2))
		read_message(data + at, get16(data + at + 2));
	assert_int_equal(at, octets);
	assert_int_equal(told.records[325], 2 * OPTIONS_MAX_INTERFACES);
	assert_int_equal(told.records[340], 6); /* once is enough for a stream */
	assert_int_equal(told.flows.data.records, 1000);
	assert_false(told.is_data_first);
	assert_int_equal(told.gaps + told.flows.gaps, 0);
	check_balance(e);
	close(stream);
	close(listener);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_options_follow_templates_and_precede_data),
		TEST(test_they_come_again_with_the_templates),
		TEST(test_flow_keys_come_again_when_all_is_wanted),
		TEST(test_statistics_tell_what_was_sent_before),
		TEST(test_losses_are_told_with_their_times),
		TEST(test_interfaces_have_names_and_on_demand_descriptions),
		TEST(test_data_is_refused_and_counted_as_without_options),
		TEST(test_the_counts_are_told_a_last_time),
		TEST(test_a_slow_stream_gets_whole_messages_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
