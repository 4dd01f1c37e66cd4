/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Exporting Process: one exporter per Collector, each one Transport Session
 * (RFC 7011 2) of its own: Templates, Messages in the making, a queue of those
 * finished, and the sending of them at a pace.
 * Never blocks; what cannot be sent is counted under a name.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>

#include "probe/anomaly_event.h"
#include "probe/config.h"
#include "probe/record.h"

struct exporter;
struct options_facts;

/*
 * Where an exporter's records went, each monotone:
 *   accepted + recovered = sent + queued + spooled + moved + sum of the not_sent_*
 * in records, packets and octets, and in events; queued and spooled are what there is
 * now. Records count directions: one of both directions is two. Octets and packets are
 * the Flow Records' own delta counts. An event is no record.
 */
struct exporter_volume {
	uint64_t records;
	uint64_t packets;
	uint64_t octets;
	uint64_t events;
};

static inline bool volume_has_any(const struct exporter_volume *v)
{
	return v->records || v->events;
}

static inline void volume_add(struct exporter_volume *to, const struct exporter_volume *v)
{
	to->records += v->records;
	to->packets += v->packets;
	to->octets += v->octets;
	to->events += v->events;
}

static inline void volume_subtract(struct exporter_volume *from, const struct exporter_volume *v)
{
	from->records -= v->records;
	from->packets -= v->packets;
	from->octets -= v->octets;
	from->events -= v->events;
}

struct exporter_stats {
	struct exporter_volume accepted;
	struct exporter_volume sent;
	struct exporter_volume recovered; /* found in the spool, of an earlier run */
	struct exporter_volume queued; /* in the making, waiting, or not known to have arrived */
	struct exporter_volume spooled; /* on disk */
	struct exporter_volume moved; /* handed over to another exporter of the group */
	struct exporter_volume not_sent_queue; /* queue full */
	struct exporter_volume not_sent_refused; /* ICMP port or host unreachable */
	struct exporter_volume not_sent_unroutable; /* no route, no address */
	struct exporter_volume not_sent_unresolved; /* name of the collector not resolved */
	struct exporter_volume not_sent_too_big; /* EMSGSIZE even after shrinking */
	struct exporter_volume not_sent_spool_full; /* the oldest of a spool without room */
	struct exporter_volume not_sent_spool_error; /* what a spool could not be read back */
	struct exporter_volume not_sent_error; /* any other send error, connection lost */
	struct exporter_volume not_sent_unsupported; /* the export protocol has no such records */
	uint64_t messages;
	uint64_t message_octets;
	uint64_t templates_sent; /* Template Records, copies counted */
	uint64_t send_errors;
	uint64_t spool_octets; /* of its files */
	uint32_t sequence; /* next Sequence Number */
};

/* Add all counts up; the Sequence Number is that of `v`. */
void exporter_stats_add(struct exporter_stats *to, const struct exporter_stats *v);

/*
 * Open the exporter `cfg`. A name that does not resolve, an unreachable or
 * refusing collector is no error: it is retried and counted. A file that
 * cannot be created is.
 *
 * out                owned by the caller, freed by exporter_close()
 * domain_id          Observation Domain ID of the Message header
 * enterprise_number  of our own elements
 * is_paced           false offline: everything queued is sent at once
 *
 * Returns 0, -ENOMEM, or -errno of the file; the message was printed.
 */
int exporter_open(struct exporter **out, const struct exporter_config *cfg, uint32_t domain_id,
		  uint32_t enterprise_number, bool is_paced);

/*
 * The first half of that: it takes records, but exporter_run() sends nothing and no file
 * or spool is opened before exporter_begin(). For one that waits until another one has
 * left what both of them need. Returns 0 or -ENOMEM, printed.
 */
int exporter_prepare(struct exporter **out, const struct exporter_config *cfg, uint32_t domain_id,
		     uint32_t enterprise_number, bool is_paced);

/*
 * Open the spool before the second half, where nobody else holds it, to know that it can
 * be. Returns 0 or -errno, printed.
 */
int exporter_begin_spool(struct exporter *e);

/*
 * The second half. Returns 0 or -errno of file or spool, printed: it may go on
 * nonetheless, without that spool and trying that file again.
 */
int exporter_begin(struct exporter *e);

/* Take over from cfg, with the session going on, the keys that may change so (CONFIG_AT_ONCE). */
void exporter_adjust(struct exporter *e, const struct exporter_config *cfg);

const struct exporter_config *exporter_config(const struct exporter *e);

/*
 * What to tell the Collector about the probe (exporter_options.h), besides of the
 * exporter itself. facts has to outlive the exporter; NULL: nothing.
 */
void exporter_set_facts(struct exporter *e, const struct options_facts *facts);

/*
 * Take one record, filled for the groups of cfg->fields: it is encoded into the Message of its kind, which is queued
 * when it is full. arg is the struct exporter (a record_sink_fn). An exporter that
 * is not paced sends when enough is queued, and may wait for its collector here.
 */
void exporter_record(void *arg, const struct flow_record *r);

/*
 * Take both directions of a conversation (a biflow_sink_fn): as one record if
 * cfg->biflow says so, else as two.
 */
void exporter_biflow(void *arg, const struct flow_record *forward,
		     const struct flow_record *reverse);

/*
 * Take an event, if its configuration wants them: a Message of its own, that goes before
 * all Flow Records that wait, and at once.
 */
void exporter_event(struct exporter *e, const struct anomaly_event *event);

/* True when it takes events. */
bool exporter_wants_events(const struct exporter *e);

/*
 * End of a sweep: close the current Message and spread what is queued over the
 * next interval.
 *
 * now_ns       CLOCK_MONOTONIC, or the packet clock offline
 * interval_ns  time until the next sweep
 */
void exporter_flush(struct exporter *e, uint64_t now_ns, uint64_t interval_ns);

/*
 * Within a sweep: spread the Messages that are full so far, so that what comes of a long
 * one need not wait for its end. As exporter_flush() otherwise.
 */
void exporter_spread(struct exporter *e, uint64_t now_ns, uint64_t interval_ns);

/*
 * Send what is due now: queued Messages by the pace, Templates by their
 * refresh, retries of name resolution and connection.
 *
 * now_ns  as above
 * time_s  Unix time stamped as Export Time into what leaves now
 *
 * Returns when to call again at the latest, as now_ns (UINT64_MAX: not before
 * the next record).
 */
uint64_t exporter_run(struct exporter *e, uint64_t now_ns, uint32_t time_s);

/*
 * Send everything staged and queued at the speed a collector takes, over UDP spread
 * over up to five seconds, going on for at most timeout_ms without progress (name not
 * resolved, TCP stalled); for the end of a run. What is left then is counted not sent:
 * nothing is queued after it.
 *
 * Returns the ns without progress.
 */
uint64_t exporter_drain(struct exporter *e, uint64_t now_ns, uint32_t time_s, int timeout_ms);

/*
 * The end of one while the probe goes on is near: send what is queued without a cap, as
 * exporter_drain() spreads it, but in calls of exporter_run().
 *
 * now_ns  as above
 */
void exporter_hurry(struct exporter *e, uint64_t now_ns);

/*
 * As exporter_drain(), but at once: what does not leave in one burst is counted not sent,
 * or goes to the spool.
 */
void exporter_end(struct exporter *e, uint64_t now_ns, uint32_t time_s);

/*
 * The TCP socket to poll for writing, -1 while nothing waits for that. An offer:
 * the time exporter_run() returns is enough.
 */
int exporter_fd(const struct exporter *e);

/*
 * True when records for it had better go elsewhere: not connected, no address, errors
 * of ICMP in the last seconds, or a TCP connection that nobody reads from. False
 * until that is known.
 */
bool exporter_is_away(const struct exporter *e);

/* Since when it is not away, as now_ns of exporter_run(); 0 = always. */
uint64_t exporter_back_ns(const struct exporter *e);

/*
 * Keep what was sent until it is unlikely to come back as refused (UDP) or is
 * acknowledged (TCP), to send it again or hand it over. For a spool, and for failover.
 */
void exporter_keep_sent(struct exporter *e);

/*
 * Hand what is queued and not known to have arrived over to `to`, which has the same
 * Templates. What finds no room there stays.
 */
void exporter_hand_over(struct exporter *from, struct exporter *to);

/* Send the Templates again now; UDP only, the other transports have them. True if so. */
bool exporter_resend_templates(struct exporter *e);

/* How many Templates it has, and the Template ID of each. */
size_t exporter_templates(const struct exporter *e);
uint16_t exporter_template_id(const struct exporter *e, size_t i);

/*
 * An answer to `templates` of xflowctl(8): what the keys a profile decides on came to
 * be, and the elements of each Template in order. NULL, or with members missing, when
 * memory is out; owned by the caller.
 */
json_t *exporter_describe(const struct exporter *e);

const char *exporter_name(const struct exporter *e);
const struct exporter_stats *exporter_stats(const struct exporter *e);

/* Close the session and free *e; NULL is allowed. Nothing is sent. */
void exporter_close(struct exporter *e);
