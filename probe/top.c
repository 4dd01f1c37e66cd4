/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flows are kept in a sorted list of n. Hosts and ports are summed in an open
 * hash table of fixed size, sorted when it is printed.
 */
#include "probe/top.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define N_PLACES  131072u /* a power of two */
#define MAX_USED  (N_PLACES / 4 * 3) /* so that a search ends soon */
#define FNV_BASIS 14695981039346656037ull
#define FNV_PRIME 1099511628211ull

/* What is summed: an address, or a protocol and port in its first octets. */
struct subject {
	uint8_t octets[16];
	uint8_t is_ipv6;
};

struct place {
	struct subject subject;
	uint64_t octets;
	uint64_t packets;
	uint64_t flows; /* 0 = free */
};

struct top {
	enum top_kind kind;
	size_t n;
	size_t n_used; /* flows in the list, or places taken        */
	struct flow_record *flows; /* [n] for flows, in no order                */
	uint16_t order[TOP_MAX]; /* ... their numbers, largest first           */
	struct place *places; /* [N_PLACES] for hosts and ports            */
	struct place left_out; /* of subjects that found no place           */
	uint64_t seed; /* a sender cannot choose who shares a place */
};

static const char *const kind_names[] = {
	[TOP_FLOWS] = "flows",
	[TOP_HOSTS] = "hosts",
	[TOP_PORTS] = "ports",
};

int top_find_kind(const char *word, size_t n, enum top_kind *kind)
{
	for (size_t i = 0; i < sizeof(kind_names) / sizeof(*kind_names); i++) {
		if (strlen(kind_names[i]) == n && !memcmp(kind_names[i], word, n)) {
			*kind = (enum top_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

struct top *top_open(enum top_kind kind, size_t n)
{
	struct top *top = calloc(1, sizeof(*top));

	if (!top)
		return NULL;
	top->kind = kind;
	top->n = n;
	if (getrandom(&top->seed, sizeof(top->seed), GRND_NONBLOCK) < 0)
		top->seed = 0; /* early in boot: nobody can guess the flows yet either */
	if (kind == TOP_FLOWS)
		top->flows = calloc(n, sizeof(*top->flows));
	else
		top->places = calloc(N_PLACES, sizeof(*top->places));
	if (!top->flows && !top->places) {
		top_close(top);
		return NULL;
	}
	return top;
}

static bool is_among_largest(const struct top *top, const struct flow_record *r)
{
	return top->n_used < top->n || r->octets > top->flows[top->order[top->n - 1]].octets;
}

bool top_wants_state(void *arg, const struct flow_record *r)
{
	const struct top *top = arg;

	return top->kind == TOP_FLOWS && is_among_largest(top, r);
}

static void insert_flow(struct top *top, const struct flow_record *r)
{
	size_t i = top->n_used;
	uint16_t number = (uint16_t)i;

	if (!is_among_largest(top, r))
		return;
	if (i == top->n)
		number = top->order[--i];
	else
		top->n_used++;
	for (; i > 0 && top->flows[top->order[i - 1]].octets < r->octets; i--)
		top->order[i] = top->order[i - 1];
	top->order[i] = number;
	top->flows[number] = *r;
}

static struct place *find_place(struct top *top, const struct subject *s)
{
	const uint8_t *octets = (const uint8_t *)s;
	uint64_t hash = FNV_BASIS ^ top->seed;

	for (size_t i = 0; i < sizeof(*s); i++)
		hash = (hash ^ octets[i]) * FNV_PRIME;
	hash ^= hash >> 32;
	for (;; hash++) {
		struct place *p = &top->places[hash % N_PLACES];

		if (p->flows && !memcmp(&p->subject, s, sizeof(*s)))
			return p;
		if (!p->flows && top->n_used == MAX_USED)
			return &top->left_out;
		if (!p->flows) {
			top->n_used++;
			p->subject = *s;
			return p;
		}
	}
}

static void add_to_subject(struct top *top, const struct subject *s, const struct flow_record *r)
{
	struct place *p = find_place(top, s);

	p->octets += r->octets;
	p->packets += r->packets;
	p->flows++;
}

static struct subject subject_of_address(const struct flow_record *r, uint32_t v4,
					 const uint8_t v6[16])
{
	struct subject s = {.is_ipv6 = r->is_ipv6};
	uint32_t v4_be = htonl(v4);

	if (r->is_ipv6)
		memcpy(s.octets, v6, 16);
	else
		memcpy(s.octets, &v4_be, 4);
	return s;
}

void top_record(void *arg, const struct flow_record *r)
{
	struct top *top = arg;

	if (top->kind == TOP_FLOWS) {
		insert_flow(top, r);
	} else if (top->kind == TOP_PORTS) {
		struct subject port = {.octets = {r->protocol, (uint8_t)(r->destination_port >> 8),
						  (uint8_t)r->destination_port}};

		add_to_subject(top, &port, r);
	} else {
		struct subject from = subject_of_address(r, r->source4, r->source6);
		struct subject to = subject_of_address(r, r->destination4, r->destination6);

		add_to_subject(top, &from, r);
		if (memcmp(&from, &to, sizeof(from)) != 0)
			add_to_subject(top, &to, r);
	}
}

static int compare_places(const void *a, const void *b)
{
	const struct place *pa = a, *pb = b;

	if (pa->octets != pb->octets)
		return pa->octets < pb->octets ? 1 : -1;
	return memcmp(&pa->subject, &pb->subject, sizeof(pa->subject));
}

static void print_place(FILE *out, enum top_kind kind, const struct place *p)
{
	const uint8_t *o = p->subject.octets;
	char address[INET6_ADDRSTRLEN];

	if (kind == TOP_HOSTS) {
		inet_ntop(p->subject.is_ipv6 ? AF_INET6 : AF_INET, o, address, sizeof(address));
		fprintf(out, "{\"type\":\"top-host\",\"address\":\"%s\"", address);
	} else {
		fprintf(out,
			"{\"type\":\"top-port\",\"protocolIdentifier\":%u,"
			"\"destinationTransportPort\":%u",
			o[0], (unsigned int)o[1] << 8 | o[2]);
	}
	fprintf(out,
		",\"octetDeltaCount\":%" PRIu64 ",\"packetDeltaCount\":%" PRIu64
		",\"flows\":%" PRIu64 "}\n",
		p->octets, p->packets, p->flows);
}

static void print_places(struct top *top, FILE *out)
{
	size_t n = 0;

	for (size_t i = 0; i < N_PLACES; i++)
		if (top->places[i].flows)
			top->places[n++] = top->places[i];
	qsort(top->places, n, sizeof(*top->places), compare_places);
	for (size_t i = 0; i < n && i < top->n; i++)
		print_place(out, top->kind, &top->places[i]);
	if (top->left_out.flows)
		fprintf(out,
			"{\"type\":\"truncated\",\"octetDeltaCount\":%" PRIu64
			",\"packetDeltaCount\":%" PRIu64 ",\"flows\":%" PRIu64 "}\n",
			top->left_out.octets, top->left_out.packets, top->left_out.flows);
}

void top_print(struct top *top, FILE *out,
	       void (*print_flow)(FILE *out, const struct flow_record *r, uint32_t groups),
	       uint32_t groups)
{
	if (top->kind != TOP_FLOWS) {
		print_places(top, out);
		return;
	}
	for (size_t i = 0; i < top->n_used; i++)
		print_flow(out, &top->flows[top->order[i]], groups);
}

void top_close(struct top *top)
{
	if (!top)
		return;
	free(top->flows);
	free(top->places);
	free(top);
}
