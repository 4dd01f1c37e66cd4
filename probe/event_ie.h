/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Information Elements of an event (event_ie.def) as a table, and events as Data
 * Records. They are records of Options Templates (RFC 7011 3.4.2.2) in Observation
 * Domain 0, whose scope is the Observation Domain of the Flows they are about: a
 * Collector that knows Flows only takes them neither for Flows, nor for lost ones.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/anomaly_event.h"
#include "probe/ie.h"

/* What an event has an address of; its number is OR of these. */
enum event_side {
	EVENT_HAS_SOURCE = 1,
	EVENT_HAS_DESTINATION = 2,
	EVENT_IS_IPV6 = 4,
};
#define N_EVENT_KINDS 8 /* but EVENT_IS_IPV6 alone */

/* Options Template of a kind of event. */
#define EVENT_TEMPLATE_ID 312 /* + kind; Flows of base alone end at 307 (template.h) */

/* Abstract data types, by their number in RFC 5610 3.1. */
enum event_type {
	EVENT_U8 = 1,
	EVENT_U16 = 2,
	EVENT_U32 = 3,
	EVENT_U64 = 4,
	EVENT_F32 = 9,
	EVENT_BOOL = 11,
	EVENT_TEXT = 13,
	EVENT_MS = 15,
	EVENT_IP4 = 18,
	EVENT_IP6 = 19,
	EVENT_LIST = 20,
};

struct event_ie {
	const char *name;
	uint16_t id;
	uint16_t octets; /* 65535: variable length (RFC 7011 7) */
	uint8_t owner; /* enum ie_owner */
	uint8_t kinds; /* bit n: events of kind n have it */
	struct ie_type type;
};

extern const struct event_ie event_ie_table[];
extern const size_t n_event_ies;

#define EVENT_MIN_ROOM 420 /* octets, that any event can be made to fit into */
#define EVENT_OCTETS   2048 /* longest record */

/* The kind of an event. */
unsigned int event_kind(const struct anomaly_event *e);

/* True when there are events of this kind. */
bool event_has_kind(unsigned int kind);

/* True for the Template ID of a kind of event. */
bool event_has_template(uint32_t id);

/*
 * Encode an event as a Data Record of its kind. What does not fit is left out: targets
 * and features from the last on, then the group of networks, then the end of the reason.
 *
 * p          [EVENT_OCTETS]
 * room       >= EVENT_MIN_ROOM
 * domain_id  Observation Domain of its Flows
 *
 * Returns the end.
 */
uint8_t *event_encode(uint8_t *p, size_t room, const struct anomaly_event *e, uint32_t domain_id);

/* Octets of the longest of the Templates, without headers of Message and Set. */
size_t event_template_octets(void);

/*
 * Encode a Message for each Options Template, lacking Export Time and Sequence Number,
 * one behind the other.
 *
 * Returns their octets, or -ENOBUFS when `room` is too small.
 */
int event_encode_templates(uint8_t *messages, size_t room, uint32_t enterprise_number);
