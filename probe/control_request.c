/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The requests of the control socket. A reply is built in memory: flow lines up
 * to a bound, and then a last line that says how many are missing.
 */
#include "probe/control_request.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "probe/control_protocols.h"
#include "probe/filter.h"
#include "probe/json.h"
#include "probe/top.h"

void control_print_line(FILE *reply, json_t *object)
{
	if (!object || json_dumpf(object, reply, JSON_COMPACT))
		fputs("{\"type\":\"error\",\"error\":\"out of memory\"}", reply);
	fputc('\n', reply);
	json_decref(object);
}

void control_print_error(FILE *reply, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	control_print_line(reply, json_pack("{s:s, s:s}", "type", "error", "error", text));
}

void control_print_ledger(FILE *reply, const struct ledger *ledger)
{
	if (ledger)
		control_print_line(reply, ledger_to_json(ledger));
	else
		control_print_error(reply, "the ledger cannot be read");
}

static void answer_status(const struct control_ops *ops, FILE *reply)
{
	json_t *object = json_pack("{s:s}", "type", "status");
	int err = ops->status(ops->arg, object);

	if (!err) {
		control_print_line(reply, object);
		return;
	}
	json_decref(object);
	control_print_error(reply, "read the status: %s", strerror(-err));
}

static void print_flow(FILE *reply, const struct flow_record *r, uint32_t groups)
{
	char line[JSON_FLOW_MAX_OCTETS];
	const char *end = json_put_flow(line, r, groups);

	fwrite(line, 1, (size_t)(end - line), reply);
}

struct flow_printer {
	struct filter filter;
	FILE *reply;
	uint32_t groups;
	uint64_t n_matching, n_printed;
	bool is_full;
};

/* To print it, or to know whether it matches. */
static bool wants_state(void *arg, const struct flow_record *r)
{
	const struct flow_printer *p = arg;

	return (!p->is_full || filter_has_state(&p->filter)) && filter_may_match(&p->filter, r);
}

static void print_matching(void *arg, const struct flow_record *r)
{
	struct flow_printer *p = arg;

	if (!filter_matches(&p->filter, r))
		return;
	p->n_matching++;
	p->is_full = p->is_full || ftello(p->reply) >= (off_t)CONTROL_REPLY_OCTETS;
	if (p->is_full)
		return;
	print_flow(p->reply, r, p->groups);
	p->n_printed++;
}

static void answer_flows(const struct control_ops *ops, const char *words, FILE *reply)
{
	struct flow_printer p = {.reply = reply, .groups = ops->groups};
	char error[256];

	if (filter_parse(&p.filter, words, error, sizeof(error))) {
		control_print_error(reply, "%s", error);
		return;
	}
	ops->each_flow(ops->arg, wants_state, print_matching, &p);
	if (p.is_full)
		control_print_line(reply, json_pack("{s:s, s:I, s:I}", "type", "truncated",
						    "printed", (json_int_t)p.n_printed, "matching",
						    (json_int_t)p.n_matching));
}

/* Take one number that is the whole rest of the words. */
static bool parse_count(const char *words, size_t *n)
{
	char *end;
	unsigned long value = strtoul(words, &end, 10);

	if (*words < '0' || *words > '9' || *end || value < 1 || value > TOP_MAX)
		return false;
	*n = value;
	return true;
}

static void answer_top(const struct control_ops *ops, const char *words, FILE *reply)
{
	enum top_kind kind = TOP_FLOWS;
	size_t length = strcspn(words, " "), n = TOP_DEFAULT;
	struct top *top;
	const char *rest = words;

	if (*words && top_find_kind(words, length, &kind) == 0)
		rest = words + length + strspn(words + length, " ");
	if (*rest && !parse_count(rest, &n)) {
		control_print_error(reply,
				    "top: '%s' is not understood (allowed: "
				    "[flows|hosts|ports] [1 to %d])",
				    rest, TOP_MAX);
		return;
	}
	top = top_open(kind, n);
	if (!top) {
		control_print_error(reply, "top: out of memory");
		return;
	}
	ops->each_flow(ops->arg, top_wants_state, top_record, top);
	top_print(top, reply, print_flow, ops->groups);
	top_close(top);
}

static void print_event(void *arg, const struct anomaly_event *e)
{
	char line[ANOMALY_JSON_MAX];

	const char *end = anomaly_put_json(line, e);

	fwrite(line, 1, (size_t)(end - line), arg);
}

/* Call fn for each event, or say why there are none. */
static bool each_event(const struct control_ops *ops, anomaly_sink_fn fn, void *arg, FILE *reply)
{
	if (ops->each_event && ops->each_event(ops->arg, fn, arg))
		return true;
	control_print_error(reply, "anomalies are not looked for: set anomaly.enabled, or start "
				   "the probe with --detect-anomalies");
	return false;
}

struct event_finder {
	uint64_t id;
	bool is_found;
	struct anomaly_event event;
};

static void find_event(void *arg, const struct anomaly_event *e)
{
	struct event_finder *finder = arg;

	if (e->event_id != finder->id)
		return;
	finder->is_found = true;
	finder->event = *e;
}

static void print_explanation(FILE *reply, const struct anomaly_event *e)
{
	char line[ANOMALY_JSON_MAX];
	const char *end = anomaly_put_explanation(line, e);

	fwrite(line, 1, (size_t)(end - line), reply);
}

static void answer_explain(const struct control_ops *ops, const char *words, FILE *reply)
{
	struct event_finder finder = {0};
	char *end;

	finder.id = strtoull(words, &end, 10);
	if (*words < '0' || *words > '9' || *end) {
		control_print_error(reply, "explain: '%.64s' is not an eventId, which is a number",
				    words);
		return;
	}
	if (!each_event(ops, find_event, &finder, reply))
		return;
	if (finder.is_found)
		print_explanation(reply, &finder.event);
	else
		control_print_error(reply,
				    "no event %llu is known: it ended more than five minutes ago "
				    "or never was; `events` lists those known",
				    (unsigned long long)finder.id);
}

/* Each on a line; gives the list away. */
static void print_list(FILE *reply, json_t *list)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		control_print_line(reply, json_incref(json_array_get(list, i)));
	json_decref(list);
}

static void answer_templates(const struct control_ops *ops, const char *words, FILE *reply)
{
	bool sends = !strcmp(words, "send");
	json_t *list = json_array();

	if (*words && !sends)
		control_print_error(reply, "templates: '%.64s' is not understood (allowed: send)",
				    words);
	else if (ops->templates(ops->arg, sends, list))
		control_print_error(reply, "out of memory");
	print_list(reply, list);
}

static void answer_reload(const struct control_ops *ops, FILE *reply)
{
	json_t *answers = json_array();
	int err = ops->reload(ops->arg, answers);

	if (err && !json_array_size(answers))
		control_print_error(reply, "reload: %s", strerror(-err));
	print_list(reply, answers);
}

static bool is_text(const char *request, size_t n_octets)
{
	for (size_t i = 0; i < n_octets; i++)
		if (request[i] < ' ' || request[i] > '~')
			return false;
	return true;
}

enum control_answer control_answer_request(const struct control_ops *ops, const char *request,
					   size_t n_octets, FILE *reply)
{
	char line[CONTROL_REQUEST_OCTETS], *words;
	size_t length;

	if (n_octets && request[n_octets - 1] == '\r')
		n_octets--;
	if (!is_text(request, n_octets) || n_octets >= sizeof(line)) {
		control_print_error(reply, "a request is one line of ASCII text, at most %d octets",
				    CONTROL_REQUEST_OCTETS - 1);
		return CONTROL_ANSWERED;
	}
	memcpy(line, request, n_octets);
	while (n_octets && line[n_octets - 1] == ' ')
		n_octets--;
	line[n_octets] = '\0';
	length = strcspn(line, " ");
	words = line + length + strspn(line + length, " ");
	line[length] = '\0';
	if (!strcmp(line, "ledger") && !*words)
		return CONTROL_WANTS_LEDGER;
	if (!strcmp(line, "status") && !*words)
		answer_status(ops, reply);
	else if (!strcmp(line, "flows"))
		answer_flows(ops, words, reply);
	else if (!strcmp(line, "top"))
		answer_top(ops, words, reply);
	else if (!strcmp(line, "events") && !*words)
		each_event(ops, print_event, reply, reply);
	else if (!strcmp(line, "explain"))
		answer_explain(ops, words, reply);
	else if (!strcmp(line, "templates"))
		answer_templates(ops, words, reply);
	else if (!strcmp(line, "protocols"))
		control_answer_protocols(ops, words, reply);
	else if (!strcmp(line, "reload") && !*words)
		answer_reload(ops, reply);
	else
		control_print_error(reply,
				    "unknown request '%.64s%s' (allowed: status, ledger, "
				    "flows [FILTER], top [flows|hosts|ports] [N], events, "
				    "explain ID, templates [send], "
				    "protocols [NAME|NUMBER [on|off]], reload)",
				    line, *words ? " ..." : "");
	return CONTROL_ANSWERED;
}
