/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file that keeps what the learning detector has learned. It is replaced as a
 * whole: whenever the machine stops, the old one or the new one is there.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct anomaly;

/*
 * Go on from the model in a file. What is no good is said in one sentence, and learning
 * starts anew; that there is no file yet is only noted.
 *
 * what_next  what becomes of a file that is no good, for that sentence
 */
void model_file_load(struct anomaly *a, const char *path, const char *what_next);

/*
 * Write a model: into PATH.tmp, to the disk, and then under its name.
 * Returns 0 or -errno, not printed.
 */
int model_file_write(const char *path, const uint8_t *octets, size_t n);
