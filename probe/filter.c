/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow filter: words into terms, and terms against Flow Records. The parser
 * is one pass over the words; the table below says what each term is followed by.
 */
#include "probe/filter.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe/connection.h"
#include "probe/protocol.h"

#define WORD_OCTETS 64

enum argument { NO_ARGUMENT, HOST, NET, NUMBER, PROTOCOL, STATE, COMPARISON };

static const struct keyword {
	const char *word;
	enum filter_field field;
	enum argument argument;
	bool has_side;
	uint64_t most; /* largest NUMBER */
} keywords[] = {
	{"host", FILTER_NET, HOST, true, 0},
	{"net", FILTER_NET, NET, true, 0},
	{"port", FILTER_PORT, NUMBER, true, 65535},
	{"proto", FILTER_PROTO, PROTOCOL, false, 0},
	{"vlan", FILTER_VLAN, NUMBER, false, 4095},
	{"state", FILTER_STATE, STATE, false, 0},
	{"ipv4", FILTER_IPV4, NO_ARGUMENT, false, 0},
	{"ipv6", FILTER_IPV6, NO_ARGUMENT, false, 0},
	{"packets", FILTER_PACKETS, COMPARISON, false, UINT64_MAX},
	{"octets", FILTER_OCTETS, COMPARISON, false, UINT64_MAX},
};

static const char *const relations[] = {
	[FILTER_EQUAL] = "=", [FILTER_AT_LEAST] = ">=", [FILTER_AT_MOST] = "<=",
	[FILTER_ABOVE] = ">", [FILTER_BELOW] = "<",
};

struct parser {
	const char *at;
	char word[WORD_OCTETS]; /* the last one taken; "" at the end */
	char *error;
	size_t error_size;
};

static int fail(struct parser *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->error, p->error_size, fmt, args);
	va_end(args);
	return -EINVAL;
}

static int take_word(struct parser *p)
{
	size_t n;

	p->at += strspn(p->at, " \t");
	n = strcspn(p->at, " \t");
	if (n >= WORD_OCTETS)
		return fail(p, "filter: a word is longer than %d characters", WORD_OCTETS - 1);
	memcpy(p->word, p->at, n);
	p->word[n] = '\0';
	p->at += n;
	return 0;
}

/* Take the word that has to follow `after`. */
static int take_argument(struct parser *p, const char *after, const char *allowed)
{
	int err = take_word(p);

	if (!err && !p->word[0])
		return fail(p, "filter: '%s' is followed by nothing (allowed: %s)", after, allowed);
	return err;
}

static int parse_number(struct parser *p, uint64_t most, uint64_t *value)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(p->word, &end, 10);
	if (p->word[0] < '0' || p->word[0] > '9' || *end || errno || number > most)
		return fail(p, "filter: '%s' is no number that fits (allowed: 0 to %llu)", p->word,
			    (unsigned long long)most);
	*value = number;
	return 0;
}

static int parse_address(struct parser *p, const char *text, struct filter_term *t)
{
	if (inet_pton(AF_INET, text, t->address) == 1)
		t->prefix_length = 32;
	else if (inet_pton(AF_INET6, text, t->address) == 1)
		t->prefix_length = 128;
	else
		return fail(p, "filter: '%s' is no address (allowed: IPv4 or IPv6)", text);
	t->is_ipv6 = t->prefix_length == 128;
	return 0;
}

static int parse_net(struct parser *p, struct filter_term *t)
{
	char *slash = strchr(p->word, '/');
	uint64_t length = 0;
	int err;

	if (!slash)
		return fail(p, "filter: '%s' has no length (allowed: ADDRESS/LENGTH)", p->word);
	*slash = '\0';
	err = parse_address(p, p->word, t);
	if (err)
		return err;
	memmove(p->word, slash + 1, strlen(slash + 1) + 1);
	err = parse_number(p, t->prefix_length, &length);
	if (!err)
		t->prefix_length = (uint8_t)length;
	return err;
}

static int parse_protocol(struct parser *p, struct filter_term *t)
{
	int number = protocol_number(p->word);

	if (number < 0)
		return fail(p,
			    "filter: '%s' is no protocol (allowed: tcp, udp, icmp, icmpv6, "
			    "sctp, gre, ... or 0 to 255)",
			    p->word);
	t->value = (uint64_t)number;
	return 0;
}

#define STATES_ALLOWED "opening, established, closing, closed, reset, never-answered, none"

static int parse_state(struct parser *p, struct filter_term *t)
{
	int state = connection_state_number(p->word);

	if (state < 0)
		return fail(p, "filter: '%s' is no connection state (allowed: " STATES_ALLOWED ")",
			    p->word);
	t->value = (uint64_t)state;
	return 0;
}

static int parse_comparison(struct parser *p, const struct keyword *k, struct filter_term *t)
{
	for (size_t i = 0; i < sizeof(relations) / sizeof(*relations); i++) {
		if (strcmp(p->word, relations[i]) != 0)
			continue;
		int err = take_argument(p, relations[i], "a number");

		t->relation = (enum filter_relation)i;
		return err ? err : parse_number(p, k->most, &t->value);
	}
	return fail(p, "filter: '%s' after '%s' is no comparison (allowed: >= <= > < =)", p->word,
		    k->word);
}

static int parse_argument(struct parser *p, const struct keyword *k, struct filter_term *t)
{
	static const char *const allowed[] = {
		[HOST] = "an address",	   [NET] = "ADDRESS/LENGTH", [NUMBER] = "a number",
		[PROTOCOL] = "a protocol", [STATE] = STATES_ALLOWED, [COMPARISON] = ">= <= > < =",
	};
	int err = k->argument == NO_ARGUMENT ? 0 : take_argument(p, k->word, allowed[k->argument]);

	if (err)
		return err;
	switch (k->argument) {
	case HOST:
		return parse_address(p, p->word, t);
	case NET:
		return parse_net(p, t);
	case NUMBER:
		return parse_number(p, k->most, &t->value);
	case PROTOCOL:
		return parse_protocol(p, t);
	case STATE:
		return parse_state(p, t);
	case COMPARISON:
		return parse_comparison(p, k, t);
	default:
		return 0;
	}
}

static const struct keyword *find_keyword(const char *word, bool has_side)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(*keywords); i++)
		if (!strcmp(word, keywords[i].word) && (keywords[i].has_side || !has_side))
			return &keywords[i];
	return NULL;
}

/* Parse `[not] [src|dst] KEYWORD ARGUMENT`, its first word already taken. */
static int parse_term(struct parser *p, struct filter_term *t)
{
	const struct keyword *k;
	int err = 0;

	if (!strcmp(p->word, "not")) {
		t->is_negated = true;
		err = take_argument(p, "not", "a term");
	}
	if (!err && (!strcmp(p->word, "src") || !strcmp(p->word, "dst"))) {
		t->side = p->word[0] == 's' ? FILTER_SOURCE : FILTER_DESTINATION;
		err = take_argument(p, t->side == FILTER_SOURCE ? "src" : "dst", "host, net, port");
	}
	if (err)
		return err;
	k = find_keyword(p->word, t->side != FILTER_EITHER);
	if (!k && t->side != FILTER_EITHER)
		return fail(p, "filter: '%s' cannot follow src or dst (allowed: host, net, port)",
			    p->word);
	if (!k)
		return fail(p,
			    "filter: '%s' is unknown (allowed: not, src, dst, host, net, port, "
			    "proto, vlan, state, ipv4, ipv6, packets, octets)",
			    p->word);
	t->field = k->field;
	return parse_argument(p, k, t);
}

int filter_parse(struct filter *f, const char *text, char *error, size_t size)
{
	struct parser p = {.at = text, .error = error, .error_size = size};
	struct filter parsed = {0};
	int err = take_word(&p);

	while (!err && p.word[0]) {
		if (parsed.n_terms && !strcmp(p.word, "and"))
			err = take_argument(&p, "and", "a term");
		if (!err && parsed.n_terms == FILTER_MAX_TERMS)
			err = fail(&p, "filter: more than %d terms", FILTER_MAX_TERMS);
		if (!err)
			err = parse_term(&p, &parsed.terms[parsed.n_terms++]);
		if (!err)
			err = take_word(&p);
	}
	if (!err)
		*f = parsed;
	return err;
}

static bool is_in_net(const struct filter_term *t, const uint8_t *address)
{
	size_t octets = t->prefix_length / 8, bits = t->prefix_length % 8;

	if (memcmp(address, t->address, octets) != 0)
		return false;
	return !bits || !((address[octets] ^ t->address[octets]) >> (8 - bits));
}

static bool has_net(const struct filter_term *t, const struct flow_record *r)
{
	uint32_t source4 = htonl(r->source4), destination4 = htonl(r->destination4);
	const uint8_t *source = r->is_ipv6 ? r->source6 : (const uint8_t *)&source4;
	const uint8_t *destination = r->is_ipv6 ? r->destination6 : (const uint8_t *)&destination4;

	if (t->is_ipv6 != (bool)r->is_ipv6)
		return false;
	return (t->side != FILTER_DESTINATION && is_in_net(t, source)) ||
	       (t->side != FILTER_SOURCE && is_in_net(t, destination));
}

static bool has_port(const struct filter_term *t, const struct flow_record *r)
{
	return (t->side != FILTER_DESTINATION && r->source_port == t->value) ||
	       (t->side != FILTER_SOURCE && r->destination_port == t->value);
}

static bool is_related(const struct filter_term *t, uint64_t value)
{
	switch (t->relation) {
	case FILTER_AT_LEAST:
		return value >= t->value;
	case FILTER_AT_MOST:
		return value <= t->value;
	case FILTER_ABOVE:
		return value > t->value;
	case FILTER_BELOW:
		return value < t->value;
	default:
		return value == t->value;
	}
}

static bool holds(const struct filter_term *t, const struct flow_record *r)
{
	switch (t->field) {
	case FILTER_NET:
		return has_net(t, r);
	case FILTER_PORT:
		return has_port(t, r);
	case FILTER_PROTO:
		return r->protocol == t->value;
	case FILTER_VLAN:
		return r->vlan == t->value;
	case FILTER_STATE:
		return r->connection_state == t->value;
	case FILTER_IPV4:
		return !r->is_ipv6;
	case FILTER_IPV6:
		return r->is_ipv6;
	case FILTER_PACKETS:
		return is_related(t, r->packets);
	default:
		return is_related(t, r->octets);
	}
}

static bool term_holds(const struct filter_term *t, const struct flow_record *r)
{
	return holds(t, r) != t->is_negated;
}

bool filter_may_match(const struct filter *f, const struct flow_record *r)
{
	for (size_t i = 0; i < f->n_terms; i++)
		if (f->terms[i].field != FILTER_STATE && !term_holds(&f->terms[i], r))
			return false;
	return true;
}

bool filter_has_state(const struct filter *f)
{
	for (size_t i = 0; i < f->n_terms; i++)
		if (f->terms[i].field == FILTER_STATE)
			return true;
	return false;
}

bool filter_matches(const struct filter *f, const struct flow_record *r)
{
	for (size_t i = 0; i < f->n_terms; i++)
		if (!term_holds(&f->terms[i], r))
			return false;
	return true;
}
