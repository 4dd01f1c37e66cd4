/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the Collecting Process counts over its whole life, and which of the
 * counts mean that an Exporter or the network did something wrong.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct jsonl;

/*
 * X(name, is_fault). All start at 0 and only grow, except sequence_gaps, which
 * shrinks when a Message thought lost arrives late.
 *
 * records                 Data Records of Templates; options_records of Options Templates
 * templates               Template Records received, refreshes included
 * sequence_gaps           Data Records missing by Sequence Number (RFC 7011 3.1)
 * sequence_errors         Messages whose Sequence Number was not the expected one
 * empty_sets              Sets without a record
 * data_before_template    Data Sets whose Template is not known
 * malformed               Messages, Sets or Template Records that break RFC 7011 3
 * udp_withdrawals         Template Withdrawals over UDP (forbidden by RFC 7011 8.4)
 * template_redefinitions  a live Template ID sent again with another layout
 * packets_sum octets_sum  of packetDeltaCount and octetDeltaCount, forward direction
 * time_errors             Flow Records with start > end, or end's second > Export Time
 * bad_values              ill-formed UTF-8, or a length the data type cannot have
 * decode_errors           Messages where libfixbuf and our own walk disagree on the records
 * socket_drops            datagrams the kernel dropped because we were too slow
 */
#define COUNTS(X)                                                                                  \
	X(messages, false)                                                                         \
	X(octets, false)                                                                           \
	X(records, false)                                                                          \
	X(options_records, false)                                                                  \
	X(templates, false)                                                                        \
	X(sequence_gaps, true)                                                                     \
	X(sequence_errors, true)                                                                   \
	X(empty_sets, true)                                                                        \
	X(data_before_template, true)                                                              \
	X(malformed, true)                                                                         \
	X(template_withdrawals, false)                                                             \
	X(udp_withdrawals, true)                                                                   \
	X(template_redefinitions, true)                                                            \
	X(packets_sum, false)                                                                      \
	X(octets_sum, false)                                                                       \
	X(time_errors, true)                                                                       \
	X(bad_values, true)                                                                        \
	X(decode_errors, true)                                                                     \
	X(max_message_octets, false)                                                               \
	X(socket_drops, false)

struct counts {
#define COUNTS_MEMBER(name, is_fault) uint64_t name;
	COUNTS(COUNTS_MEMBER)
#undef COUNTS_MEMBER
};

/* Tell whether any count that marks a fault is above 0. */
bool counts_has_fault(const struct counts *counts);

/* Write {"type":"summary", ...} with every count, as one line. */
void counts_write(const struct counts *counts, struct jsonl *out);
