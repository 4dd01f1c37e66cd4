/* SPDX-License-Identifier: BSD-2-Clause */
/* What NetFlow v9 (RFC 3954) has of our records; the rule is in ie.def. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe/ie.h"

#define NETFLOW9_HEADER_OCTETS	20 /* RFC 3954 5.1 */
#define NETFLOW9_FLOWSET_OCTETS 4 /* FlowSet ID and Length */
#define NETFLOW9_DATA_OFFSET	(NETFLOW9_HEADER_OCTETS + NETFLOW9_FLOWSET_OCTETS)

/* Octets of one Data Record, without padding. */
size_t netflow9_record_octets(enum template_kind kind, uint32_t groups);

/* Write the version and the Source ID into a header. */
void netflow9_put_header(uint8_t *message, uint32_t domain_id);

/* Write how many records, of Templates and data, a packet has. */
void netflow9_put_count(uint8_t *message, size_t n_records);

/* True when any element of a group (enum group_index) has a field type. */
bool netflow9_has_group(int group);
