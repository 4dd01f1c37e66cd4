/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From Flow Records to the octets of an IPFIX Message: straight-line code made
 * from ie.def, one function per Template and group. libfixbuf encodes the Templates only,
 * because its Data Records cost 375 ns each (it transcodes by table at run time)
 * and these 12; it is the oracle of the test that compares both octet for octet.
 *
 * Export Time and Sequence Number are stamped when a Message leaves, so that they
 * are true whatever waited or was lost before it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "probe/ie.h"
#include "probe/record.h"

#define MESSAGE_HEADER_OCTETS	16 /* RFC 7011 3.1 */
#define SET_HEADER_OCTETS	4 /* RFC 7011 3.3.2 */
#define MESSAGE_SEQUENCE_OFFSET 8
#define MESSAGE_DOMAIN_OFFSET	12
#define MESSAGE_DATA_OFFSET	(MESSAGE_HEADER_OCTETS + SET_HEADER_OCTETS)

/*
 * Encode one record as its Template says: template_record_octets() octets.
 *
 * p       room for it, any alignment
 * r       with all of `groups` filled
 * kind    template_of_record(r)
 * groups  OR of GROUP_*; GROUP_BASE goes without saying
 *
 * Returns the end of it. Source: RFC 7011 6; integers keep their low octets
 * where the element is shorter than the field.
 */
uint8_t *encode_record(uint8_t *p, const struct flow_record *r, enum template_kind kind,
		       uint32_t groups);

/*
 * Write the headers of a Message of one Data Set at message[MESSAGE_DATA_OFFSET];
 * the lengths, Export Time and Sequence Number are still to come.
 */
void encode_headers(uint8_t *message, uint32_t domain_id, uint16_t template_id);

/*
 * Encode both directions as one record (RFC 5103), all reverse elements first: some
 * Collectors store an unknown enterprise's value as the IANA element of that number,
 * and the forward value has to be the one that stays.
 *
 * kind    TEMPLATE_V4 or TEMPLATE_V6
 * groups  with GROUP_BIFLOW
 *
 * Otherwise as encode_record().
 */
uint8_t *encode_biflow(uint8_t *p, const struct flow_record *forward,
		       const struct flow_record *reverse, enum template_kind kind, uint32_t groups);

/* Octets of a finished Message, by its header. */
size_t encode_message_octets(const uint8_t *message);

/* Set the lengths of a Message of one Data Set of `octets` of records. */
void encode_lengths(uint8_t *message, size_t octets);

/* Write what is known when a Message leaves into its header. */
void encode_stamp(uint8_t *message, uint32_t export_time_s, uint32_t sequence);
