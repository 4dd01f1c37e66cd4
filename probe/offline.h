/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The offline run: a capture file through the native Metering Process, on the
 * packets' own clock, so that a file gives the same Flows on any machine.
 */
#pragma once

#include "probe/capture.h"
#include "probe/config.h"
#include "probe/native_meter.h"

/*
 * Read cfg->read_path to its end, export everything, print the ledger.
 * A damaged rest of the file is reported, what came before it is exported.
 * Returns 0 or -errno, printed.
 */
int offline_run(const struct config *cfg);

/*
 * A captured packet as the Metering Process takes it. One that ends inside its
 * link header becomes one that ends before its IP header: truncated.
 */
void offline_native_packet(const struct capture_packet *p, struct native_packet *packet);
