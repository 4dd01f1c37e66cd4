/* SPDX-License-Identifier: BSD-2-Clause */
/* A list of mapped blocks, each an array of Messages behind one another. */
#include "probe/exporter_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK_OCTETS ((size_t)256 << 10)

struct queue_block {
	struct queue_block *next;
	size_t head; /* offset of the first Message in data[] */
	size_t tail; /* behind the last one */
	_Alignas(8) uint8_t data[];
};

#define BLOCK_ROOM (BLOCK_OCTETS - sizeof(struct queue_block))

/*
 * Mapped, not malloc'd: what is given back is back at once. Populated, because
 * the page faults would cost as much as encoding the records.
 */
static struct queue_block *block_take(struct queue *q)
{
	struct queue_block *b = q->spare;

	if (b) {
		q->spare = NULL;
	} else {
		b = mmap(NULL, BLOCK_OCTETS, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (b == MAP_FAILED)
			return NULL;
	}
	b->next = NULL;
	b->head = b->tail = 0;
	return b;
}

static void block_give_back(struct queue *q, struct queue_block *b)
{
	if (q->spare)
		munmap(b, BLOCK_OCTETS);
	else
		q->spare = b;
}

bool queue_has_room(const struct queue *q, size_t octets)
{
	return q->octets + octets <= QUEUE_MAX_OCTETS;
}

int queue_push(struct queue *q, const struct message *info, const uint8_t *data, size_t octets)
{
	size_t stride = (sizeof(struct message) + octets + 7) & ~(size_t)7;

	if (!queue_has_room(q, octets))
		return -ENOBUFS;
	if (!q->last || q->last->tail + stride > BLOCK_ROOM) {
		struct queue_block *b = block_take(q);

		if (!b)
			return -ENOMEM;
		if (q->last)
			q->last->next = b;
		else
			q->first = b;
		q->last = b;
	}
	struct message *m = (struct message *)(void *)(q->last->data + q->last->tail);

	*m = *info;
	m->stride = (uint32_t)stride;
	m->octets = (uint32_t)octets;
	m->start = 0;
	memcpy(m->data, data, octets);
	q->last->tail += stride;
	q->octets += octets;
	q->n_messages++;
	return 0;
}

struct message *queue_first(const struct queue *q)
{
	if (!q->first)
		return NULL;
	return (struct message *)(void *)(q->first->data + q->first->head);
}

size_t queue_peek(const struct queue *q, struct message **list, size_t max)
{
	size_t n = 0;

	for (struct queue_block *b = q->first; b; b = b->next) {
		for (size_t at = b->head; at < b->tail; at += list[n++]->stride) {
			if (n == max)
				return n;
			list[n] = (struct message *)(void *)(b->data + at);
		}
	}
	return n;
}

const struct message *queue_find(const struct queue *q, uint32_t own_sequence, uint32_t layout)
{
	for (const struct queue_block *b = q->first; b; b = b->next) {
		for (size_t at = b->head; at < b->tail;) {
			const struct message *m =
				(const struct message *)(const void *)(b->data + at);

			if (m->own_sequence == own_sequence && m->layout == layout)
				return m;
			at += m->stride;
		}
	}
	return NULL;
}

void queue_pop(struct queue *q)
{
	struct queue_block *b = q->first;
	const struct message *m = queue_first(q);

	q->octets -= m->octets;
	q->n_messages--;
	b->head += m->stride;
	if (b->head < b->tail)
		return;
	q->first = b->next;
	if (!q->first)
		q->last = NULL;
	block_give_back(q, b);
}

int queue_move_first(struct queue *q, struct queue *from)
{
	const struct message *m = queue_first(from);
	int err = queue_push(q, m, m->data + m->start, m->octets - m->start);

	if (!err)
		queue_pop(from);
	return err;
}

void queue_join(struct queue *q, struct queue *behind)
{
	if (q->last)
		q->last->next = behind->first;
	else
		q->first = behind->first;
	if (behind->last)
		q->last = behind->last;
	q->octets += behind->octets;
	q->n_messages += behind->n_messages;
	*behind = (struct queue){.spare = behind->spare};
}

void queue_trim(struct queue *q)
{
	if (q->spare)
		munmap(q->spare, BLOCK_OCTETS);
	q->spare = NULL;
}

void queue_close(struct queue *q)
{
	while (q->first)
		queue_pop(q);
	queue_trim(q);
}
