/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow filter of xflowctl(8): terms that all have to hold.
 *   [src|dst] host ADDRESS    [src|dst] net ADDRESS/LENGTH    [src|dst] port N
 *   proto NAME|N    vlan N    state NAME    ipv4    ipv6
 *   packets|octets >=|<=|>|<|= N
 * each with `not` before it; `and` between them is optional.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/record.h"

#define FILTER_MAX_TERMS 32

enum filter_field {
	FILTER_NET, /* a host is a net of full length */
	FILTER_PORT,
	FILTER_PROTO,
	FILTER_VLAN,
	FILTER_STATE, /* of the connection */
	FILTER_IPV4,
	FILTER_IPV6,
	FILTER_PACKETS,
	FILTER_OCTETS,
};

enum filter_side { FILTER_EITHER, FILTER_SOURCE, FILTER_DESTINATION };

enum filter_relation { FILTER_EQUAL, FILTER_AT_LEAST, FILTER_AT_MOST, FILTER_ABOVE, FILTER_BELOW };

struct filter_term {
	enum filter_field field;
	enum filter_side side;
	enum filter_relation relation;
	bool is_negated;
	bool is_ipv6; /* of address                              */
	uint8_t prefix_length; /* bits of address that count              */
	uint8_t address[16]; /* network order; IPv4 in the first 4      */
	uint64_t value; /* port, protocol, VLAN id, state or bound */
};

/* A zeroed filter lets everything pass. */
struct filter {
	struct filter_term terms[FILTER_MAX_TERMS];
	size_t n_terms;
};

/*
 * Parse a filter; an empty text lets everything pass.
 *
 * error  [size] one sentence on what is wrong, naming the word and what is
 *        allowed in its place; written on failure only
 *
 * Returns 0 or -EINVAL.
 */
int filter_parse(struct filter *f, const char *text, char *error, size_t size);

/* True when every term but those on connection_state holds for the record. */
bool filter_may_match(const struct filter *f, const struct flow_record *r);

/* True when a term is on connection_state. */
bool filter_has_state(const struct filter *f);

/* True when every term holds for the record. Cost O(terms). */
bool filter_matches(const struct filter *f, const struct flow_record *r);
