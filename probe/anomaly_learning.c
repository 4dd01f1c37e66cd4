/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The learning detector: a host of ours that is, for minutes in a row, unlike what it
 * was before. Each minute is a few features; each is compared with the median of the
 * host's own past, by hour of the week once some days are known. How far that has to be
 * off follows from how far it is off in all hosts of its kind, so that chance exceeds it
 * once in 100,000; and two features have to be off, or one in a minute that is rare as
 * a whole. Until it has seen enough it tells nothing: it is learning.
 *
 * What is odd is no lesson: of odd minutes the tenth is learned, cut to the threshold,
 * and of hosts that another detector has found something about, or did five minutes
 * ago, nothing. So an attack takes ten times as long to become usual as honest news.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "probe/anomaly_learning.h"

#define MIN_MS	     60000
#define MIN_PER_HOUR 60
#define QUIET_MS     300000
#define SEVERITY     4 /* alone it is no proof of anything grave */
#define FAR_TIMES    2 /* the threshold: one more */
#define USUAL_SPREAD 3 /* to both sides, of what is called usual */

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->learning.enabled;
}

static void on_flow(struct anomaly *a, void *state, const struct anomaly_flow *flow)
{
	learning_count_flow(a, state, flow);
}

static void on_contact(struct anomaly *a, void *state, const struct anomaly_flow *flow,
		       const struct contact *contact)
{
	learning_count_contact(a, state, flow, contact);
}

static bool is_waiting(const void *state)
{
	const struct learning *l = state;

	return l->has_traffic;
}

static char *put_amount(char *p, float value)
{
	static const char units[] = " kMGT";
	int unit = 0;

	for (; fabsf(value) >= 999.5f && unit < 4; unit++)
		value /= 1000;
	p += sprintf(p, "%.3g", (double)value);
	if (unit) {
		*p++ = ' ';
		*p++ = units[unit];
	}
	return p;
}

/* "812 M octets sent (usually 3 M to 40 M, z 9.1)" */
static void feature_describe(char *p, const struct learning_verdict *v, int i)
{
	enum learning_feature feature = (enum learning_feature)i;
	float reach = USUAL_SPREAD * v->spread[i];

	p = put_amount(p, learning_value(feature, v->x[i]));
	p += sprintf(p, " %s (usually ", learning_kinds[i].text);
	p = put_amount(p, learning_value(feature, v->centre[i] - reach));
	p = stpcpy(p, " to ");
	p = put_amount(p, learning_value(feature, v->centre[i] + reach));
	sprintf(p, ", z %.1f)", (double)v->z[i]);
}

static void reason_write(struct anomaly_event *e, const struct host *host, uint32_t minutes,
			 const struct learning_verdict *v)
{
	char who[HOST_TEXT_MAX + 1];
	size_t n;

	*host_put(who, host) = '\0';
	n = (size_t)snprintf(e->reason, sizeof(e->reason),
			     "%s was unlike itself for %u min, in the latest: ", who, minutes);
	for (uint32_t i = 0; i < e->n_features; i++) {
		char one[160];

		feature_describe(one, v, v->top[i]);
		if (n + strlen(one) + 3 > sizeof(e->reason))
			break;
		n += (size_t)snprintf(e->reason + n, sizeof(e->reason) - n, "%s%s", i ? ", " : "",
				      one);
	}
}

static void features_tell(struct anomaly_event *e, const struct learning_verdict *v)
{
	for (uint32_t i = 0; i < v->n_odd && i < ANOMALY_FEATURES; i++) {
		int feature = v->top[i];

		e->feature[e->n_features++] = (struct anomaly_feature){
			.name = learning_kinds[feature].word,
			.z = v->z[feature],
			.value = learning_value((enum learning_feature)feature, v->x[feature]),
			.usual = learning_value((enum learning_feature)feature, v->centre[feature]),
		};
	}
}

static uint64_t incident_key(const struct host *host)
{
	return anomaly_key(DETECTOR_learning, host, 0);
}

static void host_report(struct anomaly *a, const struct learning *l, uint32_t i,
			const struct learning_verdict *v)
{
	const struct learning_count *c = &l->count[i];
	const struct learning_past *p = &l->learned.past[i];
	struct anomaly_event e = {.class = ANOMALY_LEARNING, .rule = "anomaly.learning.deviation"};
	struct incident_report report = {
		.key = incident_key(&c->host),
		.is_fresh = true,
		.quiet_ms = QUIET_MS,
		.event = &e,
	};
	enum learning_way way = p->is_struck ? LEARNING_IN : LEARNING_OUT;
	uint32_t first_min = c->first_min; /* the clock may have been set back since */

	if (first_min > l->learned.window_min)
		first_min = l->learned.window_min;
	e.value = fabsf(v->z[v->top[0]]);
	e.threshold = v->threshold[v->top[0]];
	e.visibility = anomaly_visibility_at(a, (uint8_t)(c->point[way] ? c->point[way] - 1 : 0));
	e.confidence = anomaly_confidence(e.value, e.threshold, e.visibility);
	e.severity = (uint8_t)(SEVERITY + (e.value >= FAR_TIMES * e.threshold));
	e.window_ms = MIN_MS;
	e.start_ms = (uint64_t)first_min * MIN_MS;
	e.end_ms = c->last_ns ? anomaly_unix_ms(a, c->last_ns) : e.start_ms;
	e.has_source = !p->is_struck;
	e.has_destination = p->is_struck;
	e.source = e.destination = c->host;
	e.n_destinations = (uint32_t)learning_value(LEARNING_PEERS, v->x[LEARNING_PEERS]);
	e.octets_out = c->octets[LEARNING_OUT];
	e.octets_in = c->octets[LEARNING_IN];
	e.pcr = v->x[LEARNING_PCR];
	examples_tell(&e, c->example, ANOMALY_TARGETS, false);
	features_tell(&e, v);
	reason_write(&e, &c->host, l->learned.window_min - first_min + 1, v);
	incidents_report(&a->incidents, &report);
}

static void suspect_begin(struct learning *l, uint32_t i, const struct learning_verdict *v)
{
	uint8_t first = v->top[0];

	l->count[i].is_suspect = true;
	l->count[i].first_min = l->learned.window_min;
	memset(l->count[i].example, 0, sizeof(l->count[i].example));
	l->learned.past[i].is_struck = first == LEARNING_OCTETS_IN || first == LEARNING_PACKETS_IN;
}

static void suspect_look(struct anomaly *a, struct learning *l, uint32_t i,
			 const struct learning_verdict *v, bool is_odd)
{
	struct learning_past *p = &l->learned.past[i];
	bool is_open = incidents_has(&a->incidents, incident_key(&l->count[i].host));

	if (p->latest_min + 1 != l->learned.window_min)
		p->streak = 0;
	if (is_odd && !p->streak && !is_open)
		suspect_begin(l, i, v);
	p->streak = is_odd ? p->streak + (p->streak < UINT8_MAX) : 0;
	if (is_odd && (is_open || p->streak >= a->cfg->learning.minutes))
		host_report(a, l, i, v);
	l->count[i].is_suspect = is_odd || is_open;
}

static void host_window(struct anomaly *a, struct learning *l, uint32_t i, bool is_trained)
{
	struct learning_past *p = &l->learned.past[i];
	struct learning_verdict v;
	bool is_involved = l->involved[i / 64] >> i % 64 & 1;

	learning_count_features(&l->count[i], v.x);
	learning_judge(l, p, &v);
	suspect_look(a, l, i, &v, is_trained && v.is_odd && !is_involved);
	v.is_doubtful |= l->count[i].is_suspect;
	if (!is_involved)
		learning_take(l, p, &v);
	p->latest_min = l->learned.window_min;
	learning_count_clear(&l->count[i]);
}

struct involving {
	const struct anomaly *a;
	struct learning *l;
};

static void involve(const struct involving *to, bool has_host, const struct host *host)
{
	int at = has_host ? learning_find(to->a, to->l, host) : -1;

	if (at >= 0)
		place_use(to->l->involved, (uint32_t)at);
}

/* An anomaly_sink_fn. */
static void involve_both(void *arg, const struct anomaly_event *e)
{
	if (e->class == ANOMALY_LEARNING)
		return;
	involve(arg, e->has_source, &e->source);
	involve(arg, e->has_destination, &e->destination);
}

static void window_end(struct anomaly *a, struct learning *l)
{
	struct involving to = {a, l};
	bool is_trained = learning_is_trained(l, a->cfg->learning.training_s);

	memset(l->involved, 0, sizeof(l->involved));
	incidents_each(&a->incidents, involve_both, &to);
	learning_thresholds(l, (float)a->cfg->learning.deviation);
	FOR_PLACES(i, l->active, LEARNING_HOSTS)
	{
		host_window(a, l, i, is_trained);
	}
	memset(l->active, 0, sizeof(l->active));
	l->learned.trained += l->learned.trained < UINT32_MAX;
	l->has_traffic = false;
}

static void slot_turn(struct learning *l, uint32_t hour)
{
	for (int i = 0; i < LEARNING_HOSTS; i++)
		if (l->name[i])
			learning_slot_end(&l->learned.past[i], l->slot);
	l->slot = learning_slot_of((uint64_t)hour * MIN_PER_HOUR * MIN_MS);
}

static uint32_t minute_of(const struct anomaly *a)
{
	return (uint32_t)(anomaly_unix_ms(a, a->now_ns) / MIN_MS);
}

void learning_window_begin(const struct anomaly *a, struct learning *l)
{
	uint32_t minute = minute_of(a);

	if (!l->learned.seed)
		learning_draw(l, distinct_mix(a->seed, 1) | 1);
	if (minute / MIN_PER_HOUR != l->learned.window_min / MIN_PER_HOUR)
		slot_turn(l, minute / MIN_PER_HOUR);
	l->learned.window_min = minute;
	l->has_traffic = true;
}

void learning_draw(struct learning *l, uint64_t seed)
{
	l->learned.seed = seed;
	half_space_draw(&l->trees, seed);
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct learning *l = state;

	(void)passed_ns;
	learning_count_second(l);
	/* the last minute of a run is not a whole one */
	if (l->has_traffic && !a->is_final && minute_of(a) != l->learned.window_min)
		window_end(a, l);
}

void learning_stats(const struct anomaly *a, struct anomaly_learning_stats *stats)
{
	const struct learning *l = a->state[DETECTOR_learning];
	uint64_t trained_s;

	*stats = (struct anomaly_learning_stats){.is_enabled = l != NULL};
	if (!l)
		return;
	trained_s = (uint64_t)l->learned.trained * MIN_MS / 1000;
	stats->is_learning = !learning_is_trained(l, a->cfg->learning.training_s);
	stats->trained_pct = 100;
	if (trained_s < a->cfg->learning.training_s)
		stats->trained_pct = (uint32_t)(100 * trained_s / a->cfg->learning.training_s);
	for (int i = 0; i < LEARNING_HOSTS; i++) {
		stats->hosts += l->name[i] != 0;
		stats->known_hosts += l->learned.past[i].n_windows >= LEARNING_LEAST;
	}
}

const struct detector detector_learning = {
	.state_octets = sizeof(struct learning),
	.is_enabled = is_enabled,
	.on_flow = on_flow,
	.on_contact = on_contact,
	.on_second = on_second,
	.is_waiting = is_waiting,
};
