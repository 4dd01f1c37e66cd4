/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From Flow Records to IPFIX Messages by libfixbuf, into memory. Sending is not
 * its business: Export Time and Sequence Number are stamped when a Message
 * leaves, so that they are true whatever waited or was lost before it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <fixbuf/public.h>

#include "probe/ie.h"
#include "probe/record.h"

#define MESSAGE_HEADER_OCTETS 16 /* RFC 7011 3.1 */
#define SET_HEADER_OCTETS     4	 /* RFC 7011 3.3.2 */
#define MESSAGE_DATA_OFFSET   (MESSAGE_HEADER_OCTETS + SET_HEADER_OCTETS)
#define MESSAGE_MAX_OCTETS    16384

struct encoder {
	fbInfoModel_t *model;
	fBuf_t *fbuf; /* owns session and exporter */
	fbSession_t *session;
	fbExporter_t *exporter;
	uint8_t message[MESSAGE_MAX_OCTETS]; /* the last Message encoded */
};

/*
 * Prepare the Templates for Messages of this Observation Domain.
 * Returns 0 or -EPROTO (an element is not as the registry says; was printed).
 */
int encoder_open(struct encoder *enc, uint32_t domain_id);

/*
 * Encode one Message with all Templates, no data, into enc->message.
 * Returns its octets or -EPROTO.
 */
int encoder_templates(struct encoder *enc);

/*
 * Encode n > 0 records of one kind as one Message of one Data Set into
 * enc->message; MESSAGE_DATA_OFFSET + n records must fit it.
 * Returns its octets or -EPROTO. No memory is allocated.
 */
int encoder_records(struct encoder *enc, enum template_kind kind, struct flow_record *records,
		    size_t n);

void encoder_close(struct encoder *enc);

/* Write what is known when a Message leaves into its header. */
void message_stamp(uint8_t *message, uint32_t export_time_s, uint32_t sequence);

/* Set the lengths of a Message of one Data Set of `octets` of records. */
void message_set_length(uint8_t *message, size_t octets);
