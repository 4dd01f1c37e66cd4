/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the details of a Flow say after scripted packets, metered natively.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "probe/detail_layout.h"
#include "probe/native_meter.h"
#include "tests/lib/meter_details.h"
#include "tests/lib/pkt.h"

#define MS 1000000ULL
#define US 1000ULL

static struct flow_cache cache;
static struct pkt_builder b;

static int setup(void **state)
{
	struct flow_cache_params params;

	(void)state;
	assert_int_equal(flow_cache_params_init(&params, 1, 1), 0);
	params.detail = detail_layout((1u << XFP_N_DETAILS) - 1);
	return flow_cache_open(&cache, &params, 1, 1, true);
}

static int teardown(void **state)
{
	(void)state;
	flow_cache_close(&cache);
	return 0;
}

static void meter(uint64_t time_ns)
{
	native_meter_packet(&cache, &(struct native_packet){
					    .data = b.data,
					    .captured_octets = (uint32_t)b.len,
					    .wire_octets = (uint32_t)b.len,
					    .time_ns = time_ns,
					    .is_ethernet = true,
				    });
}

/* The only Flow from that source port. */
static const void *detail(uint16_t source_port, enum xfp_detail which)
{
	const struct flow_table *t = &cache.table[FLOW_IPV4];

	for (uint32_t slot = 0; slot < t->n_slots; slot++) {
		const struct xfp_key4 *key = flow_key_at(t, slot);

		if (*flow_tag_at(t, slot) >= XFP_TAG_FLOW && ntohs(key->source_port) == source_port)
			return meter_detail(&cache, FLOW_IPV4, slot, which);
	}
	fail_msg("no Flow from port %u", source_port);
	return NULL;
}

struct segment {
	bool is_reverse;
	uint8_t flags;
	uint32_t sequence;
	uint32_t acknowledgement;
	uint16_t window; /* 65535 where 0 and not has_window */
	bool has_window;
	uint16_t payload;
	uint64_t time_ns;
};

static void meter_segment(const struct segment *s)
{
	struct tcphdr *tcp;

	pkt_init(&b);
	pkt_eth(&b);
	pkt_ipv4(&b, s->is_reverse ? "10.0.0.2" : "10.0.0.1",
		 s->is_reverse ? "10.0.0.1" : "10.0.0.2");
	tcp = pkt_tcp(&b, s->is_reverse ? 80 : 4000, s->is_reverse ? 4000 : 80, s->flags);
	tcp->seq = htonl(s->sequence);
	tcp->ack_seq = htonl(s->acknowledgement);
	if (s->has_window || s->window)
		tcp->window = htons(s->window);
	pkt_payload(&b, s->payload);
	pkt_finish(&b);
	meter(s->time_ns);
}

static void meter_segments(const struct segment *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		meter_segment(&s[i]);
}

#define METER(...)                                                                                 \
	meter_segments((const struct segment[]){__VA_ARGS__},                                      \
		       sizeof((const struct segment[]){__VA_ARGS__}) / sizeof(struct segment))

static void link_layer_is_that_of_the_first_packet_and_octets_add(void **state)
{
	static const uint8_t source[] = {2, 0, 0, 0, 0, 1}, destination[] = {2, 0, 0, 0, 0, 2};
	const struct xfp_detail_l2 *d;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pkt_init(&b);
		memcpy(pkt_eth(&b)->h_source, i ? "other!" : (const char *)source, 6);
		pkt_vlan(&b, ETH_P_8021AD, 42)->tci = htons(5 << 13 | 42);
		pkt_vlan(&b, ETH_P_8021Q, 7)->tci = htons(3 << 13 | 7);
		pkt_ipv4(&b, "10.0.0.1", "10.0.0.2");
		pkt_udp(&b, 4000, 53);
		pkt_payload(&b, 100);
		pkt_finish(&b);
		meter(1 * MS);
	}
	d = detail(4000, XFP_DETAIL_L2);
	assert_memory_equal(d->source, source, 6);
	assert_memory_equal(d->destination, destination, 6);
	assert_int_equal(d->ethertype, ETH_P_IP);
	assert_int_equal(d->tag, 5 << 13 | 42);
	assert_int_equal(d->inner_tag, 3 << 13 | 7);
	assert_int_equal(d->octets, 2 * (14 + 8 + 20 + 8 + 100));
}

static void sizes_fall_into_the_class_that_ends_at_them(void **state)
{
	static const uint16_t lengths[] = {128, 129, 256, 257, 512, 513, 1024, 1025, 1514, 1515};
	const struct xfp_detail_size *d;
	uint64_t squares = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		pkt_init(&b);
		pkt_eth(&b);
		pkt_ipv4(&b, "10.0.0.1", "10.0.0.2");
		pkt_udp(&b, 4000, 53);
		pkt_payload(&b, lengths[i] - 28u);
		pkt_finish(&b);
		meter(1 * MS);
		squares += (uint64_t)lengths[i] * lengths[i];
	}
	d = detail(4000, XFP_DETAIL_SIZE);
	assert_int_equal(d->squares, squares);
	assert_int_equal(d->packets[0], 1);
	for (int i = 1; i < 5; i++)
		assert_int_equal(d->packets[i], 2);
	assert_int_equal(d->packets[5], 1);
}

static void timing_keeps_the_shortest_and_the_longest_gap(void **state)
{
	const struct xfp_detail_timing *d;

	(void)state;
	METER({.flags = PKT_ACK, .time_ns = 10 * MS}, {.flags = PKT_ACK, .time_ns = 15 * MS},
	      {.flags = PKT_ACK, .time_ns = 17 * MS}, {.flags = PKT_ACK, .time_ns = 27 * MS});
	d = detail(4000, XFP_DETAIL_TIMING);
	assert_int_equal(~d->shortest, 2 * MS / 1024);
	assert_int_equal(d->longest, 10 * MS / 1024);
}

static void a_single_packet_has_no_gap(void **state)
{
	const struct xfp_detail_timing *d;

	(void)state;
	METER({.flags = PKT_ACK, .time_ns = 10 * MS});
	d = detail(4000, XFP_DETAIL_TIMING);
	assert_int_equal(d->shortest, 0);
	assert_int_equal(d->longest, 0);
}

static void tcp_keeps_first_last_and_counts_of_its_header(void **state)
{
	const struct xfp_detail_tcp *d;

	(void)state;
	METER({.flags = PKT_SYN, .sequence = 1000, .window = 500},
	      {.flags = PKT_ACK | PKT_PSH, .sequence = 1001, .acknowledgement = 77, .window = 100},
	      {.flags = PKT_ACK | PKT_FIN, .sequence = 1500, .acknowledgement = 99, .window = 900},
	      {.flags = PKT_RST, .sequence = 1600, .acknowledgement = 99, .has_window = true});
	d = detail(4000, XFP_DETAIL_TCP);
	assert_int_equal(d->sequence_first, 1000);
	assert_int_equal(d->acknowledgement_first, 0);
	assert_int_equal(d->sequence_last, 1600);
	assert_int_equal(d->acknowledgement_last, 99);
	assert_int_equal(d->window_first, 500);
	assert_int_equal(d->bits_first, PKT_SYN);
	assert_int_equal((uint16_t) ~(d->windows >> 16), 100);
	assert_int_equal(d->windows & 0xffff, 900);
	assert_int_equal(d->bits[0], 1);
	assert_int_equal(d->bits[1], 1);
	assert_int_equal(d->bits[2], 1);
	assert_int_equal(d->bits[3], 1);
	assert_int_equal(d->bits[4], 2);
	assert_int_equal(d->bits[5], 0);
}

static void meter_syn(const uint8_t *options, size_t octets)
{
	pkt_init(&b);
	pkt_eth(&b);
	pkt_ipv4(&b, "10.0.0.1", "10.0.0.2");
	pkt_tcp(&b, 4000, 80, PKT_SYN);
	memcpy(pkt_tcp_options(&b, octets), options, octets);
	pkt_finish(&b);
	meter(1 * MS);
}

static void a_syn_tells_its_options(void **state)
{
	static const uint8_t options[] = {1, 1, 2, 4, 0x05, 0xb4, 4, 2, 1, 3, 3, 7};
	const struct xfp_detail_tcp *d;

	(void)state;
	meter_syn(options, sizeof(options));
	d = detail(4000, XFP_DETAIL_TCP);
	assert_int_equal(d->mss, 1460);
	assert_int_equal(d->scale, 7 + 1);
}

static void options_behind_as_many_nops_as_fit_are_found(void **state)
{
	uint8_t options[40];
	const struct xfp_detail_tcp *d;

	(void)state;
	memset(options, 1, sizeof(options));
	memcpy(options + 37, (const uint8_t[]){3, 3, 9}, 3);
	meter_syn(options, sizeof(options));
	d = detail(4000, XFP_DETAIL_TCP);
	assert_int_equal(d->mss, 0);
	assert_int_equal(d->scale, 9 + 1);
}

static void an_option_of_no_length_ends_the_options(void **state)
{
	static const uint8_t options[] = {3, 0, 2, 4, 0x05, 0xb4, 0, 0};
	const struct xfp_detail_tcp *d;

	(void)state;
	meter_syn(options, sizeof(options));
	d = detail(4000, XFP_DETAIL_TCP);
	assert_int_equal(d->mss, 0);
	assert_int_equal(d->scale, 0);
}

static void a_handshake_leaves_the_times_of_its_three_steps(void **state)
{
	const struct xfp_detail_health *client, *server;

	(void)state;
	METER({.flags = PKT_SYN, .sequence = 1, .time_ns = 100 * MS},
	      {.is_reverse = true, .flags = PKT_SYN | PKT_ACK, .sequence = 9, .time_ns = 130 * MS},
	      {.flags = PKT_ACK, .sequence = 2, .time_ns = 135 * MS},
	      {.flags = PKT_ACK, .sequence = 2, .payload = 10, .time_ns = 200 * MS});
	client = detail(4000, XFP_DETAIL_HEALTH);
	server = detail(80, XFP_DETAIL_HEALTH);
	assert_int_equal(client->syn_ns, 100 * MS);
	assert_int_equal(client->ack_ns, 135 * MS);
	assert_int_equal(server->syn_ns, 130 * MS);
	assert_int_equal(server->ack_ns, 0);
}

static void a_handshake_keeps_its_first_and_its_latest_syn(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_SYN, .sequence = 1, .time_ns = 100 * MS},
	      {.flags = PKT_SYN, .sequence = 1, .time_ns = 600 * MS},
	      {.flags = PKT_SYN, .sequence = 1, .time_ns = 1124 * MS},
	      {.flags = PKT_RST, .sequence = 2, .time_ns = 1125 * MS},
	      {.flags = PKT_ACK, .sequence = 2, .time_ns = 1130 * MS},
	      {.flags = PKT_SYN, .sequence = 1, .time_ns = 1200 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->syn_ns, 100 * MS);
	assert_int_equal(d->syn_again, 1024 * MS / 1024);
	assert_int_equal(d->ack_ns, 1130 * MS);
	assert_int_equal(d->retransmitted, 3);
	assert_int_equal(d->retransmitted_octets, 0);
}

static void a_syn_with_another_number_begins_anew(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_SYN, .sequence = 5000},
	      {.flags = PKT_ACK, .sequence = 5001, .payload = 100, .time_ns = 1 * MS},
	      {.flags = PKT_SYN, .sequence = 70, .time_ns = 2 * MS},
	      {.flags = PKT_ACK, .sequence = 71, .payload = 100, .time_ns = 3 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->retransmitted, 0);
	assert_int_equal(d->out_of_order, 0);
	assert_int_equal(d->next, 171);
}

static void a_segment_sent_again_is_a_retransmission(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_ACK, .sequence = 0xffffff00, .payload = 200},
	      {.flags = PKT_ACK, .sequence = 0xffffffc8, .payload = 200, .time_ns = 1 * MS},
	      {.flags = PKT_ACK, .sequence = 0xffffffc8, .payload = 200, .time_ns = 300 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->retransmitted, 1);
	assert_int_equal(d->retransmitted_octets, 200);
	assert_int_equal(d->out_of_order, 0);
}

static void a_late_segment_that_fills_a_gap_is_out_of_order(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_ACK, .sequence = 100, .payload = 100},
	      {.flags = PKT_ACK, .sequence = 300, .payload = 100, .time_ns = 10 * MS},
	      {.flags = PKT_ACK, .sequence = 200, .payload = 100, .time_ns = 10 * MS + 500 * US});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->out_of_order, 1);
	assert_int_equal(d->retransmitted, 0);
}

static void a_gap_filled_a_round_trip_later_is_a_retransmission(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_ACK, .sequence = 100, .payload = 100},
	      {.flags = PKT_ACK, .sequence = 300, .payload = 100, .time_ns = 10 * MS},
	      {.flags = PKT_ACK, .sequence = 200, .payload = 100, .time_ns = 60 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->out_of_order, 0);
	assert_int_equal(d->retransmitted, 1);
	assert_int_equal(d->retransmitted_octets, 100);
}

static void the_side_that_opened_has_a_round_trip_to_be_late(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_SYN, .sequence = 99, .time_ns = 10 * MS},
	      {.flags = PKT_ACK, .sequence = 100, .time_ns = 50 * MS},
	      {.flags = PKT_ACK, .sequence = 200, .payload = 100, .time_ns = 60 * MS},
	      {.flags = PKT_ACK, .sequence = 100, .payload = 50, .time_ns = 95 * MS},
	      {.flags = PKT_ACK, .sequence = 150, .payload = 50, .time_ns = 105 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->out_of_order, 1);
	assert_int_equal(d->retransmitted, 1);
}

static void the_side_that_answered_has_three_milliseconds_to_be_late(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_SYN | PKT_ACK, .sequence = 99, .time_ns = 10 * MS},
	      {.flags = PKT_ACK, .sequence = 100, .time_ns = 40 * MS},
	      {.flags = PKT_ACK, .sequence = 200, .payload = 100, .time_ns = 50 * MS},
	      {.flags = PKT_ACK, .sequence = 100, .payload = 50, .time_ns = 52 * MS},
	      {.flags = PKT_ACK, .sequence = 150, .payload = 50, .time_ns = 54 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->out_of_order, 1);
	assert_int_equal(d->retransmitted, 1);
}

static void a_bare_acknowledgement_tells_of_a_gap_before_it(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_ACK, .sequence = 100, .payload = 100},
	      {.flags = PKT_ACK, .sequence = 300, .time_ns = 1 * MS},
	      {.flags = PKT_ACK, .sequence = 200, .payload = 100, .time_ns = 90 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->retransmitted, 1);
	assert_int_equal(d->retransmitted_octets, 100);
}

static void data_behind_the_probe_of_a_closed_window_is_new(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_ACK, .sequence = 100, .payload = 100},
	      {.flags = PKT_ACK, .sequence = 200, .payload = 1, .time_ns = 200 * MS},
	      {.flags = PKT_ACK, .sequence = 200, .payload = 1, .time_ns = 400 * MS},
	      {.flags = PKT_ACK, .sequence = 200, .payload = 100, .time_ns = 500 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->retransmitted, 0);
	assert_int_equal(d->next, 300);
}

static void keep_alives_and_bare_acknowledgements_are_no_retransmissions(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_ACK, .sequence = 100, .payload = 100},
	      {.flags = PKT_ACK, .sequence = 200, .time_ns = 1 * MS},
	      {.flags = PKT_ACK, .sequence = 200, .time_ns = 2 * MS},
	      {.flags = PKT_ACK, .sequence = 199, .payload = 1, .time_ns = 9000 * MS},
	      {.flags = PKT_ACK, .sequence = 199, .time_ns = 9500 * MS});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->retransmitted, 0);
	assert_int_equal(d->out_of_order, 0);
}

static void a_window_of_zero_is_counted_but_in_a_reset(void **state)
{
	const struct xfp_detail_health *d;

	(void)state;
	METER({.flags = PKT_ACK, .sequence = 100},
	      {.flags = PKT_ACK, .sequence = 100, .has_window = true},
	      {.flags = PKT_ACK, .sequence = 100, .has_window = true},
	      {.flags = PKT_RST, .sequence = 100, .has_window = true});
	d = detail(4000, XFP_DETAIL_HEALTH);
	assert_int_equal(d->zero_windows, 2);
}

static void details_without_a_group_take_no_room(void **state)
{
	struct xfp_detail_layout none = detail_layout(0);
	struct xfp_detail_layout tcp = detail_layout(1u << XFP_DETAIL_TCP);
	struct xfp_detail_layout all = detail_layout((1u << XFP_N_DETAILS) - 1);

	(void)state;
	assert_int_equal(none.octets, 0);
	assert_int_equal(tcp.octets, 64);
	assert_int_equal(tcp.at[XFP_DETAIL_TCP], 0);
	assert_int_equal(tcp.at[XFP_DETAIL_L2], XFP_DETAIL_OFF);
	assert_int_equal(all.octets % 64, 0);
#define X(NAME, name)                                                                              \
	assert_true(all.at[XFP_DETAIL_##NAME] % 64 + sizeof(struct xfp_detail_##name) <= 64);
	XFP_DETAILS(X)
#undef X
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(link_layer_is_that_of_the_first_packet_and_octets_add),
		TEST(sizes_fall_into_the_class_that_ends_at_them),
		TEST(timing_keeps_the_shortest_and_the_longest_gap),
		TEST(a_single_packet_has_no_gap),
		TEST(tcp_keeps_first_last_and_counts_of_its_header),
		TEST(a_syn_tells_its_options),
		TEST(options_behind_as_many_nops_as_fit_are_found),
		TEST(an_option_of_no_length_ends_the_options),
		TEST(a_handshake_leaves_the_times_of_its_three_steps),
		TEST(a_handshake_keeps_its_first_and_its_latest_syn),
		TEST(a_syn_with_another_number_begins_anew),
		TEST(a_segment_sent_again_is_a_retransmission),
		TEST(a_late_segment_that_fills_a_gap_is_out_of_order),
		TEST(a_gap_filled_a_round_trip_later_is_a_retransmission),
		TEST(the_side_that_opened_has_a_round_trip_to_be_late),
		TEST(the_side_that_answered_has_three_milliseconds_to_be_late),
		TEST(a_bare_acknowledgement_tells_of_a_gap_before_it),
		TEST(data_behind_the_probe_of_a_closed_window_is_new),
		TEST(keep_alives_and_bare_acknowledgements_are_no_retransmissions),
		TEST(a_window_of_zero_is_counted_but_in_a_reset),
		cmocka_unit_test(details_without_a_group_take_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
