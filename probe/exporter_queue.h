/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Encoded Messages waiting for their turn: first in, first out, bounded by
 * octets. Memory is taken in blocks as the queue grows and given back to the
 * system as it empties.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/exporter.h"

/* Of Messages, per exporter: all Flows of the default caches (107 MB), should they end at once. */
#define QUEUE_MAX_OCTETS ((size_t)128 << 20)

struct queue_block;

/* Where a Message stands in a spool. */
struct spool_place {
	uint64_t offset; /* in its file */
	uint32_t file; /* number; 0 = not from a spool */
	uint32_t octets;
};

/* One Message of one Data Set of equal records. */
struct message {
	struct exporter_volume volume;
	struct spool_place place;
	uint64_t
		mark; /* under way: octets of the stream up to its end, or time when it is taken as sent */
	uint32_t sequence; /* under way: its Sequence Number; of an event the next of the Flows */
	uint32_t own_sequence; /* under way: the one in its header */
	uint32_t stride; /* octets to the next Message of the block */
	uint32_t octets; /* of the Message as it was pushed, room for padding included */
	uint32_t start; /* of the Message in data[] */
	uint32_t n_records; /* on the wire */
	uint32_t record_octets;
	uint32_t parts; /* bit n: record n is followed by one that tells the rest of the same */
	uint32_t layout; /* see template_layouts(); EVENT_LAYOUT */
	uint32_t lost_before; /* Sequence Numbers dropped between the previous one and this */
	uint32_t end_s; /* Unix s, it leaves not before this: of the latest end of a Flow in it */
	uint64_t base_ms; /* see struct exporter_protocol */
	uint8_t data[];
};

struct queue {
	struct queue_block *first; /* NULL when empty */
	struct queue_block *last;
	struct queue_block *spare; /* one kept, so that a steady trickle allocates nothing */
	size_t octets; /* of Messages */
	size_t n_messages;
};

/* True when a Message of this many octets stays within the bound. */
bool queue_has_room(const struct queue *q, size_t octets);

/*
 * Append a Message. Its octets are copied; *info says the rest (stride,
 * octets and start are set here).
 *
 * Returns 0, -ENOBUFS (bound reached) or -ENOMEM.
 */
int queue_push(struct queue *q, const struct message *info, const uint8_t *data, size_t octets);

/* The Message whose turn is next, or NULL. Valid, and writable, until queue_pop(). */
struct message *queue_first(const struct queue *q);

/* Fill list[max] with the first Messages, valid as that of queue_first(). Returns how many. */
size_t queue_peek(const struct queue *q, struct message **list, size_t max);

/* The first Message with this own_sequence and layout, or NULL. */
const struct message *queue_find(const struct queue *q, uint32_t own_sequence, uint32_t layout);

/* Remove the first Message. */
void queue_pop(struct queue *q);

/* Move the first Message of `from` behind what is in q. Returns 0 or -errno: it stays. */
int queue_move_first(struct queue *q, struct queue *from);

/* Put all of `behind`, which is empty then, behind what is in q. */
void queue_join(struct queue *q, struct queue *behind);

/* Give back the memory kept for reuse; for when nothing is waiting. */
void queue_trim(struct queue *q);

void queue_close(struct queue *q);
