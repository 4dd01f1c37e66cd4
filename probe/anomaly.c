/* SPDX-License-Identifier: BSD-2-Clause */
/* Anomaly detection: from the sweep to the detectors. See anomaly.h. */
#include "probe/anomaly.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>

#include "probe/anomaly_learning.h"
#include "probe/anomaly_private.h"
#include "probe/anomaly_waiting.h"
#include "probe/log.h"

/* Detectors look back so far in steps of a second, quiet or not. */
#define RESTLESS_NS (15 * NS_PER_S)

/* Of a threshold: less is not worth a place among what is usual. */
#define LEARNED_SHARE 8

/* A sweep sooner after the last one adds to the same second. */
#define TICK_MIN_NS (900 * NS_PER_MS)

static const struct detector *const detectors[] = {
#define DETECTOR(name, key) &detector_##name,
#include "probe/anomaly_detector.def"
#undef DETECTOR
};

/* Whether ICMP says that something of UDP could not be reached: RFC 792, RFC 4443 3.1. */
static bool is_unreachable(const struct anomaly_flow *flow)
{
	uint8_t type = flow->icmp_type_code >> 8, code = flow->icmp_type_code & 0xff;

	if (!flow->is_icmp)
		return false;
	if (flow->is_ipv6)
		return type == 1;
	return type == 3 && code != 4; /* 4: too large, somebody was reached */
}

uint8_t anomaly_visibility_at(const struct anomaly *a, uint8_t obs_point)
{
	const struct visibility *v = &a->visibility[obs_point >> 1];

	return v->both && (uint64_t)4 * v->both >= v->one_way ? ANOMALY_BOTH : ANOMALY_INGRESS_ONLY;
}

static void visibility_count(struct anomaly *a, uint8_t obs_point, bool has_reverse)
{
	struct visibility *v = &a->visibility[obs_point >> 1];

	if (has_reverse)
		v->both++;
	else
		v->one_way++;
	if (v->both + v->one_way < 4096)
		return;
	v->both = (v->both + 1) / 2;
	v->one_way /= 2;
}

uint8_t anomaly_confidence(float value, float threshold, uint8_t visibility)
{
	float confidence = 50;

	if (value > threshold && value > 0)
		confidence += 40 * (1 - threshold / value);
	if (visibility != ANOMALY_BOTH)
		confidence -= 15;
	return (uint8_t)confidence;
}

uint32_t anomaly_ends_find(const struct anomaly *a, const struct anomaly_flow *flow)
{
	bool is_from_group = host_is_group(&flow->source);
	bool is_to_group = host_is_group(&flow->destination);
	uint32_t *state = flow->delta->state;

	*state |= FLOW_ENDS_KNOWN;
	if (is_from_group || is_to_group)
		*state |= FLOW_HAS_GROUP;
	if (!is_from_group && anomaly_is_local(a, &flow->source))
		*state |= FLOW_OURS_FROM;
	if (!is_to_group && anomaly_is_local(a, &flow->destination))
		*state |= FLOW_OURS_TO;
	return *state;
}

uint32_t anomaly_unreachable(const struct anomaly *a, const struct host *source)
{
	return waiting_unreachables(a->waiting, anomaly_hash(a, source, 0));
}

struct anomaly_rate anomaly_rate(const struct anomaly *a, enum detector_index detector,
				 const struct host *h, uint64_t word, float floor)
{
	uint64_t name = distinct_mix(anomaly_hash(a, h, word), (uint64_t)detector + 1) | 1;
	struct baseline_usual usual =
		baselines_usual(a->baselines, name, a->now_ns, a->cfg->baseline.learn_s);
	float by_usual = usual.is_learning ? 0 : (float)a->cfg->baseline.times * usual.rate;

	return (struct anomaly_rate){
		.name = name,
		.floor = floor,
		.threshold = by_usual > floor ? by_usual : floor,
		.usual = usual.rate,
		.is_learning = usual.is_learning,
	};
}

void anomaly_rate_note(const struct anomaly *a, const struct anomaly_rate *r, float amount,
		       float seconds, bool is_odd)
{
	baselines_note(a->baselines, r->name, a->now_ns, amount, is_odd,
		       amount * LEARNED_SHARE >= r->floor * seconds);
}

void example_keep(struct example *examples, uint32_t n, const struct example *e)
{
	uint32_t at = n;

	for (uint32_t i = 0; i < n; i++)
		if (examples[i].first_ns && examples[i].port == e->port &&
		    host_equals(&examples[i].host, &e->host))
			return;
	while (at > 0 && (!examples[at - 1].first_ns || e->first_ns < examples[at - 1].first_ns ||
			  (e->first_ns == examples[at - 1].first_ns &&
			   e->flow_id < examples[at - 1].flow_id)))
		at--;
	for (uint32_t i = n; i-- > at + 1;)
		examples[i] = examples[i - 1];
	if (at < n)
		examples[at] = *e;
}

static void example_keep_end(struct example *examples, uint32_t n, const struct flow_delta *d,
			     const struct host *host, uint16_t port)
{
	example_keep(examples, n,
		     &(struct example){
			     .first_ns = d->first_ns,
			     .flow_id = flow_delta_id(d),
			     .host = *host,
			     .port = port,
		     });
}

void example_keep_source(struct example *examples, uint32_t n, const struct anomaly_flow *flow)
{
	example_keep_end(examples, n, flow->delta, &flow->source, flow->source_port);
}

void example_keep_destination(struct example *examples, uint32_t n, const struct anomaly_flow *flow)
{
	example_keep_end(examples, n, flow->delta, &flow->destination, flow->destination_port);
}

void examples_tell(struct anomaly_event *e, const struct example *examples, uint32_t n,
		   bool has_port)
{
	for (uint32_t i = 0; i < n && examples[i].first_ns; i++) {
		if (e->n_targets < ANOMALY_TARGETS)
			e->target[e->n_targets++] = (struct anomaly_target){
				.host = examples[i].host,
				.port = examples[i].port,
				.has_port = has_port,
			};
		if (e->n_flow_ids < ANOMALY_FLOW_IDS && examples[i].flow_id)
			e->flow_id[e->n_flow_ids++] = examples[i].flow_id;
	}
}

/* A Flow that ends before its answer is due says something only after a while, or of many. */
static uint8_t outcome_at_end(const struct anomaly_flow *flow, bool is_hasty)
{
	const struct flow_delta *d = flow->delta;
	uint64_t age = d->now_ns > d->first_ns ? d->now_ns - d->first_ns : 0;

	return is_hasty || age >= CONTACT_HASTY_WAIT_NS ? CONTACT_SILENT : CONTACT_NONE;
}

static void contact_tell(struct anomaly *a, const struct anomaly_flow *flow,
			 const struct contact *contact)
{
	if (contact->outcome == CONTACT_NONE)
		return;
	if (contact->has_reverse || contact->is_established)
		visibility_count(a, flow->obs_point, contact->has_reverse);
	for (int i = 0; i < N_DETECTORS; i++)
		if (a->state[i] && detectors[i]->on_contact)
			detectors[i]->on_contact(a, a->state[i], flow, contact);
}

/* Judge the Flow as a first contact, or look again in the next sweep. */
static void contact_look(struct anomaly *a, const struct anomaly_flow *flow)
{
	const struct flow_delta *d = flow->delta;
	uint64_t hash = anomaly_hash(a, &flow->source, 0);
	bool is_hasty = waiting_is_hasty(a->waiting, hash);
	uint64_t wait_ns = is_hasty ? CONTACT_HASTY_WAIT_NS : CONTACT_WAIT_NS;
	struct contact c = contact_judge(flow, NULL, a->now_ns, wait_ns);
	struct flow_reverse reverse;

	if (c.outcome != CONTACT_NONE && flow_delta_reverse(d, &reverse)) {
		c = contact_judge(flow, &reverse, a->now_ns, wait_ns);
		/* RST is what a victim answers, too */
		if (flow->protocol == IPPROTO_TCP && !(reverse.first_flags & TH_RST))
			*d->state |= FLOW_SEEN_BOTH;
	}
	if (c.outcome == CONTACT_PENDING && d->is_ended)
		c.outcome = outcome_at_end(flow, is_hasty);
	if (c.outcome == CONTACT_PENDING) {
		if (!(*d->state & FLOW_WAITED))
			waiting_begin(a->waiting, hash);
		*d->state |= FLOW_WAITED | SWEEP_WATCH;
		return;
	}
	if (*d->state & FLOW_WAITED)
		waiting_end(a->waiting, hash, c.outcome == CONTACT_ANSWERED);
	*d->state = (*d->state & ~(uint32_t)FLOW_WAITED) | FLOW_JUDGED;
	contact_tell(a, flow, &c);
}

/* What depends on networks is found out again where they have changed, perhaps. */
static void flow_renew(const struct anomaly *a, uint32_t *state)
{
	uint32_t epoch = a->epoch << FLOW_EPOCH_SHIFT;
	uint32_t old = FLOW_EPOCH_END - FLOW_ENDS_KNOWN;

	if ((*state & FLOW_EPOCH) == epoch)
		return;
	if (!(*state & FLOW_BEAT))
		old |= FLOW_BEAT_JUDGED;
	*state = (*state & ~old) | epoch;
}

static void epoch_begin(struct anomaly *a)
{
	a->epoch = (a->epoch + 1) & FLOW_EPOCH >> FLOW_EPOCH_SHIFT;
}

static bool is_of_icmp(const struct flow_delta *delta)
{
	const struct xfp_key4 *v4 = delta->key;
	const struct xfp_key6 *v6 = delta->key;

	return delta->family == FLOW_IPV4 ? v4->protocol == IPPROTO_ICMP
					  : v6->protocol == IPPROTO_ICMPV6;
}

static void on_flow(void *arg, const struct flow_delta *delta)
{
	struct anomaly *a = arg;
	uint32_t wanted = a->on_flow_wanted & ~(*delta->state >> FLOW_DULL_SHIFT);
	struct anomaly_flow flow;

	a->now_ns = delta->now_ns;
	if (delta->packets)
		a->active_ns = a->now_ns;
	if (!wanted && *delta->state & FLOW_JUDGED && !is_of_icmp(delta))
		return;
	anomaly_flow_read(delta, &flow);
	flow_renew(a, delta->state);
	if (is_unreachable(&flow))
		waiting_unreachable(a->waiting, anomaly_hash(a, &flow.destination, 0),
				    delta->packets);
	for (; wanted; wanted &= wanted - 1) {
		int i = __builtin_ctz(wanted);

		detectors[i]->on_flow(a, a->state[i], &flow);
	}
	if (!(*delta->state & FLOW_JUDGED))
		contact_look(a, &flow);
}

static void on_unseen(void *arg, const struct unseen_news *news)
{
	struct anomaly *a = arg;

	a->now_ns = a->active_ns = news->now_ns;
	for (int i = 0; i < N_DETECTORS; i++)
		if (a->state[i] && detectors[i]->on_unseen)
			detectors[i]->on_unseen(a, a->state[i], news);
}

static void second_tell(struct anomaly *a, uint64_t now_ns)
{
	uint64_t passed_ns = a->ticked_ns ? now_ns - a->ticked_ns : NS_PER_S;

	a->now_ns = a->ticked_ns = now_ns;
	waiting_fade(a->waiting, now_ns);
	baselines_begin(a->baselines, now_ns);
	incidents_advance(&a->incidents, now_ns);
	for (int i = 0; i < N_DETECTORS; i++)
		if (a->state[i])
			detectors[i]->on_second(a, a->state[i],
						passed_ns > NS_PER_S ? passed_ns : NS_PER_S);
	incidents_tick(&a->incidents);
}

static void on_sweep(void *arg, uint64_t now_ns)
{
	struct anomaly *a = arg;

	if (!a->ticked_ns || now_ns >= a->ticked_ns + TICK_MIN_NS)
		second_tell(a, now_ns);
}

static bool is_wanted(int i, const struct anomaly_config *cfg)
{
	return !detectors[i]->is_enabled || detectors[i]->is_enabled(cfg);
}

static void states_close(void **state)
{
	for (int i = 0; i < N_DETECTORS; i++)
		free(state[i]);
}

/* A state for each detector that cfg wants and `has` does not have. */
static int states_open(void **state, void *const *has, const struct anomaly_config *cfg)
{
	for (int i = 0; i < N_DETECTORS; i++) {
		if (has[i] || !is_wanted(i, cfg))
			continue;
		state[i] = calloc(1, detectors[i]->state_octets);
		if (state[i])
			continue;
		states_close(state);
		memset(state, 0, N_DETECTORS * sizeof(*state));
		return log_errno(-ENOMEM, "allocate the tables of anomaly detection");
	}
	return 0;
}

static void wanted_set(struct anomaly *a)
{
	a->on_flow_wanted = 0;
	for (int i = 0; i < N_DETECTORS; i++)
		if (a->state[i] && detectors[i]->on_flow)
			a->on_flow_wanted |= 1u << i;
}

static int tables_open(struct anomaly *a)
{
	static void *const nothing[N_DETECTORS];
	int err = states_open(a->state, nothing, a->cfg);

	if (err)
		return err;
	wanted_set(a);
	a->waiting = calloc(1, sizeof(*a->waiting));
	a->baselines = calloc(1, sizeof(*a->baselines));
	if (!a->waiting || !a->baselines)
		return log_errno(-ENOMEM, "allocate the tables of anomaly detection");
	return incidents_open(&a->incidents);
}

int anomaly_open(struct anomaly **opened, const struct anomaly_setup *setup)
{
	struct anomaly *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return log_errno(-ENOMEM, "start anomaly detection");
	a->observer = (struct sweep_observer){
		.arg = a, .on_flow = on_flow, .on_unseen = on_unseen, .on_sweep = on_sweep};
	a->config = *setup->cfg;
	a->cfg = &a->config;
	anomaly_groups_set(&a->groups, a->cfg);
	if (setup->attached)
		a->attached = *setup->attached;
	a->clock = setup->clock;
	a->seed = setup->seed;
	a->incidents.clock = setup->clock;
	a->incidents.allow = &a->config.allow;
	a->incidents.sink = setup->sink;
	a->incidents.sink_arg = setup->sink_arg;
	a->incidents.is_dry_run = setup->cfg->dry_run;
	err = tables_open(a);
	if (err)
		anomaly_close(a);
	else
		*opened = a;
	return err;
}

int anomaly_reload(struct anomaly *a, const struct anomaly_config *cfg, uint64_t now_ns)
{
	void *fresh[N_DETECTORS] = {0};
	int err = states_open(fresh, a->state, cfg);

	if (err)
		return err;
	for (int i = 0; i < N_DETECTORS; i++) {
		if (!is_wanted(i, cfg)) {
			free(a->state[i]);
			a->state[i] = NULL;
		} else if (fresh[i]) {
			a->state[i] = fresh[i];
		}
	}
	wanted_set(a);
	a->config = *cfg;
	epoch_begin(a);
	anomaly_groups_set(&a->groups, cfg);
	for (int i = 0; i < N_DETECTORS; i++)
		if (a->state[i] && detectors[i]->on_reload)
			detectors[i]->on_reload(a, a->state[i]);
	incidents_advance(&a->incidents, now_ns);
	incidents_reload(&a->incidents, cfg->dry_run);
	return 0;
}

void anomaly_attach(struct anomaly *a, const struct network_list *attached)
{
	a->attached = *attached;
	epoch_begin(a);
}

const struct sweep_observer *anomaly_observer(const struct anomaly *a)
{
	return &a->observer;
}

uint64_t anomaly_next_due_ns(const struct anomaly *a)
{
	uint64_t due = incidents_next_due_ns(&a->incidents);
	bool is_waiting = a->waiting->n_pending || a->active_ns + RESTLESS_NS > a->ticked_ns;

	for (int i = 0; i < N_DETECTORS && !is_waiting; i++)
		is_waiting = a->state[i] && detectors[i]->is_waiting &&
			     detectors[i]->is_waiting(a->state[i]);
	if (is_waiting)
		return a->ticked_ns + NS_PER_S < due ? a->ticked_ns + NS_PER_S : due;
	return due;
}

void anomaly_finish(struct anomaly *a, uint64_t now_ns)
{
	if (now_ns < a->ticked_ns)
		now_ns = a->ticked_ns;
	a->is_final = true;
	second_tell(a, now_ns);
	incidents_finish(&a->incidents, now_ns);
}

void anomaly_each(const struct anomaly *a, anomaly_sink_fn fn, void *arg)
{
	incidents_each(&a->incidents, fn, arg);
}

void anomaly_stats(const struct anomaly *a, struct anomaly_stats *stats)
{
	*stats = (struct anomaly_stats){
		.events = a->incidents.n_events,
		.allowed = a->incidents.n_allowed,
		.memory_octets = sizeof(*a) + sizeof(*a->waiting) + sizeof(*a->baselines),
		.is_learning =
			baselines_are_learning(a->baselines, a->now_ns, a->cfg->baseline.learn_s),
	};
	for (int i = 0; i < N_DETECTORS; i++)
		if (a->state[i])
			stats->memory_octets += detectors[i]->state_octets;
	learning_stats(a, &stats->learning);
}

void anomaly_close(struct anomaly *a)
{
	if (!a)
		return;
	states_close(a->state);
	free(a->waiting);
	free(a->baselines);
	incidents_close(&a->incidents);
	free(a);
}
