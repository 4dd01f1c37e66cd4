/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the probe tells a Collector about itself, as Messages: Options Templates
 * (exporter_options.def) and their records. A sampling rate is never among them:
 * every packet is counted, and a Collector would multiply.
 *
 * All of it is in Observation Domain 0 (RFC 7011 3.1: no domain is relevant to the
 * entire Message), because some Collectors count options records of the domain of
 * Flows as lost Flows; Flow Keys only belong to the domain of their Template.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/interfaces.h"
#include "probe/template.h"

#define OPTIONS_DOMAIN	       0
#define OPTIONS_OCTETS	       32768
#define OPTIONS_MAX_MESSAGES   128
#define OPTIONS_MAX_INTERFACES 256
/* Of a Message: passes wherever IPv6 and 512 octets do. */
#define OPTIONS_MESSAGE_OCTETS (512 - 40 - 8)

/* Which parts a round of Messages has. */
enum options_part {
	OPTIONS_TEMPLATES = 1 << 0, /* all Options Templates */
	OPTIONS_TYPES = 1 << 1, /* of enterprise elements */
	OPTIONS_NAMES = 1 << 2, /* of interfaces */
	OPTIONS_KEYS = 1 << 3, /* Flow Keys of each Template */
	OPTIONS_COUNTS = 1 << 4, /* statistics and losses */
};

/* What never became a record, or was not sent, and when that began and was last seen. */
struct options_loss {
	uint64_t records;
	uint64_t packets;
	uint64_t octets;
	uint32_t first_s; /* Unix s; 0 = there is none, and no record of it */
	uint32_t last_s;
};

/* Everything that the records tell. */
struct options_state {
	uint32_t domain_id; /* of the Flows */
	uint32_t enterprise_number;
	uint32_t groups; /* of elements in Flow Records, OR of GROUP_* */
	bool has_events; /* besides */
	bool has_descriptions; /* interfaces with interfaceDescription */
	uint64_t messages; /* sent to this Collector */
	uint64_t octets;
	uint64_t flow_records;
	struct options_loss ignored; /* by the Metering Process; records unused */
	struct options_loss not_sent; /* to this Collector */
	const struct interface_name *interfaces;
	size_t n_interfaces;
};

/* One Message, lacking Export Time and Sequence Number. */
struct options_message {
	uint32_t offset; /* in data[] */
	uint16_t octets;
	uint16_t n_records; /* Data Records: what its Observation Domain counts */
	bool is_of_flows; /* in the domain of the Flows, not in OPTIONS_DOMAIN */
};

/* True for the Template ID of one of the Options Templates. */
bool options_has_template(uint32_t id);

struct options_batch {
	struct options_message messages[OPTIONS_MAX_MESSAGES];
	size_t n_messages;
	size_t octets; /* used of data */
	size_t set_offset; /* of the Set that is open, 0 = none */
	uint8_t data[OPTIONS_OCTETS];
};

/*
 * Replace *b by the Messages of some parts (OR of enum options_part): Templates
 * first, then types, names, counts, and Flow Keys. One Options Template in a Set, as some
 * Collectors read the first only. What does not fit any more is left out.
 */
void options_encode(struct options_batch *b, const struct options_state *state, uint32_t parts);

/*
 * The fields of a layout that make up the Flow Key, bit 0 for the first field;
 * 0 when one is not among the first 64 (RFC 7011 4.4).
 */
uint64_t options_flow_keys(int layout, uint32_t groups);
