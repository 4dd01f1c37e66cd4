/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as JSON lines, and their names. See anomaly_event.h. */
#include "probe/anomaly_event.h"

#include <stdio.h>

#include "probe/json.h"

static const char *const class_names[] = {
#define ANOMALY_CLASS(NAME, word, technique) word,
#include "probe/anomaly_class.def"
};

static const char *const techniques[] = {
#define ANOMALY_CLASS(NAME, word, technique) technique,
#include "probe/anomaly_class.def"
};

static const char *const subclass_names[] = {
#define ANOMALY_SUBCLASS(NAME, word) word,
#include "probe/anomaly_class.def"
};

const char *anomaly_class_name(uint8_t class)
{
	return class < ANOMALY_CLASSES ? class_names[class] : "?";
}

const char *anomaly_subclass_name(uint8_t subclass)
{
	return subclass < ANOMALY_SUBCLASSES ? subclass_names[subclass] : "?";
}

const char *anomaly_technique(uint8_t class)
{
	return class < ANOMALY_CLASSES ? techniques[class] : "";
}

const char *anomaly_state_name(uint8_t state)
{
	static const char *const names[] = {"?", "start", "update", "end", "summary"};

	return names[state <= ANOMALY_SUMMARY ? state : 0];
}

const char *anomaly_visibility_name(uint8_t visibility)
{
	static const char *const names[] = {"?", "both", "ingress-only"};

	return names[visibility <= ANOMALY_INGRESS_ONLY ? visibility : 0];
}

const char *anomaly_rule(const struct anomaly_event *e, char text[static ANOMALY_RULE_MAX])
{
	static const char top[] = "anomaly";

	*text = '\0';
	if (e->rule && e->is_group_rule)
		snprintf(text, ANOMALY_RULE_MAX, "%s.groups.%s%.60s", top, e->group,
			 e->rule + strlen(top));
	else if (e->rule)
		snprintf(text, ANOMALY_RULE_MAX, "%.60s", e->rule);
	return text;
}

static char *put_name(char *p, const char *name)
{
	p = stpcpy(p, ",\"");
	p = stpcpy(p, name);
	return stpcpy(p, "\":");
}

static char *put_number(char *p, const char *name, uint64_t value)
{
	return json_put_number(put_name(p, name), value);
}

/* Text of ours: what JSON would have to escape is not in it, but for a reason's quotes. */
static char *put_text(char *p, const char *name, const char *text)
{
	p = put_name(p, name);
	*p++ = '"';
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			*p++ = '\\';
		*p++ = *text;
	}
	*p++ = '"';
	return p;
}

static char *put_time(char *p, const char *name, uint64_t unix_ms)
{
	p = put_name(p, name);
	*p++ = '"';
	p = json_put_time(p, unix_ms);
	*p++ = '"';
	return p;
}

/* At most three decimals, no exponent. */
static char *put_real(char *p, const char *name, float value)
{
	p = put_name(p, name);
	p += sprintf(p, "%.3f", value < 0 ? 0 : (double)value);
	while (p[-1] == '0')
		p--;
	if (p[-1] == '.')
		p--;
	return p;
}

static char *put_host(char *p, const char *side, const struct host *h)
{
	p = stpcpy(p, ",\"");
	p = stpcpy(p, side);
	p = stpcpy(p, host_is_ipv4(h) ? "IPv4Address\":\"" : "IPv6Address\":\"");
	p = host_put(p, h);
	*p++ = '"';
	return p;
}

static char *put_sides(char *p, const struct anomaly_event *e)
{
	if (e->has_source)
		p = put_host(p, "source", &e->source);
	if (e->has_source_port)
		p = put_number(p, "sourceTransportPort", e->source_port);
	if (e->has_destination)
		p = put_host(p, "destination", &e->destination);
	if (e->has_destination && e->destination_length)
		p = put_number(p,
			       host_is_ipv4(&e->destination) ? "destinationIPv4PrefixLength"
							     : "destinationIPv6PrefixLength",
			       e->destination_length);
	if (e->has_destination_port)
		p = put_number(p, "destinationTransportPort", e->destination_port);
	if (e->protocol)
		p = put_number(p, "protocolIdentifier", e->protocol);
	return p;
}

static char *put_targets(char *p, const struct anomaly_event *e)
{
	const char *lead = "[{";

	if (!e->n_targets)
		return p;
	p = put_name(p, "targets");
	for (uint32_t i = 0; i < e->n_targets; i++) {
		char *start = p = stpcpy(p, lead);

		p = put_host(p, "destination", &e->target[i].host);
		memmove(start, start + 1, (size_t)(p - start) - 1); /* the comma */
		p--;
		if (e->target[i].has_port)
			p = put_number(p, "destinationTransportPort", e->target[i].port);
		lead = "},{";
	}
	return stpcpy(p, "}]");
}

/* What put_real() puts, of either sign. */
static char *put_signed(char *p, const char *name, float value)
{
	char *start = p = put_real(p, name, value < 0 ? -value : value);

	if (value > -0.0005f)
		return p;
	while (start[-1] != ':')
		start--;
	memmove(start + 1, start, (size_t)(p - start));
	*start = '-';
	return p + 1;
}

static char *put_features(char *p, const struct anomaly_event *e)
{
	const char *lead = "[{";

	if (!e->n_features)
		return p;
	p = put_name(p, "topFeatures");
	for (uint32_t i = 0; i < e->n_features; i++) {
		const struct anomaly_feature *f = &e->feature[i];

		p = stpcpy(stpcpy(stpcpy(stpcpy(p, lead), "\"name\":\""), f->name), "\"");
		p = put_signed(p, "z", f->z);
		p = put_signed(p, "value", f->value);
		p = put_signed(p, "usual", f->usual);
		lead = "},{";
	}
	return stpcpy(p, "}]");
}

/* Members that are 0 tell nothing and are left out. */
static char *put_evidence(char *p, const struct anomaly_event *e)
{
	const struct {
		const char *name;
		uint64_t value;
	} numbers[] = {
		{"distinctSources", e->n_sources},
		{"distinctDestinations", e->n_destinations},
		{"distinctPorts", e->n_ports},
		{"failedContacts", e->failed_contacts},
		{"establishedCount", e->established},
		{"rstCount", e->n_rst},
		{"icmpUnreachCount", e->n_unreachable},
		{"synCount", e->n_syn},
		{"synAckCount", e->n_syn_ack},
		{"peakPps", e->peak_pps},
		{"peakBps", e->peak_bps},
		{"reflectorPort", e->reflector_port},
		{"violationId", e->violation_id},
		{"violationBitmap", e->violations},
		{"packetsWithoutFlow", e->n_unseen},
		{"connectionCount", e->connections},
		{"hoursBitmap", e->hours_bitmap},
		{"intervalMedianMs", e->interval_median_ms},
		{"intervalMadMs", e->interval_mad_ms},
		{"octetsOut", e->octets_out},
		{"octetsIn", e->octets_in},
	};
	char *start = p = stpcpy(put_name(p, "evidence"), "{");

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i].value)
			p = put_number(p, numbers[i].name, numbers[i].value);
	if (e->amplification > 0)
		p = put_real(p, "amplificationFactor", e->amplification);
	if (e->interval_median_ms)
		p = put_real(p, "intervalCv", e->interval_cv);
	if (e->octets_out)
		p = put_real(p, "pcr", e->pcr);
	if (e->is_spoofed)
		p = stpcpy(p, ",\"spoofedLikely\":true");
	p = put_targets(p, e);
	p = put_features(p, e);
	if (p > start) {
		memmove(start, start + 1, (size_t)(p - start) - 1);
		p--;
	}
	*p++ = '}';
	return p;
}

/* The host an entry of anomaly.allow has to have. */
static char *put_silence(char *p, const struct anomaly_event *e)
{
	const struct host *h = e->has_source ? &e->source : &e->destination;
	char rule[ANOMALY_RULE_MAX];

	p = put_name(p, "silence");
	*p++ = '"';
	if (e->rule) {
		p = stpcpy(p, anomaly_rule(e, rule));
		p += sprintf(p, " above %.0f", (double)(e->value < 1e9f ? e->value : 1e9f));
	}
	if (e->has_source || e->has_destination) {
		p = stpcpy(p, e->rule ? ", or " : "");
		p = host_put(p, h);
		p = stpcpy(p, " in anomaly.allow");
	}
	if (e->allow && e->has_destination) {
		p = stpcpy(p, ", or ");
		p = host_put(p, &e->destination);
		p = stpcpy(stpcpy(p, " in "), e->allow);
	}
	*p++ = '"';
	return p;
}

char *anomaly_put_explanation(char *p, const struct anomaly_event *e)
{
	char rule[ANOMALY_RULE_MAX];

	p = stpcpy(p, "{\"type\":\"explanation\"");
	p = put_number(p, "eventId", e->event_id);
	p = put_text(p, "seen", e->reason);
	p = put_name(p, "why");
	p += sprintf(p, "\"%.0f is not below the threshold, %.0f of %s, within %u s",
		     (double)(e->value < 1e9f ? e->value : 1e9f),
		     (double)(e->threshold < 1e9f ? e->threshold : 1e9f),
		     e->rule ? anomaly_rule(e, rule) : "the event budget", e->window_ms / 1000);
	if (e->is_learning)
		p = stpcpy(p, "; what is usual is still being learned");
	else if (e->baseline > 0)
		p += sprintf(p, "; usual is %.0f",
			     (double)(e->baseline < 1e9f ? e->baseline : 1e9f));
	*p++ = '"';
	p = put_silence(p, e);
	p = stpcpy(p, ",\"event\":");
	p = anomaly_put_json(p, e);
	return stpcpy(p - 1, "}\n"); /* over its newline */
}

char *anomaly_put_json(char *p, const struct anomaly_event *e)
{
	char rule[ANOMALY_RULE_MAX];

	p = stpcpy(p, "{\"type\":\"event\"");
	p = put_number(p, "eventId", e->event_id);
	p = put_number(p, "eventSequence", e->sequence);
	p = put_text(p, "state", anomaly_state_name(e->state));
	p = put_text(p, "class", anomaly_class_name(e->class));
	p = put_text(p, "subclass", anomaly_subclass_name(e->subclass));
	p = put_sides(p, e);
	p = put_number(p, "severity", e->severity);
	p = put_number(p, "confidence", e->confidence);
	p = put_real(p, "value", e->value);
	p = put_real(p, "threshold", e->threshold);
	p = put_real(p, "baseline", e->baseline);
	if (e->is_learning)
		p = stpcpy(p, ",\"baselineLearning\":true");
	p = put_number(p, "windowMs", e->window_ms);
	p = put_text(p, "visibility", anomaly_visibility_name(e->visibility));
	p = put_time(p, "observationTime", e->time_ms);
	p = put_time(p, "flowStartMilliseconds", e->start_ms);
	p = put_time(p, "flowEndMilliseconds", e->end_ms);
	p = put_number(p, "suppressedCount", e->suppressed);
	if (*anomaly_technique(e->class))
		p = put_text(p, "mitreTechnique", anomaly_technique(e->class));
	if (*e->group)
		p = put_text(p, "networkGroup", e->group);
	if (e->rule)
		p = put_text(p, "rule", anomaly_rule(e, rule));
	p = put_text(p, "reason", e->reason);
	p = put_evidence(p, e);
	if (e->is_dry_run)
		p = stpcpy(p, ",\"dryRun\":true");
	p = stpcpy(p, ",\"flowIds\":[");
	for (uint32_t i = 0; i < e->n_flow_ids; i++) {
		if (i)
			*p++ = ',';
		p = json_put_number(p, e->flow_id[i]);
	}
	return stpcpy(p, "]}\n");
}
