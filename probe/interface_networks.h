/* SPDX-License-Identifier: BSD-2-Clause */
/* The networks that the Observation Points' own interfaces are in. */
#pragma once

#include "probe/config.h"
#include "probe/network.h"

/*
 * Read the networks of the addresses that the configured interfaces have, link-local
 * ones not, as many as the list takes. A configuration that has anomaly.local_networks
 * of its own says all: the list is empty then. So it is, with a warning, when the
 * addresses cannot be read.
 */
void interface_networks(const struct config *cfg, struct network_list *list);
