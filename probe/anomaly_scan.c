/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scans by one source: so many different first contacts that failed. Which rule
 * counts depends on the means: see scan_rule_of().
 */
#include <stdio.h>

#include "probe/anomaly_sources.h"
#include "probe/anomaly_waiting.h"

#define DAY_S	      86400
#define QUIET_WINDOWS 2 /* without a failure, and the scan has ended */

/*
 * TRW (J. Jung et al., 2004) with hosts answering at 0.8 to who means well and at 0.2
 * to who scans: each failure is worth ln 4, and at ln(0.99 / 1e-5) it is decided.
 */
#define TRW_FAILURES 9

/* What is clearly more of one than of the other, and what is many of both. */
#define RATIO_CLEAR 3
#define BLOCK_LEAST 5

/* Seconds until a flood that has begun in one is told of. */
#define HELD_MOST 3

/* A host of ours that waits for many at once may fail at so much less. */
#define CROWDED_SHARE 3

struct scan {
	struct sources sources;
};

/* The source counts: whose networks it scans knows nothing of its thresholds. */
static const struct scan_config *limits_of(const struct anomaly *a,
					   const struct scan_source *source)
{
	return &anomaly_limits(a, &source->address)->scan;
}

static bool is_enabled(const struct anomaly_config *cfg)
{
	return cfg->scan.enabled;
}

static void on_contact(struct anomaly *a, void *state, const struct anomaly_flow *flow,
		       const struct contact *contact)
{
	struct scan *scan = state;

	scan->sources.window_ns = a->cfg->scan.window_s * NS_PER_S;
	sources_contact(a, &scan->sources, flow, contact);
}

/* The rule a source is held to. */
struct scan_rule {
	uint32_t value;
	uint32_t threshold;
	const char *key;
	bool is_slow;
};

static uint8_t class_of(const struct scan_source *source, const struct source_counts *c)
{
	if (source->method == CONTACT_ICMP)
		return ANOMALY_ADDRESS_SCAN;
	if (c->ports >= RATIO_CLEAR * c->hosts && c->hosts <= BLOCK_LEAST)
		return ANOMALY_PORT_SCAN;
	if (c->hosts >= RATIO_CLEAR * c->ports)
		return ANOMALY_ADDRESS_SCAN;
	if (c->ports > BLOCK_LEAST && c->hosts > BLOCK_LEAST)
		return ANOMALY_BLOCK_SCAN;
	return c->ports > c->hosts ? ANOMALY_PORT_SCAN : ANOMALY_ADDRESS_SCAN;
}

static uint8_t subclass_of(const struct scan_source *source, bool is_slow)
{
	static const uint8_t subclasses[CONTACT_METHODS] = {
		[CONTACT_TCP] = ANOMALY_BY_SYN,
		[CONTACT_FIN] = ANOMALY_BY_FIN,
		[CONTACT_NULL] = ANOMALY_BY_NULL,
		[CONTACT_XMAS] = ANOMALY_BY_XMAS,
		[CONTACT_MAIMON] = ANOMALY_BY_MAIMON,
		[CONTACT_ACK] = ANOMALY_BY_ACK,
		[CONTACT_UDP] = ANOMALY_BY_UDP,
		[CONTACT_ICMP] = ANOMALY_BY_ICMP,
		[CONTACT_PROTOCOL] = ANOMALY_BY_IP_PROTOCOL,
	};

	if (is_slow)
		return ANOMALY_BY_SLOW;
	/* who connects has an operating system send its SYN, and completes the handshake */
	if (source->method == CONTACT_TCP && source->n_os > source->n_raw)
		return ANOMALY_BY_CONNECT;
	return subclasses[source->method];
}

static struct scan_rule rule_udp(const struct anomaly *a, const struct scan_source *source,
				 const struct source_counts *c)
{
	const struct scan_config *cfg = limits_of(a, source);
	bool is_one_way = anomaly_visibility_at(a, source->obs_point) != ANOMALY_BOTH;
	struct scan_rule rule = {c->failed, cfg->udp, "anomaly.scan.udp", false};

	if (anomaly_unreachable(a, &source->address) >= cfg->unreachable) {
		rule.threshold = cfg->unreachable;
		rule.key = "anomaly.scan.unreachable";
	} else if (is_one_way) {
		/* silence means little: only what is no conversation at all */
		rule.threshold = c->ports >= RATIO_CLEAR * c->hosts ? 2 * cfg->udp : UINT32_MAX;
	}
	return rule;
}

/*
 * One of ours fails at many hosts without scanning: its peers have gone, a network is
 * out of reach. That are one or two ports of each, whichever they are, and not many at
 * the same time.
 */
static uint32_t local_factor(const struct anomaly *a, const struct scan_source *source,
			     const struct source_counts *c)
{
	uint32_t factor = limits_of(a, source)->local_factor;

	if (class_of(source, c) != ANOMALY_ADDRESS_SCAN && c->failed >= 2 * c->hosts)
		return 1;
	if (waiting_is_crowded(a->waiting, anomaly_hash(a, &source->address, 0)))
		factor /= CROWDED_SHARE;
	return factor ? factor : 1;
}

/* Times as much, as far as it can be counted. */
static uint32_t raised(uint32_t threshold, uint32_t factor, uint32_t most)
{
	uint64_t times = (uint64_t)threshold * factor;

	if (times <= most)
		return (uint32_t)times;
	return threshold > most ? threshold : most;
}

static struct scan_rule scan_rule_of(const struct anomaly *a, const struct scan_source *source,
				     const struct source_counts *c)
{
	const struct scan_config *cfg = limits_of(a, source);
	bool is_local = anomaly_is_local(a, &source->address);
	struct scan_rule rule = {c->failed, cfg->contacts, "anomaly.scan.contacts", false};

	switch (source->method) {
	case CONTACT_FIN:
	case CONTACT_NULL:
	case CONTACT_XMAS:
		return (struct scan_rule){c->failed, cfg->stealth, "anomaly.scan.stealth", false};
	case CONTACT_PROTOCOL:
		return (struct scan_rule){c->ports, cfg->protocols, "anomaly.scan.protocols",
					  false};
	case CONTACT_UDP:
		rule = rule_udp(a, source, c);
		break;
	default:
		break;
	}
	if (is_local)
		rule.threshold =
			raised(rule.threshold, local_factor(a, source, c), SOURCE_WINDOW_MOST);
	if (!is_local && source->method == CONTACT_TCP && source->walk >= TRW_FAILURES &&
	    rule.threshold > TRW_FAILURES)
		rule.threshold = TRW_FAILURES;
	return rule;
}

/* Of different targets in a day. */
static uint32_t slow_threshold(const struct anomaly *a, const struct scan_source *source,
			       const struct source_counts *c)
{
	uint32_t slow = limits_of(a, source)->slow;
	struct source_counts day;

	if (c->failed_day < slow || !anomaly_is_local(a, &source->address))
		return slow;
	source_count(source, DAY_S, &day); /* the latest targets, however long ago */
	return raised(slow, local_factor(a, source, &day), SOURCE_DAY_MOST);
}

/* Who fails no more often than it succeeds looks for somebody, not for anybody. */
static void rule_apply_answers(const struct anomaly *a, const struct scan_source *source,
			       const struct source_counts *c, struct scan_rule *rule)
{
	bool is_odd = source->method >= CONTACT_FIN && source->method <= CONTACT_XMAS;

	if (!is_odd && c->answered >= c->failed)
		rule->value = 0;
	if (rule->value < rule->threshold && c->answered_day < c->failed_day &&
	    c->failed < limits_of(a, source)->contacts &&
	    c->failed_day >= slow_threshold(a, source, c))
		*rule = (struct scan_rule){c->failed_day, slow_threshold(a, source, c),
					   "anomaly.scan.slow", true};
}

static const char *method_text(uint8_t subclass, uint8_t method)
{
	static const char *const texts[CONTACT_METHODS] = {
		[CONTACT_TCP] = "SYN",
		[CONTACT_FIN] = "FIN",
		[CONTACT_NULL] = "segments without flags",
		[CONTACT_XMAS] = "FIN, PSH and URG",
		[CONTACT_MAIMON] = "FIN and ACK without a connection",
		[CONTACT_ACK] = "ACK without a connection",
		[CONTACT_UDP] = "UDP",
		[CONTACT_ICMP] = "ICMP queries",
		[CONTACT_PROTOCOL] = "IP protocols one by one",
	};

	return subclass == ANOMALY_BY_CONNECT ? "connect()" : texts[method];
}

static void reason_write(const struct anomaly *a, struct anomaly_event *e,
			 const struct scan_source *source, const struct source_counts *c,
			 const struct scan_rule *rule)
{
	char who[HOST_TEXT_MAX + 1], whom[HOST_TEXT_MAX + 32];

	*host_put(who, &e->source) = '\0';
	if (c->hosts == 1)
		*host_put(whom, &source->example[0].host) = '\0';
	else
		snprintf(whom, sizeof(whom), "%u hosts", c->hosts);
	if (rule->is_slow)
		snprintf(e->reason, sizeof(e->reason),
			 "%s failed at %u different targets in a day, by %s, too slowly to be "
			 "seen in %u s",
			 who, rule->value, method_text(e->subclass, source->method),
			 a->cfg->scan.window_s);
	else if (source->method == CONTACT_ICMP)
		snprintf(e->reason, sizeof(e->reason), "%s got no answer of %s to %s", who, whom,
			 method_text(e->subclass, source->method));
	else if (source->method == CONTACT_PROTOCOL)
		snprintf(e->reason, sizeof(e->reason), "%s tried %u IP protocols at %s", who,
			 c->ports, whom);
	else
		snprintf(e->reason, sizeof(e->reason),
			 "%s failed to reach %u ports of %s by %s: %u refused, %u without an "
			 "answer",
			 who, c->ports, whom, method_text(e->subclass, source->method),
			 source->n_refused, source->n_silent);
}

/* The struck side, as far as it is one. */
static void sides_write(struct anomaly_event *e, const struct scan_source *source,
			const struct source_counts *c)
{
	bool has_port = source->method <= CONTACT_UDP;

	e->has_source = true;
	e->source = source->address;
	e->protocol = source->method <= CONTACT_ACK ? 6 : source->method == CONTACT_UDP ? 17 : 0;
	e->has_destination = c->hosts == 1;
	e->destination = source->example[0].host;
	e->has_destination_port = c->ports == 1 && has_port;
	e->destination_port = source->example[0].port;
	examples_tell(e, source->example, SOURCE_EXAMPLES, has_port);
}

/*
 * Who floods all ports of a host looks like who scans them. What is part of a flood goes
 * into its incident; what may be one has to wait for it. True: look again in a second.
 */
static bool source_has_to_wait(const struct anomaly *a, struct scan_source *source,
			       const struct source_counts *c, uint8_t subclass,
			       struct incident_report *report)
{
	uint8_t flood = subclass == ANOMALY_BY_UDP ? ANOMALY_BY_UDP : ANOMALY_BY_ACK;
	const struct host *struck = &source->example[0].host;

	/* a flood of SYN to all ports is answered as a scan is, and told of as one */
	if (c->hosts != 1 || source->method == CONTACT_TCP || source->method > CONTACT_UDP)
		return false;
	switch (anomaly_flood_at(a, struck, flood)) {
	case ANOMALY_FLOOD_TOLD:
		report->parent = anomaly_flood_family(struck);
		return false;
	case ANOMALY_FLOOD_MAYBE:
		return source->n_held < HELD_MOST && ++source->n_held;
	default:
		source->n_held = 0;
		return false;
	}
}

/* False: look again in a second. */
static bool source_report(struct anomaly *a, const struct scan *scan, struct scan_source *source)
{
	struct source_counts c;
	struct scan_rule rule;
	struct anomaly_event e = {0};
	struct incident_report report = {
		.key = anomaly_key(DETECTOR_scan, &source->host, source->method),
		.family = anomaly_key(DETECTOR_scan, &source->host, UINT64_MAX),
		.is_fresh = true,
		.has_new_target = source->has_new_host,
		.event = &e,
	};

	source_age(&scan->sources, source, a->now_ns);
	source_count(source, a->cfg->scan.window_s, &c);
	rule = scan_rule_of(a, source, &c);
	rule_apply_answers(a, source, &c, &rule);
	if (rule.value < rule.threshold && !incidents_has(&a->incidents, report.key))
		return true;
	if (rule.is_slow) {
		source_count(source, DAY_S, &c);
		report.has_new_target = false; /* each is one */
	}
	e.class = class_of(source, &c);
	e.subclass = subclass_of(source, rule.is_slow);
	if (!incidents_has(&a->incidents, report.key) &&
	    source_has_to_wait(a, source, &c, e.subclass, &report))
		return false;
	e.visibility = anomaly_visibility_at(a, source->obs_point);
	e.severity = anomaly_is_local(a, &source->address) ? 7 : 3;
	e.value = (float)rule.value;
	e.threshold = (float)rule.threshold;
	e.confidence = anomaly_confidence(e.value, e.threshold, e.visibility);
	e.window_ms = rule.is_slow ? (uint32_t)(SOURCE_SPANS * SOURCE_SPAN_NS / NS_PER_MS)
				   : a->cfg->scan.window_s * 1000;
	e.rule = rule.key;
	anomaly_tell_group(a, &e, &source->address);
	e.start_ms = anomaly_unix_ms(a, c.first_ns);
	e.end_ms = anomaly_unix_ms(a, source->last_ns);
	e.n_destinations = c.hosts;
	e.n_ports = source->method == CONTACT_ICMP ? 0 : c.ports;
	e.failed_contacts = c.failed;
	e.established = source->n_established;
	e.n_rst = source->method <= CONTACT_ACK ? source->n_refused : 0;
	e.n_unreachable = anomaly_unreachable(a, &source->address);
	sides_write(&e, source, &c);
	reason_write(a, &e, source, &c, &rule);
	report.quiet_ms = rule.is_slow ? (uint32_t)(SOURCE_SPAN_NS / NS_PER_MS)
				       : QUIET_WINDOWS * a->cfg->scan.window_s * 1000;
	incidents_report(&a->incidents, &report);
	return true;
}

static void on_second(struct anomaly *a, void *state, uint64_t passed_ns)
{
	struct sources *all = &((struct scan *)state)->sources;
	uint32_t n_waiting = 0;

	(void)passed_ns;
	for (uint32_t i = 0; i < all->n_dirty; i++) {
		struct scan_source *source = &all->source[all->dirty[i]];

		if (source_report(a, state, source))
			source->is_dirty = source->has_new_host = false;
		else
			all->dirty[n_waiting++] = all->dirty[i];
	}
	all->n_dirty = n_waiting;
}

const struct detector detector_scan = {
	.state_octets = sizeof(struct scan),
	.is_enabled = is_enabled,
	.on_contact = on_contact,
	.on_second = on_second,
};
