/* SPDX-License-Identifier: BSD-2-Clause */
/* Sockets and the strict reader of Messages. */
#include "tests/lib/exporter_fixture.h"
#include "tests/lib/wire_octets.h"

#include <arpa/inet.h>
#include <assert.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

enum { OCTET_DELTA_COUNT = 1, PACKET_DELTA_COUNT = 2 };

/* Template IDs of options data, and the octets of a record of Flow Keys */
#define EVENT_FIRST	 312
#define EVENT_LAST	 319
#define OPTIONS_FIRST	 320
#define OPTIONS_LAST	 340
#define FLOW_KEYS	 323
#define FLOW_KEYS_OCTETS 10

static void read_header(struct wire *w, const uint8_t *message, size_t octets)
{
	uint32_t sequence = get32(message + 8);

	assert_true(octets >= 20 && octets <= WIRE_MAX_OCTETS);
	assert_int_equal(get16(message), 10);
	assert_int_equal(get16(message + 2), octets);
	assert_true(get32(message + 4) >= w->export_time_s);
	w->export_time_s = get32(message + 4);
	if (!w->is_begun) {
		w->is_begun = true;
		w->domain_id = get32(message + 12);
		w->next_sequence = sequence;
	}
	assert_int_equal(get32(message + 12), w->domain_id);
	if (sequence != w->next_sequence) {
		w->gaps++;
		w->gap_records += sequence - w->next_sequence;
		w->next_sequence = sequence;
	}
}

/* Returns the octets of one Template Record. */
static size_t read_template(struct wire *w, const uint8_t *p, size_t octets)
{
	assert_true(octets >= 4);
	uint32_t id = get16(p);
	uint32_t n_fields = get16(p + 2);
	uint32_t length = 0;

	assert_true(id >= 256 && id < WIRE_MAX_ID);
	assert_true(n_fields > 0); /* else it is a withdrawal */
	const uint8_t *field = p + 4;

	for (uint32_t i = 0; i < n_fields; i++) {
		assert_true(field + 8 <= p + octets || !(get16(field) & 0x8000));
		assert_true(field + 4 <= p + octets);
		if (get16(field) == OCTET_DELTA_COUNT)
			w->octets_at[id] = (uint16_t)length;
		if (get16(field) == PACKET_DELTA_COUNT)
			w->packets_at[id] = (uint16_t)length;
		assert_true(get16(field + 2) >= 1 && get16(field + 2) <= 16);
		length += get16(field + 2);
		field += get16(field) & 0x8000 ? 8 : 4;
	}
	if (w->record_octets[id])
		assert_int_equal(w->record_octets[id], length);
	w->record_octets[id] = (uint16_t)length;
	w->templates++;
	return (size_t)(field - p);
}

static void read_templates(struct wire *w, const uint8_t *p, size_t octets)
{
	for (size_t at = 0; at < octets;)
		at += read_template(w, p + at, octets - at);
}

static void read_data(struct wire *w, uint32_t id, const uint8_t *p, size_t octets)
{
	assert_true(id < WIRE_MAX_ID);
	size_t record_octets = w->record_octets[id];

	assert(record_octets > 0); /* its Template came before */
	assert_int_equal(octets % record_octets, 0);
	if (octets / record_octets > w->most_records)
		w->most_records = octets / record_octets;
	for (size_t at = 0; at < octets; at += record_octets) {
		w->data.records++;
		w->data.octets += get64(p + at + w->octets_at[id]);
		w->data.packets += get64(p + at + w->packets_at[id]);
		w->records_of[id]++;
		w->next_sequence++;
	}
}

/* One record in a Message of domain 0, whose eventId is where the addresses end. */
static void read_event(struct wire *w, const uint8_t *message, size_t octets)
{
	static const uint8_t addresses[EVENT_LAST - EVENT_FIRST + 1] = {0, 4, 4, 8, 0, 16, 16, 32};
	uint32_t id = get16(message + 16);

	assert_int_equal(get32(message + 12), 0);
	assert_int_equal(get16(message + 18), octets - 16);
	assert_int_equal(get32(message + 20), w->domain_id);
	assert_true(get32(message + 4) >= w->export_time_s);
	assert_true(get64(message + 24) / 1000 <= get32(message + 4));
	w->event_gaps += get32(message + 8) != w->next_event_sequence;
	w->next_event_sequence = get32(message + 8) + 1;
	w->event_id = get64(message + 53 + addresses[id - EVENT_FIRST]);
	w->records_before_event = w->data.records;
	w->events++;
}

/* Options data, of which only those in the domain of the Flows have a number there. */
static bool read_options(struct wire *w, const uint8_t *message, size_t octets)
{
	uint32_t first = get16(message + 16);

	if (first >= EVENT_FIRST && first <= EVENT_LAST) {
		read_event(w, message, octets);
		return true;
	}
	if (first == 3 && get16(message + 20) >= EVENT_FIRST && get16(message + 20) <= EVENT_LAST)
		w->event_gaps += get32(message + 8) != w->next_event_sequence;
	if (first != 3 && (first < OPTIONS_FIRST || first > OPTIONS_LAST))
		return false;
	w->options_messages++;
	if (get32(message + 12) != w->domain_id)
		return true;
	read_header(w, message, octets);
	for (size_t at = 16; at < octets; at += get16(message + at + 2))
		if (get16(message + at) == FLOW_KEYS)
			w->next_sequence += (get16(message + at + 2) - 4) / FLOW_KEYS_OCTETS;
	return true;
}

void wire_read(struct wire *w, const uint8_t *message, size_t octets)
{
	if (w->is_begun && read_options(w, message, octets))
		return;
	bool has_template = false;
	bool has_data = false;
	size_t at = 16;

	read_header(w, message, octets);
	while (at < octets) {
		assert_true(octets - at > 4);
		uint32_t id = get16(message + at);
		size_t length = get16(message + at + 2);

		assert_true(length > 4 && length <= octets - at); /* no empty Set */
		if (id == 2)
			read_templates(w, message + at + 4, length - 4);
		else
			read_data(w, id, message + at + 4, length - 4);
		has_template |= id == 2;
		has_data |= id != 2;
		at += length;
	}
	assert_true(has_template != has_data);
	w->messages++;
	w->template_messages += has_template;
	if (octets > w->largest)
		w->largest = octets;
	memcpy(w->last, message, octets);
	w->last_octets = octets;
}

size_t wire_read_stream(struct wire *w, const uint8_t *data, size_t octets)
{
	size_t at = 0;

	while (octets - at >= 16 && octets - at >= get16(data + at + 2)) {
		size_t length = get16(data + at + 2);

		wire_read(w, data + at, length);
		at += length;
	}
	return at;
}

int collector_open(int family, uint16_t *port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	bool is_v6 = family == AF_INET6;
	struct sockaddr *address = is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4;
	socklen_t size = is_v6 ? sizeof(v6) : sizeof(v4);
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6.sin6_addr = in6addr_loopback;
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, address, size), 0);
	assert_int_equal(getsockname(fd, address, &size), 0);
	*port = ntohs(is_v6 ? v6.sin6_port : v4.sin_port);
	return fd;
}

size_t collector_read(int fd, struct wire *w)
{
	static uint8_t datagram[WIRE_MAX_OCTETS];
	size_t n = 0;
	ssize_t octets;

	while ((octets = recv(fd, datagram, sizeof(datagram), MSG_DONTWAIT)) > 0) {
		wire_read(w, datagram, (size_t)octets);
		n++;
	}
	return n;
}

struct flow_record sample_record(uint32_t n)
{
	struct flow_record r = {
		.start_ms = 1767323045000 + n,
		.end_ms = 1767323046000 + n % 1000,
		.octets = 1000 + (uint64_t)n * 3,
		.packets = 1 + n % 5,
		.flow_id = n + 1,
		.ingress = 2,
		.egress = 3,
		.length_min = 40,
		.length_max = 1500,
		.vlan = (uint16_t)(n % 4094),
		.protocol = n % 2 ? 6 : 17,
		.tos = 0xb8,
		.ttl_min = 63,
		.ttl_max = 64,
		.direction = FLOW_EGRESS,
		.end_reason = (uint8_t)(1 + n % 5),
		.is_ipv6 = n % 3 == 0,
	};

	if (n % 7 == 0)
		r.protocol = r.is_ipv6 ? 58 : 1;
	if (n % 7 == 0)
		r.icmp_type_code = (uint16_t)(0x0800 + n % 256);
	else
		r.source_port = (uint16_t)(1024 + n % 60000);
	r.destination_port = n % 7 ? 443 : 0;
	r.tcp_flags = r.protocol == 6 ? 0x11b : 0;
	if (r.is_ipv6) {
		memset(r.source6, 0x20, sizeof(r.source6));
		memset(r.destination6, 0x30, sizeof(r.destination6));
		memcpy(r.source6 + 12, &n, sizeof(n));
	} else {
		r.source4 = 0x0a000000 + n;
		r.destination4 = 0xc0000201;
	}
	return r;
}

static void check_unit(uint64_t accepted, const uint64_t *parts, size_t n)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += parts[i];
	assert_int_equal(accepted, sum);
}

#define UNIT(s, unit)                                                                              \
	(s)->accepted.unit + (s)->recovered.unit,                                                  \
		(const uint64_t[]){(s)->sent.unit,                                                 \
				   (s)->queued.unit,                                               \
				   (s)->spooled.unit,                                              \
				   (s)->moved.unit,                                                \
				   (s)->not_sent_queue.unit,                                       \
				   (s)->not_sent_refused.unit,                                     \
				   (s)->not_sent_unroutable.unit,                                  \
				   (s)->not_sent_unresolved.unit,                                  \
				   (s)->not_sent_too_big.unit,                                     \
				   (s)->not_sent_spool_full.unit,                                  \
				   (s)->not_sent_spool_error.unit,                                 \
				   (s)->not_sent_error.unit,                                       \
				   (s)->not_sent_unsupported.unit},                                \
		13

void check_balance(const struct exporter *e)
{
	const struct exporter_stats *s = exporter_stats(e);

	check_unit(UNIT(s, events));

	check_unit(UNIT(s, records));
	check_unit(UNIT(s, packets));
	check_unit(UNIT(s, octets));
}

struct exporter *open_exporter(int transport, int family, uint16_t port, bool is_paced)
{
	struct exporter_config cfg = {.name = "test",
				      .transport = transport,
				      .template_refresh_s = 60,
				      .reconnect_s = 60};
	struct exporter *e;

	snprintf(cfg.address, sizeof(cfg.address), family == AF_INET6 ? "[::1]:%u" : "127.0.0.1:%u",
		 port);
	assert_int_equal(exporter_open(&e, &cfg, 7, 32473, is_paced), 0);
	return e;
}
