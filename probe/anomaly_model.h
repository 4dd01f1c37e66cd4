/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the learning detector has learned, as octets that outlive a run: a head of magic,
 * version, length and checksum (CRC-32), then numbers in network order. No clock, no I/O.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "probe/anomaly.h"

#define ANOMALY_MODEL_VERSION 1

/* Octets of the largest model. */
size_t anomaly_model_max(void);

/*
 * Write the model into octets[anomaly_model_max()]. Returns its octets; 0 when nothing
 * is learned by configuration.
 */
size_t anomaly_model_save(const struct anomaly *a, uint8_t *octets);

/*
 * Go on from a model instead of from nothing.
 *
 * why  set on failure: what is wrong with it, static; nothing has changed then
 *
 * Returns 0, -EINVAL, or -ENOMEM.
 */
int anomaly_model_load(struct anomaly *a, const uint8_t *octets, size_t n, const char **why);
