/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The walk over Messages. All state is per Transport Session and Observation
 * Domain: Templates by ID, and the next Sequence Number.
 */
#include "collector-test/message.h"

#include "collector-test/record.h"
#include "collector-test/template.h"

#include <errno.h>
#include <stdlib.h>

#define SET_HEADER_OCTETS 4
#define SET_TEMPLATES	  2
#define SET_OPTIONS	  3
#define SET_DATA_MIN	  256

struct domain {
	struct domain *next;
	uint32_t id;
	uint32_t next_sequence;
	bool is_sequence_known;
	struct template *templates[65536];
};

/* What one Message adds while it is read. */
struct reading {
	struct walk *walk;
	struct domain *domain;
	struct set_sink sink;
	uint32_t export_time_s;
	uint32_t n_records; /* flow and options, for the Sequence Number */
	bool is_countable; /* false: n_records is not the whole truth */
};

static void count_record(struct reading *r, const struct template *t, const struct record *record)
{
	struct counts *counts = r->walk->counts;

	r->n_records++;
	if (t->n_scope > 0) {
		counts->options_records++;
		return;
	}
	counts->records++;
	counts->packets_sum += record->packets;
	counts->octets_sum += record->octets;
	counts->time_errors += !record_times_agree(record, r->export_time_s);
}

static bool is_zero(const uint8_t *octets, size_t len)
{
	while (len > 0 && octets[len - 1] == 0)
		len--;
	return len == 0;
}

static int read_data_set(struct reading *r, uint16_t set_id, const uint8_t *body, size_t len)
{
	const struct template *t = r->domain->templates[set_id];
	const struct counts before = *r->walk->counts;
	const uint32_t n_before = r->n_records;
	size_t used = 0;

	if (t == NULL) {
		r->walk->counts->data_before_template++;
		r->is_countable = false;
		return -ENOENT;
	}
	while (len - used >= t->min_octets) {
		struct record record;
		size_t n = record_read(t, body + used, len - used, &record);

		if (n == 0) {
			*r->walk->counts = before;
			r->n_records = n_before;
			return -EBADMSG;
		}
		count_record(r, t, &record);
		used += n;
	}
	if (used == 0 && is_zero(body, len)) {
		r->walk->counts->empty_sets++;
		return -ENOENT;
	}
	if (is_zero(body + used, len - used))
		return 0;
	*r->walk->counts = before;
	r->n_records = n_before;
	return -EBADMSG;
}

static void withdraw(struct reading *r, const struct template *withdrawal, bool is_options)
{
	struct template **templates = r->domain->templates;

	r->walk->counts->template_withdrawals++;
	if (r->walk->transport == TRANSPORT_UDP)
		r->walk->counts->udp_withdrawals++;
	for (size_t id = SET_DATA_MIN; id < 65536; id++) {
		bool is_kind = templates[id] && (templates[id]->n_scope > 0) == is_options;

		if (id == withdrawal->id || (withdrawal->id < SET_DATA_MIN && is_kind)) {
			free(templates[id]);
			templates[id] = NULL;
		}
	}
}

/* Takes ownership of t. */
static void learn(struct reading *r, struct template *t)
{
	struct template **slot = &r->domain->templates[t->id];

	r->walk->counts->templates++;
	if (*slot && !template_equals(*slot, t))
		r->walk->counts->template_redefinitions++;
	free(*slot);
	*slot = t;
}

struct template_set {
	const uint8_t *body;
	size_t len;
	bool is_options;
};

/*
 * Read the next record at *used, up to the padding: zero octets shorter than a
 * record or, after one, zeros only. Returns 1, 0 at the end, or an error.
 */
static int next_template(const struct template_set *set, size_t *used, struct template **out)
{
	const uint8_t *at = set->body + *used;
	size_t left = set->len - *used;
	int n;

	if (left < 4 || (*used > 0 && is_zero(at, left)))
		return is_zero(at, left) ? 0 : -EBADMSG;
	n = template_parse(at, left, set->is_options, out);
	if (n < 0)
		return n;
	*used += (size_t)n;
	return 1;
}

/* Returns the records of a Set of only Templates or only withdrawals, or an error. */
static int check_template_set(const struct template_set *set, bool *is_withdrawal)
{
	struct template *t;
	size_t used = 0;
	int n_records = 0;
	int err;

	while ((err = next_template(set, &used, &t)) == 1) {
		bool is_same_kind = n_records == 0 || *is_withdrawal == (t->n_fields == 0);

		*is_withdrawal = t->n_fields == 0;
		n_records++;
		free(t);
		if (!is_same_kind)
			return -EBADMSG;
	}
	return err ? err : n_records;
}

static int read_template_set(struct reading *r, const struct template_set *set)
{
	bool is_withdrawal = false;
	int n_records = check_template_set(set, &is_withdrawal);
	struct template *t;
	size_t used = 0;
	int err;

	if (n_records < 0)
		return n_records;
	if (n_records == 0) {
		r->walk->counts->empty_sets++;
		return -ENOENT;
	}
	while ((err = next_template(set, &used, &t)) == 1) {
		if (!is_withdrawal) {
			learn(r, t);
			continue;
		}
		withdraw(r, t, set->is_options);
		free(t);
	}
	/* libfixbuf would take a withdrawal for a Template without fields. */
	return err ? err : is_withdrawal ? -ENOENT : 0;
}

/* Returns 0 if the Set can be decoded, -ENOENT if it is to be skipped, or an error. */
static int read_set(struct reading *r, const uint8_t *set, size_t len)
{
	const uint16_t set_id = read_be16(set);
	const uint8_t *body = set + SET_HEADER_OCTETS;

	if (set_id == SET_TEMPLATES || set_id == SET_OPTIONS)
		return read_template_set(r, &(struct template_set){
						    .body = body,
						    .len = len - SET_HEADER_OCTETS,
						    .is_options = set_id == SET_OPTIONS,
					    });
	if (set_id < SET_DATA_MIN)
		return -EBADMSG;
	return read_data_set(r, set_id, body, len - SET_HEADER_OCTETS);
}

static int read_sets(struct reading *r, const uint8_t *sets, size_t left)
{
	while (left > 0) {
		size_t len = left < SET_HEADER_OCTETS ? 0 : read_be16(sets + 2);
		int err;

		if (len < SET_HEADER_OCTETS || len > left)
			return -EBADMSG;
		err = read_set(r, sets, len);
		if (err == 0 && r->sink.fn)
			r->sink.fn(r->sink.arg, sets, len);
		else if (err != 0 && err != -ENOENT)
			return err;
		sets += len;
		left -= len;
	}
	return 0;
}

static struct domain *find_domain(struct walk *walk, uint32_t id)
{
	struct domain *domain = walk->domains;

	while (domain && domain->id != id)
		domain = domain->next;
	if (domain)
		return domain;
	domain = calloc(1, sizeof(*domain));
	if (domain == NULL)
		return NULL;
	domain->id = id;
	domain->is_sequence_known = walk->transport == TRANSPORT_TCP;
	domain->next = walk->domains;
	walk->domains = domain;
	return domain;
}

/*
 * Compare the Sequence Number with what this domain sent before (RFC 7011 3.1).
 * Less than half the number space ahead is a gap; behind is a Message that came
 * late, whose records were already counted as missing.
 */
static void check_sequence(struct reading *r, uint32_t sequence)
{
	struct domain *domain = r->domain;
	struct counts *counts = r->walk->counts;
	uint32_t ahead = sequence - domain->next_sequence;
	bool is_late = domain->is_sequence_known && ahead > INT32_MAX;

	if (domain->is_sequence_known && ahead != 0)
		counts->sequence_errors++;
	if (is_late) {
		uint64_t found = r->n_records;

		counts->sequence_gaps -=
			found < counts->sequence_gaps ? found : counts->sequence_gaps;
		return;
	}
	if (domain->is_sequence_known)
		counts->sequence_gaps += ahead;
	domain->next_sequence = sequence + r->n_records;
	domain->is_sequence_known = r->is_countable;
}

void walk_open(struct walk *walk, enum transport transport, struct counts *counts)
{
	*walk = (struct walk){.transport = transport, .counts = counts};
}

void walk_close(struct walk *walk)
{
	while (walk->domains) {
		struct domain *domain = walk->domains;

		walk->domains = domain->next;
		for (size_t id = SET_DATA_MIN; id < 65536; id++)
			free(domain->templates[id]);
		free(domain);
	}
}

int walk_message(struct walk *walk, const uint8_t *message, size_t len, struct set_sink sink)
{
	struct reading r = {.walk = walk, .sink = sink, .is_countable = true};
	int err;

	walk->counts->messages++;
	walk->counts->octets += len;
	if (len > walk->counts->max_message_octets)
		walk->counts->max_message_octets = len;
	if (len < MESSAGE_HEADER_OCTETS || read_be16(message) != MESSAGE_VERSION ||
	    read_be16(message + 2) != len) {
		walk->counts->malformed++;
		return -EBADMSG;
	}
	r.export_time_s = read_be32(message + 4);
	r.domain = find_domain(walk, read_be32(message + 12));
	if (r.domain == NULL)
		return -ENOMEM;
	err = read_sets(&r, message + MESSAGE_HEADER_OCTETS, len - MESSAGE_HEADER_OCTETS);
	if (err == -EBADMSG)
		walk->counts->malformed++;
	if (err)
		r.is_countable = false;
	check_sequence(&r, read_be32(message + 8));
	return err;
}
