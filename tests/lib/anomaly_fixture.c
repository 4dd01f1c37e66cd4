/* SPDX-License-Identifier: BSD-2-Clause */
/* Detection on a scripted clock. See anomaly_fixture.h. */
#include "tests/lib/anomaly_fixture.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "probe/native_meter.h"
#include "tests/lib/pkt.h"

#define MS	  1000000ULL
#define BASE_MS	  1000000000000ULL /* a time that a capture may have */
#define MAX_FLOWS 65536

static void drop_record(void *arg, const struct flow_record *r)
{
	(void)arg;
	(void)r;
}

static void keep_event(void *arg, const struct anomaly_event *e)
{
	struct anomaly_fixture *f = arg;
	char line[ANOMALY_JSON_MAX];

	assert_true(f->n_events < ANOMALY_FIXTURE_EVENTS);
	assert_true(anomaly_put_json(line, e) < line + sizeof(line));
	f->event[f->n_events++] = *e;
}

void anomaly_fixture_init(struct anomaly_fixture *f)
{
	memset(f, 0, sizeof(*f));
	config_init(&f->cfg);
}

void anomaly_fixture_open(struct anomaly_fixture *f)
{
	uint32_t max_flows = f->max_flows ? f->max_flows : MAX_FLOWS;
	struct flow_cache_params params;

	assert_int_equal(flow_cache_params_init(&params, max_flows, max_flows), 0);
	params.is_watched = true;
	params.unseen_seed = 0;
	params.n_buckets[FLOW_IPV4] = flow_cache_buckets_start(max_flows);
	params.n_buckets[FLOW_IPV6] = flow_cache_buckets_start(max_flows);
	assert_int_equal(flow_cache_open(&f->cache, &params, max_flows, max_flows, true), 0);
	assert_int_equal(anomaly_open(&f->anomaly,
				      &(struct anomaly_setup){
					      .cfg = &f->cfg.anomaly,
					      .clock = &f->clock,
					      .sink = keep_event,
					      .sink_arg = f,
				      }),
			 0);
	f->obs.n = 1;
	f->sweep.cache = &f->cache;
	f->sweep.clock = &f->clock;
	f->sweep.obs = &f->obs;
	f->sweep.timeouts.active_ns = 60 * NS_PER_S;
	f->sweep.timeouts.idle_ns = 15 * NS_PER_S;
	f->sweep.high_water_pct = 75;
	f->sweep.sink = drop_record;
	f->sweep.observer = anomaly_observer(f->anomaly);
	assert_int_equal(sweep_open(&f->sweep), 0);
	f->next_sweep_ms = 1000;
}

/* When a sweep can find something to do without another packet, on the grid of sweeps. */
static uint64_t next_due_ms(const struct anomaly_fixture *f)
{
	uint64_t due = sweep_next_due_ns(&f->sweep), anomaly = anomaly_next_due_ns(f->anomaly);

	due = due < anomaly ? due : anomaly;
	return due / MS <= BASE_MS ? 0 : (due / MS - BASE_MS) / 1000 * 1000 + 1000;
}

void anomaly_fixture_run(struct anomaly_fixture *f, uint64_t ms)
{
	while (f->next_sweep_ms <= ms) {
		/* as with a capture: hours in which nothing can happen are left out */
		if (!f->has_news) {
			uint64_t due = next_due_ms(f), last = ms / 1000 * 1000;

			due = due < last ? due : last;
			f->next_sweep_ms = due > f->next_sweep_ms ? due : f->next_sweep_ms;
		}
		sweep_begin(&f->sweep, (BASE_MS + f->next_sweep_ms) * MS);
		while (sweep_mark(&f->sweep))
			sweep_harvest(&f->sweep);
		f->has_news = false;
		f->next_sweep_ms += 1000;
	}
}

static void write_transport(struct pkt_builder *b, const struct anomaly_packet *p)
{
	switch (p->protocol) {
	case 0:
	case IPPROTO_TCP:
		pkt_tcp(b, p->from_port, p->to_port, p->flags);
		if (p->is_os)
			pkt_tcp_options(b, 20);
		break;
	case IPPROTO_UDP:
		pkt_udp(b, p->from_port, p->to_port);
		break;
	case IPPROTO_ICMP:
		pkt_icmp(b, p->from_port >> 8, p->from_port & 0xff);
		break;
	case IPPROTO_ICMPV6:
		pkt_icmpv6(b, p->from_port >> 8, p->from_port & 0xff);
		break;
	default:
		pkt_protocol(b, p->protocol, 20);
		return;
	}
	if (p->payload)
		pkt_payload(b, p->payload);
}

static void meter(struct anomaly_fixture *f, uint64_t ms, const uint8_t *data, uint32_t octets,
		  bool is_ipv6, uint8_t obs_point)
{
	native_meter_packet(&f->cache, &(struct native_packet){
					       .data = data,
					       .captured_octets = octets,
					       .wire_octets = octets,
					       .time_ns = (BASE_MS + ms) * MS,
					       .ethertype = is_ipv6 ? ETH_P_IPV6 : ETH_P_IP,
					       .obs_point = obs_point,
				       });
	f->has_news = true;
}

/* The IPv4 packet in fragments, first to last. */
static void meter_fragments(struct anomaly_fixture *f, uint64_t ms, const uint8_t *data,
			    uint32_t octets, const struct anomaly_packet *p)
{
	static _Alignas(struct iphdr) uint8_t out[PKT_MAX_OCTETS];
	static uint16_t identification;
	struct iphdr *ip = (struct iphdr *)out;
	uint16_t each = p->fragment;

	identification++;
	memcpy(ip, data, sizeof(*ip));
	for (uint32_t at = 0; at < octets - sizeof(*ip); at += each) {
		uint32_t rest = octets - (uint32_t)sizeof(*ip) - at, n = rest < each ? rest : each;

		pkt_ipv4_fragment(ip, identification, (uint16_t)at, rest > each);
		ip->tot_len = htons((uint16_t)(sizeof(*ip) + n));
		memcpy(ip + 1, data + sizeof(*ip) + at, n);
		meter(f, ms, out, (uint32_t)sizeof(*ip) + n, false, p->obs_point);
	}
}

void anomaly_fixture_packet(struct anomaly_fixture *f, uint64_t ms, struct anomaly_packet p)
{
	static struct pkt_builder b;
	bool is_ipv6 = strchr(p.from, ':');

	anomaly_fixture_run(f, ms);
	pkt_init(&b);
	if (is_ipv6)
		pkt_ipv6(&b, p.from, p.to);
	else
		pkt_ipv4(&b, p.from, p.to);
	write_transport(&b, &p);
	pkt_finish(&b);
	if (p.fragment)
		meter_fragments(f, ms, b.data, (uint32_t)b.len, &p);
	else
		meter(f, ms, b.data, (uint32_t)b.len, is_ipv6, p.obs_point);
}

void anomaly_fixture_finish(struct anomaly_fixture *f, uint64_t ms)
{
	anomaly_fixture_run(f, ms);
	sweep_flush(&f->sweep, (BASE_MS + ms) * MS, FLOW_END_FORCED);
	anomaly_finish(f->anomaly, (BASE_MS + ms) * MS);
}

uint32_t anomaly_fixture_count(const struct anomaly_fixture *f, uint8_t class, uint8_t state,
			       struct anomaly_event *e)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < f->n_events; i++) {
		if (f->event[i].class != class || f->event[i].state != state)
			continue;
		n++;
		if (e)
			*e = f->event[i];
	}
	return n;
}

void anomaly_fixture_close(struct anomaly_fixture *f)
{
	sweep_close(&f->sweep);
	anomaly_close(f->anomaly);
	flow_cache_close(&f->cache);
}
