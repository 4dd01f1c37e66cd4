/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the exporter share: the way of a record from stage to wire. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/event_ie.h"
#include "probe/exporter.h"
#include "probe/exporter_encode.h"
#include "probe/exporter_options.h"
#include "probe/exporter_pace.h"
#include "probe/exporter_protocol.h"
#include "probe/exporter_queue.h"
#include "probe/exporter_session.h"
#include "probe/spool.h"
#include "probe/template.h"

#define MESSAGE_MAX_OCTETS 9000 /* whatever the MTU; that of jumbo frames */
#define TEMPLATES_OCTETS   12288

/* In place of a layout, of the Message of an event. */
#define EVENT_LAYOUT N_LAYOUTS_MAX

/* A Message of records of one layout in the making. */
struct stage {
	size_t limit; /* records that fill it */
	size_t record_octets; /* each has */
	size_t n_records; /* in it */
	uint32_t parts; /* see struct message */
	struct exporter_volume volume;
	uint64_t base_ms; /* see struct exporter_protocol */
	uint64_t end_ms; /* latest end of a Flow in it */
	uint8_t *end; /* behind the last record */
	uint8_t message[MESSAGE_MAX_OCTETS + PROTOCOL_MAX_PADDING];
};

struct exporter {
	struct exporter_config cfg;
	const struct exporter_protocol *protocol;
	bool is_paced;
	uint32_t domain_id; /* Observation Domain of the Flows */
	uint32_t enterprise_number;
	uint32_t groups; /* of elements in its records, OR of GROUP_*; GROUP_BIFLOW by cfg.biflow */
	uint8_t templates[TEMPLATES_OCTETS]; /* the Messages with all Templates */
	size_t templates_octets;
	size_t templates_at; /* of the Message to send next */
	size_t event_templates_at; /* of the first that is about events */
	struct stage stages[N_LAYOUTS_MAX]; /* by layout */
	size_t limit_octets; /* the stages' limits were made for */
	uint32_t lost_numbers; /* Sequence Numbers of what was dropped behind the last Message */
	uint64_t base_ms; /* of the last Message begun; see struct exporter_protocol */
	struct queue queue;
	struct queue events; /* go first */
	uint32_t lost_events; /* as lost_numbers, of events */
	bool is_event_begun; /* the Message tried last was of an event */
	struct queue under_way; /* sent, but not known to have arrived; in stats.queued */
	bool keeps_sent; /* has that */
	bool was_away; /* in the call before */
	bool is_ending; /* waits for what is under way */
	uint64_t waited_ns; /* by exporter_send_all(), while nothing could be sent */
	uint64_t stream_octets; /* taken by the kernel in this session */
	uint64_t opened_ns; /* first call */
	uint64_t blocked_ns; /* TCP: last time it took some, or was not blocked */
	uint64_t away_ns; /* last time it was away */
	struct pace pace;
	struct exporter_options options;
	struct spool *spool; /* NULL = none */
	struct pace restore_pace; /* of what comes out of it; the cap on records only */
	struct exporter_volume spool_full; /* of its counts, what is in stats */
	struct exporter_volume spool_error;
	uint64_t store_failed_ns; /* last write to it that failed, 0 = the last one did not */
	struct session session;
	uint32_t generation; /* of the session, the following belongs to */
	uint32_t template_copies; /* sent in this session */
	uint64_t templates_due_ns; /* UINT64_MAX = never again */
	size_t partial_octets; /* of the current Message, that a stream has taken */
	bool is_blocked; /* the kernel takes no more now */
	bool is_stalled; /* waited for it in vain since it last took some */
	int unpaced_stall_ms; /* longest wait for a collector to go on, offline */
	uint32_t export_time_s; /* of the last Message */
	uint64_t now_ns; /* of the last call */
	uint32_t time_s;
	struct exporter_stats stats;
};

/* Make the stages as large as what the session can send in one Message. */
void exporter_fit_stages(struct exporter *e);

/*
 * Records a Message may have, however many fit. What came to be otherwise, out of a spool
 * or from another exporter, is cut as it leaves.
 */
size_t exporter_max_records(const struct exporter *e);

/* How many Templates it has of events, and the Template ID of each. */
size_t exporter_event_templates(const struct exporter *e);
uint16_t exporter_event_template_id(size_t i);

/* The queue whose first Message is the next to leave; it is empty only if both are. */
struct queue *exporter_turn(struct exporter *e);

/* True when a Message waits in either queue. */
bool exporter_has_queued(const struct exporter *e);

/*
 * Of a Message, where the Sequence Number is counted: each Observation Domain counts its
 * own Data Records (RFC 7011 3.1), and what is not of Flows is in OPTIONS_DOMAIN.
 */
uint32_t *exporter_sequence(struct exporter *e, bool is_of_flows);

static inline bool message_is_event(const struct message *m)
{
	return m->layout == EVENT_LAYOUT;
}

/* Move `v` from queued to where it ended. */
void exporter_account(struct exporter *e, struct exporter_volume *to,
		      const struct exporter_volume *v);

/* The account of records lost by this negative errno. */
struct exporter_volume *exporter_account_of(struct exporter *e, int err);

/*
 * Stamp a Message, unless a stream has taken part of it, and send all of it.
 *
 * earliest  what it is stamped with, its time_s or later
 *
 * Returns 0 or -errno; -EAGAIN: call again with the same Message.
 */
int exporter_send_message(struct exporter *e, uint8_t *message, size_t octets,
			  const struct message_stamp *earliest);

/* The base_ms of a Message without a Flow, by the time it is stamped with. */
uint64_t exporter_base(struct exporter *e);

/* Write into the header of a Message what is known as it leaves; earliest as above. */
void exporter_stamp(struct exporter *e, uint8_t *message, const struct message_stamp *earliest);

/* All octets of a Message have left. */
void exporter_note_sent(struct exporter *e, size_t octets);

/* By how much so many records of one Message move the Sequence Number on. */
uint32_t exporter_numbers(const struct exporter *e, size_t n_records);

/* Count and print that a Message could not be sent; a TCP connection is lost with it. */
void exporter_note_failure(struct exporter *e, int err);

/* The moment of a call, as of exporter_run(). */
void exporter_set_time(struct exporter *e, uint64_t now_ns, uint32_t time_s);

/* True when Messages are not to be tried on the Collector. */
bool exporter_is_held(const struct exporter *e);

/* Go on with the session, its Templates and options data. True when Messages may be sent. */
bool exporter_make_ready(struct exporter *e);

/* Events wait for nobody; then as many Messages of Flows. Returns how many in all. */
uint64_t exporter_send_burst(struct exporter *e, uint64_t n_messages);

/* Send or give up the first Message of the queue, or the part that fits. False: wait. */
bool exporter_send_first(struct exporter *e);

/*
 * As exporter_send_first(), for as many Messages as one call can send, at most `due`,
 * and at least one. Returns how many have left or were given up; 0: wait.
 */
uint64_t exporter_send_some(struct exporter *e, uint64_t due);

/* The first Message of the queue has left as a whole: account it. */
void exporter_finish_first(struct exporter *e);

/* The first Message of the queue met an error of UDP, as exporter_send_first() has it. */
bool exporter_fail_first(struct exporter *e, int err);

/* Give the first Message of the queue up, to this account. */
void exporter_drop_first(struct exporter *e, struct exporter_volume *why);

/* Open the spool if there is one configured. Returns 0 or -errno, printed. */
int exporter_open_spool(struct exporter *e);

/* Move what is queued to the spool; what it cannot write stays. Nothing without one. */
void exporter_store(struct exporter *e);

/* Queue what is in the spool, as much as its rate allows now. */
void exporter_restore(struct exporter *e);

/* When the rate allows more; UINT64_MAX = there is none to be had. */
uint64_t exporter_restore_ns(const struct exporter *e);

/* A queued Message goes back to its place in the spool; false if it has none. */
bool exporter_put_back(struct exporter *e, const struct message *m);

/* A Message will not be sent again. */
void exporter_stored_done(struct exporter *e, const struct message *m);

/* The account of what finds the queue full. */
struct exporter_volume *exporter_account_of_full_queue(struct exporter *e);

/* What n records of a layout, one behind the other, account for; parts as in struct message. */
struct exporter_volume exporter_volume_of(const struct exporter *e, int layout,
					  const uint8_t *record, size_t n, uint32_t parts);

/* True when a stream has taken part of the first Message of the queue. */
bool exporter_is_data_begun(const struct exporter *e);

/* The first Message of a queue of e goes elsewhere than to the Collector: remove it. */
void exporter_withdraw_first(struct exporter *e, struct queue *q);

/*
 * Count a Message that another exporter of the group handed over, and put into the queue
 * of Flows, where it is paced, or into that of events.
 */
void exporter_take_over(struct exporter *e, const struct exporter_volume *v, bool is_paced);

/* Of a Message that was sent, keep the first n records, which are `v`. */
void exporter_keep(struct exporter *e, const struct message *m, size_t n,
		   const struct exporter_volume *v);

/* What has arrived by now counts as sent. */
void exporter_confirm(struct exporter *e);

/* The session may have been lost: what has not arrived is to be sent in the next one. */
void exporter_settle(struct exporter *e);

/* A datagram was refused: it and those behind it are to be sent again. */
void exporter_return_refused(struct exporter *e);

/*
 * A datagram did not pass the path as it is now: it and those as large are to be sent
 * again, cut. False if the error is not about one that was sent.
 */
bool exporter_return_too_big(struct exporter *e);

/* No more time: of a stream, what has not arrived is taken back; else it counts as sent. */
void exporter_end_under_way(struct exporter *e);

/* Queue what is staged. */
void exporter_queue_stages(struct exporter *e);

/*
 * Send the whole queue at the speed a collector takes, going on for at most
 * stall_ms without progress.
 */
void exporter_send_all(struct exporter *e, int stall_ms);
