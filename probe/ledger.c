/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The loss ledger: sums, identities and JSON. Names of reasons come from
 * ledger.def, those of an exporter's counters from the one table below.
 */
#include "probe/ledger.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>

#include "probe/protocol.h"

static const char *const reason_names[] = {
#define REASON(name, meaning) [XFP_##name] = #name,
#include "bpf/ledger.def"
};

static const char *const reason_meanings[] = {
#define REASON(name, meaning) [XFP_##name] = meaning,
#include "bpf/ledger.def"
};

static const char *const notice_names[] = {
#define NOTICE(name, meaning) [XFP_##name] = #name,
#include "bpf/ledger.def"
};

static const char *const notice_meanings[] = {
#define NOTICE(name, meaning) [XFP_##name] = meaning,
#include "bpf/ledger.def"
};

/* Protocol classes of the overflow account; the rest is "other". */
static const struct {
	const char *name;
	uint8_t protocol;
} classes[] = {
	{"tcp", IPPROTO_TCP},	    {"udp", IPPROTO_UDP},   {"icmp", IPPROTO_ICMP},
	{"icmpv6", IPPROTO_ICMPV6}, {"sctp", IPPROTO_SCTP},
};

enum volume_role { ORIGIN, PLACE, LOSS };

/* Every volume of struct exporter_stats: where its records came from, are, and are lost. */
static const struct {
	const char *name;
	size_t offset;
	enum volume_role role;
} volumes[] = {
	{"accepted", offsetof(struct exporter_stats, accepted), ORIGIN},
	{"recovered", offsetof(struct exporter_stats, recovered), ORIGIN},
	{"sent", offsetof(struct exporter_stats, sent), PLACE},
	{"queued", offsetof(struct exporter_stats, queued), PLACE},
	{"spooled", offsetof(struct exporter_stats, spooled), PLACE},
	{"moved", offsetof(struct exporter_stats, moved), PLACE},
	{"not_sent_queue", offsetof(struct exporter_stats, not_sent_queue), LOSS},
	{"not_sent_refused", offsetof(struct exporter_stats, not_sent_refused), LOSS},
	{"not_sent_unroutable", offsetof(struct exporter_stats, not_sent_unroutable), LOSS},
	{"not_sent_unresolved", offsetof(struct exporter_stats, not_sent_unresolved), LOSS},
	{"not_sent_too_big", offsetof(struct exporter_stats, not_sent_too_big), LOSS},
	{"not_sent_spool_full", offsetof(struct exporter_stats, not_sent_spool_full), LOSS},
	{"not_sent_spool_error", offsetof(struct exporter_stats, not_sent_spool_error), LOSS},
	{"not_sent_error", offsetof(struct exporter_stats, not_sent_error), LOSS},
	{"not_sent_unsupported", offsetof(struct exporter_stats, not_sent_unsupported), LOSS},
};

#define N_VOLUMES (sizeof(volumes) / sizeof(*volumes))

_Static_assert(offsetof(struct exporter_stats, messages) ==
		       N_VOLUMES * sizeof(struct exporter_volume),
	       "every volume of an exporter is in the table");

static const struct exporter_volume *volume_at(const struct exporter_stats *stats, size_t i)
{
	return (const struct exporter_volume *)((const char *)stats + volumes[i].offset);
}

static bool is_equal(const struct exporter_volume *a, const struct exporter_volume *b)
{
	return a->records == b->records && a->packets == b->packets && a->octets == b->octets &&
	       a->events == b->events;
}

const char *ledger_reason_name(enum xfp_reason reason)
{
	assert(reason < XFP_N_REASONS);
	return reason_names[reason];
}

const char *ledger_reason_meaning(enum xfp_reason reason)
{
	assert(reason < XFP_N_REASONS);
	return reason_meanings[reason];
}

const char *ledger_notice_name(enum xfp_notice notice)
{
	assert(notice < XFP_N_NOTICES);
	return notice_names[notice];
}

const char *ledger_notice_meaning(enum xfp_notice notice)
{
	assert(notice < XFP_N_NOTICES);
	return notice_meanings[notice];
}

void ledger_sum_rows(struct xfp_ledger_row *sum, const struct xfp_ledger_row *rows, size_t n_rows)
{
	const size_t n_words = sizeof(*sum) / sizeof(__u64); /* a row is nothing but __u64 */
	__u64 *to = (__u64 *)sum;

	*sum = (struct xfp_ledger_row){0};
	for (size_t row = 0; row < n_rows; row++) {
		const __u64 *from = (const __u64 *)&rows[row];

		for (size_t i = 0; i < n_words; i++)
			to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
	}
}

static struct xfp_volume sum_volumes(const struct xfp_volume *v, size_t n)
{
	struct xfp_volume sum = {0};

	for (size_t i = 0; i < n; i++) {
		sum.packets += v[i].packets;
		sum.octets += v[i].octets;
	}
	return sum;
}

struct xfp_volume ledger_sum_reasons(const struct xfp_ledger_row *row)
{
	return sum_volumes(row->reason, XFP_N_REASONS);
}

struct xfp_volume ledger_sum_overflow(const struct xfp_ledger_row *row)
{
	return sum_volumes(row->overflow, XFP_N_PROTOCOLS);
}

void ledger_move_duplicates(struct ledger *ledger, const struct xfp_volume *duplicates)
{
	ledger->accounts.accounted.packets -= duplicates->packets;
	ledger->accounts.accounted_ip_octets -= duplicates->octets;
	ledger->accounts.reason[XFP_duplicate].packets += duplicates->packets;
}

static struct exporter_volume sum_role(const struct exporter_stats *stats, enum volume_role role)
{
	struct exporter_volume sum = {0};

	for (size_t i = 0; i < N_VOLUMES; i++)
		if (volumes[i].role == role)
			volume_add(&sum, volume_at(stats, i));
	return sum;
}

struct exporter_volume ledger_sum_not_sent(const struct exporter_stats *stats)
{
	return sum_role(stats, LOSS);
}

static bool is_exporter_balanced(const struct exporter_stats *stats)
{
	struct exporter_volume from = sum_role(stats, ORIGIN), to = sum_role(stats, PLACE);
	struct exporter_volume lost = sum_role(stats, LOSS);

	volume_add(&to, &lost);
	return is_equal(&from, &to);
}

/* What the exporters that share records with this one accepted is what was exported, once. */
static bool has_all_records(const struct ledger *l, const struct ledger_exporter *one)
{
	struct exporter_volume accepted = {0}, expected = l->exported;

	if (!one->has_all_records)
		return true;
	volume_subtract(&expected, &l->exported_before);
	for (size_t i = 0; i < l->n_exporters; i++) {
		const struct ledger_exporter *e = &l->exporters[i];

		if (e != one && (!one->share || e->share != one->share))
			continue;
		volume_add(&accepted, &e->stats.accepted);
		volume_subtract(&accepted, &e->accepted_before);
		volume_add(&expected, &e->stats.moved); /* accepted twice */
		volume_subtract(&expected, &e->moved_before);
	}
	accepted.events = expected.events; /* who gets events is another matter */
	return is_equal(&accepted, &expected);
}

static bool is_within(uint64_t value, uint64_t least, uint64_t most)
{
	return least <= value && value <= most;
}

/*
 * Under load only packets are compared: between the two additions of one
 * packet its octets may already stand where the packet does not yet.
 */
static bool are_accounts_balanced(const struct ledger *l)
{
	const struct xfp_ledger_row *a = &l->accounts;
	const struct xfp_volume reasons = ledger_sum_reasons(a), overflow = ledger_sum_overflow(a);
	const struct xfp_volume *before = &l->seen_before, *after = &l->seen_after;
	uint64_t in_flows = l->exported.packets + l->in_cache.packets + overflow.packets;

	if (!is_within(a->accounted.packets + reasons.packets, before->packets, after->packets) ||
	    !is_within(in_flows + reasons.packets, before->packets, after->packets))
		return false;
	if (before->packets != after->packets)
		return true;
	return before->octets == after->octets &&
	       after->octets == a->accounted.octets + reasons.octets &&
	       a->accounted_ip_octets == l->exported.octets + l->in_cache.octets + overflow.octets;
}

bool ledger_exporters_are_balanced(const struct ledger *ledger)
{
	for (size_t i = 0; i < ledger->n_exporters; i++)
		if (!is_exporter_balanced(&ledger->exporters[i].stats) ||
		    !has_all_records(ledger, &ledger->exporters[i]))
			return false;
	return !ledger->was_unbalanced;
}

bool ledger_is_balanced(const struct ledger *ledger)
{
	return ledger_exporters_are_balanced(ledger) && are_accounts_balanced(ledger);
}

/* jansson keeps the order of insertion; setting a member of NULL fails and does nothing. */
static void set_number(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_volume(json_t *object, const char *name, const struct exporter_volume *v)
{
	char key[64];

	snprintf(key, sizeof(key), "%s_records", name);
	set_number(object, key, v->records);
	snprintf(key, sizeof(key), "%s_packets", name);
	set_number(object, key, v->packets);
	snprintf(key, sizeof(key), "%s_octets", name);
	set_number(object, key, v->octets);
	snprintf(key, sizeof(key), "%s_events", name);
	set_number(object, key, v->events);
}

static json_t *exporter_to_json(const struct ledger_exporter *e)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", json_string(e->name));
	if (e->is_removed)
		json_object_set_new(object, "removed", json_true());
	for (size_t i = 0; i < N_VOLUMES; i++)
		set_volume(object, volumes[i].name, volume_at(&e->stats, i));
	set_number(object, "messages", e->stats.messages);
	set_number(object, "message_octets", e->stats.message_octets);
	set_number(object, "templates_sent", e->stats.templates_sent);
	set_number(object, "send_errors", e->stats.send_errors);
	set_number(object, "spool_octets", e->stats.spool_octets);
	set_number(object, "sequence", e->stats.sequence);
	return object;
}

static void set_reasons(json_t *object, const struct xfp_ledger_row *a)
{
	json_t *packets = json_object(), *octets = json_object();

	for (size_t i = 0; i < XFP_N_REASONS; i++) {
		set_number(packets, reason_names[i], a->reason[i].packets);
		set_number(octets, reason_names[i], a->reason[i].octets);
	}
	json_object_set_new(object, "reasons", packets);
	json_object_set_new(object, "reason_octets", octets);
}

static void set_notices(json_t *object, const struct xfp_ledger_row *a)
{
	json_t *packets = json_object();

	for (size_t i = 0; i < XFP_N_NOTICES; i++)
		set_number(packets, notice_names[i], a->notice[i]);
	json_object_set_new(object, "notices", packets);
}

static void set_overflow(json_t *object, const struct xfp_ledger_row *a)
{
	const struct xfp_volume sum = ledger_sum_overflow(a);
	json_t *packets = json_object(), *octets = json_object();
	struct xfp_volume other = sum;

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
		const struct xfp_volume *of_class = &a->overflow[classes[i].protocol];

		set_number(packets, classes[i].name, of_class->packets);
		set_number(octets, classes[i].name, of_class->octets);
		other.packets -= of_class->packets;
		other.octets -= of_class->octets;
	}
	set_number(packets, "other", other.packets);
	set_number(octets, "other", other.octets);
	set_number(object, "overflow_packets", sum.packets);
	set_number(object, "overflow_octets", sum.octets);
	json_object_set_new(object, "overflow_class_packets", packets);
	json_object_set_new(object, "overflow_class_octets", octets);
}

/* Of the protocols that packets were accounted of. */
static void set_protocols(json_t *object, const struct xfp_volume protocols[XFP_N_PROTOCOLS])
{
	json_t *packets = json_object(), *octets = json_object();

	for (int i = 0; i < XFP_N_PROTOCOLS; i++) {
		const char *name = protocol_name((uint8_t)i);
		char number[8];

		if (!protocols[i].packets)
			continue;
		snprintf(number, sizeof(number), "%d", i);
		set_number(packets, name ? name : number, protocols[i].packets);
		set_number(octets, name ? name : number, protocols[i].octets);
	}
	json_object_set_new(object, "protocol_packets", packets);
	json_object_set_new(object, "protocol_octets", octets);
}

static void set_accounts(json_t *object, const struct ledger *l)
{
	set_number(object, "seen_packets", l->seen_after.packets);
	set_number(object, "seen_octets", l->seen_after.octets);
	set_number(object, "seen_before_packets", l->seen_before.packets);
	set_number(object, "seen_before_octets", l->seen_before.octets);
	set_number(object, "accounted_packets", l->accounts.accounted.packets);
	set_number(object, "accounted_octets", l->accounts.accounted.octets);
	set_number(object, "accounted_ip_octets", l->accounts.accounted_ip_octets);
	set_reasons(object, &l->accounts);
	set_notices(object, &l->accounts);
	set_overflow(object, &l->accounts);
	set_number(object, "in_cache_flows", l->in_cache.records);
	set_number(object, "in_cache_packets", l->in_cache.packets);
	set_number(object, "in_cache_octets", l->in_cache.octets);
	set_number(object, "exported_flows", l->exported.records);
	set_number(object, "exported_packets", l->exported.packets);
	set_number(object, "exported_octets", l->exported.octets);
	set_protocols(object, l->protocols);
	set_number(object, "inserts", l->accounts.inserts);
	set_number(object, "insert_races", l->accounts.insert_races);
	set_number(object, "stranded", l->stranded);
}

json_t *ledger_to_json(const struct ledger *ledger)
{
	struct exporter_volume recovered = {0}, sent = {0}, queued = {0}, spooled = {0};
	struct exporter_volume not_sent = {0};
	json_t *object = json_pack("{s:s}", "type", "ledger"), *exporters = json_array();

	set_accounts(object, ledger);
	for (size_t i = 0; i < ledger->n_exporters; i++) {
		const struct exporter_stats *stats = &ledger->exporters[i].stats;
		const struct exporter_volume lost = ledger_sum_not_sent(stats);

		volume_add(&recovered, &stats->recovered);
		volume_add(&sent, &stats->sent);
		volume_add(&queued, &stats->queued);
		volume_add(&spooled, &stats->spooled);
		volume_add(&not_sent, &lost);
		json_array_append_new(exporters, exporter_to_json(&ledger->exporters[i]));
	}
	set_volume(object, "recovered", &recovered);
	set_volume(object, "sent", &sent);
	set_volume(object, "queued", &queued);
	set_volume(object, "spooled", &spooled);
	set_volume(object, "not_sent", &not_sent);
	json_object_set_new(object, "balanced", json_boolean(ledger_is_balanced(ledger)));
	if (json_object_set_new(object, "exporters", exporters) < 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}
