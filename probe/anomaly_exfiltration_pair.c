/* SPDX-License-Identifier: BSD-2-Clause */
/* Windows of a host of ours and one elsewhere. See anomaly_exfiltration.h. */
#include "probe/anomaly_exfiltration.h"

#define HALVE_AT (1ULL << 40)

static void window_turn(uint64_t *window, uint32_t n, uint32_t from, uint32_t to)
{
	for (uint32_t i = from + 1; i <= to && i <= from + n; i++)
		window[i % n] = 0;
}

/* The most of what was sent in one of the last hours, of those two and more before `hour`. */
static uint64_t hours_before(const struct leak_pair *p, uint32_t hour)
{
	uint64_t most = 0;

	for (uint32_t back = 0; back < LEAK_HOURS && back <= p->hour; back++) {
		uint64_t octets = p->in_day[LEAK_OUT][(p->hour - back) % LEAK_HOURS];

		if (hour - p->hour + back >= 2 && octets > most)
			most = octets;
	}
	return most;
}

static void hour_turn(struct leak_pair *p, uint32_t hour)
{
	uint32_t days = hour / LEAK_HOURS - p->hour / LEAK_HOURS;
	uint64_t most = hours_before(p, hour);

	p->usual_hour = most > p->usual_hour ? most : p->usual_hour;
	for (int way = 0; way < LEAK_WAYS_OF_TRAFFIC; way++)
		window_turn(p->in_day[way], LEAK_HOURS, p->hour, hour);
	p->hour = hour;
	for (; days; days = days > 2 ? 2 : days - 1) {
		p->usual_day = p->day[1] > p->usual_day ? p->day[1] : p->usual_day;
		p->day[1] = p->day[0];
		p->day[0] = 0;
	}
}

void leak_age(struct leak_pair *p, uint64_t now_ns)
{
	uint32_t slice = leak_slice(now_ns), hour = leak_hour(now_ns);

	if (slice <= p->slice)
		return;
	for (int way = 0; way < LEAK_WAYS_OF_TRAFFIC; way++)
		window_turn(p->in_hour[way], LEAK_SLICES, p->slice, slice);
	p->slice = slice;
	if (hour > p->hour)
		hour_turn(p, hour);
}

static void flows_age(struct leak_pair *p, uint64_t now_ns)
{
	for (int i = 0; i < ANOMALY_FLOW_IDS; i++)
		if (anomaly_since(now_ns, p->flow[i].last_ns) > LEAK_HOUR_NS)
			p->flow[i].octets = 0;
}

/* The place of a Flow, or of one that sent less. NULL: all sent more. */
static struct leak_flow *flow_place(struct leak_pair *p, uint64_t id, uint64_t octets)
{
	struct leak_flow *least = p->flow;

	for (int i = 0; i < ANOMALY_FLOW_IDS; i++) {
		if (p->flow[i].octets && p->flow[i].id == id)
			return &p->flow[i];
		if (p->flow[i].octets < least->octets)
			least = &p->flow[i];
	}
	return least->octets < octets ? least : NULL;
}

static void flow_note(struct leak_pair *p, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	uint64_t id = flow_delta_id(d);
	struct leak_flow *f;

	flows_age(p, d->now_ns);
	f = flow_place(p, id, d->total_octets);
	if (f)
		*f = (struct leak_flow){
			.id = id,
			.octets = d->total_octets,
			.last_ns = d->last_ns,
			.port = flow->destination_port,
			.protocol = flow->protocol,
		};
}

/* When what is counted now was sent first, from the begin of its slice or hour on. */
static int32_t first_ms(const struct flow_delta *d, uint64_t begin_ns)
{
	int64_t off_ms = (int64_t)(d->first_ns - begin_ns) / (int64_t)NS_PER_MS;

	/* of a Flow that was counted before, only what came since is new */
	if (off_ms < 0 && d->total_octets - d->octets >= LEAK_UNIT)
		return 0;
	if (off_ms < INT32_MIN)
		return INT32_MIN;
	return off_ms < INT32_MAX ? (int32_t)off_ms : INT32_MAX;
}

/* Before it is counted. */
static void begin_note(struct leak_pair *p, const struct flow_delta *d)
{
	uint32_t slice = p->slice % LEAK_SLICES, hour = p->hour % LEAK_HOURS;
	int32_t ms = first_ms(d, p->slice * LEAK_SLICE_NS);

	if (!p->in_hour[LEAK_OUT][slice] || ms < p->slice_ms[slice])
		p->slice_ms[slice] = ms;
	ms = first_ms(d, p->hour * LEAK_HOUR_NS);
	if (!p->in_day[LEAK_OUT][hour] || ms < p->hour_ms[hour])
		p->hour_ms[hour] = ms;
}

uint64_t leak_began_ns(const struct leak_pair *p, bool of_day)
{
	const uint64_t *octets = of_day ? p->in_day[LEAK_OUT] : p->in_hour[LEAK_OUT];
	uint32_t n = of_day ? LEAK_HOURS : LEAK_SLICES, at = of_day ? p->hour : p->slice;
	uint64_t length_ns = of_day ? LEAK_HOUR_NS : LEAK_SLICE_NS;

	for (uint32_t back = at < n ? at : n - 1; back; back--)
		if (octets[(at - back) % n]) {
			at -= back;
			break;
		}
	return at * length_ns +
	       (uint64_t)((of_day ? p->hour_ms : p->slice_ms)[at % n] * (int64_t)NS_PER_MS);
}

void leak_add(struct leak_pair *p, enum leak_way way, uint64_t octets,
	      const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	uint32_t slice = p->slice % LEAK_SLICES, hour = p->hour % LEAK_HOURS;

	if (way == LEAK_OUT)
		begin_note(p, d);
	p->in_hour[way][slice] += octets;
	p->in_day[way][hour] += octets;
	if (way == LEAK_IN)
		return;
	p->day[0] += octets;
	p->octets += octets;
	p->packets += d->total_octets ? octets * d->total_packets / d->total_octets : 0;
	if (p->octets >= HALVE_AT) {
		p->octets /= 2;
		p->packets /= 2;
	}
	p->last_ns = d->last_ns > p->last_ns ? d->last_ns : p->last_ns;
	flow_note(p, flow);
}
