/* SPDX-License-Identifier: BSD-2-Clause */
/* Community ID version 1. See community_id.h. */
#include "probe/community_id.h"

#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <nettle/base64.h>
#include <nettle/sha1.h>
#include <stddef.h>
#include <string.h>

_Static_assert(BASE64_ENCODE_RAW_LENGTH(SHA1_DIGEST_SIZE) + 2 == COMMUNITY_ID_OCTETS,
	       "length of an id");

/*
 * What is hashed: seed, addresses of both ends, protocol, a zero octet, ports of
 * both ends, all in network order. Two octets stand before the seed, so that
 * addresses are whole words; words are written and compared as such because
 * loads that span several stores wait for them.
 */
#define BEFORE_SEED   2
#define ADDRESS_WORDS 4
#define MESSAGE_WORDS (1 + 2 * ADDRESS_WORDS + 2)

struct message {
	uint32_t words[MESSAGE_WORDS];
	uint32_t n_words; /* that hold something */
	uint32_t octets; /* from the seed on */
};

/* One end of a conversation. */
struct end {
	uint32_t address[ADDRESS_WORDS]; /* network order; IPv4: the first alone */
	uint16_t port;
};

/* A type and the type that answers it, both ways: they stand for the ports. */
struct icmp_pair {
	uint8_t request;
	uint8_t reply;
};

static const struct icmp_pair icmp_pairs[] = {
	{ICMP_ECHO, ICMP_ECHOREPLY},
	{10, 9}, /* router solicitation, advertisement (RFC 1256) */
	{ICMP_TIMESTAMP, ICMP_TIMESTAMPREPLY},
	{ICMP_INFO_REQUEST, ICMP_INFO_REPLY},
	{ICMP_ADDRESS, ICMP_ADDRESSREPLY},
};

static const struct icmp_pair icmp6_pairs[] = {
	{ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY},
	{MLD_LISTENER_QUERY, MLD_LISTENER_REPORT},
	{133, 134}, /* router solicitation, advertisement (RFC 4861) */
	{135, 136}, /* neighbour solicitation, advertisement (RFC 4861) */
	{139, 140}, /* node information query, response (RFC 4620) */
	{144, 145}, /* home agent address discovery request, reply (RFC 6275) */
};

/* The type that answers `type` or is answered by it; -1 for none. */
static int icmp_counterpart(const struct flow_record *r, uint8_t type)
{
	const struct icmp_pair *pairs = r->is_ipv6 ? icmp6_pairs : icmp_pairs;
	size_t n = r->is_ipv6 ? sizeof(icmp6_pairs) / sizeof(*icmp6_pairs)
			      : sizeof(icmp_pairs) / sizeof(*icmp_pairs);

	for (size_t i = 0; i < n; i++) {
		if (pairs[i].request == type)
			return pairs[i].reply;
		if (pairs[i].reply == type)
			return pairs[i].request;
	}
	return -1;
}

static bool is_icmp(const struct flow_record *r)
{
	return r->protocol == (r->is_ipv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

static bool has_ports(const struct flow_record *r)
{
	return r->protocol == IPPROTO_TCP || r->protocol == IPPROTO_UDP ||
	       r->protocol == IPPROTO_SCTP || is_icmp(r);
}

/* Type and counterpart, or type and code; returns true when the order of the ends matters. */
static bool icmp_ports(const struct flow_record *r, uint16_t *source, uint16_t *destination)
{
	uint8_t type = r->icmp_type_code >> 8;
	int counterpart = icmp_counterpart(r, type);

	*source = type;
	*destination = counterpart < 0 ? r->icmp_type_code & 0xff : (uint16_t)counterpart;
	return counterpart < 0;
}

static void ends_make(const struct flow_record *r, struct end *source, struct end *destination)
{
	if (r->is_ipv6) {
		memcpy(source->address, r->source6, sizeof(source->address));
		memcpy(destination->address, r->destination6, sizeof(destination->address));
	} else {
		source->address[0] = htonl(r->source4);
		destination->address[0] = htonl(r->destination4);
	}
	source->port = r->source_port;
	destination->port = r->destination_port;
}

static bool is_behind(const struct end *a, const struct end *b, uint32_t n_words)
{
	for (uint32_t i = 0; i < n_words; i++)
		if (a->address[i] != b->address[i])
			return ntohl(a->address[i]) > ntohl(b->address[i]);
	return a->port > b->port;
}

static void message_make(struct message *m, const struct flow_record *r)
{
	uint32_t n = r->is_ipv6 ? ADDRESS_WORDS : 1, at = 1;
	struct end source, destination;
	const struct end *a = &source, *b = &destination;
	bool is_one_way;

	ends_make(r, &source, &destination);
	is_one_way = is_icmp(r) && icmp_ports(r, &source.port, &destination.port);
	if (!is_one_way && is_behind(&source, &destination, n)) {
		a = &destination;
		b = &source;
	}
	m->words[0] = 0; /* seed */
	for (uint32_t i = 0; i < n; i++)
		m->words[at++] = a->address[i];
	for (uint32_t i = 0; i < n; i++)
		m->words[at++] = b->address[i];
	if (has_ports(r)) {
		m->words[at++] = htonl((uint32_t)r->protocol << 24 | a->port);
		m->words[at++] = htonl((uint32_t)b->port << 16);
	} else {
		m->words[at++] = htonl((uint32_t)r->protocol << 24);
	}
	m->n_words = at;
	m->octets = at * 4 - BEFORE_SEED - 2; /* the last word is half empty */
}

static bool is_same(const struct message *a, const struct message *b)
{
	if (a->n_words != b->n_words)
		return false;
	for (uint32_t i = 1; i < a->n_words; i++)
		if (a->words[i] != b->words[i])
			return false;
	return true;
}

static void message_hash(const struct message *m, char text[static COMMUNITY_ID_OCTETS])
{
	uint8_t digest[SHA1_DIGEST_SIZE];
	struct sha1_ctx sha1;

	sha1_init(&sha1);
	sha1_update(&sha1, m->octets, (const uint8_t *)m->words + BEFORE_SEED);
	sha1_digest(&sha1, sizeof(digest), digest);
	text[0] = '1';
	text[1] = ':';
	base64_encode_raw(text + 2, sizeof(digest), digest);
}

char *community_id_put(char *p, const struct flow_record *r)
{
	static struct message last;
	static char last_text[COMMUNITY_ID_OCTETS];
	struct message m;

	message_make(&m, r);
	if (!is_same(&m, &last)) {
		message_hash(&m, last_text);
		last = m;
	}
	memcpy(p, last_text, sizeof(last_text));
	return p + sizeof(last_text);
}
